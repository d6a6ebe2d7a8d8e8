"""Several models for one task: when one fails, the caller hears the next, and hears every word once."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon import Agent, FallbackAdapter, Hedged
from antiphon.testing import (
    Caller,
    CallResult,
    LLMFaults,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    STTFaults,
    TTSFaults,
    simulate,
)

ANSWER = "I am happy to help you with that today. What would you like to do first?"
QUESTION = "Please help me with it"
LATER = 3.5
"""Seconds into the call: by then the session has rendered its clips."""


def ask(**options: Any) -> CallResult:
    caller = Caller().says(QUESTION, at=4.0).waits_for_agent().stays_silent(1.0)
    return simulate(lambda: Agent(instructions="Help."), caller, **{"llm": ScriptedLLM(ANSWER), **options})


def named(model: Any, name: str) -> Any:
    model.model = name
    return model


def llms(second: Any = ANSWER, **faults: Any) -> list[ScriptedLLM]:
    first = named(ScriptedLLM("This is the first.", faults=LLMFaults(**faults)), "first")
    return [first, named(ScriptedLLM(second), "second")]


def voices(**faults: Any) -> list[ScriptedTTS]:
    first = named(ScriptedTTS(faults=TTSFaults(**{"at": LATER, **faults})), "first")
    return [first, named(ScriptedTTS(sample_rate=16_000), "second")]


def unavailable(result: CallResult) -> list[str]:
    return [event.model for event in result.named("model_availability_changed") if not event.available]


def test_a_language_model_that_refuses_is_replaced_within_the_turn() -> None:
    models = llms(status=429)
    result = ask(llm=FallbackAdapter(models))
    assert result.heard == ANSWER and result.replies[0].text == ANSWER
    assert result.longest_silence() < 1.5, result
    assert unavailable(result) == ["scripted/first"] and result.errors == []
    assert not result.left, result


def test_a_language_model_that_stalls_is_replaced_before_the_caller_has_waited_for_long() -> None:
    result = ask(llm=FallbackAdapter(llms(never=True), attempt_timeout=1.2))
    assert result.heard == ANSWER
    assert result.longest_silence() < 2.2, result


def test_a_language_model_that_stops_amid_its_answer_is_passed_over_when_it_is_asked_again() -> None:
    """Nothing of it was spoken: the conversation asks again when the ladder's time is up, and the other one answers."""
    models = llms(dribble=60.0)
    result = ask(llm=FallbackAdapter(models))
    assert result.heard.endswith(ANSWER) and "This" not in result.heard
    assert result.longest_silence() <= 4.0, result


def test_a_language_model_is_not_replaced_once_it_was_heard() -> None:
    text = "This much was said. And here it breaks off before its end."
    models = [named(ScriptedLLM(text, word_seconds=0.3, faults=LLMFaults(error_after=8)), "first"), ScriptedLLM(ANSWER)]
    result = ask(llm=FallbackAdapter(models))
    assert result.replies[0].text.startswith("This much")
    assert result.heard.count("This much") == 1 and ANSWER not in result.replies[0].text
    assert unavailable(result) == ["scripted/first"]


@pytest.mark.parametrize("word_times", [True, False])
@pytest.mark.parametrize("fault", ["dies_after", "stalls_after", "ends_after"])
@pytest.mark.parametrize("words", [0, 1, 4, 8])
def test_another_voice_goes_on_behind_the_last_word(fault: str, words: int, word_times: bool) -> None:
    models = voices(**{fault: words})
    for model in models:
        model.capabilities = type(model.capabilities)(word_times=word_times)
    result = ask(tts=FallbackAdapter(models))
    said = result.heard.split()
    assert result.replies[0].text == ANSWER
    if word_times:
        assert said == ANSWER.split(), result
    else:  # the place is reckoned by the usual speaking rate: a few words may be missing or come twice
        assert abs(len(said) - len(ANSWER.split())) <= 3 and said[-1] == "first?", result
    assert models[1].texts, "the second voice spoke"
    assert result.longest_silence() < 2.5, result
    assert not result.left, result


def test_a_failover_of_the_voice_is_audible_within_a_second_of_its_recognition() -> None:
    """A voice has to give audio within 1.5 s; the silence is no longer than that and a second more."""
    for words in range(12):
        result = ask(tts=FallbackAdapter(voices(stalls_after=words)))
        recognised = next(e.at for e in result.named("model_availability_changed"))
        sound = min((s.end for s in result.agent_sounds if s.start <= recognised < s.end), default=None)
        if sound is None:
            sound = min(s.start for s in result.agent_sounds if s.start >= recognised) - recognised
            assert sound < 1.0, result


