"""The seam between the media plane (M) and the core (C): plain messages, the same for a thread and a process.

Times are on the machine's monotonic clock (``CLOCK_MONOTONIC``, seconds), which processes share; the shell turns
them into session time. Speech positions are samples at ``PLAY_RATE``. A ``line`` is one session's place in the plane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import msgspec

from antiphon.audio.frames import AudioFrame
from antiphon.models.vad import VADOptions


class LegSpec(msgspec.Struct, frozen=True):
    """How the plane makes a leg: the transport's registered name and its plain-data options."""

    transport: str
    options: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Without what the options hold: there may be a token among them."""
        return f"LegSpec({self.transport!r}, {sorted(self.options)})"


class ReflexSettings(msgspec.Struct, frozen=True):
    """Barge-in reflex, seconds of continuous speech; ``duck_gain`` as a factor."""

    duck_after: float = 0.12
    pause_after: float = 0.35
    hold_max: float = 0.8
    duck_gain: float = 0.3


class LineConfig(msgspec.Struct, frozen=True):
    vad: VADOptions = VADOptions()
    reflex: ReflexSettings = ReflexSettings()
    echo_warmup: float = 0.0
    record: str = ""
    """Path of a stereo WAV (caller left, agent right), written as the call runs. Empty: none."""
    input_audio: bool = True
    """Send caller audio to the core (an STT listens)."""
    dead_man: float = 2.0
    """Seconds without a ``Heartbeat``, while it is not the caller's move, until the clip ``dead_man`` plays. 0: never."""
    levels: bool = False
    """Send ``Level`` messages."""


