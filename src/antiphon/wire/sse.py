"""Server-sent events, read incrementally (WHATWG HTML, section 9.2 "Server-sent events").

Owns: bytes in any chunking -> events. Never: sockets, time, what the data means.
"""

from __future__ import annotations

import re

import msgspec

from antiphon.errors import ModelError

BOM = b"\xef\xbb\xbf"
LINE_ENDS = re.compile(rb"[\r\n]+")
MAX_EVENT = 4 * 1024 * 1024
"""Bytes of one event at most: a peer that never ends a line must not fill the memory."""


class SSEvent(msgspec.Struct, frozen=True):
    """One event. ``event``: its type, empty for the default. ``data``: its data lines, joined by line feeds."""

    data: str
    event: str = ""


class SSEParser:
    """Feed it what arrives; it returns the events that are complete.

    Lines end in CR, LF or CRLF. Comments, ``id`` and ``retry`` are read over: nothing reconnects to a stream of
    tokens. Bytes that are not UTF-8 become U+FFFD. Raises ``ModelError`` when one event exceeds ``max_event`` bytes.
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max = max_event
        self._line = bytearray()
        self._data: list[str] = []
        self._size = 0
        self._event = ""
        self._at_start = True
        self._skip_lf = False

    def feed(self, chunk: bytes) -> list[SSEvent]:
        """The events that ``chunk`` completes, in order."""
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        events: list[SSEvent] = []
        start = 0
        for ends in LINE_ENDS.finditer(chunk):
            self._add(chunk[start : ends.start()])
            self._end_line(events)
            if ends.group() not in (b"\n", b"\r", b"\r\n"):  # a blank line follows, or any number of them
                self._dispatch(events)
            start = ends.end()
        self._add(chunk[start:])
        self._skip_lf = self._skip_lf or chunk.endswith(b"\r")
        return events

    def close(self) -> list[SSEvent]:
        """The stream has ended. An event whose last line was whole counts, even without the blank line after it
        (several servers leave it out after their last event); half a line does not."""
        events: list[SSEvent] = []
        self._line.clear()
        self._dispatch(events)
        return events

    def _add(self, part: bytes) -> None:
        self._line += part
        if len(self._line) + self._size > self._max:
            raise ModelError(f"The service sent one event of more than {self._max} bytes.", retryable=False)

    def _end_line(self, events: list[SSEvent]) -> None:
        raw = bytes(self._line)
        self._line.clear()
        if self._at_start:
            self._at_start = False
            raw = raw.removeprefix(BOM)
        if not raw:
            self._dispatch(events)
            return
        name, _, value = raw.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(raw)
        elif name == "event":
            self._event = value

    def _dispatch(self, events: list[SSEvent]) -> None:
        if self._data:
            events.append(SSEvent(data="\n".join(self._data), event=self._event))
        self._data.clear()
        self._size = 0
        self._event = ""
