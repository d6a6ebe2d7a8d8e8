"""The contract between the codec of a speech service and the wire: the codec knows the format, the wire owns the socket.

A codec is pure: it opens nothing, waits for nothing, retries nothing, reads no clock. It is made anew for each socket,
so it may remember what it has read on it. Times are seconds of audio since the socket's first audio.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.endings import Ending, Failure, ServiceError

Frame = str | bytes
"""One WebSocket message: text or binary."""


class ConnectSpec(msgspec.Struct, frozen=True):
    """How a socket is opened. ``path`` follows the base URL; ``query`` keeps its order and may repeat names. ``first``:
    frames sent as soon as it is open. ``waits``: nothing else is sent before the codec has decoded ``Ready``."""

    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}
    subprotocols: tuple[str, ...] = ()
    first: tuple[Frame, ...] = ()
    waits: bool = False

    def __repr__(self) -> str:  # a key may be anywhere in it
        return f"ConnectSpec({self.path})"


# --- signals that both kinds of service give ------------------------------------------------------------------------------


class Ready(msgspec.Struct, frozen=True):
    """The service takes audio or text now. ``session``: its own id. ``expires_in``: seconds it will live, 0 = unknown."""

    session: str = ""
    expires_in: float = 0.0


class Notice(msgspec.Struct, frozen=True):
    """A warning, or a message that the codec does not know: logged, otherwise without effect. Code ``empty``: the service has
    heard audio without words, which proves that it hears."""

    code: str
    message: str = ""


class Ended(msgspec.Struct, frozen=True):
    """Nothing more will come on this socket."""


# --- speech to text -------------------------------------------------------------------------------------------------------


class STTRules(msgspec.Struct, frozen=True):
    """What the service wants of a recognition socket.

    ``rate``: Hz of the audio, int16 mono. ``chunk``: seconds of audio a frame should hold. ``keepalive``: seconds without
    audio after which something is sent: ``on_idle``'s frames, or, where ``silence`` is set, a chunk of silence (0: nothing
    need be sent). ``session``: seconds a socket may live (0: no limit). ``answers``: the frames of ``Finalize`` are always
    answered; a service that is silent where it has nothing to say is not taken for a dead one.
    """

    rate: int = 16_000
    chunk: float = 0.1
    keepalive: float = 0.0
    silence: bool = False
    session: float = 0.0
    answers: bool = True


class Audio(msgspec.Struct, frozen=True):
    """Send this audio: int16 little-endian mono at ``STTRules.rate``."""

    pcm: bytes


class Finalize(msgspec.Struct, frozen=True):
    """The caller has probably finished: give the final of what was sent. A codec without such a command sends nothing."""


class EndAudio(msgspec.Struct, frozen=True):
    """No more audio will come: give what is left."""


STTCommand = Audio | Finalize | EndAudio


class HeardWord(msgspec.Struct, frozen=True):
    """A word and when it was said. ``speaker``: the service's label, empty where it does not tell speakers apart."""

    text: str
    start: float
    end: float
    confidence: float = 1.0
    speaker: str = ""


def main_speaker(words: Sequence[HeardWord]) -> str:
    """Who says most of the words; of several, who is first."""
    said = [word.speaker for word in words if word.speaker]
    return max(dict.fromkeys(said), key=said.count, default="")


class Heard(msgspec.Struct, frozen=True):
    """The text of a stretch of speech as far as it is known: always all of it, never an addition.

    ``segment`` names the stretch within its socket; a later ``Heard`` of the same segment takes the place of the earlier
    one, also after a final (services give finals twice, or revise them). ``end``: seconds of audio that it covers; audio
    up to there need not be sent again once it is final (0: unknown; where a service gives no times, the codec counts what it
    encoded).
    """

    segment: str
    text: str
    final: bool = False
    start: float = 0.0
    end: float = 0.0
    words: tuple[HeardWord, ...] = ()
    language: str = ""
    speaker: str = ""
    confidence: float = 1.0


class TurnEdge(msgspec.Struct, frozen=True):
    """The service's own ruling on the turn. ``likely``: it may be over; ``start`` after it: it goes on."""

    kind: Literal["start", "likely", "end"]


class Finalized(msgspec.Struct, frozen=True):
    """``Finalize`` was carried out; its final has been given (or there was nothing to give)."""


class Covered(msgspec.Struct, frozen=True):
    """Audio up to ``until`` is dealt with, whether or not it held words: it need not be sent again."""

    until: float


class AudioUsage(msgspec.Struct, frozen=True):
    """Seconds of audio the service says it bills for this socket so far (a total, never an addition)."""

    seconds: float


STTSignal = Ready | Heard | TurnEdge | Finalized | Covered | AudioUsage | Notice | ServiceError | Ended


class STTCodec(Protocol):
    """One recognition socket of one service."""

    @property
    def rules(self) -> STTRules: ...

    def connect(self, key: str) -> ConnectSpec:
        """How to open the socket with this API key (empty: none was given)."""
        ...

    def encode(self, command: STTCommand) -> list[Frame]:
        """The frames that carry a command; none where the service has no such thing."""
        ...

    def decode(self, frame: Frame) -> list[STTSignal]:
        """What a frame says. Never raises for what a service may send: what it does not know becomes a ``Notice``."""
        ...

    def on_idle(self) -> list[Frame]:
        """The frames that keep a quiet socket open."""
        ...

    def classify(self, ending: Ending) -> Failure: ...

    def resume(self) -> STTCodec:
        """The codec of the socket that follows this one, which was lost or has grown old."""
        ...


