"""Streaming recognition over a socket: one service that costs little, and one program for each client that is measured."""
