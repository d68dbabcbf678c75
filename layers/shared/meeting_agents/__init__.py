"""The code that the functions share."""
