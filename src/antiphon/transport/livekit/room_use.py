"""What a session wants of its room: whom it hears and how, whether it speaks, whose writing is a turn. Plain data."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import msgspec

from antiphon.audio.frames import EAR_RATE

SPEAKERS = ("standard", "sip", "connector")
"""Kinds of participants that an agent talks with unless it is told otherwise."""
CHAT = "lk.chat"
"""Topic of the text streams by which people write to the agent."""


class Noise(msgspec.Struct, frozen=True):
    """What cleans each participant's sound: ``path`` (``package.module:factory``), called with ``options`` and, first, the rate.
    ``rate`` in Hz, ``frame_ms`` in milliseconds: of the frames that it gets."""

    path: str
    options: dict[str, Any] = {}
    rate: int = EAR_RATE
    frame_ms: int = 20


class RoomUse(msgspec.Struct, frozen=True):
    """``identity``: whom the agent hears; empty: the first that comes. ``kinds``: of participants it takes. ``everybody``: all of
    them are heard, not one. ``observers``: identities (or patterns of them: ``supervisor-*``) of those who are never taken for a
    caller. ``ends_with_caller``: the call is over when the caller leaves. ``pre_connect``: seconds to wait for what a client
    recorded before; 0: it is not wanted."""

    identity: str = ""
    kinds: tuple[str, ...] = SPEAKERS
    everybody: bool = False
    observers: tuple[str, ...] = ()
    hears: bool = True
    speaks: bool = True
    topic: str = CHAT
    ends_with_caller: bool = True
    pre_connect: float = 3.0
    noise: Noise | None = None

    def observes(self, identity: str) -> bool:
        """Whether this is somebody who looks on."""
        return any(fnmatchcase(identity, pattern) for pattern in self.observers)

    def wants(self, identity: str, kind: str) -> bool:
        """Whether the agent may talk with this participant."""
        if self.observes(identity):
            return False
        return identity == self.identity if self.identity else kind in self.kinds
