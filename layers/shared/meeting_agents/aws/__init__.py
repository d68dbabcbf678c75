"""AWS as the project uses it: the tables, the topics, and what is built of their items."""
