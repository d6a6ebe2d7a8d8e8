"""``start`` in a process that a supervisor started: an agent process, from its first word to its last call's end."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

from antiphon.errors import AntiphonError

if TYPE_CHECKING:
    from antiphon.worker.agent_process import AgentProcess
    from antiphon.worker.call_files import CallFiles
    from antiphon.worker.server import AgentServer, LiveKitServer


async def serve_as_agent(
    server: AgentServer,
    livekit: LiveKitServer | None,
    link: int,
    *,
    rehearsal: bool,
    files: CallFiles,
    details: bool = False,
) -> int:
    """``livekit``: where rooms are (``None``: there are none). ``link``: file descriptor of this end of the link to the supervisor.
    ``details``: callers' pages are told of errors as they are. Returns the exit status."""
    from antiphon.cli.screen import Screen
    from antiphon.cli.supervising import across, lines_of_the_log
    from antiphon.session.lanes import Lane
    from antiphon.worker.agent_messages import Ready
    from antiphon.worker.agent_process import AgentProcess
    from antiphon.worker.runtime import default_runtime

    os.set_inheritable(link, False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the supervisor is told, and says what becomes of the calls
    faulthandler.enable(file=sys.stderr)
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    runtime = default_runtime()
    core = runtime.core
    lane, sock = Lane(asyncio.get_running_loop()), socket.socket(fileno=link)
    agent = AgentProcess(server, livekit, lane, sock, files, details=details)
    with lines_of_the_log(Screen(sys.stdout)):
        try:
            await across(core, agent.start())
            if await _prepare(agent, rehearsal):
                core.run(agent.say, Ready())
                await across(core, agent.wait_over())
        finally:
            await across(core, agent.aclose())
            await runtime.aclose()
    return 0


async def _prepare(agent: AgentProcess, rehearsal: bool) -> bool:
    """Load the models of all entrypoints. False: one is missing, and the supervisor knows."""
    from antiphon.cli.rehearsal import rehearse
    from antiphon.worker.agent_messages import CannotStart, Progress
    from antiphon.worker.runtime import default_runtime

    core = default_runtime().core

    def progress(kind: str, model: str, seconds: float) -> None:
        core.run(agent.say, Progress(model_kind=kind, model=model, seconds=seconds))

    for entrypoint in agent.server.entrypoints.values() if rehearsal else ():
        try:
            await rehearse(entrypoint, progress)
        except AntiphonError as error:
            core.run(agent.say, CannotStart(message=error.message, hint=error.hint))
            return False
        except Exception as error:
            logging.getLogger("antiphon").info("an entrypoint was not run ahead to its end: %s", error)
    return True
