"""What a fallback gives whoever reads its streams, whatever its models do."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from antiphon import Agent, AgentSession, ConfigurationError, FallbackAdapter, Hedged, ModelError
from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.chat.context import ChatContext
from antiphon.errors import AllModelsFailedError
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolChoice, ToolSpec
from antiphon.models.metering import Metered, metering
from antiphon.models.spoken_place import SpokenPlace
from antiphon.models.stream_adapters import BatchTTS, StreamingTTS
from antiphon.providers import cartesia
from antiphon.session.bindings import resolve
from antiphon.testing import LLMFaults, ScriptedLLM, ScriptedSTT, ScriptedTTS, TTSFaults, run, text_context
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector
from antiphon.testing.simulators.cartesia import CartesiaSimulator

ANSWER = "It is open from nine to five, and on Sundays until noon."


async def heard(tts: Any, *texts: str) -> list[AudioFrame]:
    stream = tts.stream()
    for text in texts:
        stream.push_text(text)
    stream.end_input()
    return [frame async for frame in stream]


async def said(llm: Any) -> str:
    return "".join([chunk.text async for chunk in llm.chat(chat_ctx=ChatContext.empty())])


def test_what_is_said_is_at_the_first_voices_rate_in_sound_too() -> None:
    first = ScriptedTTS(pcm=True, faults=TTSFaults(dies_after=2))
    second = ScriptedTTS(pcm=True, sample_rate=16_000)

    async def main() -> list[AudioFrame]:
        tts = resolve("tts", FallbackAdapter([first, second]))
        assert tts.sample_rate == 24_000
        frames = await heard(tts, "one two three four five six")
        await tts.aclose()
        return frames

    frames = run(main())
    assert {frame.rate for frame in frames} == {24_000}
    words = [word for frame in frames for word in frame.words]
    assert [word.text for word in words if word.text] == ["one", "two", "three", "four", "five", "six"]
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(words)), "times go on"
    sound = np.concatenate([np.frombuffer(frame.data, dtype="<i2") for frame in frames])
    assert abs(sound.size / 24_000 - 6 * 0.3) < 0.01
    assert np.abs(sound[-4_000:-400]).max() > 7_000, "as loud as it was"


@pytest.mark.parametrize("chunk", [0.0, 0.05])
def test_each_of_the_segments_is_said_once(chunk: float) -> None:
    """``chunk``: the voice breaks off between words, or amid one, which is said again and stands once in the account."""
    texts = ("First of all, ", "hello to you. ", "And then goodbye.")
    for words in range(9):
        for fault in ({"dies_after": words}, {"ends_after": words}, {"stalls_after": words}):
            first = ScriptedTTS(chunk=chunk, faults=TTSFaults(**fault))  # type: ignore[arg-type]

            async def main(first: ScriptedTTS = first) -> list[AudioFrame]:
                tts = resolve("tts", FallbackAdapter([first, ScriptedTTS()]))
                frames = await heard(tts, *texts)
                await tts.aclose()
                return frames

            frames = run(main())
            by_segment = {frame.segment: [] for frame in frames}  # type: ignore[var-annotated]
            for frame in frames:
                by_segment[frame.segment] += [word.text for word in frame.words]
            assert [" ".join(by_segment[n]) for n in sorted(by_segment)] == [text.strip() for text in texts]


def test_text_that_comes_after_the_failure_goes_to_the_second_voice() -> None:
    async def main() -> list[str]:
        tts = resolve("tts", FallbackAdapter([ScriptedTTS(faults=TTSFaults(dies_before=True)), ScriptedTTS()]))
        stream = tts.stream()
        stream.push_text("Hello.")
        frames = aiter(stream)
        words = list((await anext(frames)).words)
        await asyncio.sleep(3.0)
        stream.push_text("And goodbye.")
        stream.end_input()
        words += [word for frame in [f async for f in frames] for word in frame.words]
        await tts.aclose()
        return [word.text for word in words]

    assert run(main()) == ["Hello.", "And", "goodbye."]


def test_a_voice_that_waits_for_text_is_not_taken_for_one_that_stalls() -> None:
    first, second = ScriptedTTS(), ScriptedTTS()

    async def main() -> None:
        tts = resolve("tts", FallbackAdapter([first, second]))
        stream = tts.stream()
        stream.push_text("Hello there.")
        frames = aiter(stream)
        await anext(frames)
        await anext(frames)
        await asyncio.sleep(30.0)
        stream.push_text("And goodbye.")
        stream.end_input()
        assert [frame async for frame in frames]
        await tts.aclose()

    run(main())
    assert second.streams == []


@pytest.mark.parametrize("number", range(4))
def test_where_a_voice_was_is_found_by_its_words_whatever_it_makes_of_them(number: int) -> None:
    text, words, rest = [
        ("It costs 5 dollars today.", "It costs five dollars", "today."),
        ("Well - I am here now.", "Well I am", "here now."),
        ("no no no yes", "no no", "no yes"),
        ("Hello (there), friend!", "Hello there friend", ""),
    ][number]
    place = SpokenPlace(text)
    timed = [TimedWord(word, n * 0.3, (n + 1) * 0.3) for n, word in enumerate(words.split())]
    place.words, place.seconds = timed, len(timed) * 0.3
    assert place.rest() == (rest, False)
    assert place.complete is (not rest)


def test_a_word_that_was_hardly_begun_is_said_again_and_a_nearly_whole_one_is_not() -> None:
    place = SpokenPlace("one two three")
    place.words = [TimedWord("one", 0.0, 0.3), TimedWord("two", 0.3, 0.6)]
    place.seconds = 0.4
    assert place.rest() == ("two three", True)
    place.seconds = 0.5
    assert place.rest() == ("three", False)


def test_all_failures_are_named() -> None:
    models = [ScriptedLLM(faults=LLMFaults(status=code)) for code in (401, 500, 429)]
    for number, model in enumerate(models):
        model.model = f"m{number}"

    async def main() -> AllModelsFailedError:
        llm = resolve("llm", FallbackAdapter(models))
        with pytest.raises(AllModelsFailedError) as caught:
            await said(llm)
        await llm.aclose()
        return caught.value

    error = run(main())
    assert [name for name, _ in error.failures] == ["scripted/m0", "scripted/m1", "scripted/m2"]
    assert "401" in str(error) and "429" in str(error) and error.retryable


class Stubborn(LLM):
    """Cannot be cancelled, and raises what no contract knows."""

    def __init__(self, error: type[Exception] | None = None) -> None:
        self.error = error

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return _StubbornStream(self.error)


class _StubbornStream(LLMStream):
    def __init__(self, error: type[Exception] | None) -> None:
        self._error = error

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        if self._error is not None:
            raise self._error("oh")
        for _ in range(40):
            try:
                await asyncio.sleep(1.0)
            except asyncio.CancelledError:
                continue
        yield ChatChunk(text="late")

    async def aclose(self) -> None:
        await asyncio.sleep(60)


@pytest.mark.parametrize("first", [Stubborn(), Stubborn(ZeroDivisionError)])
def test_a_model_that_breaks_its_contract_holds_up_nobody(first: LLM) -> None:
    async def main() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        llm = resolve("llm", FallbackAdapter([first, ScriptedLLM(ANSWER)]))
        began = loop.time()
        text = await said(llm)
        await llm.aclose()
        return text, loop.time() - began

    text, took = run(main())
    assert text == ANSWER and took < 4.0


def test_a_hedged_request_that_is_closed_leaves_nothing_running() -> None:
    models = [ScriptedLLM(ANSWER, ttft=9.0), ScriptedLLM(ANSWER, ttft=9.0)]

    async def main() -> list[Metered]:
        used: list[Metered] = []
        with metering(used.append):
            llm = resolve("llm", Hedged(models, after=0.0))
            stream = aiter(llm.chat(chat_ctx=ChatContext.empty()))
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(1.0)
            waiting.cancel()
            await asyncio.wait({waiting})
            await llm.aclose()
        assert len(asyncio.all_tasks()) == 1
        return used

    used = run(main())
    assert [use.requests for use in used] == [1, 1] and all(model.open_streams == 0 for model in models)


def test_lists_that_cannot_work_are_refused_before_the_call() -> None:
    with pytest.raises(ConfigurationError, match="list of models"):
        FallbackAdapter([])
    with pytest.raises(ConfigurationError, match="list of models"):
        FallbackAdapter("openai/gpt-4o")
    with pytest.raises(ConfigurationError, match="attempt_timeout"):
        FallbackAdapter([ScriptedLLM()], attempt_timeout=0)

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="is not a LLM"):
            resolve("llm", FallbackAdapter([ScriptedLLM(), ScriptedSTT()]))
        with pytest.raises(ConfigurationError, match="cannot stand for tts"):
            resolve("tts", Hedged([ScriptedTTS(), ScriptedTTS()]))
        with pytest.raises(ConfigurationError, match="needs an API key"):
            resolve("llm", FallbackAdapter(["openai/gpt-4o", ScriptedLLM()]))

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OPENAI_API_KEY", raising=False)
        run(main())


def test_strings_in_a_list_are_models_and_are_closed_with_it() -> None:
    async def main() -> None:
        string = "openai/m@http://127.0.0.1:9/v1"
        async with AgentSession[None](llm=FallbackAdapter([string, ScriptedLLM(ANSWER)])) as session:
            await session.start(Agent(instructions="Hi."), text_context())
            result = await session.run(user_input="Hello?")
            model: Any = session.model_of(session.current_agent, "llm")
            assert [event.text for event in result.events] == [ANSWER]
            first = model.availability.members[0].model
        assert not first.pool._sessions

    asyncio.run(main())


class Blocking(LLM):
    """A user's model that blocks its loop."""

    def __init__(self) -> None:
        self.thread = ""

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        self.thread = threading.current_thread().name
        time.sleep(0.7)
        raise ModelError("It blocked.")


