"""Plugins of LiveKit, as they are, behind the adapter. Runs in the environment of ``scripts/install-livekit-plugins``, where
``tests/providers/test_livekit.py`` starts it; prints what came of each story as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import numpy as np
from doubles import LETTER, OpenAI, answering
from livekit.agents import stt
from livekit.plugins import cartesia, deepgram, openai

from antiphon import Agent, AgentSession, ConfigurationError, JobContext, ModelError, function_tool
from antiphon.agents.nodes import listen, speak, think
from antiphon.audio.frames import FLUSH, AudioFrame
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.seam import LegSpec
from antiphon.chat.context import ChatContext
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.chat.media import ImageContent
from antiphon.models.llm import ToolSpec
from antiphon.models.stt import STTEvent
from antiphon.providers import livekit
from antiphon.providers.formats.openai_chat import messages_of
from antiphon.session.bindings import resolve
from antiphon.testing.memory_log import MemoryLog
from antiphon.testing.simulation import text_context
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.faults import Fault, FaultScript
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.server import serving
from antiphon.testing.simulators.speaking import CHARACTER, spoken
from antiphon.testing.vad import LoudnessVAD
from antiphon.transport import offer_leg
from antiphon.transport.wav import WavLeg

KEY = "sk-a-very-secret-key"
STORIES: dict[str, Callable[[], Awaitable[None]]] = {}


def story(told: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    STORIES[told.__name__] = told
    return told


WEATHER = ToolSpec("weather", "Says the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


def ears(url: str, **options: Any) -> Any:
    return deepgram.STT(api_key=KEY, base_url=f"{url}/v1/listen", **options)


def voice(url: str) -> Any:
    return cartesia.TTS(api_key=KEY, base_url=url)


def mind(url: str) -> Any:
    return openai.LLM(model="gpt-4o-mini", api_key=KEY, base_url=url, max_retries=0)


async def sound(*recordings: Recording, at: float = 100.0, pace: float = 0.002) -> AsyncIterator[AudioFrame]:
    """Recordings as caller audio, faster than they were spoken."""
    for pcm in (recording.pcm for recording in recordings):
        for begin in range(0, len(pcm), 640):
            piece = pcm[begin : begin + 640]
            yield AudioFrame.pcm(piece, 16_000, at=at, speech=any(piece))
            at += 0.02
            await asyncio.sleep(pace)


async def said(*texts: str) -> AsyncIterator[str]:
    for text in texts:
        yield text


async def until(turns: int, stream: AsyncIterator[STTEvent]) -> list[STTEvent]:
    """What is heard up to the end of so many turns. (The plugin itself ends its socket seconds after its last audio.)"""
    heard = []
    async with aclosing(stream):  # type: ignore[type-var]
        async for event in stream:
            heard.append(event)
            if [one.kind for one in heard].count("turn_end") == turns:
                break
    return heard


async def failure(stream: AsyncIterator[Any]) -> ModelError:
    try:
        async for _ in stream:
            pass
    except ModelError as exc:
        return exc
    raise AssertionError("it did not fail")


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No task stays behind but the one that holds the plugins' HTTP session."""
    before = asyncio.all_tasks()
    yield
    for _ in range(200):
        left = [t for t in asyncio.all_tasks() - before if t.get_name() != "antiphon:livekit-http"]
        if not left:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"left: {left}")


# --- a recogniser ----------------------------------------------------------------------------------------------------


