"""A recogniser behind a WebSocket: what a session gets from it on good days and bad ones."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speech_calls import BEGAN, ORDER, SAID, TEXT, frames_of, text

from antiphon.audio.frames import FLUSH
from antiphon.errors import ModelError
from antiphon.models.speech_codec import STTRules
from antiphon.models.stt import STTEvent
from antiphon.providers import deepgram
from antiphon.providers.deepgram_nova import NovaCodec, NovaOptions
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.recording import Recording
from antiphon.wire.faults import Service
from antiphon.wire.socket import SpeechDeadlines
from antiphon.wire.stt import WireSTT

MODELS = ["nova-3", "flux-general-en"]


async def hear(stt: WireSTT, recording: Recording = ORDER, *, flush: bool = True) -> list[STTEvent]:
    """Play a recording to a stream at the speed of speech."""
    stream = stt.stream(language="en")

    async def play() -> None:
        spoke = False
        for frame in frames_of(recording):
            await asyncio.sleep(frame.duration)
            stream.push(frame)
            if flush and spoke and not frame.speech:
                stream.push(FLUSH)
            spoke = bool(frame.speech)
        stream.end_input()

    playing = asyncio.create_task(play())
    try:
        return [event async for event in stream]
    finally:
        playing.cancel()


class Heard(msgspec.Struct):
    """A call's events, the simulator it talked with, the model."""

    events: list[STTEvent]
    simulator: DeepgramSimulator
    stt: WireSTT

    @property
    def text(self) -> str:
        return text(self.events)

    @property
    def lost(self) -> float:
        return sum(event.lost for event in self.events)


def run(
    model: str = "nova-3",
    *faults: Fault,
    script: FaultScript | None = None,
    recording: Recording = ORDER,
    stt: WireSTT | None = None,
    **options: Any,
) -> Heard:
    simulator = DeepgramSimulator([recording], faults=script or FaultScript.of(*faults))
    with virtual_loop(0) as loop:
        connector = MemoryConnector(simulator)
        if stt is None:
            stt = deepgram.STT(model, api_key="secret", connector=connector, **options)
        else:
            stt._connector = connector
        heard = Heard(loop.run_until_complete(hear(stt, recording)), simulator, stt)
        assert connector.open == 0, "a socket was left open"
        assert asyncio.all_tasks(loop) == set()
    return heard


# --- good days -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_what_was_said_arrives_word_by_word_and_timed(model: str) -> None:
    heard = run(model)
    assert heard.text == TEXT
    assert any(event.kind == "partial" for event in heard.events)
    final = next(event for event in heard.events if event.kind == "final" and event.text)
    assert final.start == pytest.approx(BEGAN + 0.3, abs=0.05)
    assert [word.text for word in final.words] == SAID[0].split()
    assert final.words[1].start == pytest.approx(0.3, abs=0.05)
    assert heard.stt.usage.seconds == pytest.approx(ORDER.seconds, abs=0.05)
    assert (heard.stt.usage.sockets, heard.stt.usage.lost) == (1, 0)


def test_a_flush_brings_the_final_at_once() -> None:
    first = run().simulator.clients[0]
    flushed = next(frame for frame in first.sent if '"from_finalize":true' in str(frame))
    assert SAID[0] in str(flushed)


def test_turns_that_the_service_rules_on_are_told() -> None:
    heard = run("flux-general-en", eager_eot_threshold=0.4)
    kinds = [event.kind for event in heard.events if event.kind.startswith("turn")]
    assert kinds[0] == "turn_start" and kinds.count("turn_end") == 2
    assert heard.stt.capabilities.end_of_turn


def test_what_a_user_asks_for_reaches_the_service() -> None:
    heard = run(keyterms=["flat white", "croissant"], diarize=True, language="multi", options={"version": "latest"})
    request = heard.simulator.clients[0].request
    assert request.all("keyterm") == ["flat white", "croissant"]
    assert (request.one("language"), request.one("diarize"), request.one("version")) == ("multi", "true", "latest")
    assert {event.speaker for event in heard.events if event.kind == "final" and event.text} == {"0"}


