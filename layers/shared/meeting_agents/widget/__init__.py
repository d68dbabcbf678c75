"""The widget of the dashboard: what it shows, and the answers of its buttons."""
