"""The output side of a line: speeches, clips and background sound, paced to a leg a little ahead of time.

Owns what is retained of each speech, who is on the air, gain, and the ledger. Takes time as an argument. Keeps the
leg ``LEAD`` seconds ahead and no more, so that a pause or a stop has little to take back; what it takes back it sends
again later, to the sample. A symbolic leg gets its sound when its time has passed, in long runs, so that nothing
happens in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.ledger import Ledger
from antiphon.audio.leg import LegMedia
from antiphon.audio.mixing import Loop, fade_out, ramp, to_int16
from antiphon.audio.resample import Resampler
from antiphon.audio.seam import FromPlane, Progress, Settled
from antiphon.audio.speech_buffer import SpeechBuffer

LEAD = 0.06
"""Seconds of sound a leg holds ahead of what is heard."""

PROGRESS_EVERY = 0.2
SETTLE_WITHIN = 0.3
"""Seconds to wait for a leg's last acknowledgement before the end is estimated. After the end of a speech (not after a
stop) the wait begins anew with each acknowledgement."""

FADE = PLAY_RATE // 200
"""5 ms."""

_RAMP = 1.0 / (0.02 * PLAY_RATE)
_FADE_IN = 1.0 / FADE
_TICK = 0.02
_LINE_AHEAD = 900 * PLAY_RATE
_SLOWEST_DEVICE = 2.0
_MOST_SPEECHES = 256
_MOST_CLIPS = 64
_EPSILON = 0.5 / PLAY_RATE

Reason = Literal["end", "stopped", "lost", "refused"]


class Speech:
    """One speech in the plane: ``state`` is ``held`` until it may play."""

    __slots__ = (
        "begun_at",
        "buffer",
        "ended_due",
        "followed",
        "interruptible",
        "name",
        "next",
        "own",
        "report_at",
        "reported",
        "settle_by",
        "starved",
        "state",
    )  # fmt: skip

    def __init__(self, name: str, buffer: SpeechBuffer | None = None) -> None:
        self.name = name
        self.buffer = buffer or SpeechBuffer()
        self.interruptible = True
        self.state: Literal["held", "playing", "paused", "stopping"] = "held"
        self.next = 0
        self.begun_at: float | None = None
        self.ended_due = 0.0
        self.settle_by = 0.0
        self.report_at = 0.0
        self.reported = 0
        self.followed = 0
        self.starved = False
        self.own = False

    @property
    def sent(self) -> bool:
        """Everything has been handed to the leg."""
        return self.buffer.complete and self.next >= self.buffer.end

    @property
    def ready(self) -> bool:
        """There is a sample to send now."""
        return self.next < self.buffer.end


class Playout:
    """``on_sound(due, samples)`` sees each block at ``PLAY_RATE`` as it is sent, ``on_cut(at)`` when the sound from
    that time on was taken back."""

    def __init__(
        self,
        line: str,
        leg: LegMedia,
        *,
        on_sound: Callable[[float, NDArray[np.int16]], None] | None = None,
        on_cut: Callable[[float], None] | None = None,
    ) -> None:
        self.counts: dict[str, int] = {}
        self.out: list[FromPlane] = []
        """Messages for the core, taken by the line."""
        self.first_sound: float | None = None
        self._line, self._leg = line, leg
        self._on_sound, self._on_cut = on_sound, on_cut
        self._ledger = Ledger(leg.out_rate)
        self._speeches: dict[str, Speech] = {}
        self._order: list[Speech] = []
        self._ended: deque[str] = deque(maxlen=512)
        self._clips: dict[str, SpeechBuffer] = {}
        self._loop: Loop | None = None
        self._resampler = Resampler(PLAY_RATE, leg.out_rate)
        self._burst_open = False
        self._burst_due = 0.0
        self._burst_out = 0
        self._clock = 0.0
        self._gain, self._target, self._step = 1.0, 1.0, _RAMP

    # --- commands ----------------------------------------------------------------------------------------------

    def push(self, name: str, frame: AudioFrame, last: bool) -> None:
        speech = self._speeches.get(name)
        if name in self._ended or (speech is not None and speech.state == "stopping"):
            self.count("audio_after_end", frame.samples)
            return
        if speech is None:
            if len(self._speeches) >= _MOST_SPEECHES:
                self.count("speech_overflow", frame.samples)
                return
            speech = self._speeches[name] = Speech(name)
        if sum(each.buffer.end - each.next for each in self._speeches.values()) > _LINE_AHEAD:
            self.count("speech_overflow", frame.samples)
        else:
            before = speech.buffer.refused
            speech.buffer.push(frame, played=speech.next)
            if speech.buffer.refused > before:
                self.count("speech_overflow", speech.buffer.refused - before)
        if last:
            speech.buffer.finish()

    def play(self, now: float, name: str, interruptible: bool) -> None:
        """Let ``name`` sound as its audio comes; one that is over is refused."""
        if name in self._ended:
            self._refuse(now, name)
            return
        speech = self._speeches.setdefault(name, Speech(name))
        speech.interruptible = interruptible
        if speech.state == "held":
            speech.state = "playing"
            self._order.append(speech)

    def play_clip(self, now: float, name: str, key: str, *, own: bool = False) -> bool:
        """Play a stored clip; ``own``: the plane's own doing, nothing is reported. False: no such clip."""
        clip = self._clips.get(key)
        if clip is None or name in self._speeches or name in self._ended:
            if not own:
                self._refuse(now, name)
            return False
        speech = self._speeches[name] = Speech(name, clip.copy())
        speech.own = own
        self.play(now, name, not own)
        return True

    def store_clip(self, key: str, frames: tuple[AudioFrame, ...]) -> None:
        if key not in self._clips and len(self._clips) >= _MOST_CLIPS:
            self.count("clip_overflow")
            return
        clip = SpeechBuffer()
        for frame in frames:
            clip.push(frame)
        clip.finish()
        self._clips[key] = clip

    def background(self, key: str, gain: float) -> None:
        clip = self._clips.get(key)
        if not key or gain <= 0 or clip is None or clip.end == 0 or self._leg.symbolic:
            self._loop = None
        else:
            self._loop = Loop(clip.pcm(), gain)

    def pause(self, now: float, name: str) -> bool:
        """Fall silent, keep the place. False where ``name`` does not play."""
        speech = self._speeches.get(name)
        if speech is None or speech.state != "playing":
            return False
        if speech.begun_at is not None:
            self._take_back(now, speech)
        speech.state = "paused"
        return True

    def resume(self, now: float, name: str, at: int | None = None) -> bool:
        """Go on at sample ``at`` (``None``: where it paused). False where ``name`` is not paused."""
        speech = self._speeches.get(name)
        if speech is None or speech.state != "paused":
            return False
        if at is not None:
            speech.next = max(0, min(at, speech.buffer.end))
        speech.state = "playing"
        self._clock = max(self._clock, now)
        if speech.begun_at is not None:
            speech.begun_at = now
        self._gain, self._target, self._step = 0.0, 1.0, _FADE_IN
        return True

    def stop(self, now: float, name: str) -> None:
        speech = self._speeches.get(name)
        if speech is None:
            if name not in self._ended:
                self._ended.append(name)
                self._refuse(now, name)
            return
        if speech.state == "stopping":
            return
        if speech.state == "playing" and speech.begun_at is not None:
            self._take_back(now, speech)
        speech.state = "stopping"
        speech.settle_by = now + SETTLE_WITHIN

    def duck(self, now: float, gain: float) -> None:
        """Turn the speech down (or, with 1, up again), what is on its way included."""
        self._rewind(now)
        self._target, self._step = gain, _RAMP

    def lose(self, now: float) -> None:
        """The leg is gone: settle all that has begun."""
        for speech in list(self._speeches.values()):
            if speech.begun_at is not None or speech.state == "stopping":
                self._settle(now, speech, self._ledger.position(speech.name), "lost")
        self._resampler.reset()
        self._burst_open = False
        self._ledger.begin_burst()

    # --- what the line asks ---------------------------------------------------------------------------------------

    def sounding(self) -> Speech | None:
        """The speech on the air, if one is."""
        for speech in reversed(self._order):
            if speech.state == "playing" and speech.begun_at is not None:
                return speech
        return None

    def position(self, name: str) -> int:
        """Samples of the speech handed out by now."""
        speech = self._speeches.get(name)
        return speech.next if speech else 0

    def next_wake(self, now: float) -> float | None:
        """When something happens by itself (for legs that need no tick)."""
        wakes: list[float] = []
        for speech in self._order:
            if speech.state == "stopping":
                wakes.append(speech.settle_by)
            if speech.begun_at is None:
                if speech.state == "playing" and (speech.ready or speech.sent):
                    wakes.append(max(now, self._clock))
                continue
            if speech.state == "playing":
                wakes.append(speech.report_at)
                if speech.sent:
                    wakes.append(speech.ended_due if speech.ended_due > now else speech.settle_by)
                elif speech.ready:
                    wakes.append(max(self._clock, now) + (speech.buffer.end - speech.next) / PLAY_RATE)
        return min(wakes) if wakes else None

    def count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    # --- time passes -------------------------------------------------------------------------------------------

    def step(self, now: float, *, up: bool = True) -> None:
        """Send what is due (while the leg is ``up``), take note of what was heard."""
        if up:
            self._fill(now)
        self._ledger.hear(self._leg.heard(now))
        for speech in list(self._order):
            self._follow(now, speech)
        for speech in [each for each in self._speeches.values() if each.state == "stopping"]:
            self._follow(now, speech)

    def _follow(self, now: float, speech: Speech) -> None:
        if speech.name not in self._speeches:
            return
        name, heard = speech.name, self._ledger.position(speech.name)
        stopping = speech.state == "stopping"
        if stopping or (speech.state == "playing" and speech.sent):
            reason: Reason = "stopped" if stopping else "end"
            if not self._ledger.pending(name):
                self._settle(now, speech, heard, reason)
                return
            if heard > speech.followed and not stopping:
                speech.followed = heard
                speech.settle_by = min(max(speech.settle_by, now + SETTLE_WITHIN), speech.ended_due + _SLOWEST_DEVICE)
            if now >= speech.settle_by - _EPSILON:
                self._settle(now, speech, max(heard, speech.next), reason, estimated=True)
                return
        if speech.begun_at is not None and now >= speech.report_at - _EPSILON:
            speech.report_at = now + PROGRESS_EVERY
            if heard != speech.reported and not speech.own:
                speech.reported = heard
                self.out.append(
                    Progress(line=self._line, at=now, speech=name, position=heard, quality=self._leg.quality)
                )

    def _refuse(self, now: float, name: str) -> None:
        quality = self._leg.quality
        self.out.append(Settled(line=self._line, at=now, speech=name, position=0, quality=quality, reason="refused"))

    def _settle(self, now: float, speech: Speech, position: int, reason: Reason, *, estimated: bool = False) -> None:
        quality = "estimated" if estimated else self._leg.quality
        if not speech.own:
            self.out.append(
                Settled(line=self._line, at=now, speech=speech.name, position=position, quality=quality, reason=reason)
            )
        del self._speeches[speech.name]
        if speech in self._order:
            self._order.remove(speech)
        self._ended.append(speech.name)
        self._ledger.forget(speech.name)
        if not any(each.begun_at is not None for each in self._order):
            self._gain = self._target = 1.0

    def _on_air(self) -> Speech | None:
        """A speech that has begun holds the air until it is sent; one that has no audio yet lets others go first."""
        ready: Speech | None = None
        for speech in self._order:
            if speech.state != "playing" or speech.sent:
                continue
            if speech.begun_at is not None:
                return speech
            if ready is None and speech.ready:
                ready = speech
        return ready

    def _fill(self, now: float) -> None:
        if self._burst_open and self._clock - now > LEAD - _TICK / 2:
            return
        horizon = now if self._leg.symbolic else now + LEAD
        if self._clock < now - _EPSILON and not (self._leg.symbolic and self._on_air_begun()):
            if self._burst_open:
                speech = self._on_air()
                if speech is not None and speech.begun_at is not None and speech.ready:
                    self.count("late_blocks")
                self._close_burst()
            self._clock = now
        need = round((horizon - self._clock) * PLAY_RATE)
        start, runs = self._clock, []
        for speech in self._order:
            if speech.state == "playing" and speech.sent and speech.begun_at is None:
                speech.begun_at = now
                speech.settle_by = now
        while need > 0 or self._leg.symbolic:
            on_air = self._on_air()
            if on_air is None or not on_air.ready:
                if on_air is not None and not on_air.starved and self._clock <= now + _EPSILON:
                    on_air.starved = True
                    self.count("underruns")
                break
            if on_air.begun_at is None:
                on_air.begun_at = self._clock
                on_air.report_at = now + PROGRESS_EVERY
                if self.first_sound is None:
                    self.first_sound = self._clock
            if need <= 0:
                break
            on_air.starved = False
            count = min(need, on_air.buffer.end - on_air.next)
            runs.append((on_air, on_air.next, count))
            on_air.next += count
            need -= count
            self._clock += count / PLAY_RATE
            on_air.ended_due = self._clock
            on_air.settle_by = self._clock + SETTLE_WITHIN
        if self._leg.symbolic:
            self._send_symbolic(start, runs)
            if self._clock < now - _EPSILON:
                self._clock = now
            return
        if self._loop is not None and need > 0:
            self._clock += need / PLAY_RATE
            self._send(start, runs, need)
            return
        if runs:
            self._send(start, runs, 0)
        if need > 0 and self._burst_open:
            on_air = self._on_air()
            if on_air is None or self._clock - now < _TICK:
                self._close_burst()

    def _on_air_begun(self) -> bool:
        speech = self._on_air()
        return speech is not None and speech.begun_at is not None and not speech.starved

    def _send_symbolic(self, start: float, runs: list[tuple[Speech, int, int]]) -> None:
        for speech, position, count in runs:
            for piece in speech.buffer.read(position, count):
                data = b"" if piece.pcm is None else piece.pcm.tobytes()
                self._ledger.add(speech.name, piece.start, piece.samples)
                self._ledger.add_out(piece.samples)
                self._leg.play(
                    start, AudioFrame(data, PLAY_RATE, piece.samples, segment=piece.segment, symbol=piece.symbol)
                )
                start += piece.samples / PLAY_RATE

    def _send(self, start: float, runs: list[tuple[Speech, int, int]], more: int) -> None:
        """Mix the runs, then ``more`` samples without speech, and hand them to the leg."""
        blocks = [speech.buffer.pcm(position, count) for speech, position, count in runs]
        for speech, position, count in runs:
            self._ledger.add(speech.name, position, count)
        if more:
            blocks.append(np.zeros(more, dtype=np.int16))
            self._ledger.add("", 0, more)
        block = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        if self._loop is not None or self._gain != 1.0 or self._target != 1.0:
            mix = block.astype(np.float32)
            self._gain = ramp(mix, self._gain, self._target, self._step)
            if self._loop is not None:
                mix += self._loop.take(mix.size)
            block = to_int16(mix)
        self._hand_over(start, block)

    def _hand_over(self, start: float, block: NDArray[np.int16]) -> None:
        if self._on_sound is not None:
            self._on_sound(start, block)
        if not self._burst_open:
            self._resampler.reset()
            self._burst_open, self._burst_due, self._burst_out = True, start, 0
        self._play(self._resampler.process(block))

    def _play(self, made: NDArray[np.int16]) -> None:
        if made.size:
            rate = self._leg.out_rate
            due = self._burst_due + self._burst_out / rate
            self._burst_out += made.size
            self._ledger.add_out(made.size)
            self._leg.play(due, AudioFrame.pcm(made.astype("<i2", copy=False).tobytes(), rate))

    def _close_burst(self) -> None:
        if self._burst_open:
            self._play(self._resampler.flush())
            self._burst_open = False
            self._ledger.begin_burst()

    # --- taking back -------------------------------------------------------------------------------------------

    def _rewind(self, now: float) -> bool:
        """Take back what is sent and not heard, where the leg can. True if something was."""
        before = self._ledger.sent
        for name, position in self._ledger.drop(self._leg.flush(now)):
            speech = self._speeches.get(name)
            if speech is not None:
                speech.next = position
        back = before - self._ledger.sent
        if back:
            self._clock = max(now, self._clock - back / PLAY_RATE)
            if self._loop is not None:
                self._loop.back(back)
            if self._on_cut is not None:
                self._on_cut(self._clock)
        self._resampler.reset()
        self._burst_open = False
        return back > 0

    def _take_back(self, now: float, speech: Speech) -> None:
        """Rewind, then let ``speech`` fade over its next 5 ms."""
        if self._leg.symbolic:
            self._fill(now)
            return
        sounding = speech.begun_at is not None and not speech.starved and self._clock > now
        cut = speech.next
        if self._rewind(now) and sounding and speech.next < cut:
            count = min(FADE, speech.buffer.end - speech.next)
            block = speech.buffer.pcm(speech.next, count)
            if self._gain != 1.0:
                block = to_int16(block * np.float32(self._gain))
            self._ledger.add(speech.name, speech.next, count)
            speech.next += count
            start, self._clock = self._clock, self._clock + count / PLAY_RATE
            self._hand_over(start, fade_out(block))
            self._close_burst()
        self._gain = self._target = 1.0