@story
async def deepgram_hears_and_says_when_and_who() -> None:
    recording = Recording.of("hello there", "two teas please")
    async with nothing_left(), serving(DeepgramSimulator([recording])) as url:
        model = livekit.adapt(ears(url, enable_diarization=True))
        able = model.capabilities
        assert (able.partials, able.word_times, able.keyterms, able.end_of_turn) == (True, True, True, True)
        assert (model.provider, model.model, model.on_core) == ("Deepgram", "nova-3", False)
        heard = await until(2, listen(model, sound(recording)))
    kinds = [event.kind for event in heard]
    assert kinds[0] == "turn_start" and kinds.count("turn_start") == kinds.count("turn_end") == 2, kinds
    finals = [event for event in heard if event.kind == "final"]
    assert [event.text for event in finals] == ["hello there", "two teas please"], heard
    partials = [event.text for event in heard if event.kind == "partial"]
    assert partials[0] == "hello" and "two teas" in partials, partials
    first = finals[0]
    assert (first.speaker, first.language) == ("S0", "en-US"), first
    assert abs(first.start - 100.3) < 0.03 and abs(first.end - 100.9) < 0.03, first  # the capture clock
    assert [(w.text, round(w.start, 2), round(w.end, 2)) for w in first.words] == [
        ("hello", 0.0, 0.3),
        ("there", 0.3, 0.6),
    ]


@story
async def deepgram_hears_audio_that_comes_before_it_is_connected_and_after_a_gap() -> None:
    early, late = Recording.of("early words"), Recording.of("late words")
    async with nothing_left(), serving(DeepgramSimulator([early, late])) as url:

        async def with_a_gap() -> AsyncIterator[AudioFrame]:
            async for frame in sound(early, at=50.0, pace=0.0):
                yield frame
            async for frame in sound(late, at=70.0):
                yield frame

        heard = await until(2, listen(livekit.adapt(ears(url)), with_a_gap()))
    first, second = [event for event in heard if event.kind == "final"]
    assert abs(first.start - 50.3) < 0.03 and abs(second.start - 70.3) < 0.03, (first, second)


@story
async def deepgram_options_change_in_mid_call() -> None:
    one, two = Recording.of("one"), Recording.of("zwei")
    simulator = DeepgramSimulator([one, two])
    async with nothing_left(), serving(simulator) as url:
        model = livekit.adapt(ears(url))

        async def changed() -> AsyncIterator[AudioFrame]:
            async for frame in sound(one):
                yield frame
            model.theirs.update_options(language="de", model="nova-2")
            await asyncio.sleep(0.3)
            async for frame in sound(two, at=103.0):
                yield frame

        heard = [event.text for event in await until(2, listen(model, changed())) if event.kind == "final"]
        assert [peer.request.one("language") for peer in simulator.clients] == ["en-US", "de"]
        assert heard == ["one", "zwei"], heard
        model.stream()
        assert model.model == "nova-2"


@story
async def deepgram_failures_are_ours_and_say_whether_to_try_again() -> None:
    recording = Recording.of("hello", "and on")
    async with nothing_left(), serving(DeepgramSimulator(key="another")) as url:
        refused = await failure(listen(livekit.adapt(ears(url)), sound(recording)))
        assert (refused.status, refused.retryable) == (401, False) and "key" in refused.hint, refused
    faults = FaultScript.of(
        Fault("refuse", (0,), status=503), Fault("close", (1,), after=2), Fault("abort", (2,), after=2)
    )
    async with nothing_left(), serving(DeepgramSimulator([recording], faults=faults)) as url:
        model = livekit.adapt(ears(url))
        busy = await failure(listen(model, sound(recording)))
        assert (busy.status, busy.retryable) == (503, True), busy
        closed = await failure(listen(model, sound(recording)))
        broken = await failure(listen(model, sound(recording)))
        assert (closed.retryable, closed.status, broken.retryable) == (True, None, True), (closed, broken)
    gone = await failure(listen(model, sound(recording)))
    assert gone.retryable, gone
    assert all(KEY not in str(error) for error in (refused, busy, closed, broken, gone))


@story
async def deepgram_is_let_go_at_once() -> None:
    recording = Recording.of("hello there", "and on and on and on")
    simulator = DeepgramSimulator([recording])
    async with nothing_left(), serving(simulator) as url:
        model = livekit.adapt(ears(url))
        stream = listen(model, sound(recording))
        async for event in stream:
            if event.kind == "partial":
                break
        assert [peer.closed for peer in simulator.clients] == [None]
        began = asyncio.get_running_loop().time()
        await stream.aclose()
        assert asyncio.get_running_loop().time() - began < 1.0
        unheard = model.stream()
        unheard.push(AudioFrame.pcm(b"\0\0" * 320, 16_000))
        await unheard.aclose()
        await unheard.aclose()
        while simulator.clients[0].closed is None:
            await asyncio.sleep(0.01)
        assert len(simulator.clients) == 1


