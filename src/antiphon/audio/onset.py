"""Where in time a sound stands out from the room: finer than the windows of a voice detector, and no sooner than they.

A detector's first window of speech often comes late, after a soft consonant, and its last runs over. The barge-in reflex
counts milliseconds of voice, so it needs both ends. Owns the room's noise floor; decides nothing about speech.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE

PART = 128
"""Samples judged at a time: 8 ms."""
RISE = 10.0
"""dB above the room from which a part is loud."""
GAP = 0.024
"""Seconds of quiet that end a loud stretch."""
_CREEP, _CREEP_IN_SPEECH = 0.2, 0.0125
"""dB by which the floor rises with each part: 25 and 1.6 dB a second."""
_FALL = 1.0
"""dB by which it falls at most: a few lost samples are no quiet room."""


class Onset:
    """``since`` / ``until``: the newest loud stretch, in sample time (``since`` ``None``: nothing is loud)."""

    def __init__(self) -> None:
        self.since: float | None = None
        self.until = 0.0
        self._floor: float | None = None

    def hear(self, block: NDArray[np.int16], at: float, speech: bool) -> None:
        """``block``: a window whose first sample is at ``at``; ``speech``: the detector takes it for speech."""
        creep = _CREEP_IN_SPEECH if speech else _CREEP
        parts = block[: block.size // PART * PART].astype(np.float32).reshape(-1, PART)
        levels = 10.0 * np.log10(np.mean(parts * parts, axis=1) + 1.0)
        for number, level in enumerate(levels.tolist()):
            start = at + number * PART / EAR_RATE
            floor = level if self._floor is None else self._floor
            if level >= floor + RISE:
                if self.since is None or start - self.until > GAP:
                    self.since = start
                self.until = start + PART / EAR_RATE
            elif self.since is not None and start - self.until > GAP:
                self.since = None
            self._floor = min(max(level, floor - _FALL), floor + creep)
