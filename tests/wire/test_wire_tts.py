"""A voice behind a WebSocket: what a session gets from it on good days and bad ones."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_calls import TEXTS, said

from antiphon.audio.frames import AudioFrame
from antiphon.errors import ModelError
from antiphon.models.speech_codec import Frame, Speak, TTSCommand
from antiphon.providers import cartesia
from antiphon.providers.cartesia_sonic import SonicCodec, SonicOptions
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.threaded import ThreadedSimulators
from antiphon.wire.tts import RETRY

PATIENT = msgspec.structs.replace(RETRY, delays=(0.0, 0.1, 0.3, 0.5, 0.5, 0.5, 0.5), budget=60.0)


ODDITIES: tuple[Any, ...] = ("malformed", "unknown", "empty", "other_kind", "stall", "late")
"""Not ``duplicate``: no service numbers its audio, so what comes twice sounds twice."""


class Call:
    """A voice on a simulator, on the virtual clock."""

    def __init__(self, *faults: Fault, script: FaultScript | None = None, voice: Any = None, **options: Any) -> None:
        self.simulator = CartesiaSimulator(faults=script or FaultScript.of(*faults), **(voice or {}))
        self.connector = MemoryConnector(self.simulator)
        self.tts = cartesia.TTS(api_key="secret", connector=self.connector, **options)

    async def say(self, *texts: str, pause: float = 0.0) -> list[AudioFrame]:
        stream = self.tts.stream()

        async def write() -> None:
            for text in texts:
                stream.push_text(text)
                await asyncio.sleep(pause)
            stream.end_input()

        writing = asyncio.create_task(write())
        try:
            return [frame async for frame in stream]
        finally:
            writing.cancel()

    def run(self, coroutine: Any) -> Any:
        with virtual_loop(0) as loop:

            async def main() -> Any:
                try:
                    return await coroutine
                finally:
                    await self.tts.aclose()

            try:
                return loop.run_until_complete(main())
            finally:
                assert self.connector.open == 0, "a socket was left open"
                assert asyncio.all_tasks(loop) == set()


# --- good days -----------------------------------------------------------------------------------------------------------


def test_audio_is_labelled_with_the_text_it_speaks() -> None:
    call = Call()
    frames = call.run(call.say(*TEXTS))
    assert said(frames) == list(TEXTS)
    for segment, text in enumerate(TEXTS):
        words = [word for frame in frames if frame.segment == segment for word in frame.words]
        assert [word.text for word in words] == text.split()
        length = sum(frame.duration for frame in frames if frame.segment == segment)
        assert words[0].start == 0.0 and words[-1].end == pytest.approx(length, abs=0.01)
    assert call.tts.usage.characters == sum(map(len, TEXTS))


def test_a_model_that_thinks_between_two_sentences_is_waited_for() -> None:
    """Longer than the service keeps a context whose audio has run out: another one follows."""
    call = Call()
    frames = call.run(call.say(*TEXTS, pause=8.0))
    assert said(frames) == list(TEXTS) and call.tts.usage.lost == 0


def test_a_text_without_a_sound_ends_too() -> None:
    call = Call()
    assert said(call.run(call.say("...", *TEXTS)), "...", *TEXTS)[1:] == list(TEXTS)
    silent = Call()
    assert silent.run(silent.say()) == []


def test_half_a_surrogate_pair_does_not_silence_the_text() -> None:
    call = Call()
    assert said(
        call.run(call.say("Hi \ud83d there.", "A \ud83d\ude00 too.")), "Hi \ufffd there.", "A \U0001f600 too."
    ) == [
        "Hi \ufffd there.",
        "A \U0001f600 too.",
    ]
    assert call.tts.usage.lost == 0


def test_an_error_of_the_codec_is_raised_at_once() -> None:
    class Broken(SonicCodec):
        def encode(self, command: TTSCommand) -> list[Frame]:
            if isinstance(command, Speak):
                raise LookupError("no such word")
            return super().encode(command)

    call = Call()
    call.tts.codec = lambda: Broken(SonicOptions())

    async def main() -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(LookupError, match="no such word"):
            await call.say("Hello.")
        return asyncio.get_running_loop().time() - began

    assert call.run(main()) < RETRY.budget and call.tts.usage.lost == 0


def test_one_socket_serves_reply_after_reply() -> None:
    call = Call()

    async def replies() -> None:
        await call.tts.prewarm()
        for _ in range(5):
            assert said(await call.say(*TEXTS)) == list(TEXTS)
        both = await asyncio.gather(call.say(TEXTS[0]), call.say(TEXTS[1]))
        assert [said(frames, text) for frames, text in zip(both, TEXTS, strict=False)] == [[TEXTS[0]], [TEXTS[1]]]

    call.run(replies())
    assert len(call.simulator.clients) == 1


def test_a_reply_that_is_interrupted_stops_at_once_and_its_late_audio_is_not_heard() -> None:
    call = Call(contexts=2)

    async def replies() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(6):
            stream = call.tts.stream()
            stream.push_text(TEXTS[1])
            stream.push_text(TEXTS[0])
            async for _frame in stream:
                break
            began = loop.time()
            await stream.aclose()
            assert loop.time() == began
        assert said(await call.say(TEXTS[2]), TEXTS[2]) == [TEXTS[2]]

    call.run(replies())
    cancels = [frame for client in call.simulator.clients for frame in client.received if '"cancel":true' in str(frame)]
    assert len(cancels) == 6


def test_what_a_user_asks_for_reaches_the_service() -> None:
    call = Call(speed=1.2, emotion="calm", language="de", options={"use_normalized_timestamps": True})
    call.run(call.say(TEXTS[0]))
    request = msgspec.json.decode(call.simulator.clients[0].received[0])
    assert request["generation_config"] == {"speed": 1.2, "emotion": "calm"}
    assert request["language"] == "de" and request["use_normalized_timestamps"] and request["max_buffer_delay_ms"] == 0


# --- bad days ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["close", "abort", "silent", "refuse", "vanish"])
def test_a_socket_lost_before_any_audio_is_replaced(kind: Any) -> None:
    call = Call(Fault(kind))
    assert said(call.run(call.say(*TEXTS))) == list(TEXTS)
    assert len(call.simulator.clients) + len(call.simulator.refused) > 1


def _frames_until(done: str, nth: int) -> int:
    """After how many frames of a good call the ``nth`` text is complete."""
    call = Call()
    call.run(call.say(*TEXTS))
    marks = [n for n, frame in enumerate(call.simulator.clients[0].sent) if done in str(frame)]
    return marks[nth] + 1


@pytest.mark.parametrize("kind", ["close", "abort", "silent"])
@pytest.mark.parametrize("nth", [0, 1])
def test_a_socket_lost_between_two_texts_is_gone_on_from_the_next(kind: Any, nth: int) -> None:
    call = Call(Fault(kind, after=_frames_until("flush_done", nth)))
    frames = call.run(call.say(*TEXTS))
    assert said(frames) == list(TEXTS) and call.tts.usage.lost == 1
    resent = msgspec.json.decode(call.simulator.clients[1].received[0])["transcript"]
    assert resent.strip() == TEXTS[nth + 1]


@pytest.mark.parametrize("kind", ["close", "abort", "silent"])
def test_a_socket_lost_within_a_text_is_the_sessions_to_repair(kind: Any) -> None:
    """Audio of the text was given out: only the session knows how much of it was heard."""
    call = Call(Fault(kind, after=_frames_until("flush_done", 0) + 3))
    with pytest.raises(ModelError) as caught:
        call.run(call.say(*TEXTS))
    assert caught.value.retryable


@pytest.mark.parametrize("kind", ["malformed", "unknown", "empty", "other_kind", "late", "stall"])
def test_odd_frames_change_nothing(kind: Any) -> None:
    call = Call(Fault(kind, clients=None, after=2, seconds=0.05))
    assert said(call.run(call.say(*TEXTS))) == list(TEXTS) and call.tts.usage.lost == 0


def test_an_error_of_one_context_leaves_the_others_alone() -> None:
    call = Call(voice=None, options={"no_such_field": 1})
    with pytest.raises(ModelError, match="Unknown field") as caught:
        call.run(call.say(TEXTS[0]))
    assert not caught.value.retryable and len(call.simulator.clients) == 1


def test_a_synthesis_that_is_stuck_does_not_take_its_neighbours_along() -> None:
    call = Call(voice={"stuck": "order", "speed": 1.0})
    long = " ".join(["on and on"] * 8)

    async def both() -> None:
        stuck = asyncio.create_task(call.say(TEXTS[0]))
        frames = await call.say(long)
        assert said(frames, long)[0].split() == long.split()
        with pytest.raises(ModelError, match="no audio within"):
            await stuck

    call.run(both())
    assert len(call.simulator.clients) == 1


def test_a_service_that_never_ends_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that takes its time, a service that does not."""
    monkeypatch.setattr("antiphon.wire.tts_link.MAX_UNREAD", 500_000)
    call = Call(voice={"speed": 0})

    async def listen() -> None:
        stream = call.tts.stream()
        stream.push_text("endless " * 50)
        with pytest.raises(ModelError, match="without end"):
            async for _ in stream:
                await asyncio.sleep(1.0)

    call.run(listen())