class Eager(stt.STT[str]):
    """A plugin of somebody's own, with all that the contract allows: early ends of turn, flush marks, bills."""

    def __init__(self) -> None:
        can = stt.STTCapabilities(streaming=True, interim_results=True, manual_flush=True)
        super().__init__(capabilities=can)
        self.flushes = 0

    async def _recognize_impl(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def stream(self, *, conn_options: Any, language: Any = None) -> Any:
        return EagerStream(stt=self, conn_options=conn_options)


class EagerStream(stt.RecognizeStream):
    def _say(self, kind: str, text: str = "") -> None:
        alternatives = [stt.SpeechData(language="en", text=text)] if text else []
        event = stt.SpeechEvent(type=stt.SpeechEventType(kind), alternatives=alternatives)
        if kind == "recognition_usage":
            event.recognition_usage = stt.RecognitionUsage(audio_duration=2.5)
        self._event_ch.send_nowait(event)

    async def _run(self) -> None:
        async for item in self._input_ch:
            if isinstance(item, self._FlushSentinel):
                self._stt.flushes += 1
                self._say("preflight_transcript", "two teas")
                self._say("recognition_usage")
                self._say("recognition_usage")
                self._say("final_transcript", "two teas")
                self._say("end_of_speech")
                return


@story
async def every_event_of_the_contract_has_its_meaning() -> None:
    async with nothing_left():
        model = resolve("stt", Eager())
        assert model.capabilities.flush and not model.capabilities.word_times

        async def asks() -> AsyncIterator[AudioFrame]:
            async for frame in sound(Recording.of("two teas")):
                yield frame
            yield FLUSH
            await asyncio.Event().wait()

        heard = [event async for event in listen(model, asks())]
    assert [event.kind for event in heard] == ["partial", "turn_likely", "final", "turn_end"], heard
    final = heard[2]
    assert (final.text, final.seconds, final.end, final.confidence) == ("two teas", 5.0, 0.0, 1.0), final
    assert model.theirs.flushes == 1


@story
async def openai_transcribes_whole_utterances_as_a_stream() -> None:
    service = OpenAI()
    service.words = "Two teas, please."
    async with nothing_left(), answering(service) as url:
        theirs = openai.STT(model="gpt-4o-transcribe", api_key=KEY, base_url=url, use_realtime=False)
        model = resolve("stt", theirs)
        assert not model.capabilities.partials and model.theirs is theirs
        heard = [event async for event in listen(model, sound(Recording.of("two teas please")))]
    assert [event.text for event in heard] == ["Two teas, please."], heard
    assert 0.9 <= heard[0].seconds < 1.3, heard


# --- a language model ------------------------------------------------------------------------------------------------


@story
async def openai_answers_and_counts_its_tokens() -> None:
    service = OpenAI("Of course. Two teas.")
    async with nothing_left(), answering(service) as url:
        context = ChatContext()
        context.add_message(role="system", content="Take orders.")
        context.add_message(role="user", content="Two teas.")
        chunks = [chunk async for chunk in think(resolve("llm", mind(url)), context, [], "auto")]
    assert "".join(chunk.text for chunk in chunks) == "Of course. Two teas."
    usage = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert len(usage) == 1 and (usage[0].prompt_tokens, usage[0].completion_tokens, usage[0].cached_tokens) == (
        40,
        7,
        30,
    )
    assert "tools" not in service.requests[0] and "tool_choice" not in service.requests[0], service.requests[0]
    assert service.keys == [f"Bearer {KEY}"]


@story
async def openai_calls_tools_of_ours() -> None:
    service = OpenAI(("weather", '{"city": "Oslo"}'))
    async with nothing_left(), answering(service) as url:
        context = ChatContext()
        context.add_message(role="user", content="The weather in Oslo?")
        chunks = [c async for c in think(resolve("llm", mind(url)), context, [WEATHER], "required")]
    calls = [call for chunk in chunks for call in chunk.tool_calls]
    assert [(call.call_id, call.name, call.arguments) for call in calls] == [("call_1", "weather", '{"city": "Oslo"}')]
    asked = service.requests[0]
    assert asked["tool_choice"] == "required"
    described = asked["tools"][0]["function"]
    assert (described["name"], described["description"]) == ("weather", "Says the weather.")
    assert described["parameters"]["properties"] == {"city": {"type": "string"}}


@story
async def openai_gets_back_what_came_with_a_call() -> None:
    service = OpenAI(("weather", "{}"), "Rain.")
    async with nothing_left(), answering(service) as url:
        model = livekit.adapt(mind(url))
        context = ChatContext()
        context.add_message(role="user", content="The weather?")
        (call,) = [call async for c in think(model, context, [WEATHER], "auto") for call in c.tool_calls]
        context.items.append(
            FunctionCall(id="f1", call_id=call.call_id, name=call.name, arguments=call.arguments, extra=call.extra)
        )
        context.items.append(FunctionCallOutput(id="o1", call_id=call.call_id, name="weather", output="rain"))
        async for _ in think(model, context, [WEATHER], "auto"):
            pass
    (written,) = service.requests[1]["messages"][1]["tool_calls"]
    assert written["extra_content"] == {"google": {"thought_signature": "signed"}}, written


@story
async def openai_reads_the_conversation_as_our_own_codec_writes_it() -> None:
    context = ChatContext()
    context.add_message(role="system", content="Be brief.")
    context.add_message(role="user", content="Oslo and Rome?")
    context.add_message(role="assistant", content="One moment.")
    for call in ("a", "b"):
        context.items.append(FunctionCall(id=f"f{call}", call_id=call, name="weather", arguments="{}"))
    context.items.append(FunctionCallOutput(id="oa", call_id="a", name="weather", output="rain"))
    context.add_message(role="user", content="And?")
    context.items.append(FunctionCallOutput(id="ob", call_id="b", name="weather", output="sun"))
    context.items.append(FunctionCall(id="fc", call_id="c", name="weather", arguments=""))
    context.add_message(role="assistant", content="Rain and sun.")
    context.items.append(FunctionCallOutput(id="ox", call_id="x", name="weather", output="of nobody"))
    picture = ImageContent(url="https://example.com/sky.png", detail="low")
    context.add_message(role="user", content=[picture])
    service = OpenAI("The sky.")
    async with answering(service) as url:
        model = livekit.adapt(mind(url), images=True)
        async for _ in think(model, context, [], "auto"):
            pass

    def plain(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{key: value for key, value in message.items() if value is not None} for message in messages]

    asked, ours = plain(service.requests[0]["messages"]), plain(messages_of(context, developer_role=True))
    assert asked == ours, f"{asked}\n{ours}"


@story
async def openai_reads_a_note_where_it_takes_no_pictures() -> None:
    context = ChatContext()
    context.add_message(role="user", content=["What is this?", ImageContent(url="https://example.com/sky.png")])
    service = OpenAI("I cannot see it.")
    async with answering(service) as url:
        async for _ in think(livekit.adapt(mind(url)), context, [], "auto"):
            pass
    assert "cannot perceive" in str(service.requests[0]["messages"]) and "sky.png" not in str(service.requests[0])


@story
async def openai_failures_are_ours_and_are_not_tried_again_behind_our_back() -> None:
    service = OpenAI("Never said in full.")
    async with nothing_left(), answering(service) as url:
        model = livekit.adapt(mind(url))
        context = ChatContext()
        context.add_message(role="user", content="Hello?")
        for status, retryable in ((401, False), (404, False), (429, True), (500, True)):
            service.refuse = status
            error = await failure(think(model, context, [], "auto"))
            assert (error.status, error.retryable) == (status, retryable), error
            assert KEY not in str(error), error
        service.refuse, service.drop_after = 0, 3
        cut = await failure(think(model, context, [], "auto"))
        assert cut.retryable, cut
        assert len(service.requests) == 5, service.requests


@story
async def openai_is_let_go_at_once() -> None:
    service = OpenAI("A very long answer that nobody waits for.")
    service.pace = 0.2
    async with nothing_left(), answering(service) as url:
        context = ChatContext()
        context.add_message(role="user", content="Hello?")
        stream = think(livekit.adapt(mind(url)), context, [], "auto")
        async for _ in stream:
            break
        await stream.aclose()
        async with asyncio.timeout(1.0):
            while service.open:
                await asyncio.sleep(0.01)


# --- a voice ---------------------------------------------------------------------------------------------------------


def pcm_of(frames: list[AudioFrame]) -> bytes:
    return b"".join(frame.data for frame in frames)


@story
async def cartesia_speaks_segment_by_segment_with_word_times() -> None:
    simulator = CartesiaSimulator(key=KEY)
    async with nothing_left(), serving(simulator) as url:
        model = livekit.adapt(voice(url))
        assert model.capabilities.streaming and model.capabilities.word_times and model.sample_rate == 24_000
        frames = [frame async for frame in speak(model, said("Hi you.", "Two teas are coming."))]
        assert (
            len(simulator.clients) == 1 and simulator.clients[0].closed is None
        )  # the plugin keeps it for the next reply
        await model.theirs.aclose()
    for segment, text in enumerate(["Hi you.", "Two teas are coming."]):
        own = [frame for frame in frames if frame.segment == segment]
        seconds = sum(frame.duration for frame in own)
        assert abs(seconds - CHARACTER * (len(text) + 1)) < 0.05, (text, seconds)
        assert spoken(pcm_of(own), text) == text
        words = [word for frame in own for word in frame.words]
        assert [word.text for word in words] == text.split(), words
        assert words[0].start == 0.0 and abs(words[-1].end - seconds) < 0.05, words


@story
async def cartesia_speaks_before_the_reply_is_whole() -> None:
    async with nothing_left(), serving(CartesiaSimulator()) as url:
        theirs = voice(url)
        more = asyncio.Event()

        async def slowly() -> AsyncIterator[str]:
            yield "Yes."
            await more.wait()
            yield "That is all."

        segments = []
        async for frame in speak(livekit.adapt(theirs), slowly()):
            segments.append(frame.segment)
            more.set()
        assert sorted(set(segments)) == [0, 1]
        await theirs.aclose()


@story
async def cartesia_failures_are_ours() -> None:
    faults = FaultScript.of(
        Fault("refuse", (0,), status=402), Fault("close", (1,), after=2), Fault("abort", (2,), after=2)
    )
    async with nothing_left(), serving(CartesiaSimulator(faults=faults)) as url:
        theirs = voice(url)
        model = livekit.adapt(theirs)
        refused = await failure(speak(model, said("Hello there.")))
        assert (refused.status, refused.retryable) == (402, False), refused
        for _ in range(2):
            dropped = await failure(speak(model, said("Hello there, who is it?")))
            assert dropped.retryable and dropped.status is None, dropped
        frames = [frame async for frame in speak(model, said("Hello again."))]
        assert spoken(pcm_of(frames), "Hello again.") == "Hello again."
        await theirs.aclose()


@story
async def cartesia_stops_at_once() -> None:
    async with nothing_left(), serving(CartesiaSimulator(speed=2.0)) as url:
        theirs = voice(url)
        model = livekit.adapt(theirs)
        story_of_tea = "A long story about tea, and then some more of it, to the end."
        stream = speak(model, said(story_of_tea))
        async for _ in stream:
            break
        began = asyncio.get_running_loop().time()
        await stream.aclose()
        assert asyncio.get_running_loop().time() - began < 1.0
        frames = [frame async for frame in speak(model, said("Yes?"))]
        assert spoken(pcm_of(frames), f"Yes? {story_of_tea}") == "Yes?"  # nothing of the story
        await theirs.aclose()


@story
async def openai_speaks_in_chunks() -> None:
    service = OpenAI()
    async with nothing_left(), answering(service) as url:
        theirs = openai.TTS(api_key=KEY, base_url=url, response_format="pcm")
        model = resolve("tts", theirs)
        assert not model.capabilities.streaming
        frames = [frame async for frame in speak(model, said("Good morning.", "What will it be?"))]
    assert len(frames) > 4  # as it comes, not when it is whole
    for segment, text in enumerate(["Good morning.", "What will it be?"]):
        seconds = sum(frame.duration for frame in frames if frame.segment == segment)
        assert abs(seconds - LETTER * len(text)) < 0.05, (text, seconds)


# --- sessions --------------------------------------------------------------------------------------------------------


@story
async def a_text_session_takes_their_language_model_as_it_is() -> None:
    service = OpenAI(("weather", '{"city": "Oslo"}'), "It rains in Oslo.")

    class Forecaster(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Say the weather.")

        @function_tool(effect="read")
        async def weather(self, city: str) -> str:
            """Says the weather."""
            return f"rain in {city}"

    async with answering(service) as url:
        session: AgentSession[None] = AgentSession(stt=None, llm=mind(url), tts=None, turn_detector=None)
        await session.start(Forecaster(), text_context())
        result = await session.run(user_input="How is Oslo?")
        await session.aclose()
    assert result.events[-1].text == "It rains in Oslo.", result.events
    assert service.requests[1]["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "rain in Oslo"}


@story
async def a_call_on_three_plugins() -> None:
    recording = Recording.of("two teas please", pause=0.5)
    hears, speaks, thinks = DeepgramSimulator([recording]), CartesiaSimulator(), OpenAI("Two teas. Coming right up.")
    leg = WavLeg([np.frombuffer(recording.pcm, np.int16)], wait_for_reply=True, gap=0.5)
    plane = InlinePlane(LoudnessVAD())
    offer_leg("caller", leg)
    async with nothing_left(), serving(hears) as ear, serving(speaks) as mouth, answering(thinks) as brain:
        theirs = voice(mouth)
        session: AgentSession[None] = AgentSession(stt=ears(ear), llm=mind(brain), tts=theirs, turn_detector=None)
        errors: list[Any] = []
        session.on("error", errors.append)
        context = JobContext(leg=LegSpec("object", {"key": "caller"}), plane=plane, user_loop="shared", log=MemoryLog())
        await session.start(Agent(instructions="Sell tea."), context)
        await session.wait_closed()
        await plane.aclose()
        await theirs.aclose()
    talk = [(message.role, message.text) for message in session.history.messages]
    assert talk == [("user", "two teas please"), ("assistant", "Two teas. Coming right up.")], talk
    assert not errors, errors


@story
async def one_object_is_one_model_and_nothing_else_is_taken() -> None:
    theirs = ears("http://127.0.0.1:1")
    assert resolve("stt", theirs) is resolve("stt", theirs)
    by_hand = livekit.adapt(mind("http://127.0.0.1:1"), images=True)
    assert resolve("llm", by_hand.theirs) is by_hand
    for kind, wrong in (("llm", theirs), ("tts", theirs), ("stt", openai.realtime.RealtimeModel(api_key=KEY))):
        try:
            resolve(kind, wrong)
        except ConfigurationError:
            continue
        raise AssertionError(f"{wrong} was taken for {kind}")
    try:
        livekit.adapt("deepgram/nova-3")
    except ConfigurationError as exc:
        assert "LiveKit" in str(exc)
    else:
        raise AssertionError("a string was adapted")


async def within(seconds: float, told: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(seconds):
        await told()


def main(names: list[str]) -> None:
    outcomes = {}
    for name, told in STORIES.items():
        if names and name not in names:
            continue
        try:
            asyncio.run(within(30.0, told))
            outcomes[name] = "ok"
        except BaseException:
            outcomes[name] = traceback.format_exc()
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1:])
