"""A media plane as a process and several clients of it, each a process that may be killed or stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.framing import frame
from antiphon.audio.plane_client import PlaneClient, connect_plane
from antiphon.audio.plane_frames import from_plane
from antiphon.audio.process_plane import ProcessPlane
from antiphon.audio.seam import (
    AttachLine,
    CloseLine,
    LegSpec,
    LineAttached,
    LineClosed,
    LineDown,
    LineError,
    LineUp,
    MicAudio,
    OpenLine,
    PlaySpeech,
    PushAudio,
    Settled,
)
from antiphon.audio.wav import WavWriter, read_wav
from antiphon.errors import AudioError
from tests.audio.plane_driver import counting
from tests.audio.plane_process import SPEECH
from tests.audio.test_plane_forms import Listener

PROGRAM = Path(__file__).with_name("plane_process.py")
CALLER = (np.arange(10 * 16_000) % 30_000).astype(np.int16)
GARBAGE = {
    "no length": b"\xff" * 64,
    "no messages": b"\x05\x00\x00\x00hello",
    "messages nobody knows": frame([{"kind": "nonsense", "line": "a"}]),
    "messages of the other direction": frame([LineUp(line="a", at=0.0, quality="paced")]),
}


@asynccontextmanager
async def hosting(folder: Path, **options: Any) -> AsyncIterator[ProcessPlane]:
    plane = ProcessPlane(listen=socket_in(folder), **options)
    await plane.start()
    try:
        yield plane
    finally:
        await plane.aclose()


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


async def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 20)).strip()


def socket_in(folder: Path) -> str:
    return str(folder / "m" / "plane.sock")


def write_caller(folder: Path) -> str:
    writer = WavWriter(str(folder / "caller.wav"), 16_000, 1)
    writer.write(CALLER)
    writer.close()
    return str(folder / "caller.wav")


def speech(name: str, sound: np.ndarray) -> list[Any]:
    frame = AudioFrame.pcm(sound.tobytes(), PLAY_RATE)
    return [PushAudio(line="a", speech=name, frame=frame, last=True), PlaySpeech(line="a", speech=name)]


def send(plane: PlaneClient, *messages: Any) -> None:
    for message in messages:
        plane.send(message)


def mic(listener: Listener) -> np.ndarray:
    frames = [message.frame.data for message in listener.messages if isinstance(message, MicAudio)]
    return np.frombuffer(b"".join(frames), np.int16)


async def attach(plane: PlaneClient, since: float = 0.0) -> Listener:
    listener = Listener()
    plane.subscribe("a", listener)
    plane.send(AttachLine(line="a", audio_since=since))
    return listener


async def gone(pid: int, seconds: float = 5.0) -> None:
    """Until the process runs no more (whoever has to bury it)."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            except FileNotFoundError:
                return
            if state == "Z":
                return
            await asyncio.sleep(0.02)


def voiced(path: Path) -> np.ndarray:
    sound, rate = read_wav(str(path))
    assert rate == PLAY_RATE
    return sound[sound != 0]


