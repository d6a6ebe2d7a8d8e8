"""A page: one open socket of a browser. Reads it and writes it on the server's loop; the call it belongs to lives on the core.

Bounded both ways: a page that does not read is let go of, and comes back with all it missed; one that talks too much or
nonsense is closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from antiphon.session.lanes import Lane
from antiphon.web.http import Socket
from antiphon.web.messages import (
    MALFORMED,
    NORMAL,
    SIGNALS,
    TIMED_OUT,
    TOO_BIG,
    TOO_MANY,
    TRY_LATER,
    Message,
    Problem,
    kind_of,
    read_hello,
    write,
)

if TYPE_CHECKING:
    from antiphon.web.messages import Hello
    from antiphon.web.settings import WebRTCLimits

HELLO_WITHIN = 10.0
"""Seconds in which a page has to say who it is."""
_MOST_UNSENT = 1000
_MOST_MALFORMED = 10
_BURST = 5.0
_MOST_REASON = 123
"""Bytes of a close frame's reason (RFC 6455, 5.5)."""


class PageOwner(Protocol):
    """Whom a page's signals go to, on the core's lane."""

    def take(self, page: Page, kind: str, text: str) -> None: ...


class Page:
    """``tell`` and ``close`` may be called from any lane; the rest belongs to the server's. ``counts``: what was refused,
    by name; they are the program's, not the page's."""

    def __init__(self, address: str, limits: WebRTCLimits, counts: dict[str, int]) -> None:
        self.address = address
        self.lane = Lane(asyncio.get_running_loop())
        self._limits, self._counts = limits, counts
        self._out: deque[str] = deque()
        self._wake = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self._malformed = 0
        self._tokens = limits.messages_per_second * _BURST
        self._filled = self.lane.loop.time()

    def tell(self, message: Message | str) -> None:
        """Send a message of ours, or a signal as it is."""
        self.lane.run(self._put, message if isinstance(message, str) else write(message))

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close the socket once everything told so far has been sent."""
        self.lane.run(self._close, code, reason)

    def count(self, what: str) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1

    def _put(self, text: str) -> None:
        if self._closing is not None:
            return
        if len(self._out) >= _MOST_UNSENT:
            self.count("pages_too_slow")
            self._out.clear()
            self._close(TRY_LATER, "This page does not keep up.")
            return
        self._out.append(text)
        self._wake.set()

    def _close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason.encode()[:_MOST_REASON].decode(errors="ignore"))
            self._wake.set()

    # --- the socket ----------------------------------------------------------------------------------------------

    async def write_to(self, socket: Socket) -> None:
        """Send what is told until the page is closed."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._out:
                await socket.send(self._out.popleft())
            if self._closing is not None:
                await socket.close(*self._closing)
                return

    async def hello(self, socket: Socket) -> Hello | None:
        """The page's first words; ``None`` where they are none, and it has been told so."""
        text = None
        with suppress(TimeoutError):
            async with asyncio.timeout(HELLO_WITHIN):
                text = await socket.receive()
            if text is None:
                return None
        if text is None:
            self._refuse("hello_late", TIMED_OUT, "No hello came.", "")
            return None
        hello = read_hello(text) if len(text) <= self._limits.message_bytes else None
        if hello is None:
            self._refuse("hello_malformed", MALFORMED, "The first message is no hello.", 'Send {"type": "hello"}.')
        return hello

    async def read_from(self, socket: Socket, owner: PageOwner, core: Lane) -> None:
        """Hand the page's signals on until it is gone or closed."""
        while self._closing is None:
            text = await socket.receive()
            if text is None:
                return
            kind = self._admit(text)
            if kind:
                core.post(owner.take, self, kind, text)

    def _admit(self, text: str) -> str:
        """The kind of a signal that may pass; empty for one that may not."""
        now = self.lane.loop.time()
        limits = self._limits
        most = limits.messages_per_second * _BURST
        self._tokens = min(most, self._tokens + (now - self._filled) * limits.messages_per_second) - 1
        self._filled = now
        if self._tokens < 0:
            self._refuse("messages_too_many", TOO_MANY, "Too many messages.", "Send fewer.")
            return ""
        if len(text.encode()) > limits.message_bytes:
            self._refuse("messages_too_big", TOO_BIG, f"A message is longer than {limits.message_bytes} bytes.", "")
            return ""
        kind = kind_of(text)
        if kind in SIGNALS:
            return kind
        self.count("messages_malformed")
        self._malformed += 1
        if self._malformed > _MOST_MALFORMED:
            self._refuse("pages_malformed", MALFORMED, "Too many messages that are none.", "")
        else:
            self._put(write(Problem("This is no message of a page.", f"Known: {', '.join(sorted(SIGNALS))}.")))
        return ""

    def _refuse(self, what: str, code: int, error: str, hint: str) -> None:
        self.count(what)
        self._put(write(Problem(error, hint, recoverable=False)))
        self._close(code, error)
