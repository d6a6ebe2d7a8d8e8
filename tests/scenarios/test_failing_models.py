"""Services fail the way services do: the caller is never left in silence, and the call goes on or ends with a word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
    ScriptedTurnDetector,
    STTFaults,
    TTSFaults,
    calls,
    simulate,
)

ANSWER = "I am happy to help you with that today. What would you like to do first?"
MAX_SILENCE = 4.0
APOLOGY = "I'm sorry, I'm having trouble right now. Could you say that again?"
LATER = 3.5
"""Seconds into the call: by then the session has rendered its clips."""


class Helper(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Help.")
        self.booked = 0

    @function_tool
    async def book(self, day: str) -> str:
        """Book a day."""
        self.booked += 1
        return f"{day} booked"


def ask_twice(**options: Any) -> CallResult:
    caller = Caller().says("Please help me with it", at=4.0).waits_for_agent().stays_silent(4.0)
    caller.says("And now again please").waits_for_agent().stays_silent(2.0)
    return simulate(Helper, caller, **{"llm": ANSWER, **options})


def llm(script: Any = ANSWER, **faults: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"llm": ScriptedLLM(script, faults=LLMFaults(**faults))}


def tts(**faults: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"tts": ScriptedTTS(faults=TTSFaults(**{"at": LATER, **faults}))}


def stt(**faults: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"stt": ScriptedSTT(faults=STTFaults(**faults))}


FAULTS: dict[str, Callable[[], dict[str, Any]]] = {
    "llm_slow_first_token": llm(slow=3.0),
    "llm_very_slow_first_token": llm(slow=10.0),
    "llm_no_token_ever": llm(never=True),
    "llm_no_token_once": llm(never=True, tries=1),
    "llm_dribble": llm(dribble=3.0),
    "llm_429_every_try": llm(status=429),
    "llm_429_twice": llm(status=429, tries=2),
    "llm_refuses_for_good": llm(status=401, retryable=False),
    "llm_error_before_a_sentence": llm(error_after=3),
    "llm_error_after_a_sentence": llm(error_after=10),
    "llm_empty_answer": llm(empty=True),
    "llm_unknown_tool": llm({...: [calls("book", day="Monday"), "Done."]}, unknown_tool=True),
    "llm_broken_json": llm({...: [calls("book", day="Monday"), "Done."]}, broken_json=True),
    "llm_tools_for_ever": llm(calls("book", day="Monday"), insists=True),
    "tts_dies_before_audio": tts(dies_before=True),
    "tts_dies_before_audio_once": tts(dies_before=True, streams=1),
    "tts_dies_amid_audio": tts(dies_after=3),
    "tts_stalls_before_audio": tts(stalls_after=0),
    "tts_stalls_amid_audio": tts(stalls_after=3),
    "tts_stalls_a_while": tts(stalls_after=3, stall=5.0),
    "tts_slow": tts(slow=6.0),
    "tts_ends_early": tts(ends_after=3),
    "tts_ends_at_once": tts(ends_after=0),
    "tts_leading_silence": tts(silence=1.0),
    "tts_odd_chunks": lambda: {"tts": ScriptedTTS(chunk=0.0371)},
    "tts_without_word_times": lambda: {"tts": ScriptedTTS(word_times=False)},
    "stt_late": stt(late=2.0),
    "stt_very_late": stt(late=5.0),
    "stt_empty": stt(empty=True),
    "stt_duplicated": stt(duplicate=True),
    "stt_revised": stt(revise=True),
    "stt_no_final": stt(no_final=True),
    "stt_nothing": stt(no_final=True, no_partials=True),
    "stt_refused": stt(refuse=True),
    "stt_refused_twice": stt(refuse=True, streams=2),
    "stt_error_amid_speech": stt(error_at=4.5, streams=1),
    "stt_deaf": stt(deaf_at=3.0),
    "stt_deaf_once": stt(deaf_at=3.0, streams=1),
    "end_of_turn_fails": lambda: {"turn_detector": ScriptedTurnDetector(fails=True)},
    "end_of_turn_hangs": lambda: {"turn_detector": ScriptedTurnDetector(hangs=True)},
    "end_of_turn_never_sure": lambda: {"turn_detector": ScriptedTurnDetector(0.01)},
    "acks_late": lambda: {"leg": LegFaults(ack_delay=1.0)},
    "acks_never": lambda: {"leg": LegFaults(stops_acking_at=0.0)},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_more_than_4_s_of_silence_and_a_clean_end(fault: str) -> None:
    result = ask_twice(**FAULTS[fault]())
    assert result.longest_silence() <= MAX_SILENCE, f"silences {result.silences()}\n{result}"
    assert result.heard, result
    assert result.close_took <= 5.5, result
    assert not result.left, result


def test_llm_429_every_try_gets_spoken_apology() -> None:
    model = ScriptedLLM(ANSWER, faults=LLMFaults(status=429))
    result = ask_twice(llm=model)
    assert APOLOGY in result.heard
    assert 2 <= len(model.requests) <= 10, "it tries again, and not without end"
    assert any("429" in error for error in result.errors)


def test_llm_that_recovers_is_heard_without_an_apology() -> None:
    result = ask_twice(llm=ScriptedLLM(ANSWER, faults=LLMFaults(status=429, tries=2)))
    assert APOLOGY not in result.heard
    assert result.replies[0].text == ANSWER


def test_a_slow_model_is_bridged_by_a_filler_and_answers_once() -> None:
    result = ask_twice(llm=ScriptedLLM(ANSWER, faults=LLMFaults(slow=2.5)))
    assert result.heard.startswith("One moment, please.")
    assert result.heard.count(ANSWER) == 2


def test_a_model_that_calls_tools_without_end_is_stopped() -> None:
    result = simulate(
        Helper,
        Caller().says("Please book it", at=4.0).waits_for_agent(),
        llm=ScriptedLLM(calls("book", day="Monday"), faults=LLMFaults(insists=True)),
    )
    assert len(result.tools) <= 4
    assert all(t.ended for t in result.tools)


def test_tts_dies_amid_audio_and_history_holds_what_was_heard() -> None:
    result = ask_twice(**FAULTS["tts_dies_amid_audio"]())
    assert result.replies[0].text in ("I am happy", "I am happy to")
    assert APOLOGY in result.heard or ANSWER in result.heard


def test_a_stall_loses_no_word() -> None:
    result = ask_twice(tts=ScriptedTTS(faults=TTSFaults(stalls_after=3, stall=1.5, at=LATER)))
    assert result.replies[0].text == ANSWER
    assert result.heard.replace("One moment, please. ", "").startswith(ANSWER)


def test_stt_goes_deaf_and_is_replaced_without_losing_the_words() -> None:
    model = ScriptedSTT(faults=STTFaults(deaf_at=3.0, streams=1))
    long_question = "I have a rather long question about the booking that I made with you last week on Monday"
    result = simulate(Helper, Caller().says(long_question, at=4.0).waits_for_agent(), stt=model, llm=ANSWER)
    assert len(model.streams) >= 2
    assert result.turns == [long_question]
    assert result.longest_silence() <= MAX_SILENCE


def test_a_broken_recogniser_is_replaced_without_losing_the_words() -> None:
    model = ScriptedSTT(faults=STTFaults(error_at=4.8, streams=1))
    result = simulate(Helper, Caller().says("Please help me with it", at=4.0).waits_for_agent(), stt=model, llm=ANSWER)
    assert len(model.streams) == 2
    assert result.turns == ["Please help me with it"]


def test_duplicated_and_revised_finals_make_one_turn() -> None:
    for faults in (STTFaults(duplicate=True), STTFaults(revise=True, revise_after=0.05)):
        result = ask_twice(stt=ScriptedSTT(faults=faults))
        assert result.turns == ["Please help me with it", "And now again please"]
        assert len(result.replies) == 2


def test_an_invented_transcript_of_a_noise_does_not_interrupt() -> None:
    """Recognisers write "Thank you." under noise; without voice activity that is nobody's turn."""
    caller = Caller().says("Please help me with it", at=4.0).waits_for_words("I am happy").makes_noise(0.5)
    result = simulate(
        Helper, caller.waits_for_agent(), stt=ScriptedSTT(faults=STTFaults(invents="Thank you.")), llm=ANSWER
    )
    assert result.replies[0].text == ANSWER