class ToPlane(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    line: str


class OpenLine(ToPlane, frozen=True, kw_only=True, tag="open"):
    leg: LegSpec
    config: LineConfig = LineConfig()


class AttachLine(ToPlane, frozen=True, kw_only=True, tag="attach"):
    """Go on with an open line whose owner is gone. Answer: ``LineAttached``; a fatal ``LineError`` where there is no such
    line. ``config``: ``None`` leaves it as it is. ``audio_since``: time from which on the caller's sound is wanted again,
    where it is kept (negative: none). ``ends``: speeches that get no more audio, and the samples of each that the new owner
    knows of: what is behind them is dropped. ``signals``: the leg's own signals are wanted too, and its state, said anew. An
    owner that is there still is told a fatal ``LineError``, and not heard any more."""

    config: LineConfig | None = None
    audio_since: float = -1.0
    ends: dict[str, int] = {}
    signals: bool = True


class DetachLine(ToPlane, frozen=True, kw_only=True, tag="detach"):
    """Own the line no more, in favour of whoever attaches; what it says is kept until then. Answer: ``LineDetached``; nothing
    comes behind it."""


class CloseLine(ToPlane, frozen=True, kw_only=True, tag="close"):
    """Answer: ``LineClosed``, after the recording is complete."""


class Configure(ToPlane, frozen=True, kw_only=True, tag="configure"):
    config: LineConfig


class PushAudio(ToPlane, frozen=True, kw_only=True, tag="audio"):
    """Audio of ``speech``, any rate; kept until the speech is dropped. ``last``: there is no more."""

    speech: str
    frame: AudioFrame
    last: bool = False


class PlaySpeech(ToPlane, frozen=True, kw_only=True, tag="play"):
    speech: str
    interruptible: bool = True


class PauseSpeech(ToPlane, frozen=True, kw_only=True, tag="pause"):
    speech: str


class ResumeSpeech(ToPlane, frozen=True, kw_only=True, tag="resume"):
    speech: str
    at: int


class StopSpeech(ToPlane, frozen=True, kw_only=True, tag="stop"):
    """Fade out, drop the audio; answer: ``Settled``."""

    speech: str


class RenewSpeech(ToPlane, frozen=True, kw_only=True, tag="renew"):
    """The audio of a speech that does not play yet is made anew: drop what was pushed of it. No answer."""

    speech: str


class StoreClip(ToPlane, frozen=True, kw_only=True, tag="clip"):
    """Keep audio under ``key``: canned speech (filler, apology, goodbye, ``dead_man``) or background sound."""

    key: str
    frames: tuple[AudioFrame, ...]


class PlayClip(ToPlane, frozen=True, kw_only=True, tag="play_clip"):
    """Play a stored clip as ``speech``. Answers as for ``PlaySpeech``."""

    speech: str
    key: str


class Background(ToPlane, frozen=True, kw_only=True, tag="background"):
    """Mix the clip under everything, looped. ``gain`` 0 or an empty key: stop."""

    key: str
    gain: float = 0.1


class ArmReflex(ToPlane, frozen=True, kw_only=True, tag="reflex"):
    armed: bool


class SendDigits(ToPlane, frozen=True, kw_only=True, tag="dtmf"):
    digits: str


class SignalLeg(ToPlane, frozen=True, kw_only=True, tag="signal"):
    """A transport's own message to its leg, as text (an SDP offer, a playout report): the plane does not read it."""

    data: str


class Heartbeat(ToPlane, frozen=True, kw_only=True, tag="heartbeat"):
    """The core lives. ``callers_move``: silence is in order (no dead-man clip)."""

    callers_move: bool


class ClosePlane(ToPlane, frozen=True, kw_only=True, tag="close_plane"):
    """To a plane that is a process, from whoever started it: close every line and end."""

    line: str = ""


class FromPlane(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    line: str
    at: float


class LineUp(FromPlane, frozen=True, kw_only=True, tag="up"):
    quality: Literal["peer", "device", "paced", "estimated"]
    media_confirmed: bool = True


class LineDetached(FromPlane, frozen=True, kw_only=True, tag="detached"):
    """The line waits for another owner."""


class LineDown(FromPlane, frozen=True, kw_only=True, tag="down"):
    reason: str
    certain: bool = True


class LineClosed(FromPlane, frozen=True, kw_only=True, tag="closed"):
    counts: dict[str, int] = {}
    """Drops, underruns, late ticks, by name; all that was lost on the way."""


class LineError(FromPlane, frozen=True, kw_only=True, tag="error"):
    """Something could not be done; ``hint`` says what to do. ``fatal``: the line is not usable."""

    error: str
    hint: str = ""
    fatal: bool = False


class MicAudio(FromPlane, frozen=True, kw_only=True, tag="mic"):
    """Caller audio at ``EAR_RATE``; ``frame.at`` is capture time and ``frame.speech`` the verdict."""

    frame: AudioFrame


class VadEdge(FromPlane, frozen=True, kw_only=True, tag="vad"):
    """``at``: the sample time of the edge; ``seen``: when the plane knew."""

    edge: Literal["start", "end"]
    seen: float


class Reflex(FromPlane, frozen=True, kw_only=True, tag="reflex"):
    """The plane acted by itself. ``position``: samples of ``speech`` out by then."""

    action: Literal["ducked", "paused", "released", "resumed"]
    speech: str
    position: int


class Progress(FromPlane, frozen=True, kw_only=True, tag="progress"):
    speech: str
    position: int
    quality: Literal["peer", "device", "paced", "estimated"]


class Settled(FromPlane, frozen=True, kw_only=True, tag="settled"):
    speech: str
    position: int
    quality: Literal["peer", "device", "paced", "estimated"]
    reason: Literal["end", "stopped", "lost", "refused"]


class SpeechHeld(msgspec.Struct, frozen=True):
    """A speech as the plane has it. ``heard``: samples acknowledged; ``complete``: its last audio has come."""

    state: Literal["held", "playing", "paused", "stopping"]
    heard: int
    complete: bool


class LineAttached(FromPlane, frozen=True, kw_only=True, tag="attached"):
    """The line as its new owner finds it. ``speaking``: the caller is. ``settled``: of the speeches that ended last."""

    up: bool
    quality: Literal["peer", "device", "paced", "estimated"]
    speaking: bool
    speeches: dict[str, SpeechHeld]
    settled: tuple[Settled, ...]


class Digit(FromPlane, frozen=True, kw_only=True, tag="digit"):
    digit: str


class LegText(FromPlane, frozen=True, kw_only=True, tag="text"):
    """The caller wrote something on a leg that carries text."""

    text: str


class LegSignal(FromPlane, frozen=True, kw_only=True, tag="leg_signal"):
    """A leg's own message to whoever serves its transport, as text (an SDP answer)."""

    data: str


class Level(FromPlane, frozen=True, kw_only=True, tag="level"):
    """Loudness of both sides, dBFS, about ten times a second, where somebody asked for it."""

    caller: float
    agent: float


AnyToPlane = (
    OpenLine | AttachLine | DetachLine | CloseLine | Configure | PushAudio | PlaySpeech | PauseSpeech | ResumeSpeech | StopSpeech
    | RenewSpeech | StoreClip | PlayClip | Background | ArmReflex | SendDigits | SignalLeg | Heartbeat | ClosePlane
)  # fmt: skip
AnyFromPlane = (
    LineUp | LineDown | LineClosed | LineError | LineAttached | LineDetached | MicAudio | VadEdge | Reflex | Progress | Settled | Digit
    | LegText | LegSignal | Level
)  # fmt: skip


class PlaneLink(Protocol):
    """The core's end of the seam."""

    def send(self, message: AnyToPlane) -> None:
        """Hand a message over. Never blocks; raises ``AudioError`` when the plane is gone."""
        ...

    def subscribe(self, line: str, deliver: Callable[[Sequence[AnyFromPlane]], None]) -> None:
        """Give the messages of ``line`` to ``deliver``, on the core's loop, one call per tick."""
        ...

    def unsubscribe(self, line: str) -> None: ...

    async def aclose(self) -> None:
        """Be done with the plane, within 2 s, whatever its legs do. One of one's own ends, and its lines with it."""
        ...