def test_a_failover_of_the_language_model_is_audible_within_a_second_of_its_recognition() -> None:
    for fault in ({"never": True}, {"status": 503}, {"slow": 30.0}):
        result = ask(llm=FallbackAdapter(llms(**fault)))
        recognised = next(e.at for e in result.named("model_availability_changed"))
        reply = next(word.start for word in result.words if word.text == "I")
        assert reply - recognised < 1.0, result


def test_a_recogniser_that_fails_amid_a_word_loses_none() -> None:
    long_question = "I have a rather long question about the booking that I made with you last week on Monday"
    for faults in (
        STTFaults(error_at=5.0),
        STTFaults(refuse=True),
        STTFaults(deaf_at=3.0),
        STTFaults(deaf_at=6.0),
        STTFaults(no_final=True, no_partials=True),
    ):
        models = [named(ScriptedSTT(faults=faults), "first"), named(ScriptedSTT(), "second")]
        caller = Caller().says(long_question, at=4.0).waits_for_agent()
        result = simulate(lambda: Agent(instructions="Help."), caller, stt=FallbackAdapter(models), llm=ANSWER)
        assert result.turns == [long_question], (faults, result)
        assert set(unavailable(result)) == {"scripted/first"}
        assert result.errors == [] and not result.left, result


def test_every_model_failed_is_one_error_that_names_each() -> None:
    models = llms(status=401, retryable=False)
    models[1].faults = LLMFaults(status=503)
    result = ask(llm=FallbackAdapter(models))
    assert any("scripted/first" in error and "401" in error and "scripted/second" in error for error in result.errors)
    assert "I'm sorry" in result.heard


def test_a_model_that_works_again_has_its_place_again() -> None:
    first = named(ScriptedLLM("This is the first.", faults=LLMFaults(status=503, tries=1)), "first")
    second = named(ScriptedLLM("This is the second."), "second")
    caller = Caller().says("Hello there", at=4.0).waits_for_agent().stays_silent(8.0)
    caller.says("And again please").waits_for_agent()
    result = simulate(lambda: Agent(instructions="Help."), caller, llm=FallbackAdapter([first, second]))
    assert [reply.text for reply in result.replies] == ["This is the second.", "This is the first."]
    changes = [(event.model, event.available) for event in result.named("model_availability_changed")]
    assert changes == [("scripted/first", False), ("scripted/first", True)]


def test_a_recogniser_that_works_again_takes_over_in_a_quiet_moment() -> None:
    first = named(ScriptedSTT(faults=STTFaults(error_at=4.6, streams=1)), "first")
    second = named(ScriptedSTT(), "second")
    caller = Caller().says("Hello there my friend", at=4.0).waits_for_agent().stays_silent(8.0)
    caller.says("And again please").waits_for_agent()
    result = simulate(lambda: Agent(instructions="Help."), caller, stt=FallbackAdapter([first, second]), llm=ANSWER)
    assert result.turns == ["Hello there my friend", "And again please"]
    assert "And again please" in [event.text for event in first.streams[-1].said], "the first one hears again"


def test_the_first_that_can_speak_answers_and_the_other_is_cancelled() -> None:
    slow = named(ScriptedLLM("The slow one.", ttft=5.0), "slow")
    quick = named(ScriptedLLM(ANSWER), "quick")
    result = ask(llm=Hedged([slow, quick], after=0.3))
    assert result.heard == ANSWER
    assert result.longest_silence() < 1.6, result
    assert slow.open_streams == 0 and not result.left
    usage = {use.model: use for use in result.report.usage if use.kind == "llm"}
    assert usage["slow"].wasted is not None and usage["slow"].wasted.requests == usage["slow"].requests >= 1
    assert usage["quick"].completion_tokens == len(ANSWER.split())


def test_one_that_only_begins_does_not_win_the_race() -> None:
    dribbles = named(ScriptedLLM("Well now", faults=LLMFaults(dribble=30.0)), "dribbles")
    result = ask(llm=Hedged([dribbles, named(ScriptedLLM(ANSWER), "quick")], after=0.2))
    assert result.heard == ANSWER


def test_what_each_did_is_counted_to_its_name() -> None:
    result = ask(llm=FallbackAdapter(llms(status=503)), tts=FallbackAdapter(voices(dies_after=4)))
    usage = {(use.kind, use.model): use for use in result.report.usage}
    assert ("llm", "first") in usage and usage["llm", "second"].completion_tokens == len(ANSWER.split())
    first, second = usage["tts", "first"], usage["tts", "second"]
    assert first.audio_seconds > 0 and second.audio_seconds > 0
    assert first.wasted is not None and first.wasted.characters > 0
