"""What the functions share. Bottom up: a module imports only from those above it in `tests/test_architecture.py`'s list."""
