"""What passes between a room's connection in the media process and the room's proxy beside the session: JSON, each message
one object with a ``type``, carried as a leg's signals.

``call`` numbers a request; ``Done`` with that number answers it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from antiphon.transport.livekit.room_use import RoomUse

AGENT_STATE = "lk.agent.state"
"""Attribute of the agent's participant."""
TRANSCRIPTION = "lk.transcription"
"""Topic of the text streams that carry what was said."""

Kind = Literal["standard", "sip", "agent", "connector", "ingress", "egress", "bridge"]


class Permissions(msgspec.Struct, frozen=True):
    """What a participant's token lets it do. ``hidden``: the others do not see it."""

    publish: bool = True
    subscribe: bool = True
    publish_data: bool = True
    update_metadata: bool = True
    hidden: bool = False


class Participant(msgspec.Struct, frozen=True):
    """Somebody in the room, as last seen."""

    identity: str
    sid: str = ""
    name: str = ""
    kind: Kind = "standard"
    metadata: str = ""
    attributes: dict[str, str] = {}
    permissions: Permissions = Permissions()


# --- to the session --------------------------------------------------------------------------------------------------


class FromRoom(msgspec.Struct, frozen=True, tag_field="type"):
    """What happens in the room."""


class Connected(FromRoom, frozen=True, tag="connected"):
    name: str
    sid: str
    metadata: str
    me: Participant
    participants: list[Participant]


class Connection(FromRoom, frozen=True, tag="connection"):
    """``lost``: the SDK connects again by itself. ``reason``: LiveKit's word, in lower case, where it is over."""

    state: Literal["lost", "back", "over"]
    reason: str = ""


class Here(FromRoom, frozen=True, tag="here"):
    """Somebody came, or changed."""

    participant: Participant


class Left(FromRoom, frozen=True, tag="left"):
    identity: str
    reason: str = ""


class Linked(FromRoom, frozen=True, tag="linked"):
    """Whom the agent hears; nobody: empty. ``track``: of the voice."""

    identity: str
    track: str = ""


class Heard(FromRoom, frozen=True, tag="heard"):
    """All whom the agent hears, with the tracks of their voices, where it hears several."""

    tracks: dict[str, str]


class Spoke(FromRoom, frozen=True, tag="spoke"):
    """Who was the loudest of several from ``since`` to ``until`` (seconds of the capture clock)."""

    identity: str
    since: float
    until: float


class Me(FromRoom, frozen=True, tag="me"):
    """The agent's own participant changed."""

    participant: Participant


class Published(FromRoom, frozen=True, tag="published"):
    """The agent's own voice has this track."""

    track: str


class RoomChanged(FromRoom, frozen=True, tag="room_changed"):
    metadata: str


class TextCame(FromRoom, frozen=True, tag="text"):
    topic: str
    text: str
    identity: str
    attributes: dict[str, str] = {}


class BytesCame(FromRoom, frozen=True, tag="bytes"):
    topic: str
    data: bytes
    identity: str
    name: str = ""
    mime_type: str = ""
    attributes: dict[str, str] = {}


class DataCame(FromRoom, frozen=True, tag="data"):
    """A data packet. ``identity``: empty when the server sent it."""

    topic: str
    data: bytes
    identity: str


class Refused(FromRoom, frozen=True, tag="refused"):
    """Something that somebody sent was dropped: too large, malformed, never ended. ``reason`` says why."""

    topic: str
    identity: str
    reason: str


class RpcCame(FromRoom, frozen=True, tag="rpc"):
    """Somebody calls a method of the agent; ``RpcAnswer`` with this ``id`` answers."""

    id: int
    method: str
    payload: str
    identity: str
    timeout: float


class Done(FromRoom, frozen=True, tag="done"):
    """``error`` empty: it went well, ``result`` is what came back."""

    call: int
    result: str = ""
    error: str = ""


AnyFromRoom = (
    Connected
    | Connection
    | Here
    | Left
    | Linked
    | Heard
    | Spoke
    | Me
    | Published
    | RoomChanged
    | TextCame
    | BytesCame
    | DataCame
    | Refused
    | RpcCame
    | Done
)


# --- to the room -----------------------------------------------------------------------------------------------------


class ToRoom(msgspec.Struct, frozen=True, tag_field="type"):
    """What the session wants done. ``call`` 0: no answer is waited for."""

    call: int = 0


class Use(ToRoom, frozen=True, tag="use"):
    """What the session wants of the room from now on."""

    use: RoomUse = RoomUse()


class Listen(ToRoom, frozen=True, tag="listen"):
    """Take text and byte streams of this topic."""

    topic: str = ""


class Link(ToRoom, frozen=True, tag="link"):
    """Hear this participant; empty: the first that comes."""

    identity: str = ""


class SetAttributes(ToRoom, frozen=True, tag="attributes"):
    attributes: dict[str, str] = {}


class SetMetadata(ToRoom, frozen=True, tag="metadata"):
    metadata: str = ""


class SendText(ToRoom, frozen=True, tag="send_text"):
    text: str = ""
    topic: str = ""
    to: list[str] = []
    attributes: dict[str, str] = {}


class SendBytes(ToRoom, frozen=True, tag="send_bytes"):
    data: bytes = b""
    name: str = ""
    mime_type: str = "application/octet-stream"
    topic: str = ""
    to: list[str] = []
    attributes: dict[str, str] = {}


class SendData(ToRoom, frozen=True, tag="send_data"):
    data: bytes = b""
    topic: str = ""
    reliable: bool = True
    to: list[str] = []


class SendDtmf(ToRoom, frozen=True, tag="send_dtmf"):
    digits: str = ""


class Transcribe(ToRoom, frozen=True, tag="transcribe"):
    """Words for captions. Of the agent (``identity`` empty): ``text`` is what is new in the segment. Of a participant: the whole
    segment so far."""

    segment: str = ""
    text: str = ""
    final: bool = False
    identity: str = ""


class RpcCall(ToRoom, frozen=True, tag="rpc_call"):
    identity: str = ""
    method: str = ""
    payload: str = ""
    timeout: float = 10.0


class RpcMethods(ToRoom, frozen=True, tag="rpc_methods"):
    """The methods that the agent answers, all of them."""

    methods: list[str] = []


class RpcAnswer(ToRoom, frozen=True, tag="rpc_answer"):
    id: int = 0
    payload: str = ""
    error: str = ""


AnyToRoom = (
    Use
    | Listen
    | Link
    | SetAttributes
    | SetMetadata
    | SendText
    | SendBytes
    | SendData
    | SendDtmf
    | Transcribe
    | RpcCall
    | RpcMethods
    | RpcAnswer
)

_to_room: msgspec.json.Decoder[AnyToRoom] = msgspec.json.Decoder(AnyToRoom)
_from_room: msgspec.json.Decoder[AnyFromRoom] = msgspec.json.Decoder(AnyFromRoom)
_encoder = msgspec.json.Encoder()


def read_to_room(data: str) -> AnyToRoom:
    """Raises ``msgspec.MsgspecError`` for what is no message."""
    return _to_room.decode(data)


def read_from_room(data: str) -> AnyFromRoom:
    """Raises ``msgspec.MsgspecError`` for what is no message."""
    return _from_room.decode(data)


def write(message: ToRoom | FromRoom) -> str:
    """One message as text."""
    return _encoder.encode(message).decode()
