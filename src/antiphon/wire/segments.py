"""Segments of a recognition: what a service says of a stretch of speech, as events with a name and a rising revision.

Owns names, revisions and which segments have no final yet. Never: sockets, audio.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from antiphon.models.speech_codec import Heard
from antiphon.models.stt import STTEvent
from antiphon.wire.audio_line import TimeLine

REMEMBERED = 64
"""Segments whose revision is remembered: a final may come again, but not that much later."""


class _Unfinished(msgspec.Struct):
    event: STTEvent
    until: float
    link: int


class Segments:
    """``give``: takes each event."""

    def __init__(self, give: Callable[[STTEvent], None]) -> None:
        self._give = give
        self._revisions: dict[str, int] = {}
        self._unfinished: dict[str, _Unfinished] = {}

    @property
    def open(self) -> bool:
        """Whether something was said whose final has not come."""
        return bool(self._unfinished)

    def heard(self, link: int, times: TimeLine, heard: Heard) -> float:
        """Give the event; returns the capture time up to which it settles the audio (minus infinity: it does not)."""
        segment = f"{link}.{heard.segment}"
        start = times.captured(heard.start)
        end = times.captured(heard.end) if heard.end else 0.0
        event = STTEvent(
            kind="final" if heard.final else "partial",
            text=heard.text,
            language=heard.language,
            confidence=heard.confidence,
            start=start,
            end=end,
            words=times.words(heard.words, start),
            speaker=heard.speaker,
        )
        if heard.final:
            self._unfinished.pop(segment, None)
        else:
            self._unfinished[segment] = _Unfinished(event, end, link)
        if heard.text or segment in self._revisions:
            self._say(segment, event)
        return end if heard.final and end else float("-inf")

    def give_up(self, from_: float) -> float:
        """The socket is lost. What can be heard again is taken back; of what began before ``from_``, the oldest audio that is
        left, the words read so far stand as a final. Returns the capture time up to which they do."""
        until = float("-inf")
        for segment, left in self._unfinished.items():
            if left.event.start + 1e-3 < from_ and left.until:
                self._say(segment, msgspec.structs.replace(left.event, kind="final"))
                words = (
                    left.event.words
                )  # what comes after the last of them was not understood yet, and may be half a word
                until = max(until, left.event.start + words[-1].end if words else left.until)
            else:
                self._say(segment, msgspec.structs.replace(left.event, text="", words=()))
        self._unfinished.clear()
        return until

    def settle(self, link: int | None = None) -> None:
        """The service has ended (one socket of it, or all): what it said last stands."""
        for segment, left in list(self._unfinished.items()):
            if link is None or left.link == link:
                del self._unfinished[segment]
                self._say(segment, msgspec.structs.replace(left.event, kind="final"))

    def _say(self, segment: str, event: STTEvent) -> None:
        revision = self._revisions.pop(segment, 0) + 1
        self._revisions[segment] = revision
        while len(self._revisions) > REMEMBERED:
            self._revisions.pop(next(iter(self._revisions)))
        self._give(msgspec.structs.replace(event, segment=segment, revision=revision))
