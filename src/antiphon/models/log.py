"""The contract of the event log: what a session writes down, in two lanes, as it happens.

The log of a session is gapless: ``seq`` counts both lanes together. ``fact`` entries change the conversation;
``input`` entries are what the kernel was told.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

Lane = Literal["fact", "input"]

LOG_FORMAT = "antiphon.event-log"
LOG_VERSION = 1


class LogHeader(msgspec.Struct, frozen=True, omit_defaults=False):
    """The first line of a log. ``build``: the version that wrote it: inputs replay in the same build only."""

    format: str = LOG_FORMAT
    version: int = LOG_VERSION
    build: str = ""


class LogEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. ``at``: session time in seconds. ``kind``: the tag of the event or fact, ``body`` its fields. ``redacted``:
    the fields are not quite what they were."""

    seq: int
    at: float
    lane: Lane
    kind: str
    body: dict[str, Any]
    redacted: bool = False


class EventLog(Protocol):
    """Where a session's log goes."""

    def append(self, lane: Lane, at: float, body: msgspec.Struct | dict[str, Any]) -> int:
        """Add an event or a fact (a tagged struct, or plain data with ``kind``); returns its ``seq``. Never blocks
        and never raises for a full disk: the writer reports that once, and the call goes on."""
        ...

    async def aclose(self) -> None:
        """Write out what is left and free the file. Bounded; may be called more than once."""
        ...
