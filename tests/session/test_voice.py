"""AgentSession with sound, on the virtual clock: push-to-talk, ready audio, nodes, models and agents that change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

from antiphon import Agent, AudioFrame, ModelSettings, function_tool
from antiphon.agents.nodes import listen
from antiphon.models.stt import STTEvent
from antiphon.testing import llm as scripted
from antiphon.testing.caller import Caller, LiveCaller
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.loop import run
from antiphon.testing.simulation import Simulation, fixed_ids
from antiphon.testing.stt import ScriptedSTT
from antiphon.testing.tts import ScriptedTTS


def hold(simulation: Simulation) -> Any:
    with fixed_ids(0):
        result = run(simulation.run())
    assert not result.complaints, result.complaints
    assert not result.left, result.left
    return result


def texts(result: Any) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in result.history.messages]


class Plain(Agent):
    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="x", **options)


def test_push_to_talk_gives_the_turns_text() -> None:
    committed: list[str] = []

    async def caller(live: LiveCaller) -> None:
        session = simulation.session
        assert session is not None
        await live.says("Hello there")
        await live.stays_silent(3.0)
        assert not session.history.messages
        future = session.commit_user_turn()
        committed.append(await future)
        await live.waits_for_agent()
        await live.says("Never mind this")
        session.clear_user_turn()
        committed.append(await session.commit_user_turn())

    simulation = Simulation(Plain, caller, turn_handling={"turn_detection": "manual"})
    result = hold(simulation)
    assert committed[0].lower().startswith("hello there")
    assert committed[1] == ""
    assert [role for role, _ in texts(result)] == ["user", "assistant"]


def test_committing_without_a_reply_only_adds_the_turn() -> None:
    async def caller(live: LiveCaller) -> None:
        assert simulation.session is not None
        await live.says("Just a note")
        await simulation.session.commit_user_turn(skip_reply=True)
        await live.stays_silent(2.0)

    simulation = Simulation(Plain, caller, turn_handling={"turn_detection": "manual"})
    assert [role for role, _ in texts(hold(simulation))] == ["user"]


def test_ready_audio_is_played_as_it_is() -> None:
    heard: list[str] = []

    class Jingle(Plain):
        async def on_enter(self) -> None:
            frames = [AudioFrame.pcm(bytes(2 * 8_000), 8_000) for _ in range(2)]
            handle = self.session.say("A jingle.", audio=frames)
            await handle
            heard.append(handle.heard)

    result = hold(Simulation(Jingle, Caller().stays_silent(4.0)))
    assert heard == ["A jingle."]
    assert texts(result) == [("assistant", "A jingle.")]


def test_what_may_not_be_interrupted_is_said_to_the_end() -> None:
    class Legal(Plain):
        async def on_enter(self) -> None:
            self.session.say(
                "This call may be recorded for training purposes, as the law asks.", allow_interruptions=False
            )

    caller = Caller().talks_over("Stop it now", after_word=2).waits_for_agent()
    result = hold(Simulation(Legal, caller))
    assert texts(result)[0] == ("assistant", "This call may be recorded for training purposes, as the law asks.")


def test_a_handle_can_be_interrupted_and_knows_it() -> None:
    handles: list[Any] = []

    class Chatty(Plain):
        async def on_enter(self) -> None:
            handle = self.session.say("One two three four five six seven eight nine ten eleven twelve.")
            handles.append(handle)
            await asyncio.sleep(1.5)
            handle.interrupt()
            await handle

    result = hold(Simulation(Chatty, Caller().stays_silent(6.0)))
    assert handles[0].interrupted
    assert 0 < len(handles[0].heard.split()) < 8
    assert texts(result) == [("assistant", handles[0].heard)]
    assert handles[0].spoken == handles[0].written


def test_hand_off_keeps_one_recogniser() -> None:
    class Second(Plain):
        async def on_enter(self) -> None:
            self.session.say("Second here.")

    class First(Plain):
        @function_tool(effect="read")
        async def second(self) -> Agent:
            """Hand over."""
            return Second()

    stt = ScriptedSTT()
    llm = {"over": scripted.calls("second"), "still": "Yes."}
    caller = Caller().says("Hand me over").waits_for_agent().says("Are you still there").waits_for_agent()
    result = hold(Simulation(First, caller, llm=llm, stt=stt))
    assert len(stt.streams) == 1
    assert [text for role, text in texts(result) if role == "assistant"] == ["Second here.", "Yes."]


def test_own_nodes_for_hearing_and_speaking() -> None:
    class Own(Plain):
        async def stt_node(self, audio: Any, model_settings: ModelSettings) -> AsyncIterator[STTEvent]:
            async for event in Agent.default.stt_node(self, audio, model_settings):
                yield STTEvent(kind=event.kind, text=event.text.upper(), end=event.end)

        async def tts_node(self, text: Any, model_settings: ModelSettings) -> AsyncIterator[AudioFrame]:
            async for frame in Agent.default.tts_node(self, text, model_settings):
                yield AudioFrame(data=frame.data, rate=frame.rate, samples=frame.samples, symbol=frame.symbol)

    result = hold(Simulation(Own, Caller().says("hello there").waits_for_agent(), llm="Fine, thank you. And you?"))
    assert texts(result)[0][1].rstrip(".") == "HELLO THERE"
    assert texts(result)[1] == ("assistant", "Fine, thank you. And you?")


def test_an_agent_that_hears_by_its_own_node_needs_no_recogniser() -> None:
    stt = ScriptedSTT()

    class Own(Plain):
        async def stt_node(self, audio: Any, model_settings: ModelSettings) -> AsyncIterator[STTEvent]:
            async for event in listen(stt, audio, ""):
                yield event

    result = hold(Simulation(Own, Caller().says("hello there").waits_for_agent(), stt=None, llm="Hello."))
    assert texts(result)[0][1].lower().startswith("hello there")


def test_a_call_is_listened_to_from_the_first_agent_that_has_ears() -> None:
    class Hearing(Plain):
        def __init__(self) -> None:
            super().__init__(stt=ScriptedSTT())

    async def caller(live: LiveCaller) -> None:
        assert simulation.session is not None
        await live.says("Nobody hears this")
        await live.stays_silent(2.0)
        simulation.session.update_agent(Hearing())
        await live.says("But this is heard")
        await live.waits_for_agent()

    simulation = Simulation(Plain, caller, stt=None, llm="I hear you.")
    result = hold(simulation)
    assert [text.lower().rstrip(".") for role, text in texts(result) if role == "user"] == ["but this is heard"]


def test_another_voice_and_another_recogniser_on_a_live_call() -> None:
    first, second = ScriptedSTT(), ScriptedSTT()
    voice = ScriptedTTS(word_seconds=0.2)

    async def caller(live: LiveCaller) -> None:
        assert simulation.session is not None
        await live.says("One")
        await live.waits_for_agent()
        simulation.session.update_options(stt=second, tts=voice)
        await live.says("Two")
        await live.waits_for_agent()

    simulation = Simulation(Plain, caller, stt=first)
    result = hold(simulation)
    assert len(first.streams) == len(second.streams) == 1
    assert voice.streams
    assert [role for role, _ in texts(result)] == ["user", "assistant"] * 2


def test_turn_settings_of_an_agent_hold_while_it_is_current() -> None:
    def delay(options: dict[str, Any]) -> float:
        agent = Plain(turn_handling=options)
        result = hold(Simulation(agent, Caller().says("Well then").waits_for_agent(), turn_detector=None))
        return float(result.history.messages[0].metrics["end_of_turn_delay"])

    quick = delay({"endpointing": {"min_delay": 0.25, "max_delay": 0.3}})
    patient = delay({"endpointing": {"min_delay": 1.5, "max_delay": 1.6}})
    assert quick < 0.6 < 1.4 < patient


def test_a_caller_who_talks_without_end_is_cut_in_on() -> None:
    llm = ScriptedLLM({...: "Let me answer that."})
    text = "and then " * 20
    result = hold(Simulation(Plain, Caller().says(text).waits_for_agent(), llm=llm, turn_handling={"max_words": 10}))
    assert any("long" in request.instructions for request in llm.requests)
    assert result.agent_sounds[0].start < result.caller_sounds[0].end + 1.0


def test_speeches_keep_their_distance_and_their_priority() -> None:
    class Several(Plain):
        async def on_enter(self) -> None:
            self.session.say("Background one.", priority="background")
            self.session.say("First of all.")
            self.session.say("Second of all.")

    result = hold(Simulation(Several, Caller().stays_silent(12.0), min_consecutive_speech_delay=1.0))
    assert [text for _, text in texts(result)] == ["First of all.", "Second of all.", "Background one."]
    sounds = result.agent_sounds
    assert all(later.start - earlier.end >= 0.9 for earlier, later in pairwise(sounds))


def test_state_of_the_agent_is_recorded_at_a_turns_end() -> None:
    class Counting(Plain):
        def __init__(self) -> None:
            super().__init__(state={"turns": 0})

        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            self.state["turns"] += 1

    result = hold(Simulation(Counting, Caller().says("Hello").waits_for_agent()))
    saved = [
        fact
        for fact in result.facts
        if type(fact).__name__ == "AgentState" or getattr(fact, "kind", "") == "agent.state"
    ]
    assert saved


def test_a_recogniser_without_partials_still_lets_the_caller_cut_in() -> None:
    stt = ScriptedSTT(partials=False)
    answer = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen."
    caller = (
        Caller().says("Hello").talks_over("Please stop there " + "and listen to me for a moment " * 3, after_word=2)
    )
    result = hold(Simulation(Plain, caller.waits_for_agent(), llm={"hello": answer, ...: "Yes?"}, stt=stt))
    cut = next(message for message in result.history.messages if message.role == "assistant")
    assert cut.interrupted
    assert len(cut.text.split()) <= 6


def test_the_agent_does_not_go_on_over_a_caller_who_talks_without_words_yet() -> None:
    stt = ScriptedSTT(partials=False)
    caller = Caller().says("Hello").talks_over("Please stop " * 8, after_word=2)
    answer = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen."
    result = hold(Simulation(Plain, caller.waits_for_agent(), llm={"hello": answer, ...: "Yes?"}, stt=stt))
    over = result.caller_sounds[1]
    resumed = [sound for sound in result.agent_sounds if over.start + 0.6 < sound.start < over.end]
    assert not resumed
