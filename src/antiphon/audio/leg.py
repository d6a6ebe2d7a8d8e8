"""A Leg as the media plane drives it: one media path to one party.

A transport is a module that registers a factory by name; the plane, thread or process, makes the leg from a
``LegSpec``. All methods are called from the plane's thread, once a tick, and never block: a transport with threads
or callbacks of its own keeps bounded rings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from antiphon.audio.frames import AudioFrame


class LegEvent(msgspec.Struct, frozen=True):
    """``up``, ``down`` (reason in ``text``; ``certain``), ``dtmf`` (digit in ``text``), ``text``, ``error``, ``signal``
    (the transport's own message, in ``text``)."""

    kind: Literal["up", "down", "dtmf", "text", "error", "signal"]
    text: str = ""
    certain: bool = True


class LegMedia(Protocol):
    """One party's audio.

    ``in_rate`` / ``out_rate``: Hz of what it captures and wants. ``quality``: how it knows what was heard.
    ``symbolic``: its frames have no samples (simulator).
    """

    in_rate: int
    out_rate: int
    quality: Literal["peer", "device", "paced", "estimated"]
    symbolic: bool
    needs_aec: bool

    def open(self, now: float) -> None:
        """Start. Problems come as ``LegEvent('error')`` or an ``AudioError``."""
        ...

    def events(self, now: float) -> Sequence[LegEvent]: ...

    def capture(self, now: float) -> Sequence[AudioFrame]:
        """Caller audio captured since the last call, ``at`` set, oldest first."""
        ...

    def play(self, now: float, frame: AudioFrame) -> None:
        """Send a frame towards the party; its first sample is due to sound at ``now`` (a little ahead of the tick's
        time; for a symbolic leg, a stretch that has just passed). Frames come in order and without overlap."""
        ...

    def flush(self, now: float) -> int:
        """Drop what has been sent and not heard yet, where the transport can. Returns the dropped samples at
        ``out_rate``."""
        ...

    def heard(self, now: float) -> int:
        """Samples at ``out_rate`` known to have been heard since ``open`` (of all that ``play`` got)."""
        ...

    def send_digits(self, digits: str) -> None: ...

    def next_wake(self, now: float) -> float | None:
        """When the leg next has something to do; ``None``: every tick. Only a symbolic leg says otherwise."""
        ...

    def close(self) -> None:
        """Free everything within 1 s."""
        ...


@runtime_checkable
class SignalledLeg(Protocol):
    """A leg that is also spoken to by whoever serves its transport (``SignalLeg``)."""

    def signal(self, now: float, data: str) -> None:
        """Take a message of the transport's own kind. Never blocks; what is wrong with it is answered, not raised."""
        ...


@runtime_checkable
class ReattachedLeg(Protocol):
    """A leg whose signals tell of a state that somebody new has to know as a whole (who is in a room)."""

    def attached(self, now: float) -> None:
        """Another owner has the line: say by signals how things stand, as at the beginning. Never blocks."""
        ...


@runtime_checkable
class CountingLeg(Protocol):
    """A leg with counts of its own (packets dropped, say), which are reported when its line closes."""

    @property
    def counts(self) -> Mapping[str, int]: ...


LegFactory = Callable[[Mapping[str, Any]], LegMedia]
