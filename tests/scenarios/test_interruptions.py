"""The caller speaks while the agent does: what stops, what goes on, and what history says afterwards."""

from __future__ import annotations

import pytest

from antiphon import Agent
from antiphon.testing import Caller, CallResult, LegFaults, ScriptedSTT, ScriptedTTS, TTSFaults, simulate

STORY = "one two three four five six seven eight nine ten eleven twelve"


class Teller(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Tell the story.")


def tell(caller: Caller, **options: object) -> CallResult:
    """The agent tells its story; ``caller`` does something about it."""
    script = Caller().says("Please tell me the story", at=1.0)
    script.steps += caller.steps
    return simulate(Teller, script, llm={"stop": "All right.", "price": "It is ten.", ...: STORY}, **options)


def test_caller_interrupts_mid_word() -> None:
    result = tell(Caller().talks_over("No stop that please", after_word=4).waits_for_agent())
    told = result.replies[0]
    assert told.interrupted
    assert told.text == "one two three four five"
    assert result.turns[-1] == "No stop that please"
    assert result.replies[-1].text == "All right."
    stopped = max(word.end for word in result.words if word.text in STORY.split())
    began = result.caller_sounds[1].start
    assert stopped - began < 0.42, "silent within 420 ms of the caller's first sound"


@pytest.mark.parametrize("word_times", [True, False])
@pytest.mark.parametrize("k", range(1, 11))
def test_history_is_what_was_heard_at_every_word(k: int, word_times: bool) -> None:
    result = tell(
        Caller().talks_over("No stop that please", after_word=k).waits_for_agent(),
        tts=ScriptedTTS(word_times=word_times),
    )
    told = result.replies[0]
    heard = [word for word in result.words if word.text in STORY.split()]
    whole = sum(word.whole for word in heard)
    slack = 1 if word_times else 2
    assert told.interrupted
    assert told.estimated == (not word_times)
    assert abs(len(told.text.split()) - whole) <= slack
    assert STORY.startswith(told.text)
    assert len(told.text.split()) <= len(heard), "never a word whose samples were not played"


def test_hum_does_not_stop_the_agent() -> None:
    result = tell(Caller().waits_for_words("one two three").hums("mhm").waits_for_agent())
    assert result.heard == STORY
    assert not result.replies[0].interrupted
    assert result.turns == ["Please tell me the story"]


@pytest.mark.parametrize("hum", ["mhm", "uh-huh", "yeah", "okay", "right"])
def test_backchannels_survive_however_they_sound(hum: str) -> None:
    result = tell(Caller().waits_for_words("one two three").hums(hum, seconds=0.45).waits_for_agent())
    assert [word.text for word in result.words if word.whole] == STORY.split()
    assert not result.replies[0].interrupted


@pytest.mark.parametrize("seconds", [0.2, 0.4, 0.6, 0.9])
def test_false_interruption_loses_no_audio(seconds: float) -> None:
    result = tell(Caller().waits_for_words("one two three").coughs(seconds=seconds).waits_for_agent())
    heard = [word.text for word in result.words if word.whole]
    for word in STORY.split():
        assert word in heard, f"{word!r} was lost"
    assert not result.replies[0].interrupted
    assert result.replies[0].text == STORY
    assert len(heard) <= len(STORY.split()) + 1, "at most the word of the pause is heard twice"


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.2, 0.25, 0.6])
@pytest.mark.parametrize("words", [9, 12])
def test_backchannels_survive_whatever_comes_first(delay: float, words: int) -> None:
    """The final may come before, with or after the end of speech."""
    story = " ".join(STORY.split()[:words])
    for seed in range(5):
        caller = Caller().says("Please tell me the story", at=1.0).waits_for_words("three").hums().waits_for_agent()
        result = simulate(Teller, caller, llm=story, stt=ScriptedSTT(delay=delay, flush_delay=delay), seed=seed)
        assert result.heard == story, result
        assert result.turns == ["Please tell me the story"], result


def test_noise_is_not_a_caller() -> None:
    result = tell(Caller().waits_for_words("one two three").makes_noise(2.0).waits_for_agent())
    assert result.heard == STORY


def test_a_command_word_stops_the_agent_at_once() -> None:
    result = tell(Caller().talks_over("stop", after_word=3).waits_for_agent())
    assert result.replies[0].interrupted
    assert len(result.replies[0].text.split()) < 7


def test_a_protected_speech_is_said_to_its_end() -> None:
    class Protected(Teller):
        async def on_enter(self) -> None:
            self.session.say(STORY, allow_interruptions=False)

    result = simulate(
        Protected, Caller().talks_over("No stop that please", after_word=3).waits_for_agent(), llm="Fine."
    )
    assert result.replies[0].text == STORY
    assert not result.replies[0].interrupted
    assert result.replies[-1].text == "Fine."
    assert result.turns == ["No stop that please"]


