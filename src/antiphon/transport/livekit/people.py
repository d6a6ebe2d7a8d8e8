"""LiveKit's participants and reasons as this package's plain data."""

from __future__ import annotations

from typing import Any

from livekit import rtc

from antiphon.transport.livekit.limits import MOST_METADATA
from antiphon.transport.livekit.messages import Kind, Participant, Permissions

KINDS: dict[int, Kind] = {
    0: "standard",
    1: "ingress",
    2: "egress",
    3: "sip",
    4: "agent",
    5: "connector",
    6: "bridge",
}
CERTAIN = frozenset({"client_initiated", "room_deleted", "room_closed", "user_rejected", "participant_removed"})
"""Reasons after which nobody comes back by himself."""


def reason_of(value: Any) -> str:
    """LiveKit's word for why somebody is gone, in lower case."""
    if value is None:
        return "unknown"
    try:
        return str(rtc.DisconnectReason.Name(value)).lower()
    except ValueError:
        return "unknown"


def kind_of(who: Any) -> Kind:
    return KINDS.get(who.kind, "standard")


def participant_of(who: Any) -> Participant:
    """Metadata that is too long to be any is left out."""
    given = who.permissions
    return Participant(
        identity=who.identity,
        sid=who.sid,
        name=who.name,
        kind=kind_of(who),
        metadata=who.metadata if len(who.metadata) <= MOST_METADATA else "",
        attributes=dict(who.attributes),
        permissions=Permissions(
            publish=given.can_publish,
            subscribe=given.can_subscribe,
            publish_data=given.can_publish_data,
            update_metadata=given.can_update_metadata,
            hidden=given.hidden,
        ),
    )
