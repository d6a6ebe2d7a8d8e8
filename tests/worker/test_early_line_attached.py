"""A line that one process opened and another took over, before the other's session is there. Short calls in real time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.plane_client import connect_plane
from antiphon.audio.process_plane import ProcessPlane
from antiphon.audio.seam import (
    AttachLine,
    CloseLine,
    LegSpec,
    LineAttached,
    LineClosed,
    LineConfig,
    LineError,
    MicAudio,
    PlaySpeech,
    PushAudio,
    Settled,
)
from antiphon.audio.wav import WavWriter
from antiphon.worker.early_line import EarlyLine
from tests.audio.plane_driver import counting
from tests.audio.test_plane_forms import Listener

CALLER = (np.arange(10 * 16_000) % 30_000).astype(np.int16)


@pytest.mark.parametrize("since", [0.0, -1.0])
def test_the_session_hears_what_it_asks_for_once_and_after_its_answer(since: float, tmp_path: Path) -> None:
    path, caller = str(tmp_path / "m" / "plane.sock"), str(tmp_path / "caller.wav")
    writer = WavWriter(caller, 16_000, 1)
    writer.write(CALLER)
    writer.close()

    async def call() -> None:
        plane = ProcessPlane(listen=path)
        await plane.start()
        first = await connect_plane(path)
        early = EarlyLine(first, "job", on_signal=lambda text: None)
        heard = Listener()
        early.subscribe("job", heard)
        early.open(LegSpec("memory", {"wav": caller}))
        await heard.wait_for(MicAudio)
        frame = AudioFrame.pcm(counting(PLAY_RATE // 2).tobytes(), PLAY_RATE)
        early.send(PushAudio(line="job", speech="s", frame=frame, last=True))
        early.send(PlaySpeech(line="job", speech="s"))
        await asyncio.sleep(0.3)
        await first.aclose()
        given = sound(heard).size

        second = await connect_plane(path)
        late = EarlyLine(second, "job", on_signal=lambda text: None)
        late.attach()
        await asyncio.sleep(0.7)
        session = Listener()
        late.subscribe("job", session)
        late.send(AttachLine(line="job", config=LineConfig(), audio_since=since))
        answer = await session.wait_for(LineAttached)
        assert session.messages[0] is answer
        assert [each.speech for each in answer.settled] == ["s"]
        await asyncio.sleep(0.3)
        late.send(CloseLine(line="job"))
        await session.wait_for(LineClosed)
        assert len([each for each in session.messages if isinstance(each, LineAttached)]) == 1
        assert [each.position for each in session.messages if isinstance(each, Settled)] == [PLAY_RATE // 2]
        begin = 0 if since >= 0 else given
        assert np.array_equal(sound(session), CALLER[begin : begin + sound(session).size])
        assert begin + sound(session).size > 1.2 * 16_000
        await second.aclose()
        await plane.aclose()

    asyncio.run(call())


def test_a_line_that_has_ended_meanwhile_is_told_as_closed(tmp_path: Path) -> None:
    async def call() -> None:
        plane = ProcessPlane()
        await plane.start()
        closed: list[bool] = []
        line = EarlyLine(plane, "job", on_signal=lambda text: None, on_closed=lambda: closed.append(True))
        line.attach()
        session = Listener()
        line.subscribe("job", session)
        line.send(AttachLine(line="job", config=LineConfig()))
        assert (await session.wait_for(LineError)).fatal
        assert closed == [True]
        await plane.aclose()

    asyncio.run(call())


def sound(listener: Any) -> np.ndarray:
    frames = [message.frame.data for message in listener.messages if isinstance(message, MicAudio)]
    return np.frombuffer(b"".join(frames), np.int16)
