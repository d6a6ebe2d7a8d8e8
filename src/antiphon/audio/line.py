"""One session's place in the plane: a leg, its ear and its playout, the reflex, the recording, the dead man's clip.

Turns messages into calls on those parts and what they find into messages. Time is an argument; nothing here waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.audio.aec import EchoCanceller
from antiphon.audio.ear import Ear, EchoFilter
from antiphon.audio.leg import CountingLeg, LegEvent, LegMedia, ReattachedLeg, SignalledLeg
from antiphon.audio.mixing import SILENCE_DBFS, loudness
from antiphon.audio.playout import Playout
from antiphon.audio.recorder import Recorder
from antiphon.audio.reflex import BargeInReflex
from antiphon.audio.seam import (
    AnyToPlane,
    ArmReflex,
    AttachLine,
    Background,
    Configure,
    DetachLine,
    Digit,
    FromPlane,
    Heartbeat,
    LegSignal,
    LegText,
    Level,
    LineAttached,
    LineClosed,
    LineConfig,
    LineDetached,
    LineDown,
    LineError,
    LineUp,
    MicAudio,
    PauseSpeech,
    PlayClip,
    PlaySpeech,
    PushAudio,
    Reflex,
    RenewSpeech,
    ResumeSpeech,
    SendDigits,
    SignalLeg,
    StopSpeech,
    StoreClip,
    VadEdge,
)
from antiphon.errors import AudioError, ConfigurationError
from antiphon.models.vad import VADModel

TICK = 0.02
"""Seconds between two looks at a leg that carries PCM."""

_LEVEL_EVERY = 0.1
_EPSILON = 1e-6
DEAD_MAN_CLIP = "dead_man"


class Line:
    """``wake``: when the line next wants ``advance``; the plane calls it earlier when messages came."""

    def __init__(self, name: str, leg: LegMedia, config: LineConfig, model: VADModel | None, now: float) -> None:
        self.name = name
        self.leg = leg
        self.config = config
        self.up = False
        self.wake = now
        self.out: list[FromPlane] = []
        self._echo: EchoFilter | None = None
        if leg.needs_aec:
            try:
                self._echo = EchoCanceller()
            except AudioError as error:
                self._error(now, error.message, error.hint)
        self.ear = Ear(leg.in_rate, config.vad, None if leg.symbolic else model, self._echo)
        self._recorder = self._open_recorder(now)
        self._playout = Playout(name, leg, on_sound=self._sounded, on_cut=self._cut_back)
        self._reflex = BargeInReflex(config.reflex)
        self._heartbeat: float | None = None
        self._callers_move = True
        self._dead_men = 0
        self._agent_level = SILENCE_DBFS
        self._caller_level = SILENCE_DBFS
        self._next_level = now
        leg.open(now)

    # --- messages from the core --------------------------------------------------------------------------------

    def take(self, now: float, messages: Sequence[AnyToPlane]) -> None:
        """Carry out what the core asks."""
        if self.leg.symbolic:
            self._playout.step(now, up=self.up)
        for message in messages:
            self._take(now, message)

    def _take(self, now: float, message: AnyToPlane) -> None:
        playout, reflex = self._playout, self._reflex
        match message:
            case PushAudio(speech=speech, frame=frame, last=last):
                playout.push(speech, frame, last)
            case Heartbeat(callers_move=callers_move):
                self._heartbeat, self._callers_move, self._dead_men = now, callers_move, 0
            case PlaySpeech(speech=speech, interruptible=interruptible):
                playout.play(now, speech, interruptible)
            case PauseSpeech(speech=speech):
                reflex.decided(speech)
                playout.pause(now, speech)
            case ResumeSpeech(speech=speech, at=at):
                ducked = reflex.state == "ducked" and reflex.decided(speech)
                reflex.decided(speech)
                if not playout.resume(now, speech, at) and ducked:
                    playout.duck(now, 1.0)
            case StopSpeech(speech=speech):
                reflex.decided(speech)
                playout.stop(now, speech)
            case RenewSpeech(speech=speech):
                playout.renew(speech)
            case StoreClip(key=key, frames=frames):
                playout.store_clip(key, frames)
            case PlayClip(speech=speech, key=key):
                playout.play_clip(now, speech, key)
            case Background(key=key, gain=gain):
                playout.background(key, gain)
            case ArmReflex(armed=armed):
                reflex.armed = armed
            case SendDigits(digits=digits):
                self.leg.send_digits(digits)
            case SignalLeg(data=data):
                if isinstance(self.leg, SignalledLeg):
                    self.leg.signal(now, data)
                else:
                    self.count("signals_refused")
            case Configure(config=config):
                self._configure(now, config)
            case DetachLine():
                self.out.append(LineDetached(line=self.name, at=now))
            case AttachLine(config=wanted, signals=signals, ends=ends):
                if wanted is not None:
                    self._configure(now, wanted)
                for speech, samples in ends.items():
                    playout.end(speech, samples)
                self._attached(now)
                if signals and isinstance(self.leg, ReattachedLeg):
                    self.leg.attached(now)
            case _:
                playout.count("unknown_messages")

    def _configure(self, now: float, config: LineConfig) -> None:
        record = self.config.record
        self.config = config
        self.ear.configure(config.vad)
        self._reflex.settings = config.reflex
        if config.record != record:
            if self._recorder is not None:
                self._recorder.close(now)
            self._recorder = self._open_recorder(now)

    def _attached(self, now: float) -> None:
        """Another core goes on: it is told how things stand, and what the last one was about to do counts no more."""
        self._heartbeat, self._reflex.armed = None, False
        self.out.append(
            LineAttached(
                line=self.name,
                at=now,
                up=self.up,
                quality=self.leg.quality,
                speaking=self.ear.edges.speaking_since is not None,
                speeches=self._playout.held(),
                settled=tuple(self._playout.settled),
            )
        )

    # --- a tick ------------------------------------------------------------------------------------------------

    def send(self, now: float) -> None:
        """First thing in a tick: the leg's events, then the sound that is due."""
        for event in self.leg.events(now):
            self._on_leg(now, event)
        self._playout.step(now, up=self.up)

    def listen(self, now: float) -> None:
        """Take what the leg captured."""
        frames = self.leg.capture(now)
        if frames:
            self.ear.hear(frames)

    def report(self, now: float) -> None:
        """After the verdicts: edges, caller audio, reflex, reports; sets ``wake``."""
        edges, self.ear.found = self.ear.found, []
        self.out.extend(VadEdge(line=self.name, at=edge.at, edge=edge.edge, seen=now) for edge in edges)
        for frame in self.ear.take_frames():
            if self._recorder is not None and frame.data:
                self._recorder.caller(frame.at, np.frombuffer(frame.data, dtype="<i2"))
            if self.config.levels:
                self._caller_level = max(self._caller_level, self.ear.level)
            if self.config.input_audio:
                self.out.append(MicAudio(line=self.name, at=now, frame=frame))
        playout = self._playout
        self._reflexes(now)
        self._dead_man(now)
        self.out.extend(playout.out)
        playout.out.clear()
        if self._recorder is not None:
            self._recorder.write(now)
            if self._recorder.failure:
                self._error(now, self._recorder.failure, "Free disk space; the call goes on without a recording.")
                self._recorder = None
        if self.config.levels and now >= self._next_level:
            self._next_level = now + _LEVEL_EVERY
            self.out.append(Level(line=self.name, at=now, caller=self._caller_level, agent=self._agent_level))
            self._caller_level = self._agent_level = SILENCE_DBFS
        self.wake = self._next_wake(now)

    def close(self, now: float) -> None:
        """Free the leg, complete the recording, say so."""
        problem = ""
        try:
            self.leg.close()
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if self._recorder is not None:
            self._recorder.close(now)
            problem = problem or self._recorder.failure or ""
        if problem:
            self._error(now, problem, "")
        counts = dict(self._playout.counts)
        if isinstance(self.leg, CountingLeg):
            counts.update(self.leg.counts)
        if self.ear.dropped:
            counts["mic_dropped"] = counts.get("mic_dropped", 0) + self.ear.dropped
        self.out.append(LineClosed(line=self.name, at=now, counts=counts))

    def count(self, what: str, by: int = 1) -> None:
        """Add to the counts that ``LineClosed`` reports."""
        self._playout.count(what, by)

    def lost(self, now: float, reason: str, *, certain: bool) -> None:
        """The leg carries nothing any more."""
        self._playout.lose(now)
        self.up = False
        self.out.append(LineDown(line=self.name, at=now, reason=reason, certain=certain))

    # --- parts of a tick -----------------------------------------------------------------------------------------

    def _on_leg(self, now: float, event: LegEvent) -> None:
        match event.kind:
            case "up":
                self.up = True
                self.out.append(LineUp(line=self.name, at=now, quality=self.leg.quality))
            case "down":
                self._playout.step(now, up=False)
                self.lost(now, event.text, certain=event.certain)
            case "dtmf":
                self.out.extend(Digit(line=self.name, at=now, digit=digit) for digit in event.text)
            case "text":
                self.out.append(LegText(line=self.name, at=now, text=event.text))
            case "signal":
                self.out.append(LegSignal(line=self.name, at=now, data=event.text))
            case "error":
                self._error(now, event.text, "")

    def _on_air(self, now: float) -> tuple[str, float]:
        """The interruptible speech that sounds, and since when."""
        playout = self._playout
        speech = playout.sounding()
        if speech is None or not speech.interruptible or speech.begun_at is None:
            return "", 0.0
        since = speech.begun_at
        if playout.first_sound is not None:
            since = max(since, playout.first_sound + self.config.echo_warmup)
        return speech.name, since

    def _reflexes(self, now: float) -> None:
        reflex, edges, until = self._reflex, self.ear.edges, self.ear.voiced_until
        for _ in range(4):
            on_air, air_since = self._on_air(now)
            action = reflex.decide(now, edges.speaking_since, edges.voiced, until, on_air, air_since)
            if action is None:
                return
            speech = reflex.speech
            if action == "ducked":
                self._playout.duck(now, reflex.settings.duck_gain)
            elif action == "released":
                self._playout.duck(now, 1.0)
            elif action == "paused":
                self._playout.pause(now, speech)
            else:
                self._playout.resume(now, speech)
            self._playout.step(now, up=self.up)
            position = self._playout.position(speech)
            self.out.append(Reflex(line=self.name, at=now, action=action, speech=speech, position=position))

    def _dead_man(self, now: float) -> None:
        due = self._dead_man_due()
        if due is None or now < due - _EPSILON or self._playout.sounding() is not None:
            return
        self._dead_men += 1
        name = f"{DEAD_MAN_CLIP}:{now:.3f}"
        played = self.up and self._playout.play_clip(now, name, DEAD_MAN_CLIP, own=True)
        self.count("dead_man")
        self._error(
            now,
            f"The session gave no sign of life for {self.config.dead_man:g} s while the caller was waiting.",
            "The spare clip plays." if played else "No clip 'dead_man' is stored to bridge it.",
        )
        if played:
            self._playout.step(now, up=self.up)

    def _dead_man_due(self) -> float | None:
        if self._heartbeat is None or self._callers_move or self._dead_men or self.config.dead_man <= 0:
            return None
        return self._heartbeat + self.config.dead_man

    def _next_wake(self, now: float) -> float:
        tick = (int(now / TICK + 1e-3) + 1) * TICK
        if not self.leg.symbolic:
            return tick
        on_air, air_since = self._on_air(now)
        edges = self.ear.edges
        wakes = [
            self.leg.next_wake(now),
            self._playout.next_wake(now),
            edges.next_edge(),
            self._reflex.deadline(edges.speaking_since, edges.voiced, on_air, air_since),
            None if self._playout.sounding() else self._dead_man_due(),
            self._next_level if self.config.levels else None,
        ]
        soonest = min((wake for wake in wakes if wake is not None), default=float("inf"))
        return soonest if soonest > now else tick

    def _open_recorder(self, now: float) -> Recorder | None:
        if not self.config.record:
            return None
        if self.leg.symbolic:
            self._error(now, "A symbolic leg has no sound to record.", "Record calls that carry audio.")
            return None
        try:
            return Recorder(self.config.record, now)
        except OSError as error:
            self._error(
                now, f"Cannot record to {self.config.record}: {error.strerror or error}.", "The call goes on without."
            )
        except ConfigurationError as error:
            self._error(now, error.message, f"{error.hint} The call goes on without a recording.")
        return None

    def _sounded(self, due: float, samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
        if self._recorder is not None:
            self._recorder.agent(due, samples)
        if self._echo is not None:
            self._echo.far(due, samples)
        if self.config.levels:
            self._agent_level = max(self._agent_level, loudness(samples))

    def _cut_back(self, at: float) -> None:
        if self._recorder is not None:
            self._recorder.cut(at)

    def _error(self, now: float, error: str, hint: str) -> None:
        self.out.append(LineError(line=self.name, at=now, error=error, hint=hint))
