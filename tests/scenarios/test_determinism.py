"""The same seed gives the same call; a recorded call replays; a core that loses its memory goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from antiphon import Agent, function_tool
from antiphon.testing import (
    Caller,
    CallResult,
    LegFaults,
    LLMFaults,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    STTFaults,
    TTSFaults,
    calls,
    simulate,
)
from antiphon.testing.replay import replay
from tests.blocks import blocks

STORY = "one two three four five six seven eight nine ten eleven twelve"
SEEDS = int(os.environ.get("ANTIPHON_SEEDS", "200"))


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You take bookings.")

    async def on_enter(self) -> None:
        self.session.say("Good morning.")

    @function_tool
    async def book(self, day: str) -> str:
        """Book a day."""
        return f"{day} is booked"


LLM = {"book": [("One moment.", calls("book", day="Monday")), "Monday is yours."], "stop": "All right.", ...: STORY}


def plain(**options: Any) -> CallResult:
    caller = Caller().waits_for_agent().says("Please book Monday").waits_for_agent(quiet=2.0)
    return simulate(Clerk, caller.says("And now the story").waits_for_agent(), **{"llm": LLM, **options})


def interrupted(**options: Any) -> CallResult:
    caller = Caller().waits_for_agent().says("Tell me the story").talks_over("No stop that please", after_word=4)
    return simulate(Clerk, caller.waits_for_agent(), **{"llm": LLM, **options})


def hummed(**options: Any) -> CallResult:
    caller = Caller().waits_for_agent().says("Tell me the story").waits_for_words("three").hums().waits_for_agent()
    return simulate(Clerk, caller, **{"llm": LLM, **options})


def failing_llm(**options: Any) -> CallResult:
    return plain(**{"llm": ScriptedLLM(LLM, faults=LLMFaults(status=429, tries=2)), **options})


def failing_tts(**options: Any) -> CallResult:
    return plain(**{"tts": ScriptedTTS(faults=TTSFaults(dies_after=2, at=4.0, streams=1)), **options})


def failing_stt(**options: Any) -> CallResult:
    return plain(**{"stt": ScriptedSTT(faults=STTFaults(revise=True, late=0.2)), **options})


def bad_line(**options: Any) -> CallResult:
    return interrupted(**{"leg": LegFaults(ack_delay=0.2), **options})


CALLS: dict[str, Callable[..., CallResult]] = {
    "plain": plain,
    "interrupted": interrupted,
    "hummed": hummed,
    "failing_llm": failing_llm,
    "failing_tts": failing_tts,
    "failing_stt": failing_stt,
    "bad_line": bad_line,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_same_seed_gives_the_identical_log(call: str, seed: int) -> None:
    first, second = CALLS[call](seed=seed), CALLS[call](seed=seed)
    assert first.log.to_bytes() == second.log.to_bytes()
    assert first.words == second.words


def test_the_log_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_determinism as t;"
        "sys.stdout.buffer.write(t.plain(seed=3).log.to_bytes() + t.bad_line(seed=3).log.to_bytes())"
    )
    logs = {
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(logs) == 1
    assert len(logs.pop()) > 1_000


@pytest.mark.parametrize("call", CALLS)
def test_every_seed_tells_the_same_story(call: str) -> None:
    stories = {CALLS[call](seed=seed).heard for seed in range(1, 11)}
    assert len(stories) == 1, "what falls on one instant may come in any order and must not matter to the caller"


@pytest.mark.parametrize("call", CALLS)
def test_replay_gives_the_same_facts(call: str, tmp_path: Path) -> None:
    result = CALLS[call](seed=1)
    path = tmp_path / "call.jsonl"
    result.log.write(path)
    report = replay(path)
    assert report.same, str(report)
    assert report.facts == len(result.facts) > 5
    assert report.inputs == len(result.log.inputs)


def test_replay_names_the_first_difference() -> None:
    recorded = plain(seed=1).log.recorded()
    place = next(n for n, entry in enumerate(recorded.entries) if entry.kind == "stt.final")
    entry = recorded.entries[place]
    recorded.entries[place] = type(entry)(**{**_fields(entry), "body": {**entry.body, "text": "Please book Friday"}})
    report = replay(recorded)
    assert not report.same
    assert report.difference is not None
    assert "Friday" in str(report)
    assert "Monday" in str(report)


def _fields(entry: Any) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__struct_fields__}


def check_finished(result: CallResult, seed: int) -> None:
    story = f"seed {seed}\n{result}"
    assert result.close_reason == "participant_disconnected", story
    assert not result.left, story
    assert len([t for t in result.tools if t.name == "book"]) <= 1, f"the tool took effect twice: {story}"
    assert all(t.ended for t in result.tools), story
    assert result.turns[0] == "Please book Monday", story
    assert result.longest_silence() <= 8.0, story
    assert not result.complaints, story


@pytest.mark.parametrize("block", blocks(10))
def test_amnesia_at_a_random_event_finishes_the_call(block: int) -> None:
    inputs = len(plain().log.inputs)
    for seed in range(block * SEEDS // 10, (block + 1) * SEEDS // 10):
        check_finished(plain(seed=seed, forget_after=[3 + seed * 7 % (inputs - 4)]), seed)


def test_amnesia_again_and_again() -> None:
    check_finished(plain(forget_after=range(5, 200, 20)), 0)


def test_amnesia_amid_a_speech_keeps_what_was_heard() -> None:
    for place in range(30, 60, 3):
        result = interrupted(forget_after=[place])
        told = [message for message in result.replies if message.text and STORY.startswith(message.text)]
        whole = sum(word.whole for word in result.words if word.text in STORY.split())
        assert abs(sum(len(message.text.split()) for message in told) - whole) <= 2, result


def test_a_log_with_a_take_over_replays() -> None:
    report = replay(plain(forget_after=[25]).log.recorded())
    assert report.same, str(report)
