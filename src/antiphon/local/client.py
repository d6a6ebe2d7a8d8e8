"""The client of the model process: starts it when it is not there, asks it, and notices when it is gone.

A process has one ``SharedHost``; it keeps a connection for each event loop that uses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import os
import subprocess
import sys
import time
import weakref
from collections.abc import AsyncGenerator
from pathlib import Path

from antiphon.audio.framing import frame
from antiphon.errors import ModelError
from antiphon.local.hosts import error_of
from antiphon.local.requests import AnyRequest, Done, Failed, Reply
from antiphon.local.store import Store
from antiphon.local.wire import Answer, Ask, Cancel, Welcome, receive, socket_path, to_client

START_TIMEOUT = 20.0
"""Seconds for the model process to listen (it loads no model before it is asked)."""

LOST = Failed(error="The local model process ended unexpectedly.", hint="It is started again by the next request.")


class Connection:
    """One event loop's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Reply]] = {}
        self._task = asyncio.create_task(self._read())
        self.alive = True
        self.pid = pid

    async def ask(self, request: AnyRequest) -> AsyncGenerator[Reply, None]:
        id = next(self._ids)
        replies = self._waiting[id] = asyncio.Queue()
        finished = False
        try:
            self._writer.write(frame(Ask(id, request)))
            if not self.alive:
                replies.put_nowait(LOST)
            while True:
                reply = await replies.get()
                finished = isinstance(reply, Done | Failed)
                if isinstance(reply, Failed):
                    raise error_of(reply)
                if finished:
                    return
                yield reply
        finally:
            del self._waiting[id]
            if not finished and self.alive:
                self._writer.write(frame(Cancel(id)))

    async def _read(self) -> None:
        try:
            while True:
                message = to_client.decode(await receive(self._reader))
                if isinstance(message, Answer) and message.id in self._waiting:
                    self._waiting[message.id].put_nowait(message.reply)
        except EOFError:
            pass
        finally:
            self.alive = False
            self._writer.close()
            for replies in self._waiting.values():
                replies.put_nowait(LOST)

    async def aclose(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([self._task])


class SharedHost:
    """The machine's model process. Requests start it when it is not running."""

    def __init__(self, store: Store | None = None, *, socket: Path | None = None, linger: float = 60.0) -> None:
        self._store = store or Store()
        self._socket = socket
        self._linger = linger
        self._connections: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Connection] = (
            weakref.WeakKeyDictionary()
        )
        self._opening: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()

    async def ask(self, request: AnyRequest) -> AsyncGenerator[Reply, None]:
        """The replies. Raises a retryable ``ModelError`` when the process dies meanwhile: ask again."""
        connection = await self.connect()
        async with contextlib.aclosing(connection.ask(request)) as replies:
            async for reply in replies:
                yield reply

    async def connect(self) -> Connection:
        """This loop's connection, opened (and the process started) where needed."""
        loop = asyncio.get_running_loop()
        async with self._opening.setdefault(loop, asyncio.Lock()):
            connection = self._connections.get(loop)
            if connection is None or not connection.alive:
                connection = self._connections[loop] = await self._open()
            return connection

    async def aclose(self) -> None:
        """Leave. The process stays for others, and ends by itself."""
        connection = self._connections.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            await connection.aclose()

    async def _open(self) -> Connection:
        path = self._socket or socket_path(self._store)
        with contextlib.suppress(OSError, EOFError):
            return await greet(path)
        await asyncio.to_thread(start_server, path, self._store.root, self._linger)
        try:
            return await greet(path)
        except (OSError, EOFError) as error:
            raise ModelError(f"The local model process cannot be reached: {error}") from error


async def greet(path: Path) -> Connection:
    """A connection to the process that listens at ``path``. Raises ``OSError`` or ``EOFError``."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        welcome = to_client.decode(await receive(reader))
    except BaseException:
        writer.close()
        raise
    return Connection(reader, writer, welcome.pid if isinstance(welcome, Welcome) else 0)


def start_server(path: Path, root: Path, linger: float) -> None:
    """Start the model process unless another client is doing so; return when it listens. Raises ``ModelError``."""
    log = path.with_suffix(".log")
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if listening(path):
            return
        command = [sys.executable, "-m", "antiphon.local.server", "--socket", str(path), "--models", str(root)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--linger", str(linger)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "GOMP_SPINCOUNT": "0", "OMP_WAIT_POLICY": "passive"},
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not listening(path):
            if process.poll() is not None or time.monotonic() > deadline:
                last = (log.read_text(errors="replace").strip().splitlines() or ["it wrote nothing"])[-1]
                raise ModelError(f"The local model process did not start: {last}", hint=f"Its log is {log}.")
            time.sleep(0.02)


def listening(path: Path) -> bool:
    """Whether somebody accepts connections there."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
            return True
        except OSError:
            return False
