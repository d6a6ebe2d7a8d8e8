"""``dev``: what it says at its start, what it refuses, and that it ends; the playground itself is in tests/web."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from antiphon import Agent, AgentSession, JobContext, ModelMissingError
from antiphon.cli.main import main
from antiphon.cli.rehearsal import rehearse
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.stt import ScriptedSTT
from antiphon.testing.tts import ScriptedTTS

PROGRAM = """
from antiphon import Agent, AgentSession, run
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.tts import ScriptedTTS

async def entrypoint(ctx):
    session = AgentSession(stt=None, llm=ScriptedLLM(), tts=ScriptedTTS(pcm=True), turn_detector=None)
    await session.start(Agent(instructions="x"), ctx)

run(entrypoint)
"""


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The program under ``dev``: the address it prints, and its process."""
    app = folder / "app.py"
    app.write_text(PROGRAM)
    command = [sys.executable, str(app), "dev", "--port", "0", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"Ready: (\S+)", line):
                yield found[1], process
                break
        else:
            raise AssertionError("".join(lines))
    finally:
        process.kill()
        process.wait(10)


def program(folder: Path, text: str) -> str:
    path = folder / "app.py"
    path.write_text(textwrap.dedent(text))
    return str(path)


def test_it_serves_the_playground_to_this_machine_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, process):
        assert re.fullmatch(r"http://localhost:\d+/", address)
        with urllib.request.urlopen(address, timeout=10) as page:
            assert b"Antiphon playground" in page.read()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", int(address.rstrip("/").rpartition(":")[2])), 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0


def test_outside_this_machine_it_asks_for_a_token_and_speaks_tls(tmp_path: Path) -> None:
    with serving(tmp_path, "--host", "0.0.0.0", "--tls") as (address, _):
        assert re.fullmatch(r"https://[\d.]+:\d+/#token=\S{10,}", address)
        port = re.search(r":(\d+)/", address)
        assert port is not None
        trusting = ssl._create_unverified_context()
        with urllib.request.urlopen(f"https://127.0.0.1:{port[1]}/", timeout=10, context=trusting) as page:
            assert page.status == 200
        names = ssl.get_server_certificate(("127.0.0.1", int(port[1])), timeout=10)
        assert "BEGIN CERTIFICATE" in names


def dev(app: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A ``dev`` that cannot be."""
    command = [sys.executable, app, "dev", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = dev(program(tmp_path, PROGRAM), "--host", "127.0.0.1", "--port", str(other.getsockname()[1]))
    assert done.returncode == 1
    assert "cannot be served" in done.stderr and "--port" in done.stderr


def test_a_certificate_needs_its_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app = program(tmp_path, PROGRAM)
    assert main(["dev", app, "--tls-cert", "x.pem"]) == 1
    assert "--tls-key" in capsys.readouterr().err
    done = dev(app, "--port", "0", "--tls-cert", "x.pem", "--tls-key", "y.pem")
    assert done.returncode == 1 and "PEM" in done.stderr


def test_what_the_first_call_would_miss_is_said_at_the_start(tmp_path: Path) -> None:
    text = PROGRAM.replace("llm=ScriptedLLM()", 'llm="local/no-such-model"')
    done = dev(program(tmp_path, text), "--port", "0")
    assert done.returncode == 1 and "no-such-model" in done.stderr


def test_a_rehearsal_loads_the_models_and_holds_no_call() -> None:
    loaded: list[str] = []
    ended: list[str] = []
    mind = ScriptedLLM(prefill=True)

    class Voice(ScriptedTTS):
        async def prewarm(self) -> None:
            loaded.append("voice")

    async def entrypoint(ctx: JobContext) -> None:
        session: AgentSession[Any] = AgentSession(stt=ScriptedSTT(), llm=mind, tts=Voice(), turn_detector=None)
        try:
            await session.start(Agent(instructions="x"), ctx)
        except asyncio.CancelledError:
            ended.append("as if cancelled")
            raise
        ended.append("a call")

    said: list[tuple[str, str, bool]] = []
    reached = asyncio.run(rehearse(entrypoint, lambda kind, model, s: said.append((kind, model, s >= 0))))
    assert reached and loaded == ["voice"] and ended == ["as if cancelled"]
    assert len(mind.prefills) == 1 and not mind.requests
    assert ("voice", "scripted/tts", False) in said and ("voice", "scripted/tts", True) in said


def test_a_rehearsal_passes_on_what_is_missing() -> None:
    async def entrypoint(ctx: JobContext) -> None:
        raise ModelMissingError("Not here.")

    with pytest.raises(ModelMissingError):
        asyncio.run(rehearse(entrypoint, lambda *told: None))

    async def needs_somebody(ctx: Any) -> None:
        await ctx.wait_for_participant()

    assert not asyncio.run(rehearse(needs_somebody, lambda *told: None)), "nobody comes to a rehearsal"

    async def nothing(ctx: JobContext) -> None: ...

    assert not asyncio.run(rehearse(nothing, lambda *told: None))


def test_each_call_leaves_its_files_where_asked(tmp_path: Path) -> None:
    """A page without a browser calls the served program by its socket and goes; the log and the report are there."""
    import aiohttp

    async def call(address: str) -> str:
        async with aiohttp.ClientSession() as client, client.ws_connect(f"{address}socket") as page:
            await page.send_json({"type": "hello"})
            welcome = await page.receive_json(timeout=10)
            await page.send_json({"type": "bye"})
            async with asyncio.timeout(10):
                while (await page.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass
            return str(welcome["session"])

    with serving(tmp_path, "--log", str(tmp_path / "calls")) as (address, process):
        session = asyncio.run(call(address))
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
    report = json.loads((tmp_path / "calls" / f"{session}.json").read_text())
    assert report["session"] == session
    assert (tmp_path / "calls" / f"{session}.jsonl").stat().st_size > 0
