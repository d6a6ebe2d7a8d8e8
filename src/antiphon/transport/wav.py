"""A caller made of WAV files, in real time, and a file of what that caller heard.

The clips are spoken one after the other: after a fixed gap, or when the agent has answered and fallen silent. Then the
leg hangs up. Time is the plane's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.audio.mixing import loudness
from antiphon.audio.wav import WavWriter, read_wav
from antiphon.errors import AudioError
from antiphon.transport.paced import PacedOutput, Played

_STEP = EAR_RATE // 50
_AUDIBLE = -50.0
_COMMIT_EVERY = 0.5


class WavLeg:
    """``clips``: (samples,) int16 at ``EAR_RATE``.

    ``out``: path of the WAV with what the caller heard (mono, ``PLAY_RATE``). ``lead_in``: silence before the first
    clip. ``gap``: silence between clips or, with ``wait_for_reply``, how long the agent must have been silent after it
    spoke; without an answer the next clip comes ``patience`` s after the last sound. ``tail``: silence between the
    end and the hang-up.
    """

    in_rate = EAR_RATE
    out_rate = PLAY_RATE
    quality: Literal["peer", "device", "paced", "estimated"] = "paced"
    symbolic = False
    needs_aec = False

    def __init__(
        self,
        clips: Sequence[NDArray[np.int16]],
        *,
        out: str = "",
        lead_in: float = 0.5,
        gap: float = 1.5,
        wait_for_reply: bool = False,
        patience: float = 20.0,
        tail: float = 2.0,
    ) -> None:
        self._clips = list(clips)
        self._lead_in, self._gap, self._tail = lead_in, gap, tail
        self._wait, self._patience = wait_for_reply, patience
        self._events: list[LegEvent] = []
        self._output = PacedOutput(PLAY_RATE)
        self._writer = _Heard(out) if out else None
        self._opened = 0.0
        self._captured = 0
        self._clip: NDArray[np.int16] | None = None
        self._clip_at = 0
        self._silent_since = 0.0
        self._agent_until = 0.0
        self._answered = False
        self._spoken = 0
        self._hung_up = False

    def open(self, now: float) -> None:
        self._opened = self._silent_since = self._agent_until = now
        if self._writer is not None:
            self._writer.begin(now)
        self._events.append(LegEvent("up"))

    def events(self, now: float) -> Sequence[LegEvent]:
        events, self._events = self._events, []
        return events

    def capture(self, now: float) -> Sequence[AudioFrame]:
        until = int((now - self._opened) * EAR_RATE + 1e-6)
        count = until - self._captured
        if count <= 0 or self._hung_up:
            return ()
        at = self._opened + self._captured / EAR_RATE
        blocks = [self._next(min(_STEP, count - done)) for done in range(0, count, _STEP)]
        return (AudioFrame.pcm(b"".join(block.tobytes() for block in blocks), EAR_RATE, at=at),)

    def play(self, now: float, frame: AudioFrame) -> None:
        self._output.play(now, frame)
        if loudness(np.frombuffer(frame.data, dtype="<i2")) > _AUDIBLE:
            self._answered = True
            self._agent_until = now + frame.duration

    def flush(self, now: float) -> int:
        self._agent_until = min(self._agent_until, now)
        return self._output.flush(now)

    def heard(self, now: float) -> int:
        passed = self._output.take(now)
        if self._writer is not None and (passed or self._writer.due(now)):
            problem = self._writer.write(now, passed)
            if problem:
                self._writer = None
                self._events.append(LegEvent("error", problem))
        return self._output.heard(now)

    def send_digits(self, digits: str) -> None:
        """A file has no keypad to answer to."""

    def next_wake(self, now: float) -> float | None:
        return None

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close(self._opened + self._captured / EAR_RATE, self._output)

    def _next(self, count: int) -> NDArray[np.int16]:
        now = self._opened + self._captured / EAR_RATE
        if self._clip is None and not self._hung_up and self._turn_has_come(now):
            if self._spoken < len(self._clips):
                self._clip, self._clip_at = self._clips[self._spoken], 0
                self._spoken += 1
            else:
                self._hung_up = True
                self._events.append(LegEvent("down", "hangup"))
        self._captured += count
        block = np.zeros(count, dtype="<i2")
        if self._clip is not None:
            part = self._clip[self._clip_at : self._clip_at + count]
            block[: part.size] = part
            self._clip_at += count
            if self._clip_at >= self._clip.size:
                self._clip = None
                self._silent_since = self._opened + self._captured / EAR_RATE
                self._answered = False
        return block

    def _turn_has_come(self, now: float) -> bool:
        """The next clip, or after the last one the hang-up."""
        over = self._spoken == len(self._clips)
        if not self._wait:
            wait = self._lead_in if self._spoken == 0 else self._tail if over else self._gap
            return now >= self._silent_since + wait
        quiet = max(self._silent_since, self._agent_until)
        if self._answered:
            return now >= quiet + self._gap + (self._tail if over else 0.0)
        return now >= quiet + (self._lead_in if self._spoken == 0 else self._patience)


class _Heard:
    """Writes what has sounded, with the silences between."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = WavWriter(path, PLAY_RATE, 1)
        except OSError as error:
            raise AudioError(
                f"Cannot write {path}: {error.strerror or error}.", hint="Name a file in a folder you may write to."
            ) from error
        self._begin = self._next_commit = 0.0
        self._written = 0

    def begin(self, now: float) -> None:
        self._begin = self._next_commit = now

    def due(self, now: float) -> bool:
        return now >= self._next_commit

    def write(self, now: float, passed: Sequence[Played]) -> str:
        """Returns what went wrong, once; the file is given up then."""
        try:
            for due, frame in passed:
                self._pad(due)
                self._file.write(np.frombuffer(frame.data, dtype="<i2"))
                self._written += frame.samples
            if now >= self._next_commit:
                self._next_commit = now + _COMMIT_EVERY
                self._file.commit()
        except OSError as error:
            return f"Writing {self._path} failed: {error.strerror or error}."
        return ""

    def close(self, end: float, output: PacedOutput) -> None:
        output.flush(end)
        if not self.write(end, output.take(end + 1.0)):
            self._pad(end)
            self._file.close()

    def _pad(self, until: float) -> None:
        missing = round((until - self._begin) * PLAY_RATE) - self._written
        while missing > 0:
            count = min(missing, PLAY_RATE)
            self._file.write(np.zeros(count, dtype=np.int16))
            self._written += count
            missing -= count


def make_leg(options: Mapping[str, Any]) -> WavLeg:
    """``path``: a file or a list of files; ``repeat``: how often the list is spoken; the rest as ``WavLeg``."""
    rest = dict(options)
    paths = rest.pop("path", ())
    repeat = int(rest.pop("repeat", 1))
    if isinstance(paths, str):
        paths = [paths]
    if not paths:
        raise AudioError("No WAV file is named.", hint='Give the option "path".')
    clips = [read_wav(str(path), EAR_RATE)[0] for path in paths]
    try:
        return WavLeg(clips * repeat, **rest)
    except TypeError as error:
        raise AudioError(f"The wav transport does not know this option: {error}.") from error
