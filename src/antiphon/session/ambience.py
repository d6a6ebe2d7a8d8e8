"""Ambience: looped sound under the call, one loop always, another while the agent thinks."""

from __future__ import annotations

from antiphon.audio.frames import AudioFrame
from antiphon.session.plane_bridge import PlaneBridge


class Ambience:
    """Tells the plane which loop sounds now. Lives on the core lane, so that a blocked user loop cannot stop it."""

    def __init__(self, bridge: PlaneBridge) -> None:
        self._bridge = bridge
        self._gains: dict[str, float] = {}
        self._thinking = False
        self._now = ""

    def set(self, key: str, frames: tuple[AudioFrame, ...], gain: float) -> None:
        """``key``: ``background`` or ``thinking``; no frames: none."""
        self._gains.pop(key, None)
        if frames:
            self._bridge.store_clip(key, frames)
            self._gains[key] = gain
        self._now = ""
        self._choose()

    def agent_is(self, state: str) -> None:
        """The agent's state changed."""
        self._thinking = state == "thinking"
        self._choose()

    def _choose(self) -> None:
        key = "thinking" if self._thinking and "thinking" in self._gains else "background"
        key = key if key in self._gains else "none"
        if key != self._now:
            self._now = key
            self._bridge.background("" if key == "none" else key, self._gains.get(key, 0.0))
