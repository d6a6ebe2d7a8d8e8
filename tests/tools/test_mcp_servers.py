"""MCP servers that nobody here wrote, in text sessions on the real clock: stdio, streamable HTTP and SSE, both eras."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from antiphon import (
    Agent,
    AgentSession,
    ConfigurationError,
    MCPServerHTTP,
    MCPServerStdio,
    MCPToolOptions,
    function_tool,
)
from antiphon.chat.items import FunctionCallOutput
from antiphon.testing import ScriptedLLM, calls, text_context
from antiphon.tools.mcp.servers import MCPServer, servers_of

ROOT = Path(__file__).parents[2]
SERVERS = ROOT / ".cache" / "mcp-servers" / "node_modules" / "@modelcontextprotocol"
OWN = Path(__file__).parent / "mcp_own_server.py"


def npm(name: str) -> str:
    """The script of an npm server, as ``scripts/install-test-servers`` puts it."""
    path = SERVERS / name / "dist" / "index.js"
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{path} is missing: run scripts/install-test-servers")
        pytest.skip("run scripts/install-test-servers for the MCP servers of npm")
    return str(path)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def reachable(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@asynccontextmanager
async def serving(*command: str, port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A server process that listens on ``port``."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env={**os.environ, "PORT": str(port)}, stdout=quiet, stderr=quiet)
    try:
        await reachable(port)
        yield process
    finally:
        process.kill()
        process.wait()


@function_tool(effect="read")
async def idle() -> None:
    """Do nothing."""


async def asks(
    servers: list[MCPServer | str],
    *uses: Any,
    between: Callable[[AgentSession[Any], int], Awaitable[None]] | None = None,
    errors: list[str] | None = None,
) -> list[str]:
    """One text session in which the model makes each of the calls; what they came to."""
    script = {f"({n})": [use, "Done."] for n, use in enumerate(uses)}
    session: AgentSession[None] = AgentSession(llm=ScriptedLLM(script), stt=None, tts=None, turn_detector=None)
    session.on("error", lambda event: errors.append(event.error) if errors is not None else None)
    await session.start(Agent(instructions="Serve.", tools=[idle], mcp_servers=servers), text_context())
    try:
        for number in range(len(uses)):
            if between is not None:
                await between(session, number)
            await session.run(user_input=f"do ({number})")
    finally:
        await session.aclose()
    found = [item for item in session.history.items if isinstance(item, FunctionCallOutput)]
    return ["\n".join([item.output, *map(repr, item.media)]) for item in found]


def run(main: Any) -> Any:
    return asyncio.run(asyncio.wait_for(main, 60))


def server_time(**options: Any) -> MCPServerStdio:
    return MCPServerStdio(sys.executable, ["-m", "mcp_server_time"], name="time", wait=20, **options)


@pytest.mark.parametrize("protocol", ["auto", "2025-11-25", "2026-07-28"])
def test_a_server_from_pypi_in_both_eras(protocol: Any) -> None:
    server = server_time(protocol=protocol)
    spoken: list[str] = []

    async def look(session: AgentSession[Any], number: int) -> None:
        assert server._connection is not None
        spoken.append(server._connection.protocol)

    use = calls("convert_time", source_timezone="Europe/Paris", time="12:00", target_timezone="Asia/Tokyo")
    output = run(asks([server], use, between=look))[0]
    assert "20:00" in output or "19:00" in output
    assert spoken == ["2025-11-25" if protocol == "2025-11-25" else "2026-07-28"]


def test_servers_from_npm_over_stdio(tmp_path: Path) -> None:
    (tmp_path / "menu.txt").write_text("coffee and cake", encoding="utf-8")
    files = MCPServerStdio(
        "node", [npm("server-filesystem"), str(tmp_path)], name="files", wait=20, allow=["read_text_file"]
    )
    memory = MCPServerStdio(
        "node", [npm("server-memory")], name="memory", wait=20, env={"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}
    )
    person = {"name": "Ann", "entityType": "person", "observations": ["likes tea"]}
    outputs = run(
        asks(
            [files, memory],
            calls("read_text_file", path=str(tmp_path / "menu.txt")),
            calls("create_entities", entities=[person]),
            calls("search_nodes", query="tea"),
            calls("write_file", path=str(tmp_path / "x"), content="no"),
        )
    )
    assert outputs[0] == "coffee and cake" and "Ann" in outputs[2]
    assert "There is no tool named 'write_file'" in outputs[3] and not (tmp_path / "x").exists()


@pytest.mark.parametrize("mode", ["streamableHttp", "sse"])
def test_a_server_from_npm_over_http(mode: str) -> None:
    async def main() -> list[str]:
        port = free_port()
        async with serving("node", npm("server-everything"), mode, port=port):
            url = f"http://127.0.0.1:{port}/{'mcp' if mode == 'streamableHttp' else 'sse'}"
            return await asks(
                [MCPServerHTTP(url, wait=20)],
                calls("echo", message="hello"),
                calls("get-tiny-image"),
                calls("get-structured-content", location="New York"),
                calls("get-resource-reference", resourceType="Text", resourceId=1),
                calls("echo"),
            )

    outputs = run(main())
    assert outputs[0] == "Echo: hello" and "ImageContent(image/png, " in outputs[1]
    assert "temperature" in outputs[2] and "resource" in outputs[3].lower() and "message" in outputs[4]


@pytest.mark.parametrize("protocol", ["2025-11-25", "2026-07-28"])
def test_both_eras_over_http_with_headers_and_changing_tools(protocol: Any) -> None:
    async def main() -> None:
        port, asked = free_port(), []

        async def headers() -> dict[str, str]:
            asked.append(1)
            return {"Authorization": f"Bearer {len(asked)}"}

        async with serving(sys.executable, str(OWN), str(port), port=port):
            server = MCPServerHTTP(f"http://127.0.0.1:{port}/mcp", headers=headers, wait=20, protocol=protocol)

            async def later(session: AgentSession[Any], number: int) -> None:
                if number == 2:
                    async with asyncio.timeout(10):
                        while "grown" not in [tool.name for tool in server.tools]:
                            await asyncio.sleep(0.02)

            outputs = await asks([server], calls("token"), calls("grow"), calls("grown"), between=later)
        assert outputs[0].startswith("Bearer ") and outputs[0] != "Bearer 1", "asked anew for each request"
        assert outputs[2] == "I am new"

    run(main())


def test_a_server_that_is_killed_and_restarted_between_two_calls() -> None:
    async def main() -> list[str]:
        port = free_port()
        command = ("node", npm("server-everything"), "streamableHttp")
        async with serving(*command, port=port) as first:

            async def restart(session: AgentSession[Any], number: int) -> None:
                if number == 1:
                    first.kill()
                    first.wait()
                    process = await stack.enter_async_context(serving(*command, port=port))
                    assert process.poll() is None

            from contextlib import AsyncExitStack

            async with AsyncExitStack() as stack:
                server = MCPServerHTTP(f"http://127.0.0.1:{port}/mcp", wait=20)
                return await asks([server], *[calls("echo", message=str(n)) for n in range(3)], between=restart)

    assert run(main()) == ["Echo: 0", "Echo: 1", "Echo: 2"]


def test_a_server_that_is_down_for_a_while_is_used_when_it_is_back() -> None:
    async def main() -> list[str]:
        port = free_port()
        command = ("node", npm("server-everything"), "streamableHttp")
        from contextlib import AsyncExitStack

        async with AsyncExitStack() as stack, serving(*command, port=port) as first:

            async def outage(session: AgentSession[Any], number: int) -> None:
                if number == 1:
                    first.kill()
                    first.wait()
                    back = asyncio.get_running_loop()
                    back.call_later(1.5, lambda: tasks.append(asyncio.ensure_future(again())))

            async def again() -> None:
                await stack.enter_async_context(serving(*command, port=port))

            tasks: list[Any] = []
            server = MCPServerHTTP(f"http://127.0.0.1:{port}/mcp", wait=20, timeout=20)
            outputs = await asks([server], calls("echo", message="0"), calls("echo", message="1"), between=outage)
            await asyncio.gather(*tasks)
            return outputs

    assert run(main()) == ["Echo: 0", "Echo: 1"], "nobody had taken the second call, so it was made when somebody could"


def children() -> set[int]:
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(pid) for path in found for pid in path.read_text().split()}


def test_a_program_that_is_killed_between_two_calls_is_started_again() -> None:
    before = children()

    async def kill(session: AgentSession[Any], number: int) -> None:
        if number == 1:
            (pid,) = children() - before
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(10):
                while not children() - before - {pid}:
                    await asyncio.sleep(0.02)

    use = calls("get_current_time", timezone="Europe/Paris")
    errors: list[str] = []
    outputs = run(asks([server_time(timeout=20)], use, use, between=kill, errors=errors))
    assert all("Europe/Paris" in output for output in outputs), outputs
    assert children() == before, "and it ends with the session"


def test_what_a_program_says_on_stderr_goes_to_the_log(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "antiphon.mcp"):
        server = MCPServerStdio("node", [npm("server-everything"), "stdio"], name="everything", wait=20)
        run(asks([server], calls("echo", message="hi")))
    assert "Starting" in caplog.text and "Starting" not in capfd.readouterr().err


def test_a_program_that_does_not_exist_is_said_and_costs_nothing() -> None:
    errors: list[str] = []
    began = time.monotonic()
    outputs = run(asks([MCPServerStdio("no-such-program", wait=0.2)], calls("echo"), errors=errors))
    assert time.monotonic() - began < 10
    assert any("cannot be started" in error and "Check command=" in error for error in errors), errors
    assert "There is no tool named 'echo'" in outputs[0]


def test_servers_come_and_go_while_the_session_runs() -> None:
    server = server_time()

    async def change(session: AgentSession[Any], number: int) -> None:
        if number == 1:
            await session.update_tools([server])
            async with asyncio.timeout(20):
                while not session._shell.bound.tool("get_current_time"):  # type: ignore[union-attr]
                    await asyncio.sleep(0.02)
        elif number == 2:
            await session.update_tools([])

    use = calls("get_current_time", timezone="UTC")
    outputs = run(asks([], use, use, use, between=change))
    assert "no tool" in outputs[0] and "UTC" in outputs[1] and "no tool" in outputs[2]


def test_two_sessions_share_one_connection() -> None:
    server = server_time()

    async def main() -> None:
        use = calls("get_current_time", timezone="UTC")
        outputs = await asyncio.gather(asks([server], use), asks([server], use))
        assert all("UTC" in output for (output,) in outputs)

    before = children()
    run(main())
    assert children() == before and server._connection is None


def test_a_blocked_loop_of_the_user_does_not_hold_up_a_server() -> None:
    """On lanes of their own: the answer is there while the user's loop still sleeps."""
    from antiphon.worker.job import JobContext

    async def main() -> None:
        llm = ScriptedLLM({"go": [calls("get_current_time", timezone="UTC"), "Done."]})
        server = server_time(options={"get_current_time": MCPToolOptions(effect="read")})
        session: AgentSession[None] = AgentSession(
            llm=llm, stt=None, tts=None, turn_detector=None, mcp_servers=[server]
        )
        await session.start(Agent(instructions="x"), JobContext())
        result = session.run(user_input="go")
        time.sleep(1.5)
        state = session._shell.kernel.state  # type: ignore[union-attr]
        assert [i.output for i in state.conversation.items if hasattr(i, "output")], "answered meanwhile"
        await result
        await session.aclose()

    run(main())


@pytest.mark.parametrize("url", ["tools.example.com/mcp", "ftp://tools.example.com", "http://", "npx server"])
def test_what_is_no_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MCPServerStdio"):
        Agent(instructions="x", mcp_servers=[url])


def test_what_is_no_server_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="not an MCP server"):
        servers_of([object()])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="protocol"):
        MCPServerStdio("x", protocol="2020-01-01")