def test_too_many_at_a_time_are_asked_again() -> None:
    call = Call(voice={"contexts": 1}, retry=PATIENT)

    async def both() -> list[list[AudioFrame]]:
        return await asyncio.gather(call.say(TEXTS[2]), call.say(TEXTS[2]))

    assert [said(frames, TEXTS[2]) for frames in call.run(both())] == [[TEXTS[2]], [TEXTS[2]]]


def test_an_idle_socket_is_renewed_before_the_service_closes_it() -> None:
    call = Call()

    async def idle() -> None:
        await call.say(TEXTS[0])
        await asyncio.sleep(280.0)
        assert said(await call.say(TEXTS[1]), TEXTS[1]) == [TEXTS[1]]

    call.run(idle())
    assert len(call.simulator.clients) == 2 and call.tts.usage.lost == 0


def test_a_socket_that_breaks_between_two_replies_is_replaced_before_the_next() -> None:
    call = Call(Fault("abort", after=_frames_until('"done":true', 0) - 1))

    async def two() -> None:
        await call.say(*TEXTS)
        await asyncio.sleep(1.0)
        opened = call.tts.usage.sockets
        assert opened == 2
        assert said(await call.say(*TEXTS)) == list(TEXTS) and call.tts.usage.sockets == opened

    call.run(two())


