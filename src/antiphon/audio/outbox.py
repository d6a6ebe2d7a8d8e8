"""Messages on their way from a plane to a core that may be late to fetch them.

Keeps order. Bounded: a core that does not fetch loses the oldest caller audio first, counted; everything else waits.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from antiphon.audio.frames import EAR_RATE
from antiphon.audio.seam import FromPlane, Level, LineClosed, MicAudio

MIC_KEPT = 15 * EAR_RATE
"""Samples of caller audio that wait for each line, unless told otherwise: 15 s."""


class Outbox:
    """Filled by the plane, emptied by ``take``. ``mic``: samples of caller audio that wait for each line at most.
    ``dropped``: samples lost of each line, until its ``LineClosed`` tells them."""

    def __init__(self, mic: int = MIC_KEPT) -> None:
        self.dropped: Counter[str] = Counter()
        self._most = mic
        self._messages: deque[FromPlane | None] = deque()
        self._mic: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, messages: Iterable[FromPlane]) -> None:
        """Put messages at the end; ``LineClosed`` gets the line's losses."""
        for message in messages:
            if isinstance(message, MicAudio):
                waiting = self._mic.get(message.line, 0) + message.frame.samples
                self._mic[message.line] = waiting
                if waiting > self._most:
                    self._drop_mic(message.line)
            elif isinstance(message, LineClosed):
                if dropped := self.dropped.pop(message.line, 0):
                    counts = {**message.counts, "mic_dropped": message.counts.get("mic_dropped", 0) + dropped}
                    message = msgspec.structs.replace(message, counts=counts)
            elif isinstance(message, Level) and self._messages and len(self._messages) > 1000:
                continue
            self._messages.append(message)

    def take(self) -> list[FromPlane]:
        """Everything that waits, oldest first."""
        messages = [message for message in self._messages if message is not None]
        self._messages.clear()
        self._mic.clear()
        return messages

    def drop(self, kinds: tuple[type[FromPlane], ...]) -> None:
        """Forget what waits of these kinds."""
        self._messages = deque(message for message in self._messages if not isinstance(message, kinds))
        if MicAudio in kinds:
            self._mic.clear()

    def withdraw(self, line: str) -> list[FromPlane]:
        """Everything that waits of one line, oldest first: it goes to somebody else."""
        messages = [message for message in self._messages if message is not None and message.line == line]
        if messages:
            self._messages = deque(message for message in self._messages if message and message.line != line)
        self._mic.pop(line, None)
        return messages

    def _drop_mic(self, line: str) -> None:
        """Let the line's oldest second of audio go."""
        target = self._mic[line] - EAR_RATE
        for index, message in enumerate(self._messages):
            if isinstance(message, MicAudio) and message.line == line:
                self._messages[index] = None
                self._mic[line] -= message.frame.samples
                self.dropped[line] += message.frame.samples
                if self._mic[line] <= target:
                    break
        self._messages = deque(message for message in self._messages if message is not None)
