"""The model process of a machine (context W): one engine behind a Unix socket, for all sessions and workers.

Started by the first client; ends when it has had no client for a while. It never touches the network. Start one by hand
with ``python -m antiphon.local.server``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
from contextlib import aclosing
from pathlib import Path

import msgspec

from antiphon.audio.framing import frame
from antiphon.errors import AntiphonError
from antiphon.local.engine import failure
from antiphon.local.hosts import Host, InProcessHost
from antiphon.local.requests import Done
from antiphon.local.store import Store
from antiphon.local.wire import Answer, Ask, Cancel, Welcome, receive, socket_path, to_server

logger = logging.getLogger(__name__)

LINGER = 60.0
"""Seconds without a client until the process ends."""

NICENESS = 5
"""How much lower than the sessions the models are ranked."""


class ModelServer:
    """Serves a host on a socket."""

    def __init__(self, host: Host, path: Path, *, linger: float = LINGER) -> None:
        self._host = host
        self._path = path
        self._linger = linger
        self._clients = 0
        self._stop = asyncio.Event()
        self._farewell: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Until nobody needs it any more, or ``stop``."""
        self._path.unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._serve, str(self._path))
        finally:
            os.umask(mask)
        mine = self._path.stat().st_ino
        self._wait_for_clients()
        await self._stop.wait()
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_ino == mine:
                self._path.unlink()
        server.close()
        await self._host.aclose()

    def stop(self) -> None:
        self._stop.set()

    def _wait_for_clients(self) -> None:
        self._farewell = asyncio.get_running_loop().call_later(self._linger, self.stop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        if self._farewell is not None:
            self._farewell.cancel()
        tasks: dict[int, asyncio.Task[None]] = {}
        try:
            writer.write(frame(Welcome(os.getpid())))
            while True:
                message = to_server.decode(await receive(reader))
                match message:
                    case Ask():
                        task = asyncio.create_task(self._answer(message, writer))
                        tasks[message.id] = task
                        task.add_done_callback(lambda _, id=message.id: tasks.pop(id, None))  # type: ignore[misc]
                    case Cancel() if message.id in tasks:
                        tasks[message.id].cancel()
        except EOFError:
            pass
        except (msgspec.MsgspecError, ValueError) as error:
            logger.warning("a client sent what is no message: %s", error)
        finally:
            for task in list(tasks.values()):
                task.cancel()
            writer.close()
            self._clients -= 1
            if self._clients == 0:
                self._wait_for_clients()

    async def _answer(self, ask: Ask, writer: asyncio.StreamWriter) -> None:
        try:
            async with aclosing(self._host.ask(ask.request)) as replies:
                async for reply in replies:
                    writer.write(frame(Answer(ask.id, reply)))  # type: ignore[arg-type]
                    await writer.drain()
            writer.write(frame(Answer(ask.id, Done())))
        except AntiphonError as error:
            writer.write(frame(Answer(ask.id, failure(error))))
        except ConnectionError:
            logger.info("a client left before its answer")


async def serve(path: Path, store: Store, linger: float) -> None:
    """Run the server until it is not needed or told to end."""
    server = ModelServer(InProcessHost(store), path, linger=linger)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.run()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m antiphon.local.server", description=__doc__)
    parser.add_argument("--socket", type=Path, help="where to listen (default: the socket that clients look for)")
    parser.add_argument("--models", type=Path, help="directory of the model store")
    parser.add_argument("--linger", type=float, default=LINGER, help="seconds to stay without a client")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    os.nice(NICENESS)
    store = Store(options.models)
    asyncio.run(serve(options.socket or socket_path(store), store, options.linger))


if __name__ == "__main__":
    main()
