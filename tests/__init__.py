"""Tests of the whole bundle: pure rules, functions, template, and the system on one machine."""

import os

# Lambda has these before it imports a function; a test that imports one may be the first to do so.
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "meeting-agents")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "test")
