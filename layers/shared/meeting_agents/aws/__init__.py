"""The parts of AWS that the project uses: the tables, the topics, and the objects made of their items."""
