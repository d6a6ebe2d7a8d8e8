"""Thread, process and inline: one seam, one behaviour. Short calls in real time."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.audio import driver
from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.framing import frame
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.outbox import MIC_KEPT, Outbox
from antiphon.audio.plane_frames import from_plane, to_plane
from antiphon.audio.process_plane import ProcessPlane
from antiphon.audio.seam import (
    ArmReflex,
    CloseLine,
    LegSpec,
    LineClosed,
    LineDown,
    LineError,
    LineUp,
    MicAudio,
    PlaySpeech,
    Progress,
    PushAudio,
    Reflex,
    Settled,
)
from antiphon.audio.seam import OpenLine as Open
from antiphon.audio.thread_plane import ThreadPlane
from antiphon.audio.vad import EnergyVAD
from antiphon.audio.wav import WavWriter, read_wav
from antiphon.errors import AudioError
from antiphon.transport import leg_factory, offer_leg, withdraw_leg
from antiphon.transport.memory import MemoryLeg
from tests.audio.plane_driver import tone

FORMS: dict[str, Callable[[], Any]] = {
    "thread": lambda: ThreadPlane(EnergyVAD),
    "process": lambda: ProcessPlane(),
    "inline": lambda: InlinePlane(EnergyVAD()),
}


class Listener:
    """Collects a line's messages, lets a test wait for one."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._changed = asyncio.Event()

    def __call__(self, messages: Any) -> None:
        self.messages += messages
        self._changed.set()

    async def wait_for(self, kind: type[Any], seconds: float = 5.0) -> Any:
        async with asyncio.timeout(seconds):
            while True:
                for message in self.messages:
                    if isinstance(message, kind):
                        return message
                self._changed.clear()
                await self._changed.wait()


def push(speech: str, samples: np.ndarray) -> PushAudio:
    return PushAudio(line="a", speech=speech, frame=AudioFrame.pcm(samples.tobytes(), PLAY_RATE), last=True)


@pytest.mark.parametrize("form", FORMS)
def test_a_call_is_the_same_in_every_form(form: str) -> None:
    async def call() -> list[Any]:
        plane = FORMS[form]()
        await plane.start()
        listener = Listener()
        plane.subscribe("a", listener)
        plane.send(Open(line="a", leg=LegSpec("memory", {})))
        await listener.wait_for(LineUp)
        plane.send(push("s", tone(0.5, PLAY_RATE)))
        plane.send(PlaySpeech(line="a", speech="s"))
        settled = await listener.wait_for(Settled)
        plane.send(CloseLine(line="a"))
        await listener.wait_for(LineClosed)
        await plane.aclose()
        with pytest.raises(AudioError):
            plane.send(CloseLine(line="a"))
        assert (settled.position, settled.reason, settled.quality) == (12_000, "end", "paced")
        return listener.messages

    messages = asyncio.run(call())
    assert not [message for message in messages if isinstance(message, LineError)]
    assert 1 <= sum(isinstance(m, Progress) for m in messages) <= 3
    assert sum(m.frame.samples for m in messages if isinstance(m, MicAudio)) >= 0.4 * 16_000
    assert "antiphon-plane" not in {thread.name for thread in threading.enumerate()}


def test_what_the_process_plays_is_what_was_pushed(tmp_path: Path) -> None:
    caller = tmp_path / "caller.wav"
    out = tmp_path / "out.wav"
    writer = WavWriter(str(caller), 16_000, 1)
    writer.write(tone(0.1, 16_000))
    writer.close()
    sound = tone(0.3, PLAY_RATE)

    async def call() -> None:
        plane = ProcessPlane()
        await plane.start()
        listener = Listener()
        plane.subscribe("a", listener)
        spec = LegSpec("wav", {"path": str(caller), "out": str(out), "lead_in": 0.1, "tail": 0.6})
        plane.send(Open(line="a", leg=spec))
        plane.send(push("s", sound))
        plane.send(PlaySpeech(line="a", speech="s"))
        down = await listener.wait_for(LineDown)
        assert (down.reason, down.certain) == ("hangup", True)
        plane.send(CloseLine(line="a"))
        await listener.wait_for(LineClosed)
        await plane.aclose()

    asyncio.run(call())
    heard, rate = read_wav(str(out))
    first = int(np.flatnonzero(heard)[0])
    assert rate == PLAY_RATE
    assert np.array_equal(heard[first : first + sound.size - 1], sound[1:])


def test_the_death_of_the_planes_process_is_told_to_every_line() -> None:
    async def call() -> None:
        plane = ProcessPlane()
        await plane.start()
        listeners = {line: Listener() for line in "ab"}
        for line, listener in listeners.items():
            plane.subscribe(line, listener)
            plane.send(Open(line=line, leg=LegSpec("memory")))
        for listener in listeners.values():
            await listener.wait_for(LineUp)
        os.kill(plane.pid, signal.SIGKILL)
        for listener in listeners.values():
            assert (await listener.wait_for(LineError)).fatal
            assert not (await listener.wait_for(LineDown)).certain
        with pytest.raises(AudioError):
            plane.send(CloseLine(line="a"))
        await plane.aclose()

    asyncio.run(call())


