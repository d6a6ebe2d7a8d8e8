"""Scripted models keep the public contracts, and fail as told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from antiphon.audio.frames import EAR_RATE, FLUSH, AudioFrame, Symbol
from antiphon.chat.context import ChatContext
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.errors import ModelError
from antiphon.models.llm import ToolSpec
from antiphon.models.stt import STTEvent
from antiphon.models.turn_detector import TurnEvidence
from antiphon.testing.llm import LLMFaults, ScriptedLLM, calls
from antiphon.testing.loop import run
from antiphon.testing.speech import spread, symbolic_frames, whole_words_until, words_in
from antiphon.testing.stt import ScriptedSTT, STTFaults
from antiphon.testing.tts import ScriptedTTS, TTSFaults
from antiphon.testing.turn_detector import ScriptedTurnDetector

# --- speech ------------------------------------------------------------------------------------------------------


def test_words_lie_evenly_in_an_utterance() -> None:
    assert [w.start for w in spread("a b c d", 2.0)] == [0.0, 0.5, 1.0, 1.5]
    symbol = Symbol("speech", "a b c d", start=0.5, total=2.0)
    assert [w.text for w in words_in(symbol, 0.6)] == ["b", "c"]
    assert whole_words_until(symbol, 0.6) == ("a", "b")
    pieces = list(symbolic_frames(Symbol("speech", "a b", total=1.0), rate=EAR_RATE, frame_seconds=0.3))
    assert sum(p.samples for p in pieces) == EAR_RATE
    assert [p.symbol.start for p in pieces if p.symbol] == [0.0, 0.3, 0.6, 0.9]


# --- STT ---------------------------------------------------------------------------------------------------------


def hear(stt: ScriptedSTT, text: str = "one two three", *, seconds: float = 0.9, flush: bool = False) -> list[Any]:
    """What the recogniser says of one utterance: (seconds since its start, kind, text, revision)."""

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        origin = loop.time()
        stream = stt.stream()
        said: list[Any] = []

        async def listen() -> None:
            async for event in stream:
                said.append((round(loop.time() - origin, 2), event.kind, event.text, event.revision))

        task = asyncio.create_task(listen())
        for frame in symbolic_frames(Symbol("speech", text, total=seconds), rate=EAR_RATE, frame_seconds=0.1):
            await asyncio.sleep(frame.duration)
            at = loop.time() - frame.duration
            stream.push(AudioFrame(b"", EAR_RATE, frame.samples, at=at, speech=True, symbol=frame.symbol))
        if flush:
            stream.push(FLUSH)
        await asyncio.sleep(3)
        stream.end_input()
        await asyncio.sleep(0)
        await asyncio.wait_for(task, 1)
        assert stt.open_streams == 0
        return said

    return run(main())


def finals(said: list[Any]) -> list[str]:
    return [text for _, kind, text, _ in said if kind == "final"]


def test_partials_grow_word_by_word_and_the_final_comes_after_the_end() -> None:
    said = hear(ScriptedSTT(delay=0.2, partial_delay=0.1))
    assert [(kind, text) for _, kind, text, _ in said] == [
        ("partial", "one"),
        ("partial", "one two"),
        ("partial", "one two three"),
        ("final", "one two three"),
    ]
    assert said[0][0] == pytest.approx(0.4)
    assert said[-1][0] == pytest.approx(1.1)
    assert [revision for *_, revision in said] == [1, 2, 3, 4]


def test_a_flush_mark_brings_the_final_early() -> None:
    assert hear(ScriptedSTT(delay=1.0, flush_delay=0.05), flush=True)[-1][0] == pytest.approx(0.95)
    assert hear(ScriptedSTT(delay=1.0, flush=False), flush=True)[-1][0] == pytest.approx(1.9)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (STTFaults(empty=True), [""]),
        (STTFaults(duplicate=True), ["one two three", "one two three"]),
        (STTFaults(revise=True), ["one two", "one two three"]),
        (STTFaults(no_final=True), []),
        (STTFaults(deaf_at=0.5), []),
        (STTFaults(no_final=True, utterances=(1,)), ["one two three"]),
    ],
)
def test_finals_fail_as_told(faults: STTFaults, expected: list[str]) -> None:
    assert finals(hear(ScriptedSTT(faults=faults))) == expected


def test_a_late_final_is_late() -> None:
    assert hear(ScriptedSTT(faults=STTFaults(late=2.0)))[-1][0] == pytest.approx(3.1)


def test_a_mid_word_flush_loses_and_repeats_no_word() -> None:
    async def main() -> list[str]:
        stt = ScriptedSTT(delay=0.2)
        stream = stt.stream()
        loop = asyncio.get_running_loop()
        texts: list[str] = []

        async def listen() -> None:
            async for event in stream:
                if event.kind == "final":
                    texts.append(event.text)

        task = asyncio.create_task(listen())
        pieces = list(symbolic_frames(Symbol("speech", "a b c d", total=1.2), rate=EAR_RATE, frame_seconds=0.1))
        for number, frame in enumerate(pieces):
            await asyncio.sleep(frame.duration)
            stream.push(AudioFrame(b"", EAR_RATE, frame.samples, at=loop.time() - 0.1, symbol=frame.symbol))
            if number == 6:
                stream.push(FLUSH)
                await asyncio.sleep(0.06)
        await asyncio.sleep(1)
        stream.end_input()
        await task
        return texts

    assert run(main()) == ["a b", "c d"]


def test_errors_and_noise() -> None:
    with pytest.raises(ModelError):
        hear(ScriptedSTT(faults=STTFaults(error_at=0.5)))
    with pytest.raises(ModelError):
        hear(ScriptedSTT(faults=STTFaults(refuse=True)))
    assert finals(hear(ScriptedSTT(faults=STTFaults(refuse=True, streams=0)))) == ["one two three"]
    assert finals(hear(ScriptedSTT(), text="")) == []
    assert finals(hear(ScriptedSTT(faults=STTFaults(invents="Thank you.")), text="")) == ["Thank you."]
    assert finals(hear(ScriptedSTT(mishears={"two": "too"}))) == ["one too three"]


def test_a_service_with_its_own_turns_says_so() -> None:
    kinds = [kind for _, kind, _, _ in hear(ScriptedSTT(end_of_turn=True))]
    assert kinds[0] == "turn_start"
    assert kinds[-1] == "turn_end"


# --- LLM ---------------------------------------------------------------------------------------------------------


def ask(llm: ScriptedLLM, *texts: str, context: ChatContext | None = None) -> tuple[str, list[Any]]:
    """The model's answer to the last of these user messages: its text and its tool calls."""

    async def main() -> tuple[str, list[Any]]:
        ctx = context or ChatContext()
        for text in texts:
            ctx.add_message(role="user", content=text)
        said, used = "", []
        async for chunk in llm.chat(chat_ctx=ctx, tools=[ToolSpec("book", "", {})]):
            said += chunk.text
            used += [(c.name, c.arguments) for c in chunk.tool_calls]
        return said, used

    return run(main(), limit=1000)


