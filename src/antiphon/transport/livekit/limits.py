"""What LiveKit lets through, and the words for what it does not: checked before anything is sent, and of what comes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from antiphon.errors import AntiphonError

MOST_PACKET = 15 * 1024
"""Bytes of a data packet, and of what a remote call carries each way."""
MOST_METADATA = 512 * 1024
"""Bytes of metadata, and of all attributes together. The SDK loses more without a word."""
MOST_NAME = 256
"""Bytes of a room's name, an identity, a topic, a method."""
MOST_TEXT = 64 * 1024
"""Characters of one text that somebody may send to the agent."""
MOST_BYTES = 4 * 1024 * 1024
"""Bytes of one stream that somebody may send to the agent."""


class RoomError(AntiphonError):
    """Something asked of a room could not be done: it is not joined, it was left, it is more than a room carries, or the server
    refused."""


def check_name(what: str, name: str) -> None:
    """A name of a room, a participant, a topic, a method. Raises ``RoomError``."""
    if len(name.encode(errors="replace")) > MOST_NAME:
        raise RoomError(f"The {what} is longer than {MOST_NAME} bytes.", hint="Choose a shorter one.")
    if any(unicodedata.category(each) in ("Cc", "Cs") for each in name):
        raise RoomError(f"The {what} has control characters in it: {name!r}.", hint="Use letters, digits, - and _.")


def check_people(identities: Iterable[str]) -> None:
    """Those to whom something goes. Raises ``RoomError``."""
    for identity in identities:
        check_name("identity", identity)


def check_packet(data: bytes) -> None:
    """Raises ``RoomError``."""
    if len(data) > MOST_PACKET:
        raise RoomError(
            f"A data packet of {len(data)} bytes is more than the {MOST_PACKET} that a room carries.",
            hint="Use send_bytes or send_text: streams have no such limit.",
        )


def check_payload(what: str, payload: str) -> None:
    """What a remote call carries. Raises ``RoomError``."""
    size = len(payload.encode(errors="replace"))
    if size > MOST_PACKET:
        raise RoomError(
            f"The {what} of {size} bytes is more than the {MOST_PACKET} that a remote call carries.",
            hint="Send what is large by send_text or send_bytes, and its name by the call.",
        )


def check_metadata(metadata: str) -> None:
    """Raises ``RoomError``."""
    if len(metadata.encode(errors="replace")) > MOST_METADATA:
        raise RoomError(
            f"Metadata is longer than {MOST_METADATA} bytes.", hint="Keep a reference in it, not the thing."
        )


def check_attributes(attributes: Mapping[str, str]) -> None:
    """Raises ``RoomError``."""
    for name, value in attributes.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise RoomError(f"Attributes are text: {name!r} is not.", hint="Write str(value), or JSON.")
        check_name("attribute's name", name)
    if sum(len((name + value).encode(errors="replace")) for name, value in attributes.items()) > MOST_METADATA:
        raise RoomError(f"Attributes are longer than {MOST_METADATA} bytes.", hint="Keep references in them.")
