"""The API that callers see: its routes, what they take and what they show."""
