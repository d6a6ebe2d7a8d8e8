"""One agent process as its supervisor sees it: started, spoken with, watched, ended. Belongs to the supervisor's loop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from antiphon.worker import agent_messages as m
from antiphon.worker.process_link import ProcessLink, open_link

logger = logging.getLogger("antiphon")

VARIABLE = "ANTIPHON_SUPERVISOR"
"""Names, in an agent process's environment, the file descriptor of its link."""
LAST_WORDS = 0.5
"""Seconds that what a dead process still said may take to be read."""
EXIT_WITHIN = 10.0
"""Seconds from the end of a process's last call, or of its link, until it has to be gone."""


class AgentChild:
    """``take``: gets its messages; ``gone``: called once, when it is dead, or as good as: nothing of it can act any more."""

    def __init__(
        self, take: Callable[[AgentChild, m.AnyFromAgent], object], gone: Callable[[AgentChild], object]
    ) -> None:
        self.jobs: set[str] = set()
        self.ready = self.retiring = False
        self.old = False
        """The program has changed since it was started."""
        self.alone = False
        """It serves a suspect session, and nothing beside it."""
        self.media_lost = ""
        """It ends because its media process did: through no fault of a session."""
        self.beat = m.Beat(lag=0.0, sessions=0, rss=0)
        self.heard = asyncio.get_running_loop().time()
        """When it last showed that it lives, on the loop's clock."""
        self.how = ""
        """Why it was ended, where the supervisor did it."""
        self._take, self._gone = take, gone
        self._process: subprocess.Popen[bytes] | None = None
        self._link: ProcessLink[m.AnyFromAgent] | None = None
        self._told = self._exit_seen = False

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def start(self) -> None:
        """Run this program again, as an agent process. Raises ``OSError``."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        environment = {**os.environ, VARIABLE: str(theirs.fileno())}
        with theirs:
            try:
                process = self._process = subprocess.Popen(  # noqa: ASYNC220  (returns as soon as the child exists)
                    [sys.executable, *sys.orig_argv[1:]],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        self._link = await open_link(ours, m.AnyFromAgent, self._said, self._link_lost)
        threading.Thread(target=self._wait, args=(loop, process), name=f"agent {process.pid}", daemon=True).start()

    def send(self, message: m.AnyToAgent) -> None:
        if self._link is not None:
            self._link.send(message)

    def retire(self) -> None:
        """Let it end with its last job."""
        self.retiring = True
        self.send(m.Retire())

    def dump(self) -> None:
        """Have it print the stacks of its threads."""
        self._signal(signal.SIGUSR1)

    def kill(self, how: str) -> None:
        """End it at once."""
        self.how = self.how or how
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _said(self, message: m.AnyFromAgent) -> None:
        self.heard = asyncio.get_running_loop().time()
        self._take(self, message)

    def _link_lost(self) -> None:
        """An agent process without a link is finished, or finishing."""
        if self._exit_seen:
            self._tell()
            return
        if self.retiring and not self.jobs:
            asyncio.get_running_loop().call_later(EXIT_WITHIN, self.kill, "it did not exit")
            return
        self.kill("")
        self._tell()

    def _wait(self, loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            loop.call_soon_threadsafe(self._exited)

    def _exited(self) -> None:
        if not self.retiring:
            logger.error("agent process %d ended: %s", self.pid, self.how or _status(self._process))
        self._exit_seen = True
        if self._link is None or not self._link.open:
            self._tell()
            return
        asyncio.get_running_loop().call_later(LAST_WORDS, self._heard_all)  # somebody else may hold its end

    def _heard_all(self) -> None:
        if self._link is not None:
            self._link.close()
        self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._gone(self)


def _status(process: subprocess.Popen[bytes] | None) -> str:
    """How it ended, for people."""
    code = process.returncode if process is not None else None
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