def test_answers_by_text_pattern_function_and_list() -> None:
    assert ask(ScriptedLLM("Hello there."), "hi") == ("Hello there.", [])
    rules = ScriptedLLM({"price": "Ten.", re.compile("^bye"): "Goodbye.", ...: "Pardon?"})
    assert ask(rules, "What's the PRICE?")[0] == "Ten."
    assert ask(rules, "bye now")[0] == "Goodbye."
    assert ask(rules, "hm")[0] == "Pardon?"
    assert ask(ScriptedLLM(lambda request: f"You said {request.user_text}."), "x")[0] == "You said x."
    listed = ScriptedLLM(["one", "two"])
    assert ask(listed, "a")[0] == "one"
    assert ask(listed, "a again")[0] == "one", "the same place in the conversation: the same answer"
    assert ask(listed, "a", "b")[0] == "two"
    assert ask(listed, "a", "b", "c")[0] == "two"


def test_text_then_a_tool_then_an_answer_to_its_result() -> None:
    llm = ScriptedLLM({"book": [("One moment.", calls("book", day="Monday")), "Booked."]})
    assert ask(llm, "book it") == ("One moment.", [("book", '{"day": "Monday"}')])
    ctx = ChatContext()
    ctx.add_message(role="user", content="book it")
    ctx.items += [
        FunctionCall(id="c", call_id="1", name="book", arguments="{}"),
        FunctionCallOutput(id="o", call_id="1", name="book", output="ok"),
    ]
    assert ask(llm, context=ctx) == ("Booked.", [])
    assert llm.requests[-1].step == 1
    assert [o.output for o in llm.requests[-1].outputs] == ["ok"]


def test_several_tools_in_one_answer() -> None:
    assert [n for n, _ in ask(ScriptedLLM((calls("book"), calls("book"))), "x")[1]] == ["book", "book"]


def test_llm_faults() -> None:
    assert ask(ScriptedLLM("Hello.", faults=LLMFaults(empty=True)), "x") == ("", [])
    name, arguments = ask(ScriptedLLM(calls("book", day="Monday"), faults=LLMFaults(broken_json=True)), "x")[1][0]
    assert name == "book"
    assert not arguments.endswith("}")
    assert ask(ScriptedLLM(calls("book"), faults=LLMFaults(unknown_tool=True)), "x")[1][0][0] != "book"
    with pytest.raises(ModelError, match="429"):
        ask(ScriptedLLM(faults=LLMFaults(status=429)), "x")
    with pytest.raises(ModelError, match="broke"):
        ask(ScriptedLLM("one two three", faults=LLMFaults(error_after=2)), "x")
    twice = ScriptedLLM("Fine.", faults=LLMFaults(status=429, tries=2))
    for _ in range(2):
        with pytest.raises(ModelError):
            ask(twice, "x")
    assert ask(twice, "x")[0] == "Fine."


def test_a_silent_model_can_be_cancelled_and_says_so() -> None:
    llm = ScriptedLLM("Fine.", faults=LLMFaults(never=True))

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                async for _ in llm.chat(chat_ctx=ChatContext()):
                    pass

    run(main())
    assert llm.requests[0].cancelled
    assert llm.open_streams == 0


