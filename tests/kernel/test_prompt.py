"""The prompt view over random calls: every vendor takes it, and its beginning stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from typing import Any

import pytest

from antiphon.chat.context import ChatContext
from antiphon.kernel import effects as fx
from antiphon.kernel.conversation import Call as CallItem
from antiphon.kernel.conversation import CallOutput, Item, Message
from antiphon.kernel.prompt import prompt_view
from antiphon.kernel.state import KernelState
from antiphon.models.llm import ToolSpec
from antiphon.session.history import chat_items
from antiphon.session.media_shelf import MediaShelf
from antiphon.session.prompt import add_dynamic, build_prompt
from tests.kernel.chaos import Chaos
from tests.kernel.world import World
from tests.providers.formats.test_any_history import TOOLS, check_all

pytestmark = pytest.mark.repeats
SHELF = MediaShelf()


def watch(world: World, look: Callable[[World, fx.StartReply | None], None], *, always: bool = False) -> None:
    """``look`` at each request to a model, or after every event."""

    def judge(world: World, event: object, effects: list[fx.AnyEffect]) -> None:
        for effect in effects:
            if isinstance(effect, fx.StartReply):
                look(world, effect)
        if always:
            look(world, None)

    world.judges.append(judge)
    world.run()


def prompt_of(state: KernelState, effect: fx.StartReply | None) -> ChatContext:
    own = ChatContext()
    own.add_message(role="assistant", content="We spoke yesterday.", id="own")
    prompt = build_prompt(
        instructions=(f"You are {state.conversation.agent}.", "Speak plainly."),
        own=own,
        conversation=chat_items(prompt_view(state), SHELF),
        turn_text="" if effect is None else effect.turn_text,
        extra_instructions="Be brief." if effect is not None and effect.attempt else "",
    )
    add_dynamic(prompt, f"It is {state.now:.0f} o'clock.")
    return prompt


@pytest.mark.parametrize("block", range(4))
def test_every_request_is_one_that_every_vendor_takes(block: int) -> None:
    """After any interleaving of tools, hand-offs, interruptions and the end, with faults or without."""
    tools: list[ToolSpec] = TOOLS
    requests = [0]

    def look(world: World, effect: fx.StartReply | None) -> None:
        if effect is not None or world.seq % 7 == 0:
            requests[0] += 1
            check_all(prompt_of(world.kernel.state, effect), tools if effect is None or effect.tools else [])

    for seed in range(block * 100, block * 100 + 100):
        watch(World(seed), look, always=seed % 5 == 0)
        chaos = Chaos(seed)
        watch(chaos, look, always=seed % 5 == 0)
        look(chaos, None)  # and when it is over
    assert requests[0] > 100


def unsettled_since(state: KernelState, items: list[Item]) -> float:
    """Session time from which on the conversation may still change: calls that run, words that are not settled and what
    their step called, the last turn, which the caller may still add to."""
    pending = {item.call_id for item in items if isinstance(item, CallOutput) and item.pending}
    speeches = state.speech.speeches
    times = [speech.began for speech in speeches.values() if speech.began >= 0]
    turns = [item.created_at for item in items if isinstance(item, Message) and item.role == "user"]
    times += turns[-1:]
    times += [
        item.created_at
        for item in items
        if (isinstance(item, CallItem) and (item.call_id in pending or item.speech in speeches))
        or (isinstance(item, Message) and item.in_flight)
    ]
    return min(times, default=1e9)


def test_the_next_prompt_begins_like_the_last_one() -> None:
    """As far as it is settled: after interruptions, tools and hand-offs too."""
    pairs = kept = whole = 0
    for seed in range(200):
        before: list[tuple[list[Item], float]] = []

        def look(world: World, effect: Any, before: list[tuple[list[Item], float]] = before) -> None:
            nonlocal pairs, kept, whole
            items = prompt_view(world.kernel.state)
            if before:
                last, since = before.pop()
                settled = list(takewhile(lambda item: item.created_at < since, last))
                assert items[: len(settled)] == settled
                pairs, kept, whole = pairs + 1, kept + len(settled), whole + len(last)
            before.append((items, unsettled_since(world.kernel.state, items)))

        watch(World(seed, plane_faults=seed % 2 == 0), look)
    assert pairs > 300 and kept > whole // 3, "most of it is settled"