def test_a_wrong_key_is_found_before_the_call_and_not_shown() -> None:
    call = Call(voice={"key": "right"})
    with pytest.raises(ModelError, match="401") as caught:
        call.run(call.tts.prewarm())
    assert not caught.value.retryable and "secret" not in f"{caught.value!r} {call.tts!r}"


def test_closing_at_any_moment_frees_everything_at_once() -> None:
    for n in range(12):
        call = Call(Fault("slow", seconds=0.3), Fault("silent", after=4))

        async def cut(call: Call = call, after: float = 0.1 * n) -> None:
            speaking = asyncio.create_task(call.say(*TEXTS))
            await asyncio.sleep(after)
            speaking.cancel()
            began = asyncio.get_running_loop().time()
            await asyncio.wait([speaking])
            assert asyncio.get_running_loop().time() == began

        call.run(cut())


# --- any day -------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_whatever_happens_the_audio_is_the_same_or_the_failure_is_told(seed: int) -> None:
    """A failure is told only where audio of the text in question was given out."""
    call = Call(script=FaultScript.seeded(seed, frames=30, oddities=ODDITIES), retry=PATIENT)

    async def speak() -> list[AudioFrame]:
        stream = call.tts.stream()
        for text in TEXTS:
            stream.push_text(text)
        stream.end_input()
        frames: list[AudioFrame] = []
        try:
            async for frame in stream:
                frames.append(frame)
        except ModelError:
            given = {frame.segment for frame in frames}
            heard = said(frames)
            assert given and heard[: max(given)] == list(TEXTS[: max(given)])
            assert TEXTS[max(given)].startswith(heard[max(given)])
            return []
        return frames

    frames = call.run(speak())
    assert not frames or said(frames) == list(TEXTS)


def test_many_reconnects_leave_nothing() -> None:
    call = Call(Fault("abort", clients=tuple(range(50))), retry=msgspec.structs.replace(RETRY, delays=(0.0,) * 60))
    assert said(call.run(call.say(*TEXTS))) == list(TEXTS)
    assert call.tts.usage.sockets == 51


@pytest.mark.filterwarnings("error")
def test_a_voice_used_from_one_loop_after_another_keeps_the_last_one_alone() -> None:
    with ThreadedSimulators() as simulators:
        tts = cartesia.TTS(api_key="secret", base_url=simulators("cartesia", speed=0))

        async def say() -> None:
            stream = tts.stream()
            stream.push_text("Hello.")
            stream.end_input()
            assert [frame async for frame in stream]

        loops = []
        for _ in range(4):
            with asyncio.Runner() as runner:
                runner.run(say())
                loops.append(weakref.ref(runner.get_loop()))
        gc.collect()
        assert [loop() is None for loop in loops] == [True, True, True, False]
        asyncio.run(tts.aclose())
        gc.collect()
        assert loops[-1]() is None
