"""The model process: started by the first client, shared by all, freed by those who leave, restarted when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from antiphon.errors import ModelError, ModelMissingError
from antiphon.local import LLM_MODEL, defaults, prepare, resolve
from antiphon.local.client import Connection, SharedHost, listening
from antiphon.local.llm import LocalLLM
from antiphon.local.requests import AnyRequest, Load, Reply, Speak
from antiphon.local.server import ModelServer
from antiphon.local.store import Store
from antiphon.local.stt import LocalSTT
from antiphon.local.tts import LocalTTS
from antiphon.local.wire import socket_path
from antiphon.models.stt import STT
from tests.local.sound import finals, heard, recorded, spoken

LONG = "This sentence is spoken by a process that will not live to see its end, which is a pity. " * 8


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "w.sock"


def kill(connection: Connection) -> None:
    """End the model process as the kernel would when memory is short."""
    assert connection.pid > 1
    os.kill(connection.pid, signal.SIGKILL)


def private(path: Path) -> bool:
    return path.stat().st_mode & 0o777 == 0o600


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process has ended (a child that nobody waits for counts as ended)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_one_process_serves_all_and_leaves_when_it_is_not_needed(store: Store, socket: Path) -> None:
    async def story() -> int:
        one, two = SharedHost(store, socket=socket, linger=0.3), SharedHost(store, socket=socket, linger=0.3)
        first, second = await asyncio.gather(one.connect(), two.connect())
        steps: list[tuple[str, str]] = []
        await prepare(["piper-joe", "moonshine-base-en"], lambda m, s, _: steps.append((m, s)), host=one)
        assert steps[:2] == [("piper-joe", "loading"), ("piper-joe", "ready")]
        assert first.pid == second.pid and private(socket)
        assert os.getpriority(os.PRIO_PROCESS, first.pid) > os.getpriority(os.PRIO_PROCESS, 0)
        sound, other = await asyncio.gather(recorded(one, "The weather is fine."), spoken(two, "Yes."))
        assert other and "weather" in finals(await heard(LocalSTT(two), sound))
        await one.aclose()
        await two.aclose()
        return first.pid

    pid = asyncio.run(story())
    assert gone(pid) and not socket.exists()


def test_a_process_killed_amid_a_reply_is_started_again(store: Store, socket: Path) -> None:
    async def story() -> None:
        host = SharedHost(store, socket=socket, linger=0.3)
        stream = LocalTTS(host).stream()
        stream.push_text(LONG)
        got = 0
        with pytest.raises(ModelError, match="ended unexpectedly") as raised:
            async for _ in stream:
                got += 1
                if got == 1:
                    kill(await host.connect())
        assert raised.value.retryable and got
        assert await spoken(host, "And on it goes.")
        await host.aclose()

    asyncio.run(story())


def test_a_client_that_vanishes_frees_its_requests(store: Store, socket: Path) -> None:
    async def story() -> None:
        running: set[str] = set()

        class Slow:
            async def ask(self, request: AnyRequest) -> AsyncGenerator[Reply, None]:
                running.add(request.model)
                try:
                    await asyncio.sleep(3600)
                    yield Reply()
                finally:
                    running.discard(request.model)

            async def aclose(self) -> None: ...

        server = ModelServer(Slow(), socket)
        serving = asyncio.create_task(server.run())
        await until(socket.exists)
        program = (
            "import asyncio, os, pathlib\nfrom antiphon.local.client import SharedHost\n"
            "from antiphon.local.requests import Load\n"
            "async def main():\n"
            f"    host = SharedHost(socket=pathlib.Path({str(socket)!r}))\n"
            "    asks = [asyncio.ensure_future(anext(host.ask(Load(model=m)))) for m in 'ab']\n"
            "    await asyncio.sleep(0.3); os._exit(9)\n"
            "asyncio.run(main())\n"
        )
        client = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
        async with asyncio.timeout(10):
            await until(lambda: running == {"a", "b"})
            await client.wait()
            await until(lambda: not running)
            server.stop()
            await serving

    asyncio.run(story())


def test_a_cancelled_request_is_cancelled_in_the_process(store: Store, socket: Path) -> None:
    async def story() -> None:
        host = SharedHost(store, socket=socket, linger=0.3)
        for _ in range(6):
            async with aclosing(host.ask(Speak(model="piper-joe", text=LONG))) as replies:
                await anext(replies)
        begun = time.monotonic()
        assert await spoken(host, "Yes.")
        assert time.monotonic() - begun < 3.0, "cancelled speeches still hold the voice"
        await host.aclose()

    asyncio.run(story())


def test_nonsense_on_the_socket_ends_only_that_client(store: Store, socket: Path) -> None:
    async def story() -> None:
        host = SharedHost(store, socket=socket, linger=0.3)
        await host.connect()
        for junk in (b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\xff", b"\x03\0\0\0abc", b"\x05"):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(junk)
            writer.write_eof()
            await reader.read()
            writer.close()
        assert await spoken(host, "Still here.")
        await host.aclose()

    asyncio.run(story())


def test_a_stale_socket_is_replaced(store: Store, socket: Path) -> None:
    async def story() -> None:
        host = SharedHost(store, socket=socket, linger=0.2)
        kill(await host.connect())
        await until(lambda: not listening(socket) and socket.exists())
        await host.aclose()
        assert (await host.connect()).alive
        await host.aclose()

    asyncio.run(story())


def test_a_process_that_cannot_start_says_why(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def story() -> None:
        with pytest.raises(ModelError, match="did not start"):
            await SharedHost(store, socket=tmp_path / "x.sock").connect()

    asyncio.run(story())


def test_missing_models_and_strange_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, socket: Path) -> None:
    monkeypatch.setenv("ANTIPHON_MODELS", str(tmp_path / "none"))
    with pytest.raises(ModelMissingError, match=f"antiphon models pull .*{LLM_MODEL}"):
        defaults()
    with pytest.raises(ModelMissingError, match="antiphon models pull piper-joe"):
        resolve("local/piper-joe")

    async def story() -> None:
        host = SharedHost(Store(), socket=socket, linger=0.2)
        with pytest.raises(ModelMissingError, match="models pull"):
            async for _ in host.ask(Load(model="piper-joe")):
                pass
        await host.aclose()

    asyncio.run(story())


def test_names_resolve_to_models(store: Store) -> None:
    assert isinstance(resolve("local/moonshine-base-en"), STT)
    small = resolve("local/smollm2-135m")
    assert isinstance(small, LocalLLM) and small.model == "smollm2-135m" and small.on_core


def test_the_socket_is_in_a_private_directory(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        path = socket_path(store)
        assert path.parent == Path(runtime) / "antiphon" and path.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    deep = Store(tmp_path / ("x" * 100) / "models", catalog=store.catalog)
    assert len(os.fsencode(socket_path(deep))) <= 108 and socket_path(deep) != socket_path(store)


def test_the_server_can_be_started_by_hand(store: Store, socket: Path) -> None:
    command = [sys.executable, "-m", "antiphon.local.server", "--socket", str(socket), "--linger", "0.2"]
    assert subprocess.run(command, timeout=20, check=False, capture_output=True).returncode == 0
