"""What every framework gets: the same caller, the same place to play to, the same scripted models, the same marks.

Times are ``time.monotonic()`` seconds. Caller audio is 16 kHz, replies are 24 kHz, both mono int16.
"""

from __future__ import annotations

import math
import time
import wave
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

CALLER_RATE = 16_000
REPLY_RATE = 24_000
TICK = 0.02
CALLER_BLOCK = int(CALLER_RATE * TICK) * 2
"""Bytes of caller audio per tick."""

CLIPS = Path(__file__).parents[2] / "examples" / "coffee" / "callers"
REPLY_WORDS = "Of course, I have looked that up for you and it is ready for collection now."
TRANSCRIPTS = ("a large iced mocha", "a latte with almond milk", "a small cappuccino", "a twelve ounce americano")
LOUD = 350
"""Peak amplitude of a block that counts as speech for the scripted recogniser."""


def load_clips() -> list[bytes]:
    """The callers' sentences, with pauses inside them shortened to 120 ms: one utterance must be one turn."""
    clips = []
    for path in sorted(CLIPS.glob("*.wav")):
        with wave.open(str(path)) as file:
            assert file.getframerate() == CALLER_RATE and file.getnchannels() == 1, path
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        blocks = samples[: len(samples) // 320 * 320].reshape(-1, 320)
        loud = np.abs(blocks.astype(np.int32)).max(axis=1) > LOUD
        first, last = np.flatnonzero(loud)[[0, -1]]
        kept, quiet = [], 0
        for index in range(first, last + 1):
            quiet = 0 if loud[index] else quiet + 1
            if quiet <= 6:
                kept.append(blocks[index])
        clips.append(np.concatenate(kept).astype("<i2").tobytes())
    return clips


def room_noise() -> bytes:
    """A second of quiet noise, about -69 dBFS."""
    return np.random.default_rng(5).normal(0, 12, CALLER_RATE).astype("<i2").tobytes()


class Marks(list[tuple[float, str]]):
    """What happened, when."""

    def mark(self, name: str, at: float | None = None) -> None:
        self.append((time.monotonic() if at is None else at, name))

    def times(self, name: str) -> list[float]:
        return sorted(at for at, what in self if what == name)


class Caller:
    """Speaks clips at given times (seconds from ``begin``), with room noise between them. One block per tick."""

    def __init__(self, marks: Marks, clips: list[bytes], index: int, says_at: Iterable[float]) -> None:
        self.marks = marks
        self._clips, self._noise = clips, room_noise()
        self._turn = index
        self._says_at = list(says_at)
        self._clip: bytes | None = None
        self._position = 0
        self._tick = 0
        self.begun = 0.0

    def begin(self, at: float) -> None:
        """``at``: when the first block is due."""
        self.begun = at

    def say_at(self, at: float) -> None:
        """Speak once more, at this monotonic time."""
        self._says_at.append(at - self.begun)

    @property
    def due(self) -> float:
        """When the next block is due."""
        return self.begun + self._tick * TICK

    def block(self) -> bytes:
        """The next block."""
        due = self.due
        if self._clip is None and self._says_at and due - self.begun >= self._says_at[0]:
            self._says_at.pop(0)
            self._clip = self._clips[self._turn % len(self._clips)]
            self._turn += 1
            self._position = 0
            self.marks.mark("speech_on", due)
            self.marks.mark("speech_off", due + len(self._clip) / 2 / CALLER_RATE)
        self._tick += 1
        if self._clip is None:
            start = self._tick * CALLER_BLOCK % len(self._noise)
            return self._noise[start : start + CALLER_BLOCK].ljust(CALLER_BLOCK, b"\0")
        block = self._clip[self._position : self._position + CALLER_BLOCK].ljust(CALLER_BLOCK, b"\0")
        self._position += CALLER_BLOCK
        if self._position >= len(self._clip):
            self._clip = None
        return block


class Recogniser:
    """The scripted STT: a final transcript once 200 ms of quiet follow at least 300 ms of sound."""

    def __init__(self) -> None:
        self._sound = self._quiet = 0.0
        self._turns = 0

    def push(self, pcm: bytes, rate: int) -> str | None:
        seconds = len(pcm) / 2 / rate
        if not pcm:
            return None
        if int(np.abs(np.frombuffer(pcm, dtype="<i2").astype(np.int32)).max()) > LOUD:
            self._sound += seconds
            self._quiet = 0.0
            return None
        self._quiet += seconds
        if self._quiet < 0.2:
            return None
        heard, self._sound = self._sound >= 0.3, 0.0
        if not heard:
            return None
        self._turns += 1
        return TRANSCRIPTS[self._turns % len(TRANSCRIPTS)]


def reply_texts() -> list[str]:
    """What the scripted LLM streams: five pieces of three words."""
    words = REPLY_WORDS.split()
    size = math.ceil(len(words) / 5)
    return [" ".join(words[at : at + size]) + " " for at in range(0, len(words), size)]


def reply_audio(seconds: float) -> list[bytes]:
    """What the scripted TTS gives, all at once: pieces of 200 ms of a tone."""
    phase = np.arange(REPLY_RATE // 5) * (2 * math.pi * 300 / REPLY_RATE)
    piece = (np.sin(phase) * 8000).astype("<i2").tobytes()
    return [piece] * max(1, round(seconds * 5))


@dataclass
class Speaker:
    """The far end: a 24 kHz playout buffer whose clock the caller of ``advance`` provides.

    Marks ``handed_over`` when the first audio of a reply arrives, ``sounds`` when it begins to play, ``stopped`` when a
    framework pauses or clears it while something is left to play.
    """

    marks: Marks
    on_started: Callable[[], None] | None = None
    on_finished: Callable[[float, bool], None] | None = None
    """Seconds played, and whether it was cut."""

    queued: int = 0
    played: float = 0.0
    open: bool = False
    """A reply has begun and its end has not been said."""

    sounding: bool = False
    paused: bool = False
    underruns: int = 0
    blocks: int = 0
    on_room: list[Callable[[], None]] = field(default_factory=list)

    def write(self, pcm: bytes) -> None:
        if not self.open and not self.queued:
            self.open = True
            self.marks.mark("handed_over")
        self.queued += len(pcm)

    @property
    def queued_seconds(self) -> float:
        return self.queued / 2 / REPLY_RATE

    def end_of_reply(self) -> None:
        self.open = False

    def pause(self) -> None:
        if self.queued:
            self.marks.mark("stopped")
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def clear(self) -> None:
        if self.queued and not self.paused:
            self.marks.mark("stopped")
        cut = bool(self.queued) or self.sounding
        self.queued, self.open, self.paused = 0, False, False
        if cut:
            self._finish(True)
        self._room()

    def advance(self) -> None:
        """Play one tick."""
        if self.paused:
            return
        if self.queued:
            if not self.sounding:
                self.sounding = True
                self.marks.mark("sounds")
                if self.on_started:
                    self.on_started()
            self.queued = max(0, self.queued - int(REPLY_RATE * TICK) * 2)
            self.played += TICK
            self.blocks += 1
            self._room()
        elif self.sounding and self.open:
            self.underruns += 1
        elif self.sounding:
            self._finish(False)

    def _finish(self, cut: bool) -> None:
        played, self.played, self.sounding = self.played, 0.0, False
        if self.on_finished:
            self.on_finished(played, cut)

    def _room(self) -> None:
        waiting, self.on_room = self.on_room, []
        for wake in waiting:
            wake()


@dataclass
class Lateness:
    """How much later than 20 ms after the one before each media tick ran, in seconds."""

    last: float = 0.0
    values: list[float] = field(default_factory=list)

    def tick(self, now: float) -> None:
        if self.last:
            self.values.append(max(0.0, now - self.last - TICK))
        self.last = now


def percentile(values: Iterable[float], share: float) -> float | None:
    """Nearest rank; ``share`` in [0, 1]."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


@dataclass(frozen=True)
class Turn:
    """One utterance of the caller and what followed it."""

    ended: float
    decided: float | None
    handed_over: float | None
    sounded: float | None


def turns(marks: Marks, since: float, until: float) -> list[Turn]:
    """The turns whose utterance ended between ``since`` and ``until``."""
    named = {name: marks.times(name) for name in ("decided", "handed_over", "sounds")}
    ends = marks.times("speech_off")

    def first(name: str, after: float, before: float) -> float | None:
        at = bisect_left(named[name], after)
        return named[name][at] if at < len(named[name]) and named[name][at] < before else None

    found = []
    for index, end in enumerate(ends):
        if since <= end <= until:
            limit = ends[index + 1] - 2.0 if index + 1 < len(ends) else math.inf
            decided = first("decided", end - 0.5, limit)
            found.append(
                Turn(end, decided, first("handed_over", decided or end, limit), first("sounds", decided or end, limit))
            )
    return found


def memory() -> dict[str, float]:
    """Memory of this process in MB: resident, and its proportional share."""
    rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in rollup[1:]}
    return {"rss_mb": round(sizes["Rss"], 1), "pss_mb": round(sizes["Pss"], 1)}


def speed() -> float:
    """CPU seconds of a fixed loop: how fast this core is at the moment."""
    begun = time.process_time()
    total = 0
    for value in range(1_000_000):
        total += value
    return round(time.process_time() - begun, 4)
