"""From mixed sound to the leg: gain, background, resampling, and the ledger of what went out and was heard.

Owns the play clock (when the next sample is due) and the bursts in which sound is sent. Knows names and positions of
speeches for the ledger, and nothing of who may speak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.ledger import Ledger
from antiphon.audio.leg import LegMedia
from antiphon.audio.mixing import Loop, fade_out, ramp, to_int16
from antiphon.audio.resample import Resampler
from antiphon.audio.speech_buffer import SpeechBuffer

FADE = PLAY_RATE // 200
"""5 ms."""

_RAMP = 1.0 / (0.02 * PLAY_RATE)
_FADE_IN = 1.0 / FADE


class Stretch(NamedTuple):
    """``samples`` of a speech from ``position`` on."""

    speech: str
    buffer: SpeechBuffer
    position: int
    samples: int


class Outlet:
    """``on_sound(due, samples)`` sees each block at ``PLAY_RATE`` as it is sent, ``on_cut(at)`` when the sound from
    that time on was taken back."""

    def __init__(
        self,
        leg: LegMedia,
        on_sound: Callable[[float, NDArray[np.int16]], None] | None,
        on_cut: Callable[[float], None] | None,
    ) -> None:
        self.ledger = Ledger(leg.out_rate)
        self.clock = 0.0
        """When the next sample is due to sound."""
        self.loop: Loop | None = None
        """Background sound."""
        self.burst_open = False
        self._leg, self._on_sound, self._on_cut = leg, on_sound, on_cut
        self._resampler = Resampler(PLAY_RATE, leg.out_rate)
        self._burst_due = 0.0
        self._burst_out = 0
        self._gain, self._target, self._step = 1.0, 1.0, _RAMP

    def turn_to(self, gain: float) -> None:
        """Go to this gain over some 20 ms."""
        self._target, self._step = gain, _RAMP

    def full_gain(self) -> None:
        """Gain 1 from the next sample on."""
        self._gain = self._target = 1.0

    def fade_in(self) -> None:
        """Come up from silence over 5 ms."""
        self._gain, self._target, self._step = 0.0, 1.0, _FADE_IN

    def send_symbolic(self, start: float, stretches: Sequence[Stretch]) -> None:
        """Hand over pieces as they are, the first due at ``start``."""
        for stretch in stretches:
            for piece in stretch.buffer.read(stretch.position, stretch.samples):
                data = b"" if piece.pcm is None else piece.pcm.tobytes()
                self.ledger.add(stretch.speech, piece.start, piece.samples)
                self.ledger.add_out(piece.samples)
                frame = AudioFrame(data, PLAY_RATE, piece.samples, segment=piece.segment, symbol=piece.symbol)
                self._leg.play(start, frame)
                start += piece.samples / PLAY_RATE

    def send(self, start: float, stretches: Sequence[Stretch], more: int = 0) -> None:
        """Mix the stretches, then ``more`` samples without speech, and hand them to the leg."""
        blocks = [stretch.buffer.pcm(stretch.position, stretch.samples) for stretch in stretches]
        for stretch in stretches:
            self.ledger.add(stretch.speech, stretch.position, stretch.samples)
        if more:
            blocks.append(np.zeros(more, dtype=np.int16))
            self.ledger.add("", 0, more)
        block = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        if self.loop is not None or self._gain != 1.0 or self._target != 1.0:
            mix = block.astype(np.float32)
            self._gain = ramp(mix, self._gain, self._target, self._step)
            if self.loop is not None:
                mix += self.loop.take(mix.size)
            block = to_int16(mix)
        self._hand_over(start, block)

    def send_fading(self, stretch: Stretch) -> None:
        """Send a last stretch that fades to silence, as a burst of its own."""
        block = stretch.buffer.pcm(stretch.position, stretch.samples)
        if self._gain != 1.0:
            block = to_int16(block * np.float32(self._gain))
        self.ledger.add(stretch.speech, stretch.position, stretch.samples)
        start, self.clock = self.clock, self.clock + stretch.samples / PLAY_RATE
        self._hand_over(start, fade_out(block))
        self.close_burst()

    def close_burst(self) -> None:
        """Nothing follows for now: send what the resampler holds."""
        if self.burst_open:
            self._play(self._resampler.flush())
            self.burst_open = False
            self.ledger.begin_burst()

    def take_back(self, now: float) -> list[tuple[str, int]]:
        """Take back what is sent and not heard, where the leg can. Returns the speeches affected, latest first, and
        the position from which each was not sent."""
        before = self.ledger.sent
        cuts = self.ledger.drop(self._leg.flush(now))
        back = before - self.ledger.sent
        if back:
            self.clock = max(now, self.clock - back / PLAY_RATE)
            if self.loop is not None:
                self.loop.back(back)
            if self._on_cut is not None:
                self._on_cut(self.clock)
        self._forget_burst()
        return cuts

    def lose(self) -> None:
        """The leg is gone: what was on its way is not coming back."""
        self._forget_burst()
        self.ledger.begin_burst()

    def _forget_burst(self) -> None:
        self._resampler.reset()
        self.burst_open = False

    def _hand_over(self, start: float, block: NDArray[np.int16]) -> None:
        if self._on_sound is not None:
            self._on_sound(start, block)
        if not self.burst_open:
            self._resampler.reset()
            self.burst_open, self._burst_due, self._burst_out = True, start, 0
        self._play(self._resampler.process(block))

    def _play(self, made: NDArray[np.int16]) -> None:
        if made.size:
            rate = self._leg.out_rate
            due = self._burst_due + self._burst_out / rate
            self._burst_out += made.size
            self.ledger.add_out(made.size)
            self._leg.play(due, AudioFrame.pcm(made.astype("<i2", copy=False).tobytes(), rate))
