"""The thread of all room connections of a process: the ``livekit`` SDK wants an event loop, and calls into it for as long as it
is loaded."""

from __future__ import annotations

import logging
import re

from antiphon.transport.loop_thread import LoopThread

_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")


class RoomThread(LoopThread):
    """Once begun it stays: the SDK may still be at work for a room that was left."""

    name = "livekit"

    def release(self) -> None:
        """The room of this user is left; the thread goes on."""

    def begin(self) -> None:
        import livekit.rtc  # noqa: F401  (a second or so, which the plane does not wait for)

        logging.getLogger("livekit").addFilter(_without_tokens)


def _without_tokens(record: logging.LogRecord) -> bool:
    """The SDK logs the token of a room that it cannot join, which lets whoever reads it join."""
    text = record.getMessage()
    if _TOKEN.search(text):
        record.msg, record.args = _TOKEN.sub("...", text), ()
    return True
