"""The verb ``start``: serve calls until SIGTERM or Ctrl-C: the jobs of a LiveKit server, or, where there is none, calls from browsers
on the embedded engine."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.cli import web_server
from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.cli.run import Program
    from antiphon.worker.server import AgentServer, LiveKitServer
    from antiphon.worker.supervisor import Supervisor


def parser(prog: str) -> argparse.ArgumentParser:
    """The words of ``start``."""
    top = argparse.ArgumentParser(
        prog=prog,
        description="Serve the jobs that a LiveKit server dispatches; where none is named, calls from browsers. The first SIGTERM or "
        "Ctrl-C takes no more calls and waits for those that run; the second ends them.",
    )
    server = top.add_argument_group("the LiveKit server (default: the environment variables)")
    server.add_argument("--url", default="", help="LIVEKIT_URL: wss://HOST, ws://127.0.0.1:7880")
    server.add_argument("--api-key", default="", help="LIVEKIT_API_KEY")
    server.add_argument("--api-secret", default="", help="LIVEKIT_API_SECRET")
    web_server.add_arguments(top, "the page for browsers, where there is no LiveKit server")
    top.add_argument(
        "--agent-name", help="be dispatched explicitly, under this name (default: every new room gets the agent)"
    )
    top.add_argument("--max-sessions", type=int, help="calls at once in one agent process (default: 20)")
    top.add_argument("--processes", type=int, help="agent processes at most (default: one for each core)")
    top.add_argument("--isolation", choices=("shared", "process"), help="many calls in a process, or each in its own")
    top.add_argument("--store", metavar="URL", help="keep sessions there, so that they survive: sqlite:///calls.db")
    top.add_argument("--memory-limit", type=float, metavar="MB", help="end an agent process that has more")
    top.add_argument(
        "--load-threshold", type=float, metavar="0-1", help="no further call from this load on (default: 0.8)"
    )
    top.add_argument("--drain-timeout", type=float, metavar="S", help="seconds that calls have to end (default: 3600)")
    top.add_argument("--plane", choices=("thread", "process"), help="where sound runs (default: process)")
    top.add_argument("--health-host", default="127.0.0.1", help="of /livez, /readyz, /startupz, /metrics")
    top.add_argument("--health-port", type=int, default=8081, help="default: 8081 (0: none)")
    files = top.add_argument_group("files")
    files.add_argument("--log", type=Path, metavar="DIR", help="event log and report of each call")
    files.add_argument("--record", action="store_true", help="the sound of each call as well (--log, else ./calls)")
    top.add_argument(
        "--no-rehearsal", action="store_true", help="do not run the entrypoints ahead to load their models"
    )
    return top


def main(program: Program | None, words: Sequence[str], *, prog: str) -> int:
    """Serve until told to stop. Returns the exit status."""
    options = parser(prog).parse_args(words)
    if program is None:
        raise ConfigurationError("There is no entrypoint.", hint="Call antiphon.run(entrypoint) in the program.")
    web_server.check(options)
    if options.record and not options.log:
        options.log = Path("calls")
    return asyncio.run(serve(program, options))


def configured(program: Program, options: argparse.Namespace) -> AgentServer:
    """The program's worker, with what the command line says. Raises ``ConfigurationError``."""
    from antiphon.worker.server import AgentServer

    if isinstance(program, AgentServer):
        if options.agent_name:
            raise ConfigurationError(
                "--agent-name is for a program that runs a function.",
                hint="This one has an AgentServer: @server.rtc_session(agent_name=...) names its agents.",
            )
        server = program
    else:
        server = AgentServer()
        server.rtc_session(program, agent_name=options.agent_name or "")
    for name in ("max_sessions", "isolation", "store", "memory_limit", "load_threshold", "drain_timeout", "plane"):
        if getattr(options, name) is not None:
            setattr(server, name, getattr(options, name))
    if options.processes is not None:
        server.most_processes = options.processes
    server.check()
    return server


async def serve(program: Program, options: argparse.Namespace) -> int:
    """The worker, from its start to its end: as the supervisor, or as an agent process where a supervisor started this one."""
    from antiphon.cli.start_agent import serve_as_agent
    from antiphon.worker.agent_child import VARIABLE
    from antiphon.worker.call_files import CallFiles
    from antiphon.worker.server import LiveKitServer

    server = configured(program, options)
    livekit = LiveKitServer.known(options.url, options.api_key, options.api_secret)
    files = CallFiles(options.log, record=options.record)
    if link := os.environ.pop(VARIABLE, ""):
        return await serve_as_agent(server, livekit, int(link), rehearsal=not options.no_rehearsal, files=files)
    files.make()
    return await _supervise(server, livekit, options)


async def _supervise(server: AgentServer, livekit: LiveKitServer | None, options: argparse.Namespace) -> int:
    from antiphon.cli.screen import Screen
    from antiphon.cli.supervising import Manner, supervise
    from antiphon.web.dispatch import BrowserDispatch
    from antiphon.worker.dispatch import RoomDispatch

    screen = Screen(sys.stdout)
    page = web_server.WebServer(options)

    def ready(supervisor: Supervisor) -> Iterator[str]:
        health = f"; http://{options.health_host}:{options.health_port}/readyz" if options.health_port else ""
        yield screen.style(f"Ready: up to {server.capacity} calls at once{health}", "bold")
        if livekit is None:
            yield f"There is no LIVEKIT_URL: browsers call at {screen.style(page.address, 'bold')}"
            for text in page.advice():
                yield screen.style(text, "dim")

    manner = Manner(
        ready=ready,
        stopping="taking no more calls, waiting for those that run (again: end them)",
        waits=True,
        health=(options.health_host, options.health_port),
    )
    dispatch = (
        BrowserDispatch(page.settings(), page.listen) if livekit is None else RoomDispatch(livekit, server.permissions)
    )
    return await supervise(server, dispatch, screen, manner)