def test_a_users_model_in_the_list_runs_on_the_users_loop_and_can_block_only_that() -> None:
    own, second = Blocking(), ScriptedLLM(ANSWER, ttft=0.0, word_seconds=0.0)

    async def main() -> str:
        async with AgentSession[None](llm=FallbackAdapter([own, second], attempt_timeout=0.2)) as session:
            await session.start(Agent(instructions="Hi."))
            result = await session.run(user_input="Hello?")
            return result.events[-1].text

    assert asyncio.run(main()) == ANSWER
    assert own.thread == "MainThread"


class WholeVoice(BatchTTS):
    """An HTTP service that gives the sound of a text in one answer."""

    on_core = True

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    async def synthesize(self, text: str) -> AudioFrame:
        if self.fails and "goodbye" in text:
            raise ModelError("It failed.")
        return AudioFrame.pcm(bytes(2 * 8_000 * len(text.split())), 24_000)


def test_services_that_make_whole_sentences_stand_in_for_each_other() -> None:
    async def main() -> list[AudioFrame]:
        tts = resolve("tts", FallbackAdapter([StreamingTTS(WholeVoice(fails=True)), StreamingTTS(WholeVoice())]))
        frames = await heard(tts, "Hello there.", "And goodbye.")
        await tts.aclose()
        return frames

    assert [(frame.segment, frame.samples) for frame in run(main())] == [(0, 16_000), (1, 16_000)]