async def _on_hold(stt: WireSTT, seconds: float) -> list[STTEvent]:
    stream = stt.stream()
    frames = list(frames_of(ORDER))

    async def play() -> None:
        for frame in frames[:20]:
            stream.push(frame)
        await asyncio.sleep(seconds)
        for frame in frames[20:]:
            stream.push(msgspec.structs.replace(frame, at=frame.at + seconds))
        stream.end_input()

    playing = asyncio.create_task(play())
    events = [event async for event in stream]
    await playing
    return events


@pytest.mark.parametrize("model", MODELS)
def test_a_caller_on_hold_keeps_the_connection(model: str) -> None:
    """A minute without audio: the service would close after ten seconds. Times after it are right all the same."""
    simulator = DeepgramSimulator([ORDER])
    with virtual_loop(0) as loop:
        stt = deepgram.STT(model, api_key="k", connector=MemoryConnector(simulator))
        events = loop.run_until_complete(_on_hold(stt, 60.0))
    assert len(simulator.clients) == 1 and text(events).endswith(SAID[1])
    second = next(event for event in events if event.kind == "final" and event.text.endswith(SAID[1]))
    assert second.end == pytest.approx(BEGAN + 60.0 + ORDER.words[-1].end, abs=0.7)


# --- bad days ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("after", [0, 2, 5, 9])
@pytest.mark.parametrize("kind", ["close", "abort", "silent", "vanish"])
def test_a_lost_socket_loses_no_word(model: str, kind: Any, after: int) -> None:
    heard = run(model, Fault(kind, after=after))
    assert heard.text == TEXT and heard.lost == 0.0
    lost = [event for event in heard.events if event.kind == "reconnected"]
    assert heard.stt.usage.sockets == 2 and len(lost) == heard.stt.usage.lost <= 1
    finals = [event for event in heard.events if event.kind == "final" and event.text]
    assert [event.start for event in finals] == pytest.approx([BEGAN + 0.3, BEGAN + 2.7], abs=0.05), "capture times"
    again = sum(event.seconds for event in lost)
    assert heard.stt.usage.seconds == pytest.approx(ORDER.seconds + again, abs=0.1)


@pytest.mark.parametrize("kind", ["duplicate", "malformed", "unknown", "empty", "other_kind", "late", "stall"])
@pytest.mark.parametrize("model", MODELS)
def test_odd_frames_change_nothing(model: str, kind: Any) -> None:
    heard = run(model, Fault(kind, clients=None, after=1, seconds=0.1))
    assert heard.text == TEXT and heard.stt.usage.lost == 0


def test_a_service_that_reads_no_more_fills_no_memory_and_is_left() -> None:
    """What is under way is bounded, and then sending has a time limit: found even where nothing else would tell."""
    speech = Recording.of(" ".join(f"word{n}" for n in range(60)), "done")
    trusting = SpeechDeadlines(deaf=1_000.0, final=1_000.0)
    heard = run("nova-3", Fault("unread", after=1), recording=speech, deadlines=trusting)
    assert "took no audio" in next(event.text for event in heard.events if event.kind == "reconnected")
    assert heard.text == " ".join(word.text for word in speech.words)
    assert len(heard.simulator.clients) == 2


def test_a_frame_that_is_too_big_costs_the_socket_alone() -> None:
    with pytest.raises(ModelError) as caught:
        run("nova-3", Fault("huge", clients=None, after=2))
    assert not caught.value.retryable


