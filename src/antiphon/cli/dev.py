"""The verb ``dev``: the playground in a browser, on this machine or for the devices in the room, with the program as it is now.

It is a worker like that of ``start``, on the embedded engine: calls run in a process of their own. When a file of the program
changes, another process runs what it is now, and the calls go on there.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.cli import web_server
from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.cli.run import Program
    from antiphon.worker.server import AgentServer
    from antiphon.worker.supervisor import Supervisor

STORE = "ANTIPHON_DEV_STORE"
"""Names, in an agent process's environment, the store that ``dev`` made for a program that has none."""


def parser(prog: str) -> argparse.ArgumentParser:
    """The words of ``dev``."""
    top = argparse.ArgumentParser(
        prog=prog,
        description="Talk with the agent in a browser; a change of the program is there with the next sentence. Ctrl-C lets the "
        "agent finish its sentence and ends the calls.",
    )
    web_server.add_arguments(top, "the playground")
    top.add_argument("--open", action="store_true", help="open the playground in the browser")
    top.add_argument("--no-reload", action="store_true", help="do not follow changes of the program")
    files = top.add_argument_group("files")
    files.add_argument("--log", type=Path, metavar="DIR", help="event log and report of each call")
    files.add_argument("--record", action="store_true", help="the sound of each call as well (--log, else ./calls)")
    top.add_argument("--no-rehearsal", action="store_true", help="do not run the entrypoint ahead to load its models")
    return top


def main(program: Program | None, words: Sequence[str], *, prog: str) -> int:
    """Serve until Ctrl-C. Returns the exit status."""
    options = parser(prog).parse_args(words)
    if program is None:
        raise ConfigurationError("There is no entrypoint.", hint="Call antiphon.run(entrypoint) in the program.")
    web_server.check(options)
    if options.record and not options.log:
        options.log = Path("calls")
    return asyncio.run(serve(program, options))


async def serve(program: Program, options: argparse.Namespace) -> int:
    """The worker, from its start to its end: as the supervisor, or as an agent process where a supervisor started this one."""
    from antiphon.cli.start_agent import serve_as_agent
    from antiphon.worker.agent_child import VARIABLE
    from antiphon.worker.call_files import CallFiles
    from antiphon.worker.server import AgentServer

    if isinstance(program, AgentServer):
        server = program
    else:
        server = AgentServer()
        server.rtc_session(program)
    server.plane, server.load_threshold = "process", math.inf  # a developer's machine may be busy with something else
    files = CallFiles(options.log, record=options.record)
    if link := os.environ.pop(VARIABLE, ""):
        server.store = server.store or os.environ.get(STORE)
        rehearsal = not options.no_rehearsal
        return await serve_as_agent(server, None, int(link), rehearsal=rehearsal, files=files, details=True)
    files.make()
    if server.store is not None:
        return await _supervise(server, options)
    with tempfile.TemporaryDirectory(prefix="antiphon-dev-") as folder:
        server.store = os.environ[STORE] = f"sqlite:///{folder}/calls.db"
        return await _supervise(server, options)


async def _supervise(server: AgentServer, options: argparse.Namespace) -> int:
    from antiphon.cli.screen import Screen
    from antiphon.cli.supervising import Manner, supervise
    from antiphon.web.dispatch import BrowserDispatch
    from antiphon.worker.reload import follow

    screen = Screen(sys.stdout)
    page = web_server.WebServer(options)

    def ready(supervisor: Supervisor) -> Iterator[str]:
        yield f"Ready: {screen.style(page.address, 'bold')}"
        for text in page.advice():
            yield screen.style(text, "dim")
        yield screen.style("Several browsers may call at once. Ctrl-C ends.", "dim")
        if options.open:
            webbrowser.open(page.address)

    manner = Manner(
        ready=ready,
        stopping="ending the calls (Ctrl-C again: at once)",
        waits=False,
        beside=None if options.no_reload else lambda supervisor: follow(_folder(), supervisor.pool.renew),
    )
    return await supervise(server, BrowserDispatch(page.settings(details=True), page.listen), screen, manner)


def _folder() -> Path:
    """Where the program is."""
    main_file = getattr(sys.modules["__main__"], "__file__", None)
    return Path(main_file or ".").resolve().parent
