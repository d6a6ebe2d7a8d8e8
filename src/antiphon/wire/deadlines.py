"""How long the wire waits for a service behind HTTP.

Owns: the limits. Never: clocks, sockets.
"""

from __future__ import annotations

import msgspec


class Deadlines(msgspec.Struct, frozen=True):
    """Seconds. ``connect``: until the socket is open. ``first``: from the request's beginning until the first piece of the
    answer. ``between``: between two pieces. What only keeps a connection warm is no piece of an answer."""

    connect: float = 2.0
    first: float = 10.0
    between: float = 5.0


REMOTE = Deadlines()
LOCAL = Deadlines(connect=2.0, first=30.0, between=10.0)
"""A server of one's own may have to read the model from disk before its first token."""
