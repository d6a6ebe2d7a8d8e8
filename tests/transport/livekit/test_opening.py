"""When a call in a room begins: not before its caller hears it, and not never."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from antiphon.audio.leg import LegEvent
from antiphon.testing.loop import run
from antiphon.transport.livekit.opening import TAKEN_WITHIN, Opening

UP = LegEvent("up")


def test_the_call_begins_when_somebody_takes_the_agents_voice_or_after_a_while() -> None:
    async def story(taken_after: float) -> float:
        loop, events = asyncio.get_running_loop(), list[tuple[float, LegEvent]]()
        began, taken = loop.time(), asyncio.Event()
        opening = Opening(lambda event: events.append((loop.time() - began, event)))
        waiting = loop.create_task(opening.wait(SimpleNamespace(wait_for_subscription=taken.wait)))
        opening(UP)
        loop.call_later(taken_after, taken.set)
        await waiting
        opening(UP)
        (first, _), _ = events
        return first

    assert run(story(1.5)) == 1.5
    assert run(story(60.0)) == TAKEN_WITHIN


def test_what_the_caller_does_begins_it_and_a_fault_does_not() -> None:
    async def story() -> None:
        events: list[LegEvent] = []
        opening = Opening(events.append)
        never: Any = SimpleNamespace(wait_for_subscription=asyncio.Event().wait)
        waiting = asyncio.get_running_loop().create_task(opening.wait(never))
        opening(UP)
        opening(LegEvent("error", "a key is missing"))
        assert [event.kind for event in events] == ["error"]
        opening(LegEvent("text", "Hello"))
        opening(UP)
        opening(LegEvent("down", "client_initiated"))
        assert [event.kind for event in events] == ["error", "up", "text", "up", "down"]
        waiting.cancel()
        opening(UP)
        opening.wait_no_more()
        assert events[-1] == UP and len(events) == 6

    run(story())
