"""Signals: the JSON messages between a page and its leg, both ways, each one object with a ``type``.

They travel over whatever serves the page (a WebSocket, say) as text and are neither read nor changed on the way. Times are
seconds. ``id`` numbers the page's offers; it grows within a page and may begin again after a reload. An offer makes a new
peer connection on the same leg, which replaces the one before; one whose ``o=`` line names the session of the current peer
connection (``restartIce()``) moves that to another network path instead. What the leg says carries the ``id`` of the last
offer of that peer connection.

To the leg::

    {"type": "offer", "id": 1, "sdp": "v=0..."}             a peer connection; audio, sendrecv (recvonly: no microphone)
    {"type": "candidate", "id": 1, "candidate": "candidate:... typ host ..."}    trickled; null or "": there are no more
    {"type": "playout", "played": 12.34, "delay": 0.085}    about five times a second, while connected
    {"type": "mute", "muted": true}                         capture gives silence; time goes on
    {"type": "text", "text": "..."}                         the caller wrote
    {"type": "dtmf", "digits": "12#"}                       the caller pressed keys (0-9 * # A-D)
    {"type": "bye"}                                         the caller hangs up

``played``: seconds of the agent's track that the page's output has played since this peer connection was up; it stands still
while the page may not play. ``delay``: seconds a packet that arrives now waits in the page until it sounds (jitter buffer
and output latency). A page that sends no ``playout`` is followed by measured network delay instead.

A new peer connection is not muted: a page that is says so again after its offer. After ``closed`` a page makes a new
RTCPeerConnection; its old one cannot be revived.

From the leg::

    {"type": "answer", "id": 1, "sdp": "v=0..."}
    {"type": "candidate", "id": 1, "candidate": "candidate:..."}    trickled; null: there are no more
    {"type": "connection", "id": 1, "state": "connecting"}  then "connected"; "lost": nothing arrives (it may come back as
                                                            "connected", or the page makes a new offer); "closed"
    {"type": "error", "id": 1, "error": "...", "hint": "..."}       id null: of no offer
    {"type": "stats", "id": 1, "rtt": 0.02, "loss": 0.0, "jitter": 0.002, "concealed": 0.0,
     "remote_loss": 0.0, "remote_jitter": 0.001}            about once a second; null: not known

``loss``, ``jitter`` and ``concealed`` are of the caller's audio as it arrives here (fractions of the last second; seconds),
``remote_loss`` and ``remote_jitter`` of the agent's as the page reports it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from antiphon.errors import AntiphonError

MOST_SIGNAL = 128 * 1024
"""Bytes of one message."""
MOST_SDP = 64 * 1024
"""Bytes of one description."""

_Id = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class SignalError(AntiphonError):
    """A message of the page that is no signal."""


class ToLeg(msgspec.Struct, frozen=True, tag_field="type"):
    """What a page says."""


class Offer(ToLeg, frozen=True, tag="offer"):
    id: _Id
    sdp: str


class Candidate(ToLeg, frozen=True, tag="candidate"):
    id: _Id
    candidate: Annotated[str, msgspec.Meta(max_length=1024)] | None = None


class Playout(ToLeg, frozen=True, tag="playout"):
    played: _Seconds
    delay: _Seconds = 0.0


class Mute(ToLeg, frozen=True, tag="mute"):
    muted: bool


class Text(ToLeg, frozen=True, tag="text"):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=16_000)]


class Dtmf(ToLeg, frozen=True, tag="dtmf"):
    digits: Annotated[str, msgspec.Meta(pattern="^[0-9*#A-D]{1,64}$")]


class Bye(ToLeg, frozen=True, tag="bye"):
    pass


AnyToLeg = Offer | Candidate | Playout | Mute | Text | Dtmf | Bye


class FromLeg(msgspec.Struct, frozen=True, tag_field="type"):
    """What a leg says."""


class Answer(FromLeg, frozen=True, tag="answer"):
    id: int
    sdp: str


class LocalCandidate(FromLeg, frozen=True, tag="candidate"):
    id: int
    candidate: str | None


class Connection(FromLeg, frozen=True, tag="connection"):
    id: int
    state: Literal["connecting", "connected", "lost", "closed"]


class Error(FromLeg, frozen=True, tag="error"):
    id: int | None
    error: str
    hint: str = ""


class Stats(FromLeg, frozen=True, tag="stats"):
    id: int
    rtt: float | None
    loss: float
    jitter: float
    concealed: float
    remote_loss: float | None
    remote_jitter: float | None


AnyFromLeg = Answer | LocalCandidate | Connection | Error | Stats

_to_leg: msgspec.json.Decoder[AnyToLeg] = msgspec.json.Decoder(AnyToLeg)
_from_leg: msgspec.json.Decoder[AnyFromLeg] = msgspec.json.Decoder(AnyFromLeg)
_encoder = msgspec.json.Encoder()


def read(data: str) -> AnyToLeg:
    """A page's message. Raises ``SignalError`` for what is too long, no JSON, of no known type or badly formed."""
    if len(data) > MOST_SIGNAL:
        raise SignalError(f"The message is longer than {MOST_SIGNAL} bytes.", hint="Send one signal a message.")
    try:
        return _to_leg.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise SignalError(
            f"This is no signal: {error}.", hint="See antiphon.transport.webrtc.signals for the messages."
        ) from error


def read_from_leg(data: str) -> AnyFromLeg:
    """A leg's message, for whoever is on the page's side."""
    return _from_leg.decode(data)


def write(signal: ToLeg | FromLeg) -> str:
    """One message as text."""
    return _encoder.encode(signal).decode()
