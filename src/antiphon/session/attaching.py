"""Attaching: a line that a former owner left, as the plane has it, against what the kernel believes of it.

The plane is right: what it says becomes events, so that the log has it; what it has not been told yet it is told. Part of
``PlaneBridge``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from antiphon.audio import seam
from antiphon.kernel import events as ev
from antiphon.kernel import gates, ledger
from antiphon.kernel.speech import Speech
from antiphon.kernel.turn import unheard_since

if TYPE_CHECKING:
    from antiphon.session.shell import Shell

AGAIN = 0.2
"""Seconds before the line was attached from which the caller's sound is taken for what a former owner heard too."""

Send = Callable[[seam.AnyToPlane], None]


class Attaching:
    """``audio_since``: from when on the caller's sound is wanted again, on the plane's clock. ``ends``: what
    of speeches is known that a former owner was still making."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        state = shell.kernel.state
        self.audio_since = shell.driver.t0 + unheard_since(state.turn, state.now)
        self.ends = {
            name: ledger.available(speech.segments)
            for name, speech in shell.kernel.state.speech.speeches.items()
            if speech.sounding and speech.total < 0
        }
        self._told = False
        self._line: seam.LineAttached | None = None

    def found(self, line: seam.LineAttached, send: Send) -> None:
        """The line's state when it was attached."""
        self._line = line
        self._leg(line)
        settled = {one.speech: one for one in line.settled}
        known = self._shell.kernel.state.speech.speeches
        for speech in [one for one in known.values() if one.sounding]:
            held = line.speeches.get(speech.id)
            if held is not None:
                self._held(speech, held, line, send)
            else:
                self._settled(speech, settled.get(speech.id), line)
        for name, held in line.speeches.items():
            if name not in known and held.state in ("playing", "paused"):
                send(seam.StopSpeech(line=line.line, speech=name))  # begun behind the log's last entry

    def reported(self, messages: Sequence[seam.AnyFromPlane]) -> None:
        """These have been taken. Whether the caller speaks is compared last: what the line kept for its owner is older than its
        state, and what it has found since is newer."""
        line = self._line
        if line is None or self._told:
            return
        self._told = True
        newer = any(isinstance(message, seam.VadEdge) and message.seen >= line.at for message in messages)
        if not newer and line.speaking != self._shell.kernel.state.turn.vad:
            at = self._shell.session_time(line.at)
            self._shell.post(ev.Vad(edge="start" if line.speaking else "end", at=at))

    def hears(self, at: float) -> bool:
        """The first sound of the caller's, captured at ``at`` (the plane's clock). False: the line is not attached yet."""
        if self._line is None:
            return False
        self._shell.listening.words_of_before(again=self.audio_since >= 0.0 and at < self._line.at - AGAIN)
        return True

    def _leg(self, line: seam.LineAttached) -> None:
        leg = self._shell.kernel.state.legs.legs.get(line.line)
        up = leg is not None and leg.phase in ("up", "held")
        if line.up and not up:
            self._shell.post(ev.LegUp(leg=line.line, medium="audio", quality=line.quality))
            self._shell.post(ev.MediaConfirmed(leg=line.line))
        elif up and not line.up:
            self._shell.post(ev.LegDown(leg=line.line, reason="lost", certain=False))

    def _held(self, speech: Speech, held: seam.SpeechHeld, line: seam.LineAttached, send: Send) -> None:
        """It is in the plane. Nobody there knows what was asked for and did not arrive."""
        post, name = self._shell.post, speech.id
        post(ev.Acked(speech=name, position=held.heard, quality=line.quality))
        if speech.phase == "settling":
            send(seam.StopSpeech(line=line.line, speech=name))
        elif held.state == "held":
            send(seam.PlaySpeech(line=line.line, speech=name, interruptible=speech.interruptible))
        elif held.state == "paused" and speech.phase == "on_air":
            post(ev.AutoPaused(speech=name, position=held.heard, at=self._shell.session_time(line.at)))
        elif held.state == "playing" and speech.phase == "paused":
            if speech.yielded or gates.HOLD in self._shell.kernel.state.gates:
                send(seam.PauseSpeech(line=line.line, speech=name))
            else:
                post(ev.AutoResumed(speech=name, position=held.heard))

    def _settled(self, speech: Speech, settled: seam.Settled | None, line: seam.LineAttached) -> None:
        position, quality = speech.position, line.quality
        if settled is None:
            self._shell.post(ev.PlaySettled(speech=speech.id, position=position, quality=quality, reason="lost"))
        else:
            self._shell.post(
                ev.PlaySettled(
                    speech=speech.id, position=settled.position, quality=settled.quality, reason=settled.reason
                )
            )
