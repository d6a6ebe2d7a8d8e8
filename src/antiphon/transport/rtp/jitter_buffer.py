"""The jitter buffer: packets of one stream, as the network brings them, to a time line without holes.

Who listens here is a program, not a loudspeaker, so nothing is delayed to make it even. A packet whose turn it is goes
through at once; only what comes *after* something missing waits. How long a missing packet is waited for (``patience``,
20 to 120 ms from when it should have come) follows the lateness of the last seconds: it grows at once when a packet
came after it was given up, and shrinks as late ones leave the window.

If nothing comes at all, the network has stalled or the sender paused, and none can tell which. For ``STALL`` nothing is
made up: silence of the network's making would end the caller's turn. After that silence fills the line in real time,
and what comes for that time is late.

Counts and orders, and never looks into a payload. Time is an argument.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from typing import NamedTuple

PATIENCE = (0.02, 0.12)
"""Seconds: the least and the most that a missing packet is waited for."""

STALL = 0.5
"""Seconds without any packet before silence takes its place."""

_MOST_PACKETS = 150
_MOST_MADE_UP = 0.12
_FRAME = 0.02
_WINDOW = 250
"""Packets over which lateness is measured."""
_BASE_WINDOW = 500
"""Packets of which the fastest sets the time."""
_LATE_ENOUGH = 0.95
_FORGET = 0.0002
"""Seconds of grown patience that each packet takes back."""
_EARLY = 0.25
_BEHIND = 0.15
_RESTART = 3000
_REMEMBERED = 256


class Piece(NamedTuple):
    """The next ``samples`` of the line, in units of the stream's clock; the first was captured at ``at`` (by the
    receiver's clock, as if the fastest packet had taken no time).

    ``payload``: what to decode, but for its first ``skip`` samples, which the line has already. Without one,
    ``following`` is the packet that comes right after this piece; ``lost``: packets were given up here; ``silent``:
    nothing is to be made up.
    """

    at: float
    samples: int
    payload: bytes = b""
    following: bytes = b""
    skip: int = 0
    lost: bool = False
    silent: bool = False


class _Held(NamedTuple):
    timestamp: int
    samples: int
    payload: bytes


class JitterBuffer:
    """``clock_rate``: units of the timestamps a second. ``counts``: ``late`` (came after it was given up),
    ``duplicate``, ``lost``, ``overflow``, ``restart`` (the sender began a new time line), ``stray`` (numbers or times that fit
    nothing)."""

    def __init__(self, clock_rate: int) -> None:
        self.counts: dict[str, int] = {}
        self.patience = PATIENCE[0]
        self._rate = clock_rate
        self._frame = round(_FRAME * clock_rate)
        self._held: dict[int, _Held] = {}
        self._next: int | None = None
        """Extended sequence number of the packet whose turn it is."""
        self._line = 0
        """Extended timestamp up to which the line is handed out."""
        self._made_up = 0
        self._highest = 0
        self._last_timestamp = 0
        self._last_arrival = 0.0
        self._given_up: deque[int] = deque(maxlen=_REMEMBERED)
        self._stray: int | None = None
        self._behind_since: float | None = None
        self._base = 0.0
        """The receiver's time at which timestamp 0 was captured."""
        self._measured = 0
        self._earliest: deque[tuple[int, float]] = deque()
        self._lateness: deque[float] = deque()
        self._sorted: list[float] = []
        self._grown = 0.0

    # --- packets come --------------------------------------------------------------------------------------------

    def push(self, now: float, sequence: int, timestamp: int, payload: bytes, samples: int) -> bool:
        """Take a packet that arrived at ``now``. ``samples`` is its length; 0: it only takes a place in the order
        (another kind of payload). False: it was of no use."""
        if self._next is None:
            self._begin(now, sequence, timestamp, samples)
        ordinal = self._highest + _signed(sequence - self._highest, 16)
        if abs(ordinal - self._highest) > _RESTART:
            stray, self._stray = self._stray, (sequence + 1) & 0xFFFF
            if stray != sequence:  # two in order are a new line
                return self._refuse("stray")
            self._restart(now, sequence, timestamp, samples)
            ordinal = sequence
        self._stray = None
        begin = self._last_timestamp + _signed(timestamp - self._last_timestamp, 32)
        if samples:
            early = now - (begin + samples) / self._rate < self._base - _EARLY
            if ordinal <= self._highest:
                if early:
                    return self._refuse("stray")
            elif early or self._stays_behind(now, begin + samples):
                self._restart(now, sequence, timestamp, samples)
                ordinal, begin = sequence, timestamp
        assert self._next is not None
        late = self._measure(now, begin + samples) if samples else 0.0
        if ordinal in self._held:
            return self._refuse("duplicate")
        if ordinal < self._next:
            if ordinal not in self._given_up:
                return self._refuse("duplicate")
            self._given_up.remove(ordinal)
            if samples:
                self._grow(late)
            return self._refuse("late")
        if len(self._held) >= _MOST_PACKETS:
            self._count("overflow")
            del self._held[min(self._held)]
        if ordinal > self._highest:
            self._highest, self._last_timestamp, self._last_arrival = ordinal, begin, now
        if samples and begin + samples <= self._line:  # silence stands in its place
            self._held[ordinal] = _Held(begin, 0, b"")
            return self._refuse("late")
        self._held[ordinal] = _Held(begin, samples, payload)
        return True

    # --- the line goes out ---------------------------------------------------------------------------------------

    def pull(self, now: float) -> list[Piece]:
        """What the line can be continued with at ``now``, in order and without a hole."""
        pieces: list[Piece] = []
        while self._held:
            assert self._next is not None
            held = self._held.pop(self._next, None)
            if held is not None:
                self._next += 1
                self._play(pieces, held)
            elif not self._give_up(now, pieces):
                return pieces
        if self._next is not None and now - self._last_arrival > STALL:
            self._pause(now, pieces)
        return pieces

    def _give_up(self, now: float, pieces: list[Piece]) -> bool:
        """Put something in the place of the packet whose turn it is, if it has been waited for long enough."""
        assert self._next is not None
        first = min(self._held)
        held, missing = self._held[first], first - self._next
        gap = max(0, held.timestamp - self._line)
        share = gap // missing
        if now < self._base + (self._line + share) / self._rate + self.patience - 1e-6:
            return False
        if share == 0:  # the order has a gap, the line has none
            self._lose(missing)
        elif missing > 1:
            self._lose(1)
            self._make_up(pieces, share)
        else:
            self._lose(1)
            recovered = min(gap, held.samples)
            self._make_up(pieces, gap - recovered)
            self._add(pieces, recovered, following=held.payload, lost=True)
        return True

    def _lose(self, packets: int) -> None:
        assert self._next is not None
        self._count("lost", packets)
        end = self._next + packets
        self._given_up.extend(range(max(self._next, end - _REMEMBERED), end))
        self._next = end

    def _make_up(self, pieces: list[Piece], samples: int) -> None:
        """Sound for the first 120 ms of a loss, then silence."""
        sound = max(0, min(samples, round(_MOST_MADE_UP * self._rate) - self._made_up))
        self._made_up += sound
        self._add(pieces, sound, lost=True)
        self._add(pieces, samples - sound, lost=True, silent=True)

    def _play(self, pieces: list[Piece], held: _Held) -> None:
        if not held.samples:
            return
        self._made_up = 0
        self._add(pieces, held.timestamp - self._line, silent=True)  # the sender paused
        skip = self._line - held.timestamp
        self._add(pieces, held.samples - skip, payload=held.payload, skip=skip)

    def _pause(self, now: float, pieces: list[Piece]) -> None:
        """Nothing comes: silence up to the time that packets would have reached by now."""
        reached = round((now - self._base - self.patience) * self._rate)
        self._add(pieces, (reached - self._line) // self._frame * self._frame, silent=True)

    def _add(
        self,
        pieces: list[Piece],
        samples: int,
        *,
        payload: bytes = b"",
        following: bytes = b"",
        skip: int = 0,
        lost: bool = False,
        silent: bool = False,
    ) -> None:
        if samples > 0:
            at = self._base + self._line / self._rate
            pieces.append(Piece(at, samples, payload, following, skip, lost, silent))
            self._line += samples

    # --- what is measured ----------------------------------------------------------------------------------------

    def _begin(self, now: float, sequence: int, timestamp: int, samples: int) -> None:
        self._next = self._highest = sequence
        self._line = self._last_timestamp = timestamp
        self._last_arrival = now
        self._base = now - (timestamp + samples) / self._rate
        self._earliest.clear()
        self._behind_since = None
        self._made_up = 0

    def _restart(self, now: float, sequence: int, timestamp: int, samples: int) -> None:
        self._count("restart")
        self._held.clear()
        self._given_up.clear()
        self._begin(now, sequence, timestamp, samples)

    def _stays_behind(self, now: float, end: int) -> bool:
        """Whether packets keep coming for a time that is over: the sender's clock stood still (those of a burst catch
        up)."""
        if end > self._line:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now
        return self._behind_since is not None and now - self._behind_since > _BEHIND

    def _measure(self, now: float, end: int) -> float:
        """Seconds by which a packet that ends at timestamp ``end`` is later than the fastest of the last ones."""
        offset = now - end / self._rate
        earliest = self._earliest
        while earliest and earliest[-1][1] >= offset:
            earliest.pop()
        self._measured += 1
        earliest.append((self._measured, offset))
        if earliest[0][0] <= self._measured - _BASE_WINDOW:
            earliest.popleft()
        self._base = earliest[0][1]
        late = offset - self._base
        if len(self._lateness) >= _WINDOW:
            del self._sorted[bisect_left(self._sorted, self._lateness.popleft())]
        self._lateness.append(late)
        insort(self._sorted, late)
        self._grown = max(0.0, self._grown - _FORGET)
        self._set_patience()
        return late

    def _grow(self, late: float) -> None:
        self._grown = max(self._grown, late)
        self._set_patience()

    def _set_patience(self) -> None:
        usual = self._sorted[int(_LATE_ENOUGH * (len(self._sorted) - 1))]
        self.patience = min(PATIENCE[1], max(PATIENCE[0], usual, self._grown))

    def _refuse(self, why: str) -> bool:
        self._count(why)
        return False

    def _count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by


def _signed(value: int, bits: int) -> int:
    """A difference of two counters of ``bits`` bits, as the nearer of its two readings."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half