# --- text to speech -------------------------------------------------------------------------------------------------------


class TTSRules(msgspec.Struct, frozen=True):
    """What the service offers on a synthesis socket.

    ``rate``: Hz of its audio. ``contexts``: syntheses that may run on one socket at a time. ``reusable``: a socket serves
    the next synthesis after one is done. ``cancels``: a cancelled synthesis leaves the socket usable (its late audio is
    dropped here); without it the socket is closed. ``boundaries``: it says where the audio of one pushed text ends
    (``SegmentDone``). ``keepalive``: seconds of quiet after which ``on_idle``'s frames are sent (0: none). ``idle``: seconds
    of quiet after which the service closes a socket (0: never). ``session``: seconds a socket may live (0: no limit).
    """

    rate: int = 24_000
    contexts: int = 1
    reusable: bool = True
    cancels: bool = False
    boundaries: bool = False
    keepalive: float = 0.0
    idle: float = 0.0
    session: float = 0.0


class Speak(msgspec.Struct, frozen=True):
    """Speak one text (a clause or a sentence) in a context. ``first``: the context begins with it."""

    context: str
    text: str
    first: bool = False


class EndContext(msgspec.Struct, frozen=True):
    """No more text for the context: give the rest of its audio, then ``ContextDone``."""

    context: str


class CancelContext(msgspec.Struct, frozen=True):
    """Stop the context. Sent only where ``TTSRules.cancels``."""

    context: str


TTSCommand = Speak | EndContext | CancelContext


class SpokenWord(msgspec.Struct, frozen=True):
    """A word and when it sounds, in seconds from the first sample of its context."""

    text: str
    start: float
    end: float


class Sound(msgspec.Struct, frozen=True):
    """Audio of a context: int16 little-endian mono at ``TTSRules.rate``; it may be cut in the middle of a sample."""

    context: str
    pcm: bytes


class Words(msgspec.Struct, frozen=True):
    """Timed words of a context. They may come before or after the audio that holds them."""

    context: str
    words: tuple[SpokenWord, ...]


class SegmentDone(msgspec.Struct, frozen=True):
    """All audio of the oldest text of the context that was not done yet has been given."""

    context: str


class ContextDone(msgspec.Struct, frozen=True):
    """All audio of the context has been given, or it was cancelled."""

    context: str


class TextUsage(msgspec.Struct, frozen=True):
    """Characters that the service says it bills for a context (a total, never an addition)."""

    context: str
    characters: int


TTSSignal = Ready | Sound | Words | SegmentDone | ContextDone | TextUsage | Notice | ServiceError | Ended


class TTSCodec(Protocol):
    """One synthesis socket of one service. Contexts are named by the wire. A service without contexts answers for the one
    that was begun last."""

    @property
    def rules(self) -> TTSRules: ...

    def connect(self, key: str) -> ConnectSpec: ...

    def encode(self, command: TTSCommand) -> list[Frame]: ...

    def decode(self, frame: Frame) -> list[TTSSignal]:
        """What a frame says. Never raises for what a service may send: what it does not know becomes a ``Notice``."""
        ...

    def on_idle(self) -> list[Frame]: ...

    def classify(self, ending: Ending) -> Failure: ...


# --- speech over HTTP -----------------------------------------------------------------------------------------------------


class SpeechDecoder(Protocol):
    """Reads the body of one synthesis, however it is cut."""

    def feed(self, data: bytes) -> list[TTSSignal]:
        """Take a piece of the body. Contexts are empty. Errors are ``ServiceError``."""
        ...

    def end(self) -> list[TTSSignal]:
        """The body is over. A body that was cut is a ``ServiceError``."""
        ...


class SpeechRequestCodec(Protocol):
    """A voice behind one request for each text. ``rate``: Hz of what its decoder gives."""

    @property
    def rate(self) -> int: ...

    def request(self, text: str) -> WireRequest: ...

    def authorise(self, key: str) -> dict[str, str]: ...

    def probe(self) -> WireRequest:
        """A request that costs nothing and shows whether the service is there and knows the key."""
        ...

    def decoder(self) -> SpeechDecoder: ...

    def fault(self, body: bytes) -> ServiceFault:
        """Read the body of an HTTP error. Never raises."""
        ...


class TranscriptionCodec(Protocol):
    """A recogniser of whole utterances behind one request each. ``rate``: Hz of the audio it wants."""

    @property
    def rate(self) -> int: ...

    def request(self, pcm: bytes, language: str) -> WireRequest:
        """``pcm``: int16 little-endian mono at ``rate``. The body is raw, or made by ``antiphon.models.multipart``."""
        ...

    def authorise(self, key: str) -> dict[str, str]: ...

    def probe(self) -> WireRequest:
        """A request that costs nothing and shows whether the service is there and knows the key."""
        ...

    def read(self, body: bytes) -> Heard:
        """The answer. Raises ``ModelError`` for one that cannot be read."""
        ...

    def fault(self, body: bytes) -> ServiceFault:
        """Read the body of an HTTP error. Never raises."""
        ...