def test_interrupting_before_the_first_word_leaves_no_empty_message() -> None:
    caller = Caller().says("Please tell me", at=1.0).says("the price of it", after=0.62).waits_for_agent()
    result = simulate(
        Teller, caller, llm={"price": "It is ten.", ...: STORY}, tts=ScriptedTTS(faults=TTSFaults(slow=0.4))
    )
    assert all(message.text for message in result.history.messages)
    assert result.replies[-1].text == "It is ten."


def test_interruptions_can_be_switched_off() -> None:
    result = tell(
        Caller().talks_over("No stop that please", after_word=3).waits_for_agent(),
        turn_handling={"interruption": {"enabled": False}},
    )
    assert result.replies[0].text == STORY


def test_a_longer_word_count_can_be_asked_for() -> None:
    options = {"turn_handling": {"interruption": {"min_words": 3}}}
    short = tell(Caller().talks_over("well yes", after_word=3).waits_for_agent(), **options)
    assert short.replies[0].text == STORY
    long = tell(Caller().talks_over("well yes but not now", after_word=3).waits_for_agent(), **options)
    assert long.replies[0].interrupted


@pytest.mark.parametrize("ack_delay", [0.1, 0.25])
def test_late_acknowledgements_do_not_change_what_was_heard(ack_delay: float) -> None:
    result = tell(
        Caller().talks_over("No stop that please", after_word=5).waits_for_agent(), leg=LegFaults(ack_delay=ack_delay)
    )
    whole = sum(word.whole for word in result.words if word.text in STORY.split())
    assert abs(len(result.replies[0].text.split()) - whole) <= 1
    assert not result.replies[0].estimated


def test_without_acknowledgements_history_is_an_estimate_and_says_so() -> None:
    result = tell(
        Caller().talks_over("No stop that please", after_word=5).waits_for_agent(),
        leg=LegFaults(stops_acking_at=0.0),
    )
    told = result.replies[0]
    assert told.interrupted
    assert told.estimated
    assert STORY.startswith(told.text)


def test_the_model_reads_only_what_was_heard() -> None:
    requests: list[str] = []

    def answer(request: object) -> str:
        requests.append("|".join(m.text for m in request.chat_ctx.messages if m.role == "assistant"))  # type: ignore[attr-defined]
        return STORY if len(requests) == 1 or not requests[-1] else "All right."

    caller = Caller().says("Please tell me the story", at=1.0).talks_over("No stop that please", after_word=4)
    result = simulate(Teller, caller.waits_for_agent(), llm=answer)
    assert "twelve" not in requests[-1]
    assert result.replies[0].text in requests[-1]


@pytest.mark.parametrize("seconds", [0.3, 0.5])
def test_a_short_hum_never_stops_the_agent_and_no_word_is_lost(seconds: float) -> None:
    result = tell(Caller().waits_for_words("one two three").hums("mhm", seconds=seconds).waits_for_agent())
    assert not result.replies[0].interrupted
    assert [word.text for word in result.words if word.whole] == STORY.split()
    pieces = [sound for sound in result.agent_sounds if sound.start < result.caller_sounds[1].end + 2.0]
    if seconds == 0.3:
        assert len(pieces) == 1, "only ducked"


def test_an_assessment_on_no_list_lets_the_agent_go_on_soon() -> None:
    result = tell(Caller().waits_for_words("one two three").hums("oh yeah right", seconds=0.5).waits_for_agent())
    assert not result.replies[0].interrupted
    assert result.turns == ["Please tell me the story"]
    hum = result.caller_sounds[1]
    again = next(sound.start for sound in result.agent_sounds if sound.start > hum.start)
    assert again - hum.end < 0.7


def test_the_agents_own_words_coming_back_interrupt_nobody() -> None:
    result = tell(Caller().waits_for_words("one two").says("three four").waits_for_agent())
    assert [word for word in STORY.split() if word not in [w.text for w in result.words if w.whole]] == []
    assert not result.replies[0].interrupted
    assert result.turns == ["Please tell me the story"]


def test_the_warm_up_of_the_echo_canceller_does_not_deafen() -> None:
    options = {"turn_handling": {"interruption": {"echo_warmup": 30.0}}}
    noise = tell(Caller().waits_for_words("one two three").coughs(seconds=0.9).waits_for_agent(), **options)
    assert not noise.replies[0].interrupted
    words = tell(Caller().talks_over("No stop that please", after_word=3).waits_for_agent(), **options)
    assert words.replies[0].interrupted
    assert words.turns[-1] == "No stop that please"
