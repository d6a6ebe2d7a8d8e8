"""The caller's sound in a room: what was recorded before the agent came, and noise cancelling."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from numpy.typing import NDArray

from antiphon import Agent, AgentSession, AudioInputOptions, RoomOptions
from antiphon.audio.wav import read_wav
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.tts import ScriptedTTS
from tests.worker.livekit_server import LiveKitProcess
from tests.worker.quiet import Quiet
from tests.worker.room_agent import Ears, a_room, agent_in
from tests.worker.room_caller import FRAME, RATE, RoomCaller

SPOKEN = Path(__file__).parents[2] / "examples" / "coffee" / "callers" / "1-heart.wav"


def session(ears: Ears) -> AgentSession[Any]:
    return AgentSession(
        stt=ears, llm=ScriptedLLM(["Yes."]), tts=ScriptedTTS(pcm=True), turn_detector=None, user_away_timeout=0.0
    )


async def until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def found(heard: NDArray[np.float64], spoken: NDArray[np.int16], begin: int) -> float | None:
    """Seconds by which a quarter of a second of what was spoken stands later in what was heard."""
    piece = spoken[begin : begin + RATE // 4].astype(np.float64)
    if np.abs(piece).mean() < 100:
        return None
    size = 1 << int(heard.size + piece.size).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(piece, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    energy = energy[piece.size :] - energy[: -piece.size]
    alike = products[: energy.size] / np.sqrt(np.maximum(energy, 1.0) * (piece**2).sum())
    return (int(alike.argmax()) - begin) / RATE


def test_what_was_said_before_the_agent_came_is_heard_once_and_first(livekit: LiveKitProcess) -> None:
    """As LiveKit's clients do: record, join, publish with the mark, send the recording when the agent is there; the end of the
    recording is on the live track too."""

    async def call() -> None:
        caller, source = RoomCaller(livekit.url, a_room()), rtc.AudioSource(RATE, 1)
        await caller.join(microphone=False)
        spoken = read_wav(str(SPOKEN), RATE)[0]
        spoken = np.concatenate([spoken, np.zeros(3 * RATE, np.int16)])
        ears = Ears()
        async with agent_in(livekit, caller.name) as ctx:
            live = session(ears)
            await live.start(Agent(instructions="x"), ctx)
            await until(lambda: ctx.room.linked == "caller")
            track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, preconnect_buffer=True)
            publication = await caller.room.local_participant.publish_track(track, options)
            begins = RATE  # the first second was said before the connection was there

            async def speak() -> None:
                for at in range(begins, spoken.size - FRAME, FRAME):
                    await source.capture_frame(rtc.AudioFrame(spoken[at : at + FRAME].tobytes(), RATE, 1, FRAME))

            async def send() -> None:
                await asyncio.sleep(1.0)
                recording = spoken[: begins + RATE]  # recorded on while the track was on its way
                attributes = {"trackId": publication.sid, "sampleRate": str(RATE), "channels": "1"}
                writer = await caller.room.local_participant.stream_bytes(
                    "buffer", topic="lk.agent.pre-connect-audio-buffer", mime_type="audio/pcm", attributes=attributes,
                    destination_identities=["agent"],
                )  # fmt: skip
                await writer.write(recording.tobytes())
                await writer.aclose()

            await asyncio.gather(speak(), send())
            heard = np.concatenate([np.frombuffer(frame.data, np.int16) for frame in ears.frames]).astype(np.float64)
            assert not live.close_reason
        await caller.leave()
        places = [
            place for begin in range(0, 3 * RATE, RATE // 4) if (place := found(heard, spoken, begin)) is not None
        ]
        assert len(places) >= 8
        shifts = [place - places[0] for place in places]
        assert max(map(abs, shifts)) < 0.12, f"whole and once, as far as a jitter buffer lets: {shifts}"
        assert (np.abs(heard) > 300).sum() < 1.15 * (np.abs(spoken) > 300).sum(), "nothing twice"

    asyncio.run(call())


def test_a_recording_that_never_comes_costs_no_word(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        caller, source = RoomCaller(livekit.url, a_room()), rtc.AudioSource(RATE, 1)
        await caller.join(microphone=False)
        ears = Ears()
        async with agent_in(livekit, caller.name) as ctx:
            options = RoomOptions(audio_input=AudioInputOptions(pre_connect_audio_timeout=1.0))
            await session(ears).start(Agent(instructions="x"), ctx, room_options=options)
            track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
            marked = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, preconnect_buffer=True)
            await caller.room.local_participant.publish_track(track, marked)
            caller._source = source
            await caller.say(SPOKEN, then=2.0)
        await caller.leave()
        sound = read_wav(str(SPOKEN), RATE)[0].size / RATE
        assert sum(frame.duration for frame in ears.frames) > sound and ears.voiced > 0.7 * sound

    asyncio.run(call())


def test_noise_cancelling_runs_in_the_media_process_and_may_fail(livekit: LiveKitProcess) -> None:
    async def call(cleaner: Any, **options: Any) -> tuple[Ears, list[str]]:
        caller, ears, errors = RoomCaller(livekit.url, a_room()), Ears(), list[str]()
        await caller.join()
        async with agent_in(livekit, caller.name) as ctx:
            live = session(ears)
            live.on("error", lambda event: errors.append(event.error))
            audio = AudioInputOptions(noise_cancellation=cleaner, sample_rate=48_000, **options)
            await live.start(Agent(instructions="x"), ctx, room_options=RoomOptions(audio_input=audio))
            await caller.say(SPOKEN, then=0.5)
            assert not live.close_reason
        await caller.leave()
        return ears, errors

    ears, errors = asyncio.run(call(Quiet))
    loudest = max(int(np.abs(np.frombuffer(frame.data, np.int16)).max()) for frame in ears.frames[-50:])
    assert loudest == 0 and not errors, "the filter took all away"
    ears, errors = asyncio.run(call("tests.worker.quiet:TheirQuiet"))
    assert ears.voiced == 0 and ears.frames and not errors
    ears, errors = asyncio.run(call(Quiet, noise_cancellation_options={"floor": 1}))
    assert ears.voiced > 1.0
    ears, errors = asyncio.run(call("tests.worker.quiet:Broken"))
    assert ears.voiced > 1.0 and any("out of beans" in error for error in errors)
    ears, errors = asyncio.run(call("tests.worker.quiet:Nothing"))
    assert ears.voiced > 1.0 and any("cannot be made" in error for error in errors)


def test_a_caller_who_is_left_and_taken_again_and_again_is_heard(livekit: LiveKitProcess) -> None:
    async def call() -> None:
        room = a_room()
        caller, other = RoomCaller(livekit.url, room), RoomCaller(livekit.url, room, "other")
        await caller.join()
        speaking = asyncio.create_task(caller.say(SPOKEN, then=6.0))
        await other.join()
        ears = Ears()
        async with agent_in(livekit, room) as ctx:
            await until(lambda: ctx.room.linked)
            audio = AudioInputOptions(noise_cancellation=Quiet, noise_cancellation_options={"floor": 1})
            await session(ears).start(Agent(instructions="x"), ctx, room_options=RoomOptions(audio_input=audio))
            linked: list[str] = []
            ctx.room.on("participant_linked", lambda message: linked.append(message.identity))
            for identity in ("other", "caller", "other", "caller"):
                ctx.room.link(identity)
            await until(lambda: linked[-3:] == ["other", "", "caller"])
            await speaking
            before = ears.voiced
            await caller.say(SPOKEN, then=1.0)
            assert ears.voiced - before > 1.5
        await caller.leave()
        await other.leave()

    asyncio.run(call())


@pytest.mark.parametrize("cleaner", [lambda rate: None, Quiet(48_000), "numpy", "__main__:clean"])
def test_what_cannot_be_imported_there_is_refused_here(cleaner: Any) -> None:
    from antiphon.errors import ConfigurationError

    with pytest.raises(ConfigurationError):
        RoomOptions(audio_input=AudioInputOptions(noise_cancellation=cleaner))