def _timed(make: Callable[[], Awaitable[Any]]) -> float:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await make()
        return loop.time() - began

    return run(main())


def test_slow_and_dribbling_models_take_their_time() -> None:
    async def once(llm: ScriptedLLM) -> None:
        async for _ in llm.chat(chat_ctx=ChatContext()):
            pass

    quick = ScriptedLLM("one two three", ttft=0.1, word_seconds=0.0)
    assert _timed(lambda: once(quick)) == pytest.approx(0.1)
    slow = ScriptedLLM("one two three", ttft=0.1, word_seconds=0.0, faults=LLMFaults(slow=5.0))
    assert _timed(lambda: once(slow)) == pytest.approx(5.1)
    dribble = ScriptedLLM("one two three", ttft=0.1, faults=LLMFaults(dribble=2.0))
    assert _timed(lambda: once(dribble)) == pytest.approx(4.1)


# --- TTS ---------------------------------------------------------------------------------------------------------


def speak(tts: ScriptedTTS, *segments: str) -> list[AudioFrame]:
    async def main() -> list[AudioFrame]:
        stream = tts.stream()
        for text in segments:
            stream.push_text(text)
        stream.end_input()
        frames: list[AudioFrame] = []
        try:
            async with asyncio.timeout(100):
                async for frame in stream:
                    frames.append(frame)
        finally:
            await stream.aclose()
        return frames

    return run(main())


def test_speech_has_the_right_length_segments_and_word_times() -> None:
    frames = speak(ScriptedTTS(), "Hello there.", "How are you?")
    assert sum(f.duration for f in frames) == pytest.approx(1.5)
    assert [f.segment for f in frames] == [0, 0, 1, 1, 1]
    assert [w.text for f in frames for w in f.words] == ["Hello", "there.", "How", "are", "you?"]
    assert [round(w.start, 2) for f in frames for w in f.words] == [0.0, 0.3, 0.0, 0.3, 0.6]
    assert not any(f.words for f in speak(ScriptedTTS(word_times=False), "Hello."))


def test_odd_chunks_and_leading_silence_keep_every_word() -> None:
    for chunk in (0.037, 0.11, 0.5, 7.0):
        frames = speak(ScriptedTTS(chunk=chunk, faults=TTSFaults(silence=0.4)), "one two three four")
        assert sum(f.duration for f in frames) == pytest.approx(1.6, abs=1e-3)
        assert [w.text for f in frames for w in f.words] == ["one", "two", "three", "four"]
        assert frames[1].words[0].start == pytest.approx(0.4)


def test_pcm_has_the_same_length() -> None:
    frames = speak(ScriptedTTS(pcm=True), "one two")
    assert sum(len(f.data) for f in frames) == 2 * 24_000 * 0.6
    assert all(f.symbol is None for f in frames)


@pytest.mark.parametrize("faults", [TTSFaults(dies_before=True), TTSFaults(dies_after=0), TTSFaults(dies_after=2)])
def test_a_voice_dies(faults: TTSFaults) -> None:
    with pytest.raises(ModelError):
        speak(ScriptedTTS(faults=faults), "one two three")
    assert speak(ScriptedTTS(faults=TTSFaults(dies_before=True, streams=0)), "one")


def test_a_voice_stalls_or_ends_early() -> None:
    with pytest.raises(TimeoutError):
        speak(ScriptedTTS(faults=TTSFaults(stalls_after=1)), "one two")
    assert len(speak(ScriptedTTS(faults=TTSFaults(stalls_after=1, stall=3.0)), "one two")) == 2
    assert len(speak(ScriptedTTS(faults=TTSFaults(ends_after=1)), "one two")) == 1


# --- end of turn -------------------------------------------------------------------------------------------------


def test_scores_are_scripted() -> None:
    async def main() -> None:
        evidence = TurnEvidence(text="hello")
        one = ScriptedTurnDetector([0.1, 0.9])
        assert [await one.predict(evidence) for _ in range(3)] == [0.1, 0.9, 0.9]
        assert await ScriptedTurnDetector(lambda e: len(e.text) / 10).predict(evidence) == 0.5
        with pytest.raises(ModelError):
            await ScriptedTurnDetector(fails=True).predict(evidence)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await ScriptedTurnDetector(hangs=True).predict(evidence)

    run(main())


def test_events_are_contract_structs() -> None:
    said: list[STTEvent] = []

    async def main() -> None:
        stream = ScriptedSTT(word_times=True).stream(language="en")
        for frame in symbolic_frames(Symbol("speech", "hi you", total=0.6), rate=EAR_RATE, frame_seconds=0.1):
            stream.push(AudioFrame(b"", EAR_RATE, frame.samples, at=5.0 + frame.symbol.start, symbol=frame.symbol))  # type: ignore[union-attr]
        stream.end_input()
        async for event in stream:
            said.append(event)

    run(main())
    final = said[-1]
    assert (final.kind, final.language, final.segment) == ("final", "en", "u0")
    assert (final.start, final.end) == (5.0, pytest.approx(5.6))
    assert [w.text for w in final.words] == ["hi", "you"]
    assert final.seconds == pytest.approx(0.6)
