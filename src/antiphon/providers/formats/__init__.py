"""Conversations as the requests of each vendor: pure functions, one file a format."""