@pytest.mark.parametrize("frames", range(1, 24, 2))
def test_a_voice_behind_a_socket_is_gone_on_with_behind_its_last_word(frames: int) -> None:
    """The service of the first one breaks its sockets after so many messages."""
    texts = ("Your order is ready. ", "Please come to the counter.")

    def sonic(*faults: Fault) -> tuple[cartesia.TTS, MemoryConnector]:
        connector = MemoryConnector(CartesiaSimulator(faults=FaultScript.of(*faults)))
        return cartesia.TTS(api_key="secret", connector=connector), connector

    async def main() -> list[str]:
        first, one = sonic(Fault("abort", None, after=frames))
        second, two = sonic()
        tts = resolve("tts", FallbackAdapter([first, second]))
        made = await heard(tts, *texts)
        await tts.aclose()
        await first.aclose()
        await second.aclose()
        assert one.open == two.open == 0
        await one.aclose()
        await two.aclose()
        assert len(asyncio.all_tasks()) == 1
        return [word.text for frame in made for word in frame.words]

    assert run(main()) == " ".join(texts).split()


@pytest.mark.parametrize(("faults", "tokens"), [(LLMFaults(status=429), 0), (LLMFaults(never=True), 4)])
def test_a_refusal_costs_nothing_and_a_request_that_was_given_up_is_reckoned(faults: LLMFaults, tokens: int) -> None:
    async def main() -> list[Metered]:
        used: list[Metered] = []
        context = ChatContext.empty()
        context.add_message(role="user", content="When are you open?")
        with metering(used.append):
            llm = resolve("llm", FallbackAdapter([ScriptedLLM(faults=faults), ScriptedLLM(ANSWER)]))
            assert [chunk async for chunk in llm.chat(chat_ctx=context)]
            await llm.aclose()
        return used

    first, second = run(main())
    assert (first.prompt_tokens, first.wasted, first.estimated) == (tokens, True, tokens > 0)
    assert second.completion_tokens == len(ANSWER.split()) and not second.wasted and not second.estimated
