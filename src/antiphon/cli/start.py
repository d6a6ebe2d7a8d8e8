"""The verb ``start``: serve the jobs of a LiveKit server until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from antiphon.errors import AntiphonError, ConfigurationError

if TYPE_CHECKING:
    from antiphon.cli.run import Program
    from antiphon.cli.screen import Screen
    from antiphon.worker.running_server import RunningServer


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
    top.add_argument("--max-sessions", type=int, help="calls at once (default: 20)")
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


async def serve(program: Program, options: argparse.Namespace) -> int:
    """The worker, from its start to its end."""
    from antiphon.cli.conversation import Stop
    from antiphon.cli.dev import across, lines_of_the_log
    from antiphon.cli.screen import Screen
    from antiphon.session.lanes import Lane
    from antiphon.worker.health import Health
    from antiphon.worker.running_server import RunningServer
    from antiphon.worker.runtime import default_runtime
    from antiphon.worker.server import AgentServer, LiveKitServer

    if isinstance(program, AgentServer):
        server = program
    else:
        server = AgentServer()
        server.rtc_session(program, agent_name=options.agent_name or "")
    for name in ("max_sessions", "load_threshold", "drain_timeout", "plane"):
        if getattr(options, name) is not None:
            setattr(server, name, getattr(options, name))
    livekit = LiveKitServer.from_environment(options.url, options.api_key, options.api_secret)
    screen = Screen(sys.stdout)
    runtime = default_runtime()
    core = runtime.core
    running = RunningServer(server, livekit, Lane(asyncio.get_running_loop()))
    health = Health(running)
    stop = Stop(screen, "taking no more calls, waiting for those that run (again: end them)")
    with stop, lines_of_the_log(screen):
        try:
            if options.health_port:
                await across(core, health.start(options.health_host, options.health_port))
            await across(core, running.start())
            work = asyncio.create_task(_work(running, options, screen), name="work")
            pressed = asyncio.create_task(stop.pressed.wait(), name="stop")
            await asyncio.wait({work, pressed}, return_when=asyncio.FIRST_COMPLETED)
            pressed.cancel()
            if work.done():
                work.result()
            work.cancel()
            draining = asyncio.create_task(across(core, running.drain()), name="drain")
            stop.at_once = draining.cancel
            with suppress(asyncio.CancelledError):
                await draining
        finally:
            await across(core, running.aclose())
            await across(core, health.aclose())
            await runtime.aclose()
    return 0


async def _work(running: RunningServer, options: argparse.Namespace, screen: Screen) -> None:
    """Load the models, open, and go on until an engine gives up: then raises what it raised."""
    from antiphon.cli.dev import across
    from antiphon.cli.rehearsal import rehearse
    from antiphon.worker.runtime import default_runtime

    def progress(kind: str, model: str, seconds: float) -> None:
        if seconds >= 0:
            screen.line(screen.style(f"{kind:15} {model}, {seconds:.1f} s", "dim"))

    if not options.no_rehearsal:
        for entrypoint in running.server.entrypoints.values():
            try:
                await rehearse(entrypoint, progress)
            except AntiphonError:
                raise
            except Exception as error:
                logging.getLogger("antiphon").info("an entrypoint was not run ahead to its end: %s", error)
    core = default_runtime().core
    core.run(running.opened)
    health = f"; http://{options.health_host}:{options.health_port}/readyz" if options.health_port else ""
    screen.line(screen.style(f"Ready: up to {running.server.max_sessions} calls at once{health}", "bold"))
    while running.fault is None:
        await across(core, running.wait_changed())
    raise running.fault
