"""LiveKit rooms as legs: the room's connection lives in the media process, by the ``livekit`` SDK."""
