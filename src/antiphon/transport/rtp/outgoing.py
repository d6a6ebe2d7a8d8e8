"""Sound on its way out: what the plane plays a little ahead, cut into frames that leave when they are due.

Where nothing is played there is silence, so that a stream never pauses. Counts samples as the ledger wants them: what
has left and sounded, and what could be taken back.
"""

from __future__ import annotations

from collections import deque

from antiphon.audio.frames import AudioFrame

FRAME = 0.02
"""Seconds of sound in a frame."""

_MOST_BEHIND = 0.1
_EPSILON = 1e-6


class OutgoingAudio:
    """``rate``: Hz. ``delay``: seconds from leaving to being heard, as far as it is known (may be changed)."""

    def __init__(self, rate: int, delay: float = 0.0) -> None:
        self.delay = delay
        self.skipped = 0
        """Samples of silence that were left out because nobody took frames for a while."""
        self._rate = rate
        self._size = round(FRAME * rate)
        self._begin: float | None = None
        self._edge = 0
        """Samples on the line that have left."""
        self._coming: deque[tuple[int, bytes]] = deque()
        self._left: deque[tuple[int, int]] = deque()
        self._heard = 0

    def play(self, due: float, frame: AudioFrame) -> None:
        """Sound whose first sample is due at ``due``; in order, without overlap."""
        if self._begin is None:
            self._begin = due
        start = max(self._edge, round((due - self._begin) * self._rate))
        if self._coming:
            last, data = self._coming[-1]
            start = max(start, last + len(data) // 2)
        self._coming.append((start, frame.data))

    def flush(self, now: float) -> int:
        """Take back all that has not left; returns how many samples that was."""
        dropped = sum(len(data) // 2 for _, data in self._coming)
        self._coming.clear()
        return dropped

    def take(self, now: float) -> list[bytes]:
        """The frames of 20 ms that are due by ``now``."""
        if self._begin is None:
            self._begin = now
        due = round((now - self._begin + _EPSILON) * self._rate)
        if due - self._edge > _MOST_BEHIND * self._rate:
            self._skip(due)
        frames = []
        while self._edge <= due:
            frames.append(self._cut())
        return frames

    def heard(self, now: float) -> int:
        """Samples of what was played that have sounded by ``now``."""
        if self._begin is None:
            return 0
        reached = round((now - self.delay - self._begin) * self._rate)
        while self._left and self._left[0][0] + self._left[0][1] <= reached:
            self._heard += self._left.popleft()[1]
        partly = 0
        for start, samples in self._left:
            if start >= reached:
                break
            partly += min(samples, reached - start)
        return self._heard + partly

    def _skip(self, due: int) -> None:
        """Nobody asked for a while: go on from now, with what is still to be said."""
        self.skipped += due - self._edge
        moved, at = deque[tuple[int, bytes]](), due
        for start, data in self._coming:
            at = max(at, start)
            moved.append((at, data))
            at += len(data) // 2
        self._coming, self._edge = moved, due

    def _cut(self) -> bytes:
        begin, end = self._edge, self._edge + self._size
        self._edge = end
        parts, at = list[bytes](), begin
        while self._coming and self._coming[0][0] < end:
            start, data = self._coming.popleft()
            if start > at:
                parts.append(bytes(2 * (start - at)))
            room = 2 * (end - start)
            if len(data) > room:
                self._coming.appendleft((end, data[room:]))
                data = data[:room]
            parts.append(data)
            self._left.append((start, len(data) // 2))
            at = start + len(data) // 2
        if at < end:
            parts.append(bytes(2 * (end - at)))
        return b"".join(parts)
