"""What the functions share. A module imports only from those above it in the list of `tests/test_architecture.py`."""
