"""The rules: pure, and of the standard library alone."""
