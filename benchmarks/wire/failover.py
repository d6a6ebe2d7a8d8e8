"""How long a caller waits for sound after a model that stalls was given up: conversations on the virtual clock."""

from __future__ import annotations

from typing import Any

from antiphon import Agent, FallbackAdapter
from antiphon.testing import Caller, CallResult, LLMFaults, ScriptedLLM, ScriptedTTS, TTSFaults, simulate

ANSWER = "I am happy to help you with that today. What would you like to do first?"
LATER = 3.5
"""Seconds into the call: by then the session has rendered its clips."""


def call(**models: Any) -> CallResult:
    caller = Caller().says("Please help me with it", at=4.0).waits_for_agent().stays_silent(1.0)
    result = simulate(lambda: Agent(instructions="Help."), caller, **{"llm": ScriptedLLM(ANSWER), **models})
    assert result.heard.endswith(ANSWER), result
    return result


def given_up(result: CallResult) -> float:
    """When the failed model was."""
    return next(event.at for event in result.named("model_availability_changed"))


def silence(result: CallResult) -> float:
    """Seconds from then to the next sound; 0 where sound that was made before still plays."""
    return max(0.0, min(s.start for s in result.agent_sounds if s.end > given_up(result)) - given_up(result))


def until_answer(result: CallResult) -> float:
    """Seconds from then to the answer's first word, whatever fills the time."""
    return next(word.start for word in result.words if word.text == ANSWER.split()[0]) - given_up(result)


def failovers() -> dict[str, list[float]]:
    """Seconds, a call each. The voice stalls at each of the first twelve words; the language model says nothing, answers
    with an error, or is slow."""
    voices = [
        call(tts=FallbackAdapter([ScriptedTTS(faults=TTSFaults(at=LATER, stalls_after=words)), ScriptedTTS()]))
        for words in range(12)
    ]
    models = [
        call(llm=FallbackAdapter([ScriptedLLM("This is the first.", faults=faults), ScriptedLLM(ANSWER)]))
        for faults in (LLMFaults(never=True), LLMFaults(status=503), LLMFaults(slow=30.0))
    ]
    return {
        "voice": [silence(result) for result in voices],
        "language model": [until_answer(result) for result in models],
    }