def test_a_socket_that_takes_audio_and_answers_nothing_is_found_while_the_caller_speaks() -> None:
    """Within three seconds of speech, which is when a session gives up its recogniser for deaf."""
    speech = Recording.of("this is a caller who speaks for quite a while without any pause at all")
    heard = run("nova-3", Fault("silent", after=2), recording=speech)
    assert heard.text == " ".join(word.text for word in speech.words)
    found = heard.events.index(next(event for event in heard.events if event.kind == "reconnected"))
    assert "answers nothing" in heard.events[found].text
    next_word = next(event for event in heard.events[found:] if event.kind == "partial" and event.text)
    assert next_word.end - BEGAN < 0.3 + 0.6 + 3.0


def test_a_service_that_refuses_is_asked_again_and_then_given_up() -> None:
    busy = Fault("refuse", clients=None, status=503)
    with pytest.raises(ModelError) as caught:
        run("nova-3", busy)
    assert caught.value.retryable and caught.value.status == 503
    again = run("nova-3", Fault("refuse", clients=(0, 1), status=503))
    assert again.text == TEXT and len(again.simulator.refused) == 2


def test_no_storm_of_attempts() -> None:
    simulator = DeepgramSimulator(faults=FaultScript.of(Fault("vanish", clients=None)))
    with virtual_loop(0) as loop:
        stt = deepgram.STT(api_key="k", connector=MemoryConnector(simulator))
        with pytest.raises(ModelError):
            loop.run_until_complete(hear(stt))
    assert len(simulator.clients) == 1 + len(stt.retry.delays)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["abort", "close", "silent"])
@pytest.mark.parametrize("after", [1, 3])
def test_a_service_that_answers_and_then_breaks_each_time_is_given_up(model: str, kind: Any, after: int) -> None:
    """An answer alone is no work done: the same words come again on each connection, and no final ever does."""
    simulator = DeepgramSimulator([ORDER], faults=FaultScript.of(Fault(kind, clients=None, after=after)))
    with virtual_loop(0) as loop:
        stt = deepgram.STT(model, api_key="k", connector=MemoryConnector(simulator))
        with pytest.raises(ModelError) as caught:
            loop.run_until_complete(hear(stt))
    assert caught.value.retryable
    assert len(simulator.clients) <= 1 + len(stt.retry.delays)