def test_a_speech_is_heard_to_its_end_though_its_process_is_killed_and_another_goes_on(tmp_path: Path) -> None:
    caller, out = write_caller(tmp_path), tmp_path / "out.wav"

    async def call() -> None:
        async with hosting(tmp_path):
            with running("owner", socket_in(tmp_path), caller, str(out)) as first:
                word, _ = (await line_of(first)).split()
                assert word == "playing"
                kill(first)
                second = await connect_plane(socket_in(tmp_path))
                listener = await attach(second)
                attached = await listener.wait_for(LineAttached)
                assert listener.messages[0] is attached
                held = attached.speeches["s"]
                assert (held.state, held.complete) == ("playing", True)
                assert 0 < held.heard < SPEECH.size
                settled = await listener.wait_for(Settled)
                assert (settled.speech, settled.position, settled.reason) == ("s", SPEECH.size, "end")
                send(second, *speech("t", counting(PLAY_RATE // 2)))
                async with asyncio.timeout(5):
                    while not [m for m in listener.messages if isinstance(m, Settled) and m.speech == "t"]:
                        await asyncio.sleep(0.02)
                second.send(CloseLine(line="a"))
                await listener.wait_for(LineClosed)
                heard = mic(listener)
                assert np.array_equal(heard, CALLER[: heard.size]), "since the beginning, without gap or double"
                assert heard.size > 2.4 * 16_000
                await second.aclose()

    asyncio.run(call())
    assert np.array_equal(voiced(out), np.concatenate([SPEECH, counting(PLAY_RATE // 2)]))


def test_a_process_that_was_stopped_and_goes_on_is_not_heard_any_more(tmp_path: Path) -> None:
    caller, out = write_caller(tmp_path), tmp_path / "out.wav"

    async def call() -> None:
        async with hosting(tmp_path):
            with running("owner", socket_in(tmp_path), caller, str(out)) as first:
                await line_of(first)
                os.kill(first.pid, signal.SIGSTOP)
                assert first.stdin is not None
                first.stdin.write("go on\n")
                first.stdin.flush()
                second = await connect_plane(socket_in(tmp_path))
                listener = await attach(second)
                await listener.wait_for(LineAttached)
                os.kill(first.pid, signal.SIGCONT)
                assert await line_of(first) == "pushed"
                settled = await listener.wait_for(Settled)
                assert settled.speech == "s"
                await asyncio.sleep(0.5)
                second.send(CloseLine(line="a"))
                closed = await listener.wait_for(LineClosed)
                assert closed.counts["messages_of_others"] == 2
                await second.aclose()

    asyncio.run(call())
    assert np.array_equal(voiced(out), SPEECH)


def test_a_client_that_closes_leaves_its_line_to_another(tmp_path: Path) -> None:
    async def call() -> None:
        async with hosting(tmp_path) as keeper:
            first = await connect_plane(socket_in(tmp_path))
            assert first.alive
            lost = Listener()
            first.subscribe("a", lost)
            send(first, OpenLine(line="a", leg=LegSpec("memory")), *speech("s", counting(4800)))
            await lost.wait_for(LineUp)
            await first.aclose()
            assert not first.alive
            with pytest.raises(AudioError):
                first.send(CloseLine(line="a"))
            assert not [each for each in lost.messages if isinstance(each, LineDown)], "it went by itself"
            listener = await attach(keeper)
            await listener.wait_for(LineAttached)
            keeper.send(CloseLine(line="a"))
            await listener.wait_for(LineClosed)

    asyncio.run(call())


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_client_that_sends_no_messages_is_cut_off_alone(kind: str, tmp_path: Path) -> None:
    async def call() -> None:
        async with hosting(tmp_path) as keeper:
            reader, writer = await asyncio.open_unix_connection(socket_in(tmp_path))
            writer.write(frame([OpenLine(line="a", leg=LegSpec("memory"))]))
            said, unpacker = [], from_plane()
            while not [each for each in said if isinstance(each, LineUp) and each.line == "a"]:
                said += unpacker.feed(await asyncio.wait_for(reader.read(4096), 5))
            writer.write(GARBAGE[kind])
            said += unpacker.feed(await asyncio.wait_for(reader.read(), 5))
            errors = [each for each in said if isinstance(each, LineError)]
            assert [(each.line, each.fatal) for each in errors] == [("", True)]
            writer.close()
            listener = await attach(keeper)
            await listener.wait_for(LineAttached)
            send(keeper, *speech("s", counting(4800)))
            assert (await listener.wait_for(Settled)).position == 4800
            keeper.send(CloseLine(line="a"))
            await listener.wait_for(LineClosed)

    asyncio.run(call())


def test_what_the_host_says_of_a_cut_is_what_the_lines_are_told(tmp_path: Path) -> None:
    async def call() -> None:
        async with hosting(tmp_path):
            client = await connect_plane(socket_in(tmp_path))
            listener = Listener()
            client.subscribe("a", listener)
            client.send(OpenLine(line="a", leg=LegSpec("memory")))
            await listener.wait_for(LineUp)
            assert client._transport is not None
            client._transport.write(b"\xff" * 64)
            error = await listener.wait_for(LineError)
            assert error.fatal and "something else" in error.error
            assert not (await listener.wait_for(LineDown)).certain
            assert not client.alive

    asyncio.run(call())


def test_a_client_that_reads_nothing_is_cut_off_and_its_line_is_not_lost(tmp_path: Path) -> None:
    async def call() -> None:
        async with hosting(tmp_path, patience=0.5) as keeper:
            reader, writer = await asyncio.open_unix_connection(socket_in(tmp_path))
            await asyncio.wait_for(reader.readexactly(4), 5)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(frame([OpenLine(line="a", leg=LegSpec("memory"))]))
            writer.write(frame([CloseLine(line="x" * 500)] * 5_000))
            other = Listener()
            keeper.subscribe("b", other)
            keeper.send(OpenLine(line="b", leg=LegSpec("memory")))
            await other.wait_for(LineUp)
            async with asyncio.timeout(10):
                while not writer.transport.is_closing():
                    writer.write(frame([]))
                    await asyncio.sleep(0.05)
            listener = await attach(keeper)
            await listener.wait_for(LineAttached)
            await listener.wait_for(MicAudio)
            for line, ear in (("a", listener), ("b", other)):
                keeper.send(CloseLine(line=line))
                await ear.wait_for(LineClosed)

    asyncio.run(call())


def test_a_line_that_nobody_takes_within_its_time_is_closed(tmp_path: Path) -> None:
    caller, out = write_caller(tmp_path), tmp_path / "out.wav"

    async def call() -> None:
        async with hosting(tmp_path, linger=0.5) as keeper:
            with running("owner", socket_in(tmp_path), caller, str(out)) as first:
                await line_of(first)
            await asyncio.sleep(1.0)
            listener = await attach(keeper)
            error = await listener.wait_for(LineError)
            assert error.fatal and "no line" in error.error and error.hint

    asyncio.run(call())
    assert 0 < voiced(out).size < SPEECH.size


def test_a_plane_whose_keeper_is_killed_serves_the_lines_that_it_has(tmp_path: Path) -> None:
    async def call() -> None:
        with running("keeper", socket_in(tmp_path)) as keeper:
            pid = int(await line_of(keeper))
            client = await connect_plane(socket_in(tmp_path))
            listener = Listener()
            client.subscribe("a", listener)
            client.send(OpenLine(line="a", leg=LegSpec("memory")))
            await listener.wait_for(LineUp)
            kill(keeper)
            await asyncio.sleep(1.5)
            send(client, *speech("s", counting(4800)))
            assert (await listener.wait_for(Settled)).position == 4800
            client.send(CloseLine(line="a"))
            await listener.wait_for(LineClosed)
            await gone(pid)
            assert not Path(socket_in(tmp_path)).exists()
            with pytest.raises(AudioError, match="No media plane"):
                await connect_plane(socket_in(tmp_path))

    asyncio.run(call())


def test_a_plane_whose_keeper_is_killed_ends_when_it_has_no_lines(tmp_path: Path) -> None:
    async def call() -> None:
        with running("keeper", socket_in(tmp_path)) as keeper:
            pid = int(await line_of(keeper))
            client = await connect_plane(socket_in(tmp_path))
            kill(keeper)
            await gone(pid)
            async with asyncio.timeout(5):
                while client.alive:
                    await asyncio.sleep(0.01)

    asyncio.run(call())


def test_a_keeper_that_closes_its_plane_closes_every_line(tmp_path: Path) -> None:
    async def call() -> None:
        async with hosting(tmp_path) as keeper:
            pid = keeper.pid
            client = await connect_plane(socket_in(tmp_path))
            listener = Listener()
            client.subscribe("a", listener)
            client.send(OpenLine(line="a", leg=LegSpec("memory")))
            await listener.wait_for(LineUp)
            await keeper.aclose()
            await listener.wait_for(LineClosed)
            await gone(pid, 0.1)

    asyncio.run(call())


def test_the_socket_is_its_users_alone(tmp_path: Path) -> None:
    async def call() -> None:
        path = Path(socket_in(tmp_path))
        async with hosting(tmp_path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            with pytest.raises(AudioError, match="Another media plane"):
                await ProcessPlane(listen=str(path)).start()
            await (await connect_plane(str(path))).aclose()
        path.parent.chmod(0o755)
        with pytest.raises(AudioError, match="others may enter"):
            await ProcessPlane(listen=str(path)).start()
        assert not path.exists()

    asyncio.run(call())


def test_a_socket_that_nobody_serves_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    async def call() -> None:
        path = Path(socket_in(tmp_path))
        path.parent.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        with pytest.raises(AudioError, match="No media plane"):
            await connect_plane(str(path))
        async with hosting(tmp_path):
            await (await connect_plane(str(path))).aclose()
        path.write_text("mine")
        with pytest.raises(AudioError, match="it is a file"):
            await ProcessPlane(listen=str(path)).start()
        assert path.read_text() == "mine"
        with pytest.raises(AudioError, match="cannot listen"):
            await ProcessPlane(listen=str(tmp_path / "m" / ("x" * 200))).start()

    asyncio.run(call())


def test_what_one_line_s_session_makes_of_it_ends_no_other_s(caplog: pytest.LogCaptureFixture) -> None:
    def bad(messages: Any) -> None:
        raise KeyError("a defect")

    async def call() -> None:
        ours, theirs = socket.socketpair()
        _, client = await asyncio.get_running_loop().create_connection(PlaneClient, sock=ours)
        listener = Listener()
        client.subscribe("a", bad)
        client.subscribe("b", listener)
        theirs.sendall(frame([LineUp(line=line, at=0.0, quality="paced") for line in "ab"]))
        await listener.wait_for(LineUp)
        assert client.alive
        theirs.close()
        await listener.wait_for(LineDown)
        await client.aclose()
        assert [record.exc_info is not None for record in caplog.records if record.name == "antiphon"] == [True, True]

    asyncio.run(call())
