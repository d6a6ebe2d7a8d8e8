"""``start`` without a LiveKit server: browsers' calls are the worker's jobs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = """
from antiphon import Agent, AgentServer, AgentSession, run
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.tts import ScriptedTTS

server = AgentServer(max_sessions=1, processes=1, load_threshold=1e9, store={store!r})

@server.rtc_session
async def entrypoint(ctx):
    session = AgentSession(stt=None, llm=ScriptedLLM("It is ready."), tts=ScriptedTTS(pcm=True), turn_detector=None)
    await session.start(Agent(instructions="x"), ctx)

run(server)
"""


@asynccontextmanager
async def started(
    folder: Path, *words: str, program: str = ""
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The program under ``start``: the address that it prints, and its process."""
    app = folder / "app.py"
    app.write_text((program or PROGRAM).format(store=f"sqlite:///{folder}/calls.db"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIVEKIT")}
    command = (sys.executable, "-u", str(app), "start", "--port", "0", "--health-port", "0", *words)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    lines = []
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            async for line in process.stdout:
                lines.append(line.decode())
                if found := re.search(r"browsers call at (\S+)", lines[-1]):
                    yield found[1], process
                    return
        raise AssertionError("".join(lines))
    finally:
        for _ in range(2):  # the second ends the calls that run
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
        await asyncio.wait_for(process.wait(), 20)


async def until(page: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next message of this type."""
    async with asyncio.timeout(20):
        while True:
            message = await page.receive()
            assert message.type is aiohttp.WSMsgType.TEXT, message
            told: dict[str, Any] = json.loads(message.data)
            if told["type"] == kind:
                return told


def test_a_browser_calls_and_a_second_one_is_told_that_all_lines_are_busy(tmp_path: Path) -> None:
    async def calls() -> None:
        async with (
            started(tmp_path, "--log", str(tmp_path / "calls")) as (address, process),
            aiohttp.ClientSession() as http,
        ):
            async with http.ws_connect(f"{address}socket") as one, http.ws_connect(f"{address}socket") as two:
                await one.send_json({"type": "hello"})
                session = (await until(one, "welcome"))["session"]
                assert (await until(one, "agent_state"))["state"] == "listening"
                await two.send_json({"type": "hello"})
                assert "busy" in (await until(two, "error"))["error"]
                assert (await until(two, "ended"))["reason"] == "busy"
                await one.send_json({"type": "bye"})
                assert (await until(one, "ended"))["reason"] == "participant_disconnected"
            report = tmp_path / "calls" / f"{session}.json"
            async with asyncio.timeout(10):
                while not report.exists() or not (log := report.with_suffix(".jsonl")).exists():
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.2)  # the line is free when the page knows; the worker's place a moment later
            async with http.ws_connect(f"{address}socket") as three:
                await three.send_json({"type": "hello"})
                assert (await until(three, "agent_state"))["state"] == "listening"
                process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.3)
                process.send_signal(signal.SIGTERM)
                assert (await until(three, "ended"))["reason"] == "job_shutdown"
            assert await asyncio.wait_for(process.wait(), 20) == 0
        lines = log.read_text().splitlines()
        assert json.loads(lines[0])["format"] and '"session.ended"' in lines[-1]
        assert json.loads(report.read_text())["session"] == session

    asyncio.run(calls())


BROKEN = PROGRAM.replace(
    "from antiphon.testing.tts",
    """class Broken(ScriptedLLM):
    def chat(self, **options):
        raise RuntimeError("the key sesame is wrong")

from antiphon.testing.tts""",
).replace('ScriptedLLM("It is ready.")', "Broken()")


def test_a_strangers_page_is_told_that_something_failed_and_not_what(tmp_path: Path) -> None:
    replies = BROKEN.replace("\n\nrun(", "\n    session.generate_reply()\n\nrun(")
    raises = PROGRAM.replace(
        "await session.start", 'raise RuntimeError("the key sesame is wrong")\n    await session.start'
    )

    async def told_by(program: str) -> dict[str, Any]:
        async with (
            started(tmp_path, program=program) as (address, _),
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{address}socket") as page,
        ):
            await page.send_json({"type": "hello"})
            told = await until(page, "error")
            assert "sesame" not in json.dumps(told)
            return told

    assert asyncio.run(told_by(replies))["error"] == "Something went wrong on the server."
    assert asyncio.run(told_by(raises))["error"] == "The agent could not be started."
