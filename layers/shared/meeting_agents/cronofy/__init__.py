"""Cronofy's API: the requests to it, its responses, the client, and the secrets of its applications."""
