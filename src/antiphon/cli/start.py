"""The verb ``start``: serve the jobs of a LiveKit server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.cli.run import Program
    from antiphon.cli.screen import Screen
    from antiphon.worker.server import AgentServer, LiveKitServer
    from antiphon.worker.supervisor import Supervisor


def parser(prog: str) -> argparse.ArgumentParser:
    """The words of ``start``."""
    top = argparse.ArgumentParser(
        prog=prog,
        description="Serve the jobs that a LiveKit server dispatches. The first SIGTERM or Ctrl-C takes no more calls and waits "
        "for those that run; the second ends them.",
    )
    server = top.add_argument_group("the LiveKit server (default: the environment variables)")
    server.add_argument("--url", default="", help="LIVEKIT_URL: wss://HOST, ws://127.0.0.1:7880")
    server.add_argument("--api-key", default="", help="LIVEKIT_API_KEY")
    server.add_argument("--api-secret", default="", help="LIVEKIT_API_SECRET")
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
    top.add_argument(
        "--no-rehearsal", action="store_true", help="do not run the entrypoints ahead to load their models"
    )
    return top


def main(program: Program | None, words: Sequence[str], *, prog: str) -> int:
    """Serve until told to stop. Returns the exit status."""
    options = parser(prog).parse_args(words)
    if program is None:
        raise ConfigurationError("There is no entrypoint.", hint="Call antiphon.run(entrypoint) in the program.")
    return asyncio.run(serve(program, options))


def configured(program: Program, options: argparse.Namespace) -> AgentServer:
    """The program's worker, with what the command line says. Raises ``ConfigurationError``."""
    from antiphon.worker.server import AgentServer

    if isinstance(program, AgentServer):
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
    from antiphon.worker.server import LiveKitServer

    server = configured(program, options)
    livekit = LiveKitServer.from_environment(options.url, options.api_key, options.api_secret)
    if link := os.environ.pop(VARIABLE, ""):
        return await serve_as_agent(server, livekit, int(link), rehearsal=not options.no_rehearsal)
    return await supervise(server, livekit, options)


async def supervise(server: AgentServer, livekit: LiveKitServer, options: argparse.Namespace) -> int:
    """As the supervisor. Returns the exit status."""
    from antiphon.cli.conversation import Stop
    from antiphon.cli.dev import across, lines_of_the_log
    from antiphon.cli.screen import Screen
    from antiphon.session.lanes import Lane
    from antiphon.worker.control import Control
    from antiphon.worker.health import Health
    from antiphon.worker.runtime import default_runtime
    from antiphon.worker.supervisor import Supervisor

    screen = Screen(sys.stdout)
    runtime = default_runtime()
    core, here = runtime.core, Lane(asyncio.get_running_loop())
    stop = Stop(screen, "taking no more calls, waiting for those that run (again: end them)")

    def progress(kind: str, model: str, seconds: float) -> None:
        if seconds >= 0:
            here.post(screen.line, screen.style(f"{kind:15} {model}, {seconds:.1f} s", "dim"))

    supervisor = await across(core, _made(lambda: Supervisor(server, livekit, here, progress)))
    health, control = Health(supervisor), Control(supervisor, lambda: here.post(stop.press))
    with stop, lines_of_the_log(screen):
        try:
            if options.health_port:
                await across(core, health.start(options.health_host, options.health_port))
            await across(core, control.start())
            await across(core, supervisor.start())
            work = asyncio.create_task(_work(supervisor, options, screen), name="work")
            pressed = asyncio.create_task(stop.pressed.wait(), name="stop")
            await asyncio.wait({work, pressed}, return_when=asyncio.FIRST_COMPLETED)
            pressed.cancel()
            if work.done():
                work.result()
            work.cancel()
            draining = asyncio.create_task(across(core, supervisor.drain()), name="drain")
            stop.at_once = draining.cancel
            with suppress(asyncio.CancelledError):
                await draining
        finally:
            await across(core, control.aclose())
            await across(core, supervisor.aclose())
            await across(core, health.aclose())
            await runtime.aclose()
    return 0


async def _made(make: Callable[[], Supervisor]) -> Supervisor:
    """On the loop that it belongs to."""
    return make()


async def _work(supervisor: Supervisor, options: argparse.Namespace, screen: Screen) -> None:
    """Say when the first agent process is ready, and go on until something makes the worker give up: then raises that."""
    from antiphon.cli.dev import across
    from antiphon.worker.runtime import default_runtime

    core, said = default_runtime().core, False
    while supervisor.fault is None:
        if supervisor.ready and not said:
            said = True
            health = f"; http://{options.health_host}:{options.health_port}/readyz" if options.health_port else ""
            capacity = supervisor.server.capacity
            screen.line(screen.style(f"Ready: up to {capacity} calls at once{health}", "bold"))
        await across(core, supervisor.wait_changed())
    raise supervisor.fault
