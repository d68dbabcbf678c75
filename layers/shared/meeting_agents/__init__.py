"""The code that the functions share."""

VERSION = "1.0.0"
"""The version of the whole: a log line, the API's description and the stack's output show it; a test compares them."""
