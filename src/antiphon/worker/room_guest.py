"""Removes from a LiveKit room who is not needed there any more."""

from __future__ import annotations

import logging
from importlib import import_module

from antiphon.worker.server import LiveKitServer

logger = logging.getLogger("antiphon")


async def remove_participant(server: LiveKitServer, room: str, identity: str) -> None:
    """Best effort: the server drops a participant that is gone by itself, after a while."""
    api = import_module("livekit.api")
    try:
        async with api.LiveKitAPI(server.url, server.key, server.secret) as livekit:
            await livekit.room.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity))
    except Exception as error:
        logger.info("%s was not removed from room %s: %s", identity, room, error)
