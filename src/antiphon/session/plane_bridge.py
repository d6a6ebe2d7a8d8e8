"""The shell's end of the seam: kernel effects to plane messages, plane messages to kernel events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from antiphon.agents.agent import overrides
from antiphon.audio import seam
from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.errors import AudioError
from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel.liveness import whose_move
from antiphon.kernel.policy import SessionPolicy
from antiphon.session.attaching import Attaching

if TYPE_CHECKING:
    from antiphon.session.shell import Shell

DETACH_WITHIN = 1.0
"""Seconds that a plane has to let a line go."""
UNSURE_FOR = 60.0
"""Seconds after which a session counts as another's of which nobody can say whose it is."""
EMPTY = AudioFrame(data=b"", rate=24_000, samples=0)


class PlaneBridge:
    """One line. ``heard``: samples of each speech that the far end has acknowledged."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.line = shell.services.id
        self.heard: dict[str, int] = {}
        self._playing: set[str] = set()
        self.counts: dict[str, int] = {}
        self._open = False
        self._up = False
        self._closed = asyncio.Event()
        self._detached = asyncio.Event()
        self._config = seam.LineConfig()
        self._policy: SessionPolicy | None = None
        self._attaching: Attaching | None = None
        self._unsure: list[seam.AnyToPlane] = []
        self._unsure_since = 0.0

    # --- to the plane --------------------------------------------------------------------------------------------

    def _send(self, message: seam.AnyToPlane) -> None:
        ownership = self._shell.services.ownership
        if not self._open:
            return
        if self._unsure or (ownership is not None and not ownership.sure):
            self._keep_back(message)
            return
        try:
            self._shell.services.plane.send(message)
        except AudioError as exc:
            self._open = False
            self._closed.set()
            self._shell.tell(self._shell.side.error, "transport", str(exc), False)
            self._shell.post(ev.LegDown(leg=self.line, reason="plane_lost", certain=True))

    def _keep_back(self, message: seam.AnyToPlane) -> None:
        now = self._shell.lane.loop.time()
        if not self._unsure:
            self._unsure_since = now
        if now - self._unsure_since > UNSURE_FOR:
            self._open = False
            self._shell.post(ev.Fenced())
        else:
            self._unsure.append(message)

    def sure_again(self) -> None:
        """The session is still ours: what was kept back while that was not sure."""
        kept, self._unsure = self._unsure, []
        for message in kept:
            self._send(message)

    def open(self, leg: seam.LegSpec) -> None:
        self._open = True
        self._config = self._line_config(leg)
        self._shell.services.plane.subscribe(self.line, self._deliver)
        self._send(seam.OpenLine(line=self.line, leg=leg, config=self._config))

    def _line_config(self, leg: seam.LegSpec) -> seam.LineConfig:
        policy = self._shell.directory.policy(self._shell.bound.agent)
        return seam.LineConfig(
            vad=self._shell.session.vad_options,
            reflex=_reflex(policy),
            echo_warmup=policy.barge_in.echo_warmup,
            record=self._shell.services.record,
            input_audio=self._shell.bound.stt is not None or overrides(self._shell.bound.agent, "stt_node"),
            levels=leg.transport == "console",
        )

    @property
    def is_open(self) -> bool:
        """Whether there is a line."""
        return self._open

    def attach(self, line: str, leg: seam.LegSpec) -> None:
        """Take over a line that is open already; what the plane says of it is compared with what the kernel believes."""
        self.line = line
        self._open = self._up = True
        self._config = self._line_config(leg)
        speeches = self._shell.kernel.state.speech.speeches
        self._playing = {name for name, speech in speeches.items() if speech.sounding}
        self._attaching = Attaching(self._shell)
        self._shell.services.plane.subscribe(self.line, self._deliver)
        self._send(
            seam.AttachLine(
                line=line, config=self._config, audio_since=self._attaching.audio_since, ends=self._attaching.ends
            )
        )

    def configure(self, policy: SessionPolicy) -> None:
        """The thresholds that hold now: of another agent, or of the question that is open."""
        if not self._open or policy is self._policy:
            return
        self._policy, reflex = policy, _reflex(policy)
        if reflex != self._config.reflex:
            self._config = msgspec.structs.replace(self._config, reflex=reflex)
            self._send(seam.Configure(line=self.line, config=self._config))

    def listen(self) -> bool:
        """Somebody listens from now on: the caller's sound is wanted. False: there is no line yet."""
        if self._open and not self._config.input_audio:
            self._config = msgspec.structs.replace(self._config, input_audio=True)
            self._send(seam.Configure(line=self.line, config=self._config))
        return self._open

    def push(self, speech: str, frame: AudioFrame | None) -> None:
        self._send(seam.PushAudio(line=self.line, speech=speech, frame=frame or EMPTY, last=frame is None))

    def play(self, effect: fx.Play) -> None:
        self._playing.add(effect.speech)
        self._send(seam.PlaySpeech(line=self.line, speech=effect.speech, interruptible=effect.interruptible))

    def pause(self, effect: fx.Pause) -> None:
        self._send(seam.PauseSpeech(line=self.line, speech=effect.speech))

    def resume(self, effect: fx.Resume) -> None:
        self._send(seam.ResumeSpeech(line=self.line, speech=effect.speech, at=effect.at))

    def stop(self, effect: fx.Stop) -> None:
        if self._open:
            self._send(seam.StopSpeech(line=self.line, speech=effect.speech))
        else:
            self._shell.post(ev.PlaySettled(speech=effect.speech, position=0, quality="estimated", reason="refused"))

    def forget(self, speech: str) -> None:
        """The op that made this audio was cancelled: what never began to play is not kept. What sounds is the kernel's."""
        if speech not in self._playing:
            self._send(seam.StopSpeech(line=self.line, speech=speech))

    def renew(self, speech: str) -> None:
        self._send(seam.RenewSpeech(line=self.line, speech=speech))

    def play_clip(self, speech: str, key: str) -> None:
        self._send(seam.PlayClip(line=self.line, speech=speech, key=key))

    def store_clip(self, key: str, frames: tuple[AudioFrame, ...]) -> None:
        self._send(seam.StoreClip(line=self.line, key=key, frames=frames))

    def background(self, key: str, gain: float) -> None:
        self._send(seam.Background(line=self.line, key=key, gain=gain))

    def arm(self, armed: bool) -> None:
        self._send(seam.ArmReflex(line=self.line, armed=armed))

    def digits(self, digits: str) -> None:
        self._send(seam.SendDigits(line=self.line, digits=digits))

    def heartbeat(self) -> None:
        self._send(seam.Heartbeat(line=self.line, callers_move=whose_move(self._shell.kernel.state)[0] == "caller"))

    async def aclose(self) -> None:
        """Close the line and wait until the plane says that it is."""
        if self._open:
            self._send(seam.CloseLine(line=self.line))
            await self._closed.wait()

    async def detach(self) -> None:
        """Leave the line to another process: when this returns, nothing more comes of it, and what came was taken."""
        if self._open:
            self._send(seam.DetachLine(line=self.line))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._detached.wait(), DETACH_WITHIN)

    def gone(self) -> None:
        self._open = False
        self._shell.services.plane.unsubscribe(self.line)

    # --- from the plane ------------------------------------------------------------------------------------------

    def _deliver(self, messages: Sequence[seam.AnyFromPlane]) -> None:
        attaching = self._attaching
        for message in messages:
            self._one(message)
        if attaching is not None:
            attaching.reported(messages)

    def _one(self, message: seam.AnyFromPlane) -> None:
        shell, post = self._shell, self._shell.post
        if isinstance(message, seam.MicAudio):
            if self._attaching is not None and self._attaching.hears(message.frame.at):
                self._attaching = None
            shell.listening.push(message.frame)
        elif isinstance(message, seam.Progress):
            if message.speech not in self.heard and shell.services.telemetry is not None:
                began = shell.session_time(message.at) - message.position / PLAY_RATE
                shell.services.telemetry.sounded(message.speech, began)
            self.heard[message.speech] = message.position
            post(ev.Acked(speech=message.speech, position=message.position, quality=message.quality))
        elif isinstance(message, seam.VadEdge):
            post(ev.Vad(edge=message.edge, at=shell.session_time(message.at)))
        elif isinstance(message, seam.Settled):
            self.heard.pop(message.speech, None)
            self._playing.discard(message.speech)
            post(
                ev.PlaySettled(
                    speech=message.speech, position=message.position, quality=message.quality, reason=message.reason
                )
            )
        elif isinstance(message, seam.Reflex):
            if message.action == "paused":
                at = shell.session_time(message.at)
                post(ev.AutoPaused(speech=message.speech, position=message.position, at=at))
            elif message.action == "resumed":
                post(ev.AutoResumed(speech=message.speech, position=message.position))
        elif isinstance(message, seam.Digit):
            post(ev.Dtmf(leg=self.line, digit=message.digit))
        elif isinstance(message, seam.LegText):
            shell.tell(shell.side.typed, message.text)
        elif isinstance(message, seam.Level):
            shell.tell(shell.side.level, message.caller, message.agent)
        elif isinstance(message, seam.LineAttached):
            if self._attaching is not None:
                self.heard |= {name: held.heard for name, held in message.speeches.items()}
                self._attaching.found(message, self._send)
        elif isinstance(message, seam.LineUp):
            self._up = True
            post(ev.LegUp(leg=self.line, medium="audio", quality=message.quality))
            if message.media_confirmed:
                post(ev.MediaConfirmed(leg=self.line))
        elif isinstance(message, seam.LineDown):
            post(ev.LegDown(leg=self.line, reason=message.reason, certain=message.certain))
        elif isinstance(message, seam.LineDetached):
            self._detached.set()
        elif isinstance(message, seam.LineClosed):
            self.counts = dict(message.counts)
            if shell.services.telemetry is not None:
                shell.services.telemetry.dropped(self.counts)
            self._closed.set()
        elif isinstance(message, seam.LineError):
            hint = f" {message.hint}" if message.hint else ""
            shell.tell(shell.side.error, "transport", message.error + hint, not message.fatal)
            if message.fatal:
                self._closed.set()
                if self._up:
                    post(ev.LegDown(leg=self.line, reason="error", certain=True))
                else:
                    post(ev.CloseAsked(reason="error"))


def _reflex(policy: SessionPolicy) -> seam.ReflexSettings:
    barge_in = policy.barge_in
    return seam.ReflexSettings(
        duck_after=barge_in.duck_after, pause_after=barge_in.pause_after, hold_max=barge_in.hold_max
    )
