"""Looped sound under the call: the background, and what sounds while the agent thinks."""

from __future__ import annotations

from typing import Any

from antiphon import AudioFrame
from antiphon.session.ambience import Ambience

SOUND = (AudioFrame.pcm(bytes(320), 16_000),)


class Bridge:
    """Takes down what the plane would be told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []
        self.stored: list[str] = []

    def store_clip(self, key: str, frames: Any) -> None:
        self.stored.append(key)

    def background(self, key: str, gain: float) -> None:
        self.told.append((key, gain))


def test_thinking_takes_the_place_of_the_background_for_as_long_as_it_lasts() -> None:
    bridge = Bridge()
    ambience = Ambience(bridge)  # type: ignore[arg-type]
    ambience.set("background", SOUND, 0.1)
    ambience.set("thinking", SOUND, 0.2)
    for state in ("listening", "thinking", "thinking", "speaking", "listening"):
        ambience.agent_is(state)
    assert bridge.stored == ["background", "thinking"]
    assert bridge.told == [("background", 0.1), ("background", 0.1), ("thinking", 0.2), ("background", 0.1)]
    ambience.set("background", (), 0.0)
    assert bridge.told[-1] == ("", 0.0)


def test_without_a_background_thinking_ends_in_silence() -> None:
    bridge = Bridge()
    ambience = Ambience(bridge)  # type: ignore[arg-type]
    ambience.set("thinking", SOUND, 0.2)
    ambience.agent_is("thinking")
    ambience.agent_is("speaking")
    assert bridge.told == [("", 0.0), ("thinking", 0.2), ("", 0.0)]
