"""What the agent's token lets it do in a room, against what the session wants."""

from __future__ import annotations

from typing import Any

from antiphon.errors import AudioError
from antiphon.transport.livekit.room_use import RoomUse

NO_DATA = "The agent's token has no canPublishData: captions, texts, data and remote calls do not reach anybody."


def refusal(may: Any, use: RoomUse) -> AudioError | None:
    """Why the room cannot be used like this, by LiveKit's ``ParticipantPermission``; ``None``: it can."""
    for right, wanted, grant, cannot, off in (
        (may.can_publish, use.speaks, "canPublish", "speak", "audio_output"),
        (may.can_subscribe, use.hears, "canSubscribe", "hear anybody", "audio_input"),
    ):
        if wanted and not right:
            return AudioError(
                f"The agent's token for this room has no {grant}: it cannot {cannot}.",
                hint=f"Give the agent's participant that grant, or say RoomOptions({off}=False).",
            )
    return None
