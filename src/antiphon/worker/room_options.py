"""``room_options=`` of ``session.start``: how a session uses its LiveKit room, by LiveKit's names where they say it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from antiphon.errors import ConfigurationError, NotSupportedError
from antiphon.transport.livekit.limits import MOST_NAME
from antiphon.transport.livekit.messages import Participant
from antiphon.transport.livekit.room_use import CHAT, SPEAKERS, Noise, RoomUse

KINDS = ("standard", "sip", "connector", "ingress", "egress", "agent", "bridge")
NOISE_RATES = (8_000, 16_000, 24_000, 32_000, 44_100, 48_000)
LONGEST_WAIT = 10.0
"""Seconds that a client records before it is connected, at most."""
FOR_EVER = 86_400.0


class TextInputEvent(msgspec.Struct, frozen=True):
    """Somebody wrote to the agent."""

    text: str
    participant: Participant
    topic: str = CHAT
    attributes: dict[str, str] = {}


TextInput = Callable[[Any, TextInputEvent], Awaitable[object] | object]


class AudioInputOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``noise_cancellation``: ``package.module:factory``, or a function or class that can be imported; called in the media process, for
    each participant, with the rate and ``noise_cancellation_options`` (plain data). ``sample_rate`` (Hz), ``frame_size_ms``: of the frames
    that it gets; the recogniser always gets 16 kHz. ``pre_connect_audio``: what a client recorded before it was connected is the
    beginning of its sound, waited for ``pre_connect_audio_timeout`` seconds where the client says that it comes."""

    noise_cancellation: str | Callable[..., Any] | None = None
    noise_cancellation_options: dict[str, Any] = {}
    sample_rate: int = 16_000
    frame_size_ms: int = 20
    pre_connect_audio: bool = True
    pre_connect_audio_timeout: float = 3.0


class TextInputOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``topic``: of the text streams that people write to the agent on. ``callback``: gets the session and a ``TextInputEvent``, instead
    of a turn being made of it."""

    topic: str = CHAT
    callback: TextInput | None = None


class RoomOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``audio_input``, ``audio_output``, ``text_input``, ``text_output`` (captions, as they are heard): on or off, or their options.
    ``participant_identity``: whom the agent talks with; ``participant_kinds``: or the first of these. ``listen_to``: ``linked``, that one
    alone, or ``all``: everybody of the kinds. ``observers``: identities (or patterns: ``supervisor-*``) of those who look on: never
    heard, and what they write is no turn. ``observer_events``: they get the session's events as JSON. ``close_on_disconnect``: the
    session ends when its participant leaves. ``resume_window``: seconds in which one who dropped out may come back; a session that sets
    ``party_grace`` has its own. ``delete_room_on_close``: the room ends with the session, for everybody."""

    audio_input: bool | AudioInputOptions = True
    audio_output: bool = True
    text_input: bool | TextInputOptions = True
    text_output: bool = True
    video_input: bool = False
    participant_identity: str = ""
    participant_kinds: tuple[str, ...] | list[str] = SPEAKERS
    listen_to: Literal["linked", "all"] = "linked"
    observers: tuple[str, ...] | list[str] = ()
    observer_events: bool = False
    close_on_disconnect: bool = True
    resume_window: float = 20.0
    delete_room_on_close: bool = False

    def __post_init__(self) -> None:
        if self.video_input:
            raise NotSupportedError(
                "Video of a room is not taken.", hint="Send pictures with send_bytes, or add them to a message."
            )
        if unknown := set(self.participant_kinds) - set(KINDS):
            raise ConfigurationError(
                f"There is no kind of participant {', '.join(map(repr, sorted(map(str, unknown))))}.",
                hint=f"The kinds are {', '.join(KINDS)}.",
            )
        if self.listen_to not in ("linked", "all"):
            raise ConfigurationError(f"listen_to={self.listen_to!r} is no choice.", hint="Say 'linked' or 'all'.")
        if self.listen_to == "all" and self.participant_identity:
            raise ConfigurationError(
                "participant_identity= names one, listen_to='all' means everybody.", hint="Leave one of them out."
            )
        if not 0 <= self.resume_window <= FOR_EVER:
            raise ConfigurationError(
                f"resume_window={self.resume_window} is no use.", hint="Give seconds, at most a day."
            )
        ears = self.ears
        if ears.sample_rate not in NOISE_RATES or ears.frame_size_ms not in (10, 20, 30, 40, 50, 60):
            raise ConfigurationError(
                f"Frames of {ears.frame_size_ms} ms at {ears.sample_rate} Hz are not made.",
                hint=f"Choose 10 to 60 ms, and one of {', '.join(map(str, NOISE_RATES))} Hz.",
            )
        if not 0 < ears.pre_connect_audio_timeout <= LONGEST_WAIT:
            raise ConfigurationError(
                f"pre_connect_audio_timeout={ears.pre_connect_audio_timeout} is no use.",
                hint=f"Give seconds, at most {LONGEST_WAIT:g}; pre_connect_audio=False is off.",
            )
        if not self.writing.topic or len(self.writing.topic) > MOST_NAME:
            raise ConfigurationError("The topic of text_input is empty or too long.", hint=f"LiveKit's is {CHAT!r}.")
        if self.audio_input:
            self._noise()

    @property
    def ears(self) -> AudioInputOptions:
        return self.audio_input if isinstance(self.audio_input, AudioInputOptions) else AudioInputOptions()

    @property
    def writing(self) -> TextInputOptions:
        return self.text_input if isinstance(self.text_input, TextInputOptions) else TextInputOptions()

    @property
    def party_grace(self) -> float:
        """Seconds that the session waits for a participant who is gone."""
        return self.resume_window if self.close_on_disconnect else FOR_EVER

    def use(self) -> RoomUse:
        """The same, for the room's connection."""
        ears = self.ears
        return RoomUse(
            identity=self.participant_identity,
            kinds=tuple(self.participant_kinds),
            everybody=self.listen_to == "all",
            observers=tuple(self.observers),
            hears=bool(self.audio_input),
            speaks=self.audio_output,
            topic=self.writing.topic,
            ends_with_caller=self.close_on_disconnect,
            pre_connect=ears.pre_connect_audio_timeout if ears.pre_connect_audio else 0.0,
            noise=self._noise(),
        )

    def _noise(self) -> Noise | None:
        ears, given = self.ears, self.ears.noise_cancellation
        if given is None:
            return None
        path = given if isinstance(given, str) else _path_of(given)
        module, _, name = path.partition(":")
        if not module or not name or module == "__main__" or "<" in name:
            raise ConfigurationError(
                f"noise_cancellation={path!r} cannot be imported in the media process.",
                hint="Give 'package.module:factory', of a module that is installed or beside your program.",
            )
        try:
            msgspec.json.encode(ears.noise_cancellation_options)
        except (TypeError, OverflowError) as error:
            raise ConfigurationError(
                f"noise_cancellation_options are not plain data: {error}.", hint="They go to another process."
            ) from error
        return Noise(path, ears.noise_cancellation_options, ears.sample_rate, ears.frame_size_ms)


def _path_of(given: Any) -> str:
    name = getattr(given, "__qualname__", "")
    if not name:
        raise ConfigurationError(
            "noise_cancellation= takes what makes a filter, not a filter: each participant needs its own.",
            hint="Give the class, or 'package.module:factory'.",
        )
    return f"{given.__module__}:{name}"
