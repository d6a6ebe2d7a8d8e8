"""The input side of a line: from what a leg captured to windows for the detector, edges, and audio for the core.

Owns the stream's resampling, its time line, echo cancellation and the verdicts; asks no model itself (the plane asks
once for all lines).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.edges import Edge, EdgeDetector, EnergyGate
from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.audio.mixing import loudness
from antiphon.audio.onset import Onset
from antiphon.audio.resample import Resampler
from antiphon.models.vad import VADModel, VADOptions

_RESYNC = 0.06
_MOST_WAITING = 2 * EAR_RATE


class EchoFilter(Protocol):
    """Takes the agent's sound out of the microphone's."""

    def far(self, at: float, samples: NDArray[np.int16]) -> None:
        """The agent's sound (``EAR_RATE``) that is due at ``at``."""
        ...

    def near(self, at: float, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Microphone sound captured at ``at``; returns it cleaned, same length."""
        ...


class Ear:
    """One line's input. ``model`` ``None``: no verdicts, no edges (symbolic sound is judged all the same)."""

    def __init__(self, rate: int, options: VADOptions, model: VADModel | None, echo: EchoFilter | None = None) -> None:
        self.edges = EdgeDetector(options)
        self.found: list[Edge] = []
        """Edges found since they were last taken."""
        self.frames: list[AudioFrame] = []
        """Judged audio for the core since it was last taken."""
        self.dropped = 0
        """Samples thrown away because the detector did not keep up."""
        self.level = -100.0
        """dBFS of the last window."""
        self.state: NDArray[Any] | None = model.initial_state() if model else None
        self._model = model
        self._window = model.window if model else 512
        self._echo = echo
        self._gate = EnergyGate(options.energy_gate)
        self._onset = Onset()
        self._resampler = Resampler(rate, EAR_RATE)
        self._waiting: deque[NDArray[np.int16]] = deque()
        self._held = 0
        self._begin = 0.0
        self._count = 0
        self._blocks: list[NDArray[np.int16]] = []
        self._asked: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._block_at = 0.0
        self._block_speech: bool | None = None

    @property
    def voiced_until(self) -> float:
        """Sample time up to which the current speech is known to go on; infinite where sound is symbolic."""
        edges, onset = self.edges, self._onset
        if self._model is None:
            return float("inf") if edges.voiced else 0.0
        loud = edges.speaking_since is not None and onset.until > edges.speaking_since
        return min(edges.voiced_until, onset.until) if loud else edges.voiced_until

    def configure(self, options: VADOptions) -> None:
        """New settings, from the next window on."""
        self.edges.options = options
        self._gate.threshold = options.energy_gate

    def give_up_judging(self) -> None:
        """The model failed: pass sound on without a verdict, beginning with the window it was asked about."""
        self._model = None
        if self._asked.size:
            self._judged(self._asked, None)

    def hear(self, frames: Sequence[AudioFrame]) -> None:
        """Take what the leg captured, oldest first."""
        for frame in frames:
            if frame.symbol is not None:
                self._hear_symbol(frame)
            elif frame.samples:
                self._hear_pcm(frame)

    def next_window(self) -> NDArray[np.float32] | None:
        """The next window that the model must judge, as float32 in [-1, 1]; quiet ones are judged on the way."""
        while self._held >= self._window:
            block = self._take(self._window)
            self.level = loudness(block)
            if self._model is None:
                self._judged(block, None)
            elif self._gate.passes(self.level):
                self._asked = block
                return block.astype(np.float32) / 32768.0
            else:
                self.state = self._model.initial_state()
                self._judged(block, 0.0)
        return None

    def judged(self, probability: float) -> None:
        """The model's answer about the window that ``next_window`` gave last."""
        block, self._asked = self._asked, self._asked[:0]
        self._judged(block, probability)

    def take_frames(self) -> list[AudioFrame]:
        """Audio for the core, merged; forgets it."""
        self._close_block()
        frames, self.frames = self.frames, []
        return frames

    def _hear_pcm(self, frame: AudioFrame) -> None:
        samples = np.frombuffer(frame.data, dtype="<i2")
        if self._resampler.from_rate != frame.rate:
            self._resampler = Resampler(frame.rate, EAR_RATE)
        expected = self._begin + (self._count + self._held) / EAR_RATE
        if abs(frame.at - expected) > _RESYNC:
            self._close_block()
            self._begin += frame.at - expected
            expected = frame.at
        samples = self._resampler.process(samples)
        if self._echo is not None and samples.size:
            samples = self._echo.near(expected, samples)
        if self._held + samples.size > _MOST_WAITING:
            self.dropped += samples.size
            return
        self._waiting.append(samples)
        self._held += samples.size

    def _hear_symbol(self, frame: AudioFrame) -> None:
        symbol = frame.symbol
        speech = symbol is not None and symbol.kind == "speech"
        edge = self.edges.judge(1.0 if speech else 0.0, frame.at, frame.at + frame.duration)
        if edge is not None:
            self.found.append(edge)
        if frame.samples == 0:
            return
        self.frames.append(
            AudioFrame(b"", frame.rate, frame.samples, at=frame.at, speech=speech or self.edges.voiced, symbol=symbol)
        )

    def _take(self, count: int) -> NDArray[np.int16]:
        first = self._waiting[0]
        if first.size > count:
            self._waiting[0] = first[count:]
            block = first[:count]
        else:
            parts, missing = [], count
            while missing:
                part = self._waiting.popleft()
                if part.size > missing:
                    self._waiting.appendleft(part[missing:])
                    part = part[:missing]
                parts.append(part)
                missing -= part.size
            block = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._held -= count
        return block

    def _judged(self, block: NDArray[np.int16], probability: float | None) -> None:
        at = self._begin + self._count / EAR_RATE
        self._count += block.size
        speech: bool | None = None
        if probability is not None:
            self._onset.hear(block, at, probability >= self.edges.options.deactivation)
            edge = self.edges.judge(probability, at, at + block.size / EAR_RATE, self._onset.since)
            if edge is not None:
                self.found.append(edge)
            speech = probability >= self.edges.options.activation or self.edges.voiced
        if self._blocks and speech != self._block_speech:
            self._close_block()
        if not self._blocks:
            self._block_at, self._block_speech = at, speech
        self._blocks.append(block)

    def _close_block(self) -> None:
        if self._blocks:
            data = b"".join(block.astype("<i2", copy=False).tobytes() for block in self._blocks)
            self.frames.append(AudioFrame.pcm(data, EAR_RATE, at=self._block_at, speech=self._block_speech))
            self._blocks = []
