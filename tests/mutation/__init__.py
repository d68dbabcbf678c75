"""Mutation testing of the rules: each is changed a little, one at a time, and a test must fail: `make mutate`."""
