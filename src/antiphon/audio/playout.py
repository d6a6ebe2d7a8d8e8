"""The output side of a line: speeches, clips and background sound, paced to a leg a little ahead of time.

Owns what is retained of each speech, who is on the air, and what the core is told of it. Takes time as an argument. Keeps the
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
from antiphon.audio.leg import LegMedia
from antiphon.audio.mixing import Loop
from antiphon.audio.outlet import FADE, Outlet, Stretch
from antiphon.audio.seam import FromPlane, Progress, Settled, SpeechHeld
from antiphon.audio.speech import Speech
from antiphon.audio.speech_buffer import SpeechBuffer

LEAD = 0.06
"""Seconds of sound a leg holds ahead of what is heard."""

PROGRESS_EVERY = 0.2
SETTLE_WITHIN = 0.3
"""Seconds to wait for a leg's last acknowledgement before the end is estimated. After the end of a speech (not after a
stop) the wait begins anew with each acknowledgement."""
STOP_WITHIN = 0.28
"""The same after a stop: a little less than the core waits for the answer."""

GONE_AFTER = 0.6
"""Seconds without the next acknowledgement after which a far end that gave some is taken to have heard no more."""

_TICK = 0.02
_LINE_AHEAD = 900 * PLAY_RATE
_YIELD_AFTER = 0.5
_SLOWEST_DEVICE = 2.0
_MOST_SPEECHES = 256
_MOST_CLIPS = 64
_EPSILON = 0.5 / PLAY_RATE

Reason = Literal["end", "stopped", "lost", "refused"]


class Playout:
    """``on_sound`` and ``on_cut`` as for ``Outlet``."""

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
        self._outlet = Outlet(leg, on_sound, on_cut)
        self._ledger = self._outlet.ledger
        self._speeches: dict[str, Speech] = {}
        self._order: list[Speech] = []
        self._ended: deque[str] = deque(maxlen=512)
        self.settled: deque[Settled] = deque(maxlen=64)
        """Of the speeches that ended last."""
        self._clips: dict[str, SpeechBuffer] = {}

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
            self._outlet.loop = None
        else:
            self._outlet.loop = Loop(clip.pcm(), gain)

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
        self._outlet.clock = max(self._outlet.clock, now)
        if speech.begun_at is not None:
            speech.begun_at = now
        self._outlet.fade_in()
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
        speech.settle_by = now + STOP_WITHIN

    def end(self, name: str, samples: int) -> None:
        """No more audio of it will come; what is behind ``samples``, and not on its way yet, is dropped."""
        speech = self._speeches.get(name)
        if speech is not None and not speech.buffer.complete:
            speech.buffer.cut(max(samples, speech.next))

    def renew(self, name: str) -> None:
        """Forget the audio of a speech that does not play yet: other audio of it comes."""
        speech = self._speeches.get(name)
        if speech is not None and speech.state == "held":
            del self._speeches[name]

    def duck(self, now: float, gain: float) -> None:
        """Turn the speech down (or, with 1, up again), what is on its way included."""
        self._rewind(now)
        self._outlet.turn_to(gain)

    def lose(self, now: float) -> None:
        """The leg is gone: settle all that has begun."""
        for speech in list(self._speeches.values()):
            if speech.begun_at is not None or speech.state == "stopping":
                self._settle(now, speech, self._ledger.position(speech.name), "lost")
        self._outlet.lose()

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

    def held(self) -> dict[str, SpeechHeld]:
        """All speeches there are, as a new owner of the line wants to know them."""
        known = [speech for speech in self._speeches.values() if not speech.own]
        return {one.name: SpeechHeld(one.state, self._ledger.position(one.name), one.buffer.complete) for one in known}

    def next_wake(self, now: float) -> float | None:
        """When something happens by itself (for legs that need no tick)."""
        wakes: list[float] = []
        for speech in self._order:
            if speech.state == "stopping":
                wakes.append(speech.settle_by)
            if speech.begun_at is not None and speech.state == "playing":
                wakes.append(speech.report_at)
                if speech.sent:
                    wakes.append(speech.ended_due if speech.ended_due > now else speech.settle_by)
                elif speech.ready:
                    wakes.append(max(self._outlet.clock, now) + (speech.buffer.end - speech.next) / PLAY_RATE)
                elif speech.starved_at is not None and now < speech.starved_at + _YIELD_AFTER:
                    wakes.append(speech.starved_at + _YIELD_AFTER)
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
        if heard > speech.heard:
            speech.heard, speech.heard_at = heard, now
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
                silent = heard > 0 and now - speech.heard_at > GONE_AFTER  # it used to say what it heard
                if silent and not stopping:
                    self._settle(now, speech, heard, "lost", estimated=True)
                else:
                    self._settle(now, speech, heard if silent else max(heard, speech.next), reason, estimated=True)
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
            settled = Settled(
                line=self._line, at=now, speech=speech.name, position=position, quality=quality, reason=reason
            )
            self.out.append(settled)
            self.settled.append(settled)
        del self._speeches[speech.name]
        if speech in self._order:
            self._order.remove(speech)
        self._ended.append(speech.name)
        self._ledger.forget(speech.name)
        if not any(each.begun_at is not None for each in self._order):
            self._outlet.full_gain()

    def _on_air(self, now: float) -> Speech | None:
        """A speech that has begun holds the air until it is sent. One that has no audio yet, or none for a while,
        lets another go first."""
        ready: Speech | None = None
        holds: Speech | None = None
        for speech in self._order:
            if speech.state != "playing" or speech.sent:
                continue
            if speech.ready:
                if speech.begun_at is not None and holds is None:
                    return speech
                ready = ready or speech
            elif speech.begun_at is not None:
                holds = holds or speech
        if ready is not None and holds is not None:
            return ready if self._yields(holds, now) else holds
        return ready or holds

    @staticmethod
    def _yields(speech: Speech, now: float) -> bool:
        return speech.starved_at is not None and now >= speech.starved_at + _YIELD_AFTER - _EPSILON

    def _fill(self, now: float) -> None:
        outlet = self._outlet
        if outlet.burst_open and outlet.clock - now > LEAD - _TICK / 2:
            return
        horizon = now if self._leg.symbolic else now + LEAD
        if outlet.clock < now - _EPSILON and not (self._leg.symbolic and self._on_air_begun(now)):
            if outlet.burst_open:
                speech = self._on_air(now)
                if speech is not None and speech.begun_at is not None and speech.ready:
                    self.count("late_blocks")
                outlet.close_burst()
            outlet.clock = now
        need = round((horizon - outlet.clock) * PLAY_RATE)
        start, stretches = outlet.clock, list[Stretch]()
        for speech in self._order:
            if speech.state == "playing" and speech.sent and speech.begun_at is None:
                speech.begun_at = now
                speech.settle_by = now
        while need > 0 or self._leg.symbolic:
            on_air = self._on_air(now)
            if on_air is None or not on_air.ready:
                if on_air is not None and on_air.starved_at is None and outlet.clock <= now + _EPSILON:
                    on_air.starved_at = now
                    self.count("underruns")
                break
            if on_air.begun_at is None:
                on_air.begun_at = outlet.clock
                on_air.report_at = now + PROGRESS_EVERY
                if self.first_sound is None:
                    self.first_sound = outlet.clock
            on_air.starved_at = None
            if need <= 0:
                break
            count = min(need, on_air.buffer.end - on_air.next)
            stretches.append(Stretch(on_air.name, on_air.buffer, on_air.next, count))
            on_air.next += count
            need -= count
            outlet.clock += count / PLAY_RATE
            on_air.ended_due = outlet.clock
            on_air.settle_by = outlet.clock + SETTLE_WITHIN
        if self._leg.symbolic:
            outlet.send_symbolic(start, stretches)
            if outlet.clock < now - _EPSILON:
                outlet.clock = now
        elif outlet.loop is not None and need > 0:
            outlet.clock += need / PLAY_RATE
            outlet.send(start, stretches, need)
        else:
            if stretches:
                outlet.send(start, stretches)
            if need > 0 and outlet.burst_open and (self._on_air(now) is None or outlet.clock - now < _TICK):
                outlet.close_burst()

    def _on_air_begun(self, now: float) -> bool:
        speech = self._on_air(now)
        return speech is not None and speech.begun_at is not None and speech.starved_at is None

    def _rewind(self, now: float) -> bool:
        """Take back what is sent and not heard. True if something was."""
        cuts = self._outlet.take_back(now)
        for name, position in cuts:
            speech = self._speeches.get(name)
            if speech is not None:
                speech.next = position
        return bool(cuts)

    def _take_back(self, now: float, speech: Speech) -> None:
        """Rewind, then let ``speech`` fade over its next 5 ms."""
        if self._leg.symbolic:
            self._fill(now)
            return
        sounding = speech.begun_at is not None and speech.starved_at is None and self._outlet.clock > now
        cut = speech.next
        if self._rewind(now) and sounding and speech.next < cut:
            count = min(FADE, speech.buffer.end - speech.next)
            self._outlet.send_fading(Stretch(speech.name, speech.buffer, speech.next, count))
            speech.next += count
        self._outlet.full_gain()