def test_a_service_that_settles_a_little_on_each_connection_is_kept_and_asked_more_slowly() -> None:
    """Each connection gives some finals and breaks soon after: no word is lost, and the waits grow."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(seconds)

    recording = Recording.of(*(f"number {n}" for n in range(12)), pause=0.8)
    heard = run("nova-3", Fault("abort", clients=None, after=6), recording=recording, sleep=sleep)
    assert heard.text == " ".join(word.text for word in recording.words) and heard.lost == 0.0
    assert heard.stt.usage.lost > len(heard.stt.retry.delays)
    assert waits[:3] == pytest.approx([0.1, 0.3, 1.0], rel=0.3) and min(waits[3:]) >= 1.0


def test_a_wait_that_the_service_asks_for_is_kept_or_the_service_is_given_up() -> None:
    assert run("nova-3", Fault("refuse", status=429, retry_after=1.5)).text == TEXT
    with pytest.raises(ModelError) as caught:
        run("nova-3", Fault("refuse", status=429, retry_after=60.0))
    assert caught.value.retry_after == 60.0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_what_cannot_be_helped_is_not_tried_again(status: int) -> None:
    simulator = DeepgramSimulator(faults=FaultScript.of(Fault("refuse", clients=None, status=status)))
    with virtual_loop(0) as loop:
        stt = deepgram.STT(api_key="k", connector=MemoryConnector(simulator))
        with pytest.raises(ModelError) as caught:
            loop.run_until_complete(hear(stt))
    assert len(simulator.refused) == 1 and not caught.value.retryable and caught.value.hint


def test_a_wrong_key_is_found_before_the_call_and_not_shown() -> None:
    simulator = DeepgramSimulator(key="right")
    with virtual_loop(0) as loop:
        stt = deepgram.STT(api_key="wrong-secret", connector=MemoryConnector(simulator))
        with pytest.raises(ModelError, match="401") as caught:
            loop.run_until_complete(stt.prewarm())
    assert "wrong-secret" not in f"{caught.value!r} {stt!r} {vars(caught.value)}"


class _ShortLived(NovaCodec):
    rules = STTRules(chunk=0.08, session=4.0)

    def resume(self) -> _ShortLived:
        return _ShortLived(self._options)


def _short_lived() -> WireSTT:
    return WireSTT(
        lambda language: _ShortLived(NovaOptions()),
        Service(name="deepgram", base_url="https://api.deepgram.com"),
        key="k",
    )


def test_before_a_sockets_time_is_up_the_next_takes_over() -> None:
    recording = Recording.of("one", "coffee", "to", "go", pause=3.5)
    heard = run(recording=recording, stt=_short_lived())
    assert heard.text == " ".join(word.text for word in recording.words)
    assert len(heard.simulator.clients) > 1 and heard.stt.usage.lost == 0
    assert heard.stt.usage.seconds == pytest.approx(recording.seconds, abs=0.1), "nothing was sent twice"
    assert all(client.closed == (1000, "") for client in heard.simulator.clients), "each was ended politely"


def test_a_successor_that_cannot_be_had_leaves_the_old_socket_at_work() -> None:
    recording = Recording.of(*SAID, "to take away", "thank you", "good bye")
    heard = run("nova-3", Fault("refuse", clients=(1,)), recording=recording, stt=_short_lived())
    assert heard.text == " ".join(word.text for word in recording.words)
    assert len(heard.simulator.refused) == 1 and heard.stt.usage.sockets > 2


def test_a_time_that_is_up_while_the_caller_speaks_cuts_no_word() -> None:
    recording = Recording.of(" ".join(f"word{n}" for n in range(30)))
    heard = run(recording=recording, stt=_short_lived())
    assert heard.text == " ".join(word.text for word in recording.words) and heard.lost == 0.0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("after", [60, 61, 85, 118, 140, 150])
def test_a_monologue_whose_connection_breaks_loses_and_repeats_no_word(model: str, after: int) -> None:
    """No final comes for longer than audio is kept, up to over a minute: what was understood stands, the rest is heard again."""
    recording = Recording.of(" ".join(f"word{n}" for n in range(160)), word=0.5, pause=1.5)
    heard = run(model, Fault("abort", after=after), recording=recording)
    assert heard.stt.usage.lost == 1 and heard.lost == 0.0
    assert heard.text == " ".join(word.text for word in recording.words)


def test_audio_that_no_socket_ever_took_is_reported() -> None:
    """The service is away for longer than audio is kept."""
    speech = Recording.of(" ".join(f"word{n}" for n in range(80)))
    patient = msgspec.structs.replace(deepgram.STT(api_key="k").retry, delays=(18.0,), budget=30.0)
    heard = run("nova-3", Fault("abort", after=1), recording=speech, retry=patient)
    words = speech.words
    assert heard.lost > 1.0
    missing = {word.text for word in words} - set(heard.text.split())
    assert 0 < len(missing) * 0.3 <= heard.lost + 1.5


def test_closing_at_any_moment_frees_everything_at_once() -> None:
    async def cut(after: float, simulator: DeepgramSimulator) -> None:
        connector = MemoryConnector(simulator)
        stt = deepgram.STT(api_key="k", connector=connector)
        hearing = asyncio.create_task(hear(stt))
        await asyncio.sleep(after)
        hearing.cancel()
        began = asyncio.get_running_loop().time()
        await asyncio.wait([hearing])
        assert asyncio.get_running_loop().time() == began and connector.open == 0

    for n in range(12):
        faults = FaultScript.of(Fault("slow", seconds=0.5), Fault("silent", after=3), Fault("refuse", clients=(1,)))
        with virtual_loop(n) as loop:
            loop.run_until_complete(cut(0.4 * n, DeepgramSimulator([ORDER], faults=faults)))
            assert asyncio.all_tasks(loop) == set()


@pytest.mark.parametrize("after", [0.0, 0.02, 1.0, 2.5])
def test_closing_a_model_ends_its_streams_and_none_reconnects(after: float) -> None:
    simulator = DeepgramSimulator([ORDER], faults=FaultScript.of(Fault("slow", seconds=0.1)))

    async def main() -> None:
        connector = MemoryConnector(simulator)
        stt = deepgram.STT(api_key="k", connector=connector)
        waiting = stt.stream()
        hearing = asyncio.create_task(hear(stt))
        await asyncio.sleep(after)
        opened = stt.usage.sockets
        await stt.aclose()
        assert connector.open == 0
        for use in (hearing, asyncio.ensure_future(anext(aiter(waiting)))):
            with pytest.raises(ModelError, match="was closed"):
                await use
        assert stt.usage.sockets == opened and not stt.running
        assert text(await hear(stt)) == TEXT, "a stream that is made later is another matter"

    with virtual_loop(0) as loop:
        loop.run_until_complete(main())
        assert asyncio.all_tasks(loop) == set()


def test_closing_while_a_socket_is_being_let_go_frees_it_too() -> None:
    """The reader stops at the very event after which the service ends; it and its owner both close the stream."""

    async def until(count: int, simulator: DeepgramSimulator) -> None:
        connector = MemoryConnector(simulator)
        stream = deepgram.STT(api_key="k", connector=connector).stream()
        for frame in frames_of(ORDER):
            stream.push(frame)
        stream.end_input()

        async def read() -> None:
            seen = 0
            async for _ in stream:
                seen += 1
                if seen == count:
                    break

        reading = asyncio.create_task(read())
        await asyncio.wait([reading])
        await asyncio.gather(*(stream.aclose() for _ in range(3)))
        assert connector.open == 0

    for count in range(1, 20):
        for seed in range(5):
            with virtual_loop(seed) as loop:
                loop.run_until_complete(until(count, DeepgramSimulator([ORDER])))
                assert asyncio.all_tasks(loop) == set()


# --- any day -------------------------------------------------------------------------------------------------------------

PATIENT = {"delays": (0.0, 0.1, 0.3, 0.5, 0.5, 0.5, 0.5), "budget": 60.0}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), model=st.sampled_from(MODELS))
def test_whatever_happens_the_words_are_the_same_or_the_loss_is_reported(seed: int, model: str) -> None:
    retry = msgspec.structs.replace(deepgram.STT(api_key="k").retry, **PATIENT)  # type: ignore[arg-type]
    heard = run(model, script=FaultScript.seeded(seed), retry=retry)
    assert heard.text == TEXT or heard.lost > 0.0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_whatever_happens_while_sockets_grow_old_no_word_is_lost(seed: int) -> None:
    recording = Recording.of(*SAID, "to take away, not to have here", "thank you", pause=1.6)
    stt = _short_lived()
    stt.retry = msgspec.structs.replace(stt.retry, **PATIENT)  # type: ignore[arg-type]
    heard = run(script=FaultScript.seeded(seed), stt=stt, recording=recording)
    assert heard.text == " ".join(word.text for word in recording.words) or heard.lost > 0.0


def test_many_reconnects_leave_nothing() -> None:
    faults = FaultScript.of(Fault("abort", clients=tuple(range(50)), after=2))
    retry = msgspec.structs.replace(deepgram.STT(api_key="k").retry, delays=(0.0,) * 60, budget=600.0)
    recording = Recording.of(*(SAID * 8))
    heard = run("nova-3", script=faults, retry=retry, recording=recording)
    assert heard.stt.usage.lost == 50
    assert heard.text == " ".join(word.text for word in recording.words)
