"""The barge-in reflex: duck, then pause, as the caller speaks on, with no word from the core.

Pure decision table over times; the line carries the decisions out. After a pause it waits ``hold_max`` for somebody to
decide and then lets the agent go on. It acts once on each utterance over each speech.

To pause it wants speech that lasted for ``pause_after`` in the sound itself: a hum that ended shortly before does not pause,
though that is known only later; a word with a gap inside it does, though the gap may have begun.
"""

from __future__ import annotations

from typing import Literal

from antiphon.audio.seam import ReflexSettings

Action = Literal["ducked", "paused", "released", "resumed"]
_EPSILON = 1e-6
_EXACT = 0.03
"""Seconds: how exactly the end of a voice is known."""
_DOUBT = 0.2
"""Seconds after which a voice that still goes on pauses, whatever is known of its loudness."""


class BargeInReflex:
    """State of one line: idle, ducked or paused (on ``speech``)."""

    def __init__(self, settings: ReflexSettings) -> None:
        self.settings = settings
        self.armed = False
        self.state: Literal["idle", "ducked", "paused"] = "idle"
        self.speech = ""
        self._paused_at = 0.0
        self._spent: tuple[float, str] | None = None

    def decide(
        self, now: float, since: float | None, voiced: bool, until: float, on_air: str, air_since: float
    ) -> Action | None:
        """``since``: start of the caller's current speech; ``voiced``: it has not fallen silent; ``until``: sample time up to
        which it is known to last; ``on_air``: the interruptible speech that sounds (empty: none) and ``air_since``, when it
        began."""
        if self.state == "paused":
            return self._settle("resumed") if now >= self._paused_at + self.settings.hold_max - _EPSILON else None
        if self.state == "ducked":
            if since is None or not self.armed or on_air != self.speech:
                return self._settle("released")
            due = max(since, air_since) + self.settings.pause_after - _EPSILON
            if now >= due and (until >= due - _EXACT or (voiced and now >= due + _DOUBT)):
                self.state, self._paused_at, self._spent = "paused", now, (since, on_air)
                return "paused"
            return None
        if not self._ready(since, voiced, on_air):
            return None
        assert since is not None
        if now >= max(since, air_since) + self.settings.duck_after - _EPSILON:
            self.state, self.speech = "ducked", on_air
            return "ducked"
        return None

    def decided(self, speech: str) -> bool:
        """The core paused, resumed or stopped ``speech``: the reflex lets go. True if it held it."""
        if self.state == "idle" or speech != self.speech:
            return False
        self.state = "idle"
        return True

    def deadline(self, since: float | None, voiced: bool, on_air: str, air_since: float) -> float | None:
        """When ``decide`` could next answer something, everything else being equal."""
        if self.state == "paused":
            return self._paused_at + self.settings.hold_max
        if self.state == "ducked":
            return max(since or 0.0, air_since) + self.settings.pause_after if voiced else None
        if self._ready(since, voiced, on_air):
            return max(since or 0.0, air_since) + self.settings.duck_after
        return None

    def _ready(self, since: float | None, voiced: bool, on_air: str) -> bool:
        return self.armed and voiced and since is not None and bool(on_air) and self._spent != (since, on_air)

    def _settle(self, action: Action) -> Action:
        self.state = "idle"
        return action