def test_the_texts_of_the_ladder_can_be_set() -> None:
    result = ask_twice(
        llm=ScriptedLLM(ANSWER, faults=LLMFaults(status=429)),
        turn_handling={"ladder": {"texts": {"apology": "Bear with me."}}},
    )
    assert "Bear with me." in result.heard


def test_the_ladder_speaks_the_callers_language() -> None:
    result = ask_twice(llm=ScriptedLLM(ANSWER, faults=LLMFaults(status=429)), language="de")
    assert "Entschuldigung" in result.heard


def test_a_model_that_never_answers_ends_the_call_with_a_goodbye() -> None:
    caller = Caller().says("Please help me", at=4.0)
    for _ in range(5):
        caller.waits_for_words("say that again", patience=20.0).says("Please help me", after=2.0)
    caller.stays_silent(60.0)
    result = simulate(Helper, caller, llm=ScriptedLLM(faults=LLMFaults(never=True)))
    assert "Goodbye." in result.heard
    assert result.close_reason == "error"
    assert result.duration < 120
    assert result.longest_silence() <= MAX_SILENCE


class Announcer(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Announce.")

    async def on_enter(self) -> None:
        self.session.say("This is a long first sentence, and it goes on for quite a while before it comes to an end.")
        await asyncio.sleep(2.0)
        self.session.say("And this is the second. It comes behind.")


def test_a_say_whose_voice_dies_while_it_waits_is_made_anew_and_heard_once() -> None:
    """The plane has audio of the first attempt by then: it is not played, and does not keep the second one out."""
    voice = ScriptedTTS(faults=TTSFaults(dies_after=3, at=1.5, streams=1))
    result = simulate(Announcer, Caller().stays_silent(6.0).waits_for_agent(quiet=3.0), llm=ANSWER, tts=voice)
    assert result.errors and result.heard.count("And this is the second. It comes behind.") == 1, result


def test_a_service_that_is_down_is_said_once_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    result = ask_twice(**llm(status=503)())
    said = [record for record in caplog.records if "503" in record.getMessage()]
    assert len(said) == 1 and len(result.errors) > 2
    times = [(failure.error, failure.at) for failure in result.report.errors]
    assert len(times) == len(set(times)) == len(result.errors)
