"""Rules of a takeover broken on purpose: random calls that change their owner must notice, and name the rule."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from antiphon.kernel import agent_hooks, folding, ledger, speech_resumed
from antiphon.kernel.state import KernelState
from tests.kernel.rules import Broken, Rules
from tests.kernel.world import World

Break = Callable[[pytest.MonkeyPatch], None]


def k2_what_the_plane_lost_counts_as_heard(patch: pytest.MonkeyPatch) -> None:
    real = speech_resumed.finish

    def finish(state: Any, speech: Any, *rest: Any) -> None:
        speech.position = max(speech.position, ledger.available(speech.segments))
        real(state, speech, *rest)

    patch.setattr(speech_resumed, "finish", finish)


def k3_a_write_of_unknown_fate_runs_again(patch: pytest.MonkeyPatch) -> None:
    real = folding._open

    def opened(state: KernelState, *rest: Any) -> None:
        real(state, *rest)
        for run in state.tools.runs.values():
            run.retry = "replay"

    patch.setattr(folding, "_open", opened)


def k6_a_task_outlives_the_code_that_awaited_it(patch: pytest.MonkeyPatch) -> None:
    real = agent_hooks._take_up

    def take_up(state: Any, agent: Any, view: Any, out: Any) -> None:
        for task in view.conversation.tasks.values():
            task.over = True
        real(state, agent, view, out)

    patch.setattr(agent_hooks, "_take_up", take_up)


MUTANTS: list[tuple[str, Break, dict[str, bool]]] = [
    ("K2", k2_what_the_plane_lost_counts_as_heard, {"lost": True}),
    ("K3", k3_a_write_of_unknown_fate_runs_again, {"known": False}),
    ("K6", k6_a_task_outlives_the_code_that_awaited_it, {"known": False}),
]


@pytest.mark.parametrize(("rule", "mutate", "how"), MUTANTS, ids=[mutate.__name__ for _, mutate, _ in MUTANTS])
def test_the_mutant_is_caught(rule: str, mutate: Break, how: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    broken: set[str] = set()
    for seed in range(1500):
        world = World(seed, plane_faults=False)
        world.at(random.Random(seed).uniform(0.0, world.length), lambda world=world: world.takeover(**how))
        try:
            rules = Rules(world)
            world.run()
            rules.finish()
        except Broken as found:
            broken.add(found.rule)
            if rule in broken:
                return
    pytest.fail(f"{mutate.__name__} broke {sorted(broken) or 'nothing'}, not {rule}")
