"""Each rule of the kernel broken on purpose, in one function: the property tests must notice, and name the rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from antiphon.kernel import agents, floor, kernel, ledger, liveness, out, reply_turns, speech, tool_calls, turn_evidence
from antiphon.kernel.effects import Record
from antiphon.kernel.facts import SpeechHeard
from antiphon.kernel.signals import Review
from antiphon.kernel.turn import TurnState
from tests.kernel.rules import Broken, judged
from tests.kernel.shrink import shrink, story
from tests.kernel.world import World

Break = Callable[[pytest.MonkeyPatch], None]


def nothing(*args: Any, **kwargs: Any) -> None:
    return None


def k1_the_ladder_is_mute(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(liveness, "clip", nothing)


def k1_the_floor_outlives_its_tool(patch: pytest.MonkeyPatch) -> None:
    real = floor._run

    def faithful(claim: floor.Claim, view: Any) -> Any:
        return real(claim, view) or (claim if view.speech.floor.holder == claim else None)

    patch.setattr(floor, "_run", faithful)


def k1_an_open_turn_has_no_clock(patch: pytest.MonkeyPatch) -> None:
    others = tuple((name, handler) for name, handler in kernel.ROUTES[Review] if handler is not turn_evidence.on_review)
    patch.setitem(kernel.ROUTES, Review, others)


def k1_a_held_answer_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    real = reply_turns.on_review

    def forgetful(state: Any, signal: Any, view: Any, out_: Any) -> None:
        if reply_turns._goes_on(view):
            real(state, signal, view, out_)

    others = tuple((name, handler) for name, handler in kernel.ROUTES[Review] if handler is not real)
    patch.setitem(kernel.ROUTES, Review, (*others, ("reply", forgetful)))


def k2_history_is_what_was_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ledger, "heard_text", lambda segments, position: (ledger.full_text(segments), False))


def k3_tools_act_without_a_record(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tool_calls, "log", nothing)


def k3_what_a_detached_write_came_to_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tool_calls, "result", nothing)


def k4_an_older_answer_is_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reply_turns, "_supersede", nothing)


def k4_an_answer_goes_on_while_the_caller_does(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TurnState, "going_on", lambda state, now: False)


def k5_the_deadline_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(kernel.TIMER_ROUTES, "lifecycle", nothing)


def k6_turns_that_wait_for_an_agent_are_dropped(patch: pytest.MonkeyPatch) -> None:
    real = agents._next_turn

    def lossy(state: agents.AgentsState, view: Any, out_: Any) -> None:
        if state.phase != "here":
            state.turns.clear()
        real(state, view, out_)

    patch.setattr(agents, "_next_turn", lossy)


def k7_a_fact_is_recorded_and_not_applied(patch: pytest.MonkeyPatch) -> None:
    real = out.Out.fact

    def forgetful(self: out.Out, fact: Any) -> int:
        if not isinstance(fact, SpeechHeard):
            return real(self, fact)
        self._state.position += 1
        self.effects.append(Record(position=self._state.position, fact=fact))
        return self._state.position

    patch.setattr(out.Out, "fact", forgetful)


def k8_last_come_first_served(patch: pytest.MonkeyPatch) -> None:
    def last(state: speech.SpeechState, view: Any) -> speech.Speech | None:
        waiting = [s for s in state.speeches.values() if s.phase == "authorised"]
        return max(waiting, key=lambda s: (speech.RANK[s.priority], s.number), default=None)

    patch.setattr(speech, "_first", last)


def k8_everybody_talks_into_the_floor(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(floor, "kept_back", lambda *args: False)


MUTANTS: tuple[tuple[str, Break], ...] = (
    ("K1", k1_the_ladder_is_mute),
    ("K1", k1_the_floor_outlives_its_tool),
    ("K1", k1_an_open_turn_has_no_clock),
    ("K1", k1_a_held_answer_is_forgotten),
    ("K2", k2_history_is_what_was_written),
    ("K3", k3_tools_act_without_a_record),
    ("K3", k3_what_a_detached_write_came_to_is_lost),
    ("K4", k4_an_older_answer_is_kept),
    ("K4", k4_an_answer_goes_on_while_the_caller_does),
    ("K5", k5_the_deadline_is_forgotten),
    ("K6", k6_turns_that_wait_for_an_agent_are_dropped),
    ("K7", k7_a_fact_is_recorded_and_not_applied),
    ("K8", k8_last_come_first_served),
    ("K8", k8_everybody_talks_into_the_floor),
)


@pytest.mark.parametrize(("rule", "mutate"), MUTANTS, ids=[m.__name__ for _, m in MUTANTS])
def test_the_mutant_is_caught(rule: str, mutate: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    broken: set[str] = set()
    for seed in range(4000):
        try:
            judged(seed, plane_faults=False)
        except Broken as found:
            broken.add(found.rule)
            if found.rule == rule:
                return
    pytest.fail(f"{rule} was broken and nobody noticed ({broken or 'nothing'} was)")


def test_a_failing_call_is_told_as_a_short_story(monkeypatch: pytest.MonkeyPatch) -> None:
    k7_a_fact_is_recorded_and_not_applied(monkeypatch)
    for seed in range(50):
        try:
            judged(seed)
        except Broken as found:
            if found.rule == "K7":
                world = World(seed)
                world.run()
                tape, fails = shrink(world.tape, "K7")
                assert fails and len(tape) < len(world.tape) / 2
                assert "are enough to break K7" in story(world, found)
                return
    pytest.fail("no call broke K7")