def test_the_planes_process_ends_with_its_parent() -> None:
    async def call() -> int:
        plane = ProcessPlane()
        await plane.start()
        pid = plane.pid
        assert plane._transport is not None
        plane._transport.abort()
        assert plane._process is not None
        assert await asyncio.get_running_loop().run_in_executor(None, plane._process.wait, 3.0) == 0
        await plane.aclose()
        return pid

    pid = asyncio.run(call())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("form", ["thread", "process"])
def test_a_plane_that_cannot_start_says_why(form: str) -> None:
    def missing() -> EnergyVAD:
        raise AudioError("no such model")

    async def call() -> None:
        plane: Any = ThreadPlane(missing) if form == "thread" else ProcessPlane("/nowhere/vad.onnx")
        with pytest.raises(AudioError, match=r"no such model|No voice activity model"):
            await plane.start()
        with pytest.raises(AudioError):
            plane.send(CloseLine(line="a"))
        await plane.aclose()

    asyncio.run(call())


def test_an_unknown_transport_is_a_fatal_error_of_the_line() -> None:
    async def call() -> None:
        plane = InlinePlane()
        listener = Listener()
        plane.subscribe("a", listener)
        plane.send(Open(line="a", leg=LegSpec("carrier pigeon")))
        error = await listener.wait_for(LineError)
        assert error.fatal
        assert "carrier pigeon" in error.error
        await plane.aclose()

    asyncio.run(call())


def test_a_leg_made_by_the_application_is_taken_once() -> None:
    leg = MemoryLeg()
    offer_leg("mine", leg)
    assert leg_factory("object")({"key": "mine"}) is leg
    with pytest.raises(Exception, match="mine"):
        leg_factory("object")({"key": "mine"})
    withdraw_leg("mine")


def test_a_core_that_does_not_fetch_loses_old_audio_and_nothing_else() -> None:
    outbox = Outbox()
    second = AudioFrame.pcm(bytes(32_000), 16_000)
    outbox.add([Settled(line="a", at=0.0, speech="s", position=1, quality="peer", reason="end")])
    for n in range(60):
        outbox.add([MicAudio(line="a", at=float(n), frame=second)])
    outbox.add([LineClosed(line="a", at=60.0)])
    messages = outbox.take()
    mic = [message for message in messages if isinstance(message, MicAudio)]
    assert isinstance(messages[0], Settled)
    assert sum(message.frame.samples for message in mic) <= MIC_KEPT
    assert mic[-1].at == 59.0
    closed = messages[-1]
    assert isinstance(closed, LineClosed)
    assert closed.counts["mic_dropped"] == 60 * 16_000 - sum(message.frame.samples for message in mic)
    assert outbox.take() == []


def test_messages_survive_any_cut_of_the_stream() -> None:
    sent = [push("s", tone(0.1, PLAY_RATE)), PlaySpeech(line="a", speech="s")]
    data = frame(sent[:1]) + frame(sent[1:])
    unpacker, got = to_plane(), []
    for at in range(0, len(data), 7):
        got += unpacker.feed(data[at : at + 7])
    assert got == sent
    with pytest.raises(AudioError):
        from_plane().feed(frame([{"kind": "nonsense"}]))
    with pytest.raises(AudioError):
        from_plane().feed(b"\xff" * 8)


def test_the_reflex_needs_nothing_of_a_core_that_is_busy(tmp_path: Path) -> None:
    caller = tmp_path / "caller.wav"
    writer = WavWriter(str(caller), 16_000, 1)
    writer.write(np.concatenate((np.zeros(8_000, dtype=np.int16), tone(2.0, 16_000))))
    writer.close()

    async def call() -> list[Any]:
        plane = ThreadPlane(EnergyVAD)
        await plane.start()
        listener = Listener()
        plane.subscribe("a", listener)
        plane.send(Open(line="a", leg=LegSpec("memory", {"wav": str(caller)})))
        plane.send(ArmReflex(line="a", armed=True))
        plane.send(push("s", tone(3.0, PLAY_RATE)))
        plane.send(PlaySpeech(line="a", speech="s"))
        await asyncio.sleep(0.1)
        until = driver.now() + 1.2
        while driver.now() < until:
            sum(range(1000))
        await listener.wait_for(Reflex)
        plane.send(CloseLine(line="a"))
        await listener.wait_for(LineClosed)
        await plane.aclose()
        return listener.messages

    messages = asyncio.run(call())
    up = next(message.at for message in messages if isinstance(message, LineUp))
    ducked, paused = [message for message in messages if isinstance(message, Reflex)][:2]
    assert (ducked.action, paused.action) == ("ducked", "paused")
    assert ducked.at - up == pytest.approx(0.5 + 0.2, abs=0.2)
    assert paused.at - up == pytest.approx(0.5 + 0.45, abs=0.2)
    assert any(isinstance(message, MicAudio) and message.at > paused.at for message in messages)
