"""When the agent answers: what it waits for, what it prepares, and who else may rule on turns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import (
    Agent,
    AudioFrame,
    ConfigurationError,
    Expectation,
    ModelError,
    StreamingTurnDetector,
    TurnDetector,
    TurnEvidence,
    TurnHandlingOptions,
    TurnStream,
)
from antiphon.kernel.events import AutoPaused
from antiphon.kernel.facts import SpeechDone
from antiphon.testing import Caller, CallResult, ScriptedLLM, ScriptedSTT, ScriptedTurnDetector, simulate
from antiphon.testing.llm import LLMFaults

NUMBER = ("five five five one two three", "four five six seven")


class Clerk(Agent):
    """Asks one question, then answers."""

    def __init__(self, question: str = "What is your phone number?", asked: Any = None, **options: Any) -> None:
        super().__init__(instructions="x", **options)
        self.question, self.asked = question, asked

    async def on_enter(self) -> None:
        self.session.say(self.question, turn_handling=self.asked)


def two_parts(pause: float, first: str = NUMBER[0], second: str = NUMBER[1]) -> Caller:
    """The caller waits for the question and answers it in two parts."""
    return Caller().waits_for_agent().says(first).says(second, after=pause).waits_for_agent()


def waited(result: CallResult) -> float:
    """Seconds from the caller's last sound to the agent's next one."""
    end = result.caller_sounds[-1].end
    return min(start for start, _ in spans(result) if start >= end) - end


def spans(result: CallResult) -> list[tuple[float, float]]:
    return [(sound.start, sound.end) for sound in result.agent_sounds]


# --- what is expected --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [0.99, 0.5, None])
def test_a_phone_number_read_out_with_a_pause_is_one_turn(score: float | None) -> None:
    detector = None if score is None else ScriptedTurnDetector(score)
    result = simulate(Clerk, two_parts(1.2), turn_detector=detector)
    assert result.turns == [" ".join(NUMBER)]


def test_the_same_pause_ends_a_turn_that_was_asked_for_something_else() -> None:
    result = simulate(lambda: Clerk("What would you like?"), two_parts(1.2), turn_detector=ScriptedTurnDetector(0.9))
    assert len(result.turns) == 2


def test_a_number_that_is_all_there_is_answered_at_once() -> None:
    caller = Caller().waits_for_agent().says(" ".join(NUMBER)).waits_for_agent()
    sure = simulate(Clerk, caller, turn_detector=ScriptedTurnDetector(0.6), llm="Thanks.")
    open_ = simulate(lambda: Clerk("Yes?"), caller, turn_detector=ScriptedTurnDetector(0.6), llm="Thanks.")
    assert waited(sure) < waited(open_)


def test_an_address_is_heard_out() -> None:
    caller = two_parts(1.2, "john smith at", "example dot com")
    result = simulate(lambda: Clerk("What is your e-mail address?"), caller)
    assert result.turns == ["john smith at example dot com"]


def test_what_is_expected_can_be_said_instead_of_guessed() -> None:
    for asked in ({"expect": {"kind": "digits", "length": 10}}, TurnHandlingOptions(expect=Expectation("digits", 10))):
        result = simulate(lambda asked=asked: Clerk("Fire away.", asked), two_parts(1.2))
        assert result.turns == [" ".join(NUMBER)]
    result = simulate(lambda: Clerk(asked={"expect": "open"}), two_parts(1.2))
    assert len(result.turns) == 2


def test_settings_of_a_question_hold_for_its_answer_and_not_for_the_next() -> None:
    slow = {"endpointing": {"min_delay": 1.3}}
    caller = two_parts(1.0, "well", "tea").says("one more thing").says("please", after=1.0).waits_for_agent()
    result = simulate(lambda: Clerk("What would you like?", slow), caller)
    assert result.turns[0] == "well tea"
    assert result.turns[1:] == ["one more thing", "please"]


def test_the_planes_thresholds_follow_the_question() -> None:
    story = "one two three four five six seven eight nine ten"
    caller = Caller().waits_for_words("two").coughs(seconds=0.6).waits_for_agent()
    deaf = {"interruption": {"duck_after": 4.0, "pause_after": 5.0}}
    for asked, paused in ((None, True), (deaf, False)):
        result = simulate(lambda asked=asked: Clerk(story, asked), caller)
        assert any(isinstance(event, AutoPaused) for event in result.log.inputs) == paused


def test_settings_of_an_agent_hold_while_it_is_in_charge() -> None:
    caller = two_parts(1.2)
    for options in ({"expect": {"kind": "digits", "length": 10}}, {"endpointing": {"min_delay": 1.5}}):
        result = simulate(lambda options=options: Clerk("Fire away.", turn_handling=options), caller)
        assert result.turns == [" ".join(NUMBER)], options


def test_a_german_caller_is_understood_in_german() -> None:
    caller = two_parts(1.2, "ich hätte gern einen Kaffee und", "ein Stück Kuchen")
    german = simulate(lambda: Clerk("Was darf es sein?"), caller, language="de-DE")
    assert german.turns == ["ich hätte gern einen Kaffee und ein Stück Kuchen"]
    english = simulate(lambda: Clerk("Was darf es sein?"), caller)
    assert len(english.turns) == 2


@pytest.mark.parametrize(
    "bad",
    [
        {"expect": "number"},
        {"expect": {"kind": "digits", "lenght": 10}},
        TurnHandlingOptions(turn_detection="magic"),
    ],
)
def test_bad_settings_of_a_question_are_refused_where_it_is_asked(bad: Any) -> None:
    refused: list[ConfigurationError] = []

    class Careful(Agent):
        async def on_enter(self) -> None:
            with pytest.raises(ConfigurationError) as caught:
                self.session.say("And?", turn_handling=bad)
            refused.append(caught.value)

    simulate(lambda: Careful(instructions="x"), Caller().stays_silent(1.0))
    assert refused and refused[0].hint


# --- what is prepared --------------------------------------------------------------------------------------------


def test_a_reply_prepared_in_vain_is_in_the_report() -> None:
    caller = Caller().says("I want a coffee", at=1.0).says("with oat milk", after=0.55).waits_for_agent()
    result = simulate(
        lambda: Agent(instructions="x"), caller, turn_detector=ScriptedTurnDetector([0.4]), llm="It comes at once."
    )
    assert result.turns == ["I want a coffee with oat milk"]
    wasted = next(usage.wasted for usage in result.report.usage if usage.kind == "llm")
    assert wasted is not None and wasted.requests >= 1
    assert result.report.turns[0].speculative


def test_the_tokens_of_a_reply_prepared_in_vain_are_counted() -> None:
    caller = Caller().says("I want a coffee", at=1.0).says("with oat milk", after=0.9).waits_for_agent()
    result = simulate(
        lambda: Agent(instructions="x"), caller, turn_detector=ScriptedTurnDetector([0.31, 0.31, 0.31, 0.9]), llm="Yes."
    )
    assert result.turns == ["I want a coffee with oat milk"]
    wasted = next(usage.wasted for usage in result.report.usage if usage.kind == "llm")
    assert wasted is not None and wasted.completion_tokens > 0


def test_an_unlikely_end_prepares_nothing() -> None:
    model = ScriptedLLM("All right.")
    caller = Caller().says("I want a coffee", at=1.0).says("with oat milk", after=0.6).waits_for_agent()
    simulate(lambda: Agent(instructions="x"), caller, turn_detector=ScriptedTurnDetector([0.04, 0.9]), llm=model)
    assert len(model.requests) == 1


def test_a_caller_who_goes_on_stops_the_model_that_works_for_nothing() -> None:
    """The model needs two seconds; the caller goes on after one: its answer is dropped then, not at the longer turn."""
    model = ScriptedLLM("All right.", faults=LLMFaults(slow=2.0))
    caller = Caller().says("I want a coffee", at=1.0).says("and then two rolls with it please", after=1.0)
    result = simulate(lambda: Agent(instructions="x"), caller.waits_for_agent(), llm=model)
    assert result.turns[-1] == "I want a coffee and then two rolls with it please"
    second = result.caller_sounds[1].start
    dropped = next(f.at for f in result.facts if isinstance(f, SpeechDone) and f.outcome == "cancelled")
    assert 0.0 < dropped - second < 0.5
    assert [request.cancelled for request in model.requests[:2]] == [True, False]
    assert [reply.text for reply in result.replies].count("All right.") == 1


def test_a_cough_before_the_answer_costs_it_a_moment_and_no_more() -> None:
    model = ScriptedLLM("All right.", faults=LLMFaults(slow=1.0))
    caller = Caller().says("I want a coffee", at=1.0).coughs(after=0.6, seconds=0.4).waits_for_agent()
    result = simulate(lambda: Agent(instructions="x"), caller, llm=model)
    assert result.heard == "All right." and result.turns == ["I want a coffee"]
    assert result.longest_silence() < 4.0


def test_who_goes_on_as_the_answer_begins_has_one_longer_turn() -> None:
    first = simulate(lambda: Agent(instructions="x"), Caller().says("I want a coffee", at=1.0).waits_for_agent())
    began = spans(first)[0][0]
    gap = began - first.caller_sounds[0].end + 0.15
    caller = Caller().says("I want a coffee", at=1.0).says("and two rolls", after=gap).waits_for_agent()
    result = simulate(lambda: Agent(instructions="x"), caller, llm={"rolls": "Both.", ...: "A coffee it is then."})
    assert result.turns == ["I want a coffee and two rolls"]
    assert result.replies[-1].text == "Both."


# --- who rules ---------------------------------------------------------------------------------------------------


class Polite(TurnDetector):
    """Text alone: whoever says please has finished."""

    audio_seconds = 0

    def __init__(self) -> None:
        self.asked: list[TurnEvidence] = []

    async def predict(self, evidence: TurnEvidence) -> float:
        self.asked.append(evidence)
        return 0.95 if evidence.text.rstrip(".").endswith("please") else 0.05


def test_a_detector_of_text_alone() -> None:
    detector = Polite()
    caller = Caller().waits_for_agent().says("a coffee").says("please", after=1.2).waits_for_agent()
    result = simulate(lambda: Clerk("And for you?"), caller, turn_handling={"turn_detection": detector})
    assert result.turns == ["a coffee please"]
    assert waited(result) < 1.0
    assert all(not one.audio and one.language == "en" and one.asked == "And for you?" for one in detector.asked)


def test_one_question_may_bring_a_detector_of_its_own() -> None:
    everyday, careful = Polite(), Polite()

    class Asks(Agent):
        async def on_enter(self) -> None:
            self.session.say("Your order?", turn_handling={"turn_detection": careful})

    caller = Caller().waits_for_agent().says("a coffee please").waits_for_agent().says("thanks please", after=1.0)
    result = simulate(
        lambda: Asks(instructions="x"), caller.waits_for_agent(), turn_detector=everyday, llm="Here it is."
    )
    assert result.turns == ["a coffee please", "thanks please"]
    assert {one.text.rstrip(".") for one in careful.asked} == {"a coffee please"}
    assert {one.text.rstrip(".") for one in everyday.asked} == {"thanks please"}


def test_one_that_listens_all_the_time_is_refused_for_a_question() -> None:
    class Asks(Agent):
        async def on_enter(self) -> None:
            self.session.say("Your order?", turn_handling={"turn_detection": Rhythm(1.0)})

    result = simulate(lambda: Asks(instructions="x"), Caller().stays_silent(1.0))
    assert any("listens all the time" in error for error in result.errors)


class Listener(Polite):
    """Looks at the last two seconds of sound."""

    audio_seconds = 2.0


def test_a_detector_is_told_how_much_of_its_sound_is_silence() -> None:
    detector = Listener()
    simulate(
        lambda: Clerk("And for you?"),
        Caller().waits_for_agent().says("a coffee").says("please", after=1.2).waits_for_agent(),
        turn_handling={"turn_detection": detector},
    )
    assert len(detector.asked) >= 2
    for one in detector.asked:
        spoken = [frame.at + frame.duration for frame in one.audio if frame.symbol and frame.symbol.kind == "speech"]
        silence = one.audio[-1].at + one.audio[-1].duration - spoken[-1]
        assert abs(one.silence - silence) < 0.011, (one.silence, silence)


class Rhythm(StreamingTurnDetector):
    """Listens all the time: the longer somebody has spoken, the surer the end is after ``quiet`` s."""

    provider, model = "test", "rhythm"

    def __init__(self, spoken: float, *, on_core: bool = False, breaks_at: float = 1e9) -> None:
        self.spoken, self.on_core, self.breaks_at = spoken, on_core, breaks_at
        self.streams: list[RhythmStream] = []

    def stream(self, *, language: str = "") -> TurnStream:
        self.streams.append(RhythmStream(self))
        return self.streams[-1]


class RhythmStream(TurnStream):
    def __init__(self, detector: Rhythm) -> None:
        self.detector, self.heard, self.voiced, self.closed = detector, 0.0, 0.0, False

    def push(self, frame: AudioFrame) -> float | None:
        self.heard += frame.duration
        if self.heard > self.detector.breaks_at:
            raise ModelError("The rhythm is lost.")
        if frame.speech:
            self.voiced += frame.duration
            return None
        return 0.97 if self.voiced >= self.detector.spoken else 0.03

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("on_core", [False, True])
def test_a_detector_that_listens_all_the_time(on_core: bool) -> None:
    detector = Rhythm(1.5, on_core=on_core)
    caller = Caller().says("a coffee", at=1.0).says("with oat milk please", after=1.2).waits_for_agent()
    result = simulate(lambda: Agent(instructions="x"), caller, turn_detector=detector)
    assert result.turns == ["a coffee with oat milk please"]
    assert waited(result) < 1.0
    assert len(detector.streams) == 1 and detector.streams[0].closed
    assert any(model.provider == "test" and model.model == "rhythm" for model in result.report.models)
    assert not result.left


def test_a_listening_detector_that_breaks_leaves_pauses_to_decide_and_begins_again() -> None:
    detector = Rhythm(0.1, breaks_at=1.5)
    caller = Caller().says("a coffee", at=2.0).waits_for_agent().says("thanks a lot", at=9.0).waits_for_agent()
    result = simulate(lambda: Agent(instructions="x"), caller, turn_detector=detector)
    assert result.turns == ["a coffee", "thanks a lot"]
    assert any("rhythm is lost" in error for error in result.errors)
    assert len(detector.streams) > 1


def test_a_listening_detector_goes_when_the_agent_brings_another() -> None:
    detector, polite = Rhythm(0.1), Polite()
    second = Agent(instructions="y", turn_handling={"turn_detection": polite})

    async def caller(live: Any) -> None:
        await live.says("a coffee", at=1.0)
        await live.waits_for_agent()
        first.session.update_agent(second)
        await live.says("that is all please", after=1.0)
        await live.waits_for_agent()

    first = Agent(instructions="x")
    result = simulate(first, caller, turn_detector=detector)
    assert len(result.turns) == 2 and polite.asked
    assert detector.streams[0].closed


def test_a_clip_can_be_scored_by_a_listening_detector() -> None:
    frames = tuple(AudioFrame(data=b"", rate=16_000, samples=320, at=n * 0.02, speech=n < 50) for n in range(60))
    detector = Rhythm(0.9)
    assert asyncio.run(detector.predict(TurnEvidence(audio=frames))) == 0.97
    assert detector.streams[0].closed


def test_a_clip_in_one_piece_is_heard_in_frames_with_its_silence_marked() -> None:
    clip = AudioFrame.pcm(bytes(2 * 16_000), 16_000)
    detector = Rhythm(0.7)
    assert asyncio.run(detector.predict(TurnEvidence(audio=(clip,), silence=0.2))) == 0.97
    assert round(detector.streams[0].voiced, 2) == 0.8 and round(detector.streams[0].heard, 2) == 1.0


def service(**options: Any) -> ScriptedSTT:
    return ScriptedSTT(end_of_turn=True, **options)


def test_the_recognisers_own_turns() -> None:
    result = simulate(
        lambda: Agent(instructions="x"),
        Caller().says("I want a coffee and", at=1.0).waits_for_agent(),
        stt=service(delay=0.4, flush=False),
        turn_handling={"turn_detection": "stt"},
    )
    assert result.turns == ["I want a coffee and"], "the service says so, whatever the words"
    assert waited(result) < 1.0


def test_a_recogniser_without_turns_cannot_rule_on_them() -> None:
    with pytest.raises(ConfigurationError, match="does not say when a turn ends"):
        simulate(lambda: Agent(instructions="x"), Caller().says("hello"), turn_handling={"turn_detection": "stt"})


def test_a_caller_who_talks_for_too_long_is_told_so() -> None:
    class Busy(Agent):
        async def on_user_turn_exceeded(self) -> None:
            self.session.say("Let me stop you there.", allow_interruptions=False)

    monologue = " ".join(f"word{n}" for n in range(30))
    limits: tuple[dict[str, float], ...] = ({"max_words": 10}, {"max_duration": 3.0})
    for limit in limits:
        result = simulate(
            lambda: Busy(instructions="x"), Caller().says(monologue, at=1.0).waits_for_agent(), turn_handling=limit
        )
        assert spans(result)[0][0] < result.caller_sounds[0].end, limit
