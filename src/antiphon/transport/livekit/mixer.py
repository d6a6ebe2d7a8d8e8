"""Several voices as one stream, and who of them is the loudest when. Pure: fed with frames, asked for nothing.

Sound is mixed in slots of 20 ms of the capture clock. A slot is done when everybody who sends has given theirs, or when it is
too old to wait for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.audio.mixing import loudness

SLOT = EAR_RATE // 50
SECONDS = SLOT / EAR_RATE
WAIT = 4
"""Slots that the mix waits for a late voice."""
DRIFT = 5
"""Slots that a voice may be away from its clock before it is put right."""
JUST_BEFORE = 0.3
"""Seconds that somebody who was told of as speaking may be ahead of a question about them."""
AUDIBLE = -45.0
"""dBFS below which nobody speaks."""


class Mixed(NamedTuple):
    """A slot: its sound, and who was the loudest in it (empty: nobody)."""

    frame: AudioFrame
    speaker: str


class VoiceMixer:
    """Voices by identity; those who stop sending are not waited for."""

    def __init__(self) -> None:
        self._slots: dict[int, dict[str, NDArray[np.int16]]] = {}
        self._next: dict[str, int] = {}
        """The slot that a voice fills next."""
        self._rest: dict[str, NDArray[np.int16]] = {}
        self._done = -1

    def push(self, identity: str, samples: NDArray[np.int16], at: float) -> list[Mixed]:
        """Sound (``EAR_RATE``) of one voice, its first sample at ``at``. Returns the slots that are done now."""
        rest = self._rest.pop(identity, samples[:0])
        slot = round((at - rest.size / EAR_RATE) / SECONDS)
        following = self._next.get(identity, slot)
        if abs(slot - following) > DRIFT:
            following = slot
        samples = np.concatenate([rest, samples])
        for begin in range(0, samples.size - SLOT + 1, SLOT):
            if following > self._done:
                self._slots.setdefault(following, {})[identity] = samples[begin : begin + SLOT]
            following += 1
        self._next[identity] = following
        self._rest[identity] = samples[samples.size - samples.size % SLOT :]
        return self._ready()

    def leave(self, identity: str) -> None:
        """This voice is gone."""
        self._next.pop(identity, None)
        self._rest.pop(identity, None)

    def _ready(self) -> list[Mixed]:
        newest = max(self._slots, default=-1)
        sending = {who for who, following in self._next.items() if following > newest - 10}
        done = []
        while self._slots:
            slot = min(self._slots)
            if slot > newest - WAIT and not sending <= self._slots[slot].keys():
                break
            done.append(_mix(slot, self._slots.pop(slot)))
            self._done = slot
        return done


def _mix(slot: int, voices: dict[str, NDArray[np.int16]]) -> Mixed:
    levels = {who: loudness(samples) for who, samples in voices.items()}
    loudest = max(levels, key=lambda who: levels[who])
    total = sum((samples.astype(np.int32) for samples in voices.values()), np.zeros(SLOT, np.int32))
    data = np.clip(total, -32768, 32767).astype("<i2").tobytes()
    return Mixed(AudioFrame.pcm(data, EAR_RATE, at=slot * SECONDS), loudest if levels[loudest] > AUDIBLE else "")


class SpeakerLog:
    """Who spoke when, of late: filled with stretches, asked about a time."""

    def __init__(self) -> None:
        self._stretches: list[tuple[str, float, float]] = []

    def add(self, identity: str, since: float, until: float) -> None:
        """``identity`` was the loudest from ``since`` to ``until``."""
        self._stretches.append((identity, since, until))
        if len(self._stretches) > 1024:
            del self._stretches[:512]

    def who(self, since: float, until: float) -> str:
        """Who spoke most between these times, or just before them: of somebody who goes on the rest may not be told yet. Empty: nobody."""
        spoken: dict[str, float] = {}
        for identity, begin, end in self._stretches:
            overlap = min(end, until) - max(begin, since)
            if overlap > 0:
                spoken[identity] = spoken.get(identity, 0.0) + overlap
        if spoken:
            return max(spoken, key=lambda who: spoken[who])
        identity, _, end = max(self._stretches, key=lambda stretch: stretch[2], default=("", 0.0, 0.0))
        return identity if 0 <= since - end <= JUST_BEFORE else ""
