"""A worker from its start to its end, as ``start`` and ``dev`` run it: the supervisor, and what it says on the screen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from antiphon.cli.screen import Screen
    from antiphon.session.lanes import Lane
    from antiphon.worker.dispatch import Dispatch
    from antiphon.worker.server import AgentServer
    from antiphon.worker.supervisor import Supervisor

T = TypeVar("T")
LOOK_AGAIN = 1.0
"""Seconds."""


class Manner(msgspec.Struct, frozen=True):
    """How a verb runs a worker. ``ready``: what it says when the first agent process is. ``stopping``: what it says at the first Ctrl-C.
    ``waits``: whether calls that run are waited for then. ``health``: host and port of the health page (port 0: none). ``beside``: goes on
    until the end."""

    ready: Callable[[Supervisor], Iterable[str]]
    stopping: str
    waits: bool
    health: tuple[str, int] = ("127.0.0.1", 0)
    beside: Callable[[Supervisor], Coroutine[Any, Any, None]] | None = None


async def supervise(server: AgentServer, dispatch: Dispatch, screen: Screen, manner: Manner) -> int:
    """Serve until SIGTERM or Ctrl-C. Returns the exit status; raises what makes the worker give up."""
    from antiphon.cli.conversation import Stop
    from antiphon.session.lanes import Lane
    from antiphon.worker.control import Control
    from antiphon.worker.health import Health
    from antiphon.worker.runtime import default_runtime
    from antiphon.worker.supervisor import Supervisor

    runtime = default_runtime()
    core, here = runtime.core, Lane(asyncio.get_running_loop())
    stop = Stop(screen, manner.stopping)

    def progress(kind: str, model: str, seconds: float) -> None:
        if seconds >= 0:
            here.post(screen.line, screen.style(f"{kind:15} {model}, {seconds:.1f} s", "dim"))
        else:
            here.post(screen.status, f"getting ready: {kind}, {model} ...")

    supervisor = await across(core, _made(lambda: Supervisor(server, dispatch, here, progress)))
    health, control = Health(supervisor), Control(supervisor, lambda: here.post(stop.press))
    with stop, lines_of_the_log(screen):
        try:
            if manner.health[1]:
                await across(core, health.start(*manner.health))
            await across(core, control.start())
            await across(core, supervisor.start())
            work = asyncio.create_task(_work(supervisor, manner, screen), name="work")
            pressed = asyncio.create_task(stop.pressed.wait(), name="stop")
            await asyncio.wait({work, pressed}, return_when=asyncio.FIRST_COMPLETED)
            pressed.cancel()
            if work.done():
                work.result()
            work.cancel()
            if manner.waits:
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


async def across(core: Lane, work: Coroutine[Any, Any, T]) -> T:
    """Do this on the core's lane."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, core.loop))


async def _made(make: Callable[[], Supervisor]) -> Supervisor:
    """On the loop that it belongs to."""
    return make()


async def _work(supervisor: Supervisor, manner: Manner, screen: Screen) -> None:
    """Say when the first agent process is ready, and go on until something makes the worker give up: then raises that."""
    from antiphon.worker.runtime import default_runtime

    core, said = default_runtime().core, False
    beside = None if manner.beside is None else asyncio.create_task(across(core, manner.beside(supervisor)))
    try:
        while supervisor.fault is None:
            if supervisor.ready and supervisor.registered and not said:
                said = True
                screen.status("")
                for line in manner.ready(supervisor):
                    screen.line(line)
            with suppress(TimeoutError):  # what changes between the look and the wait is seen by the next look
                await asyncio.wait_for(across(core, supervisor.wait_changed()), LOOK_AGAIN)
    finally:
        if beside is not None:
            beside.cancel()
    raise supervisor.fault


@contextmanager
def lines_of_the_log(screen: Screen) -> Iterator[None]:
    """What the library logs becomes lines of the screen: calls as they come and go, and what goes wrong."""
    loop = asyncio.get_running_loop()
    logger = logging.getLogger("antiphon")

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
            colour = "red" if record.levelno >= logging.ERROR else "yellow" if record.levelno > logging.INFO else "dim"
            text = f"{screen.style(time, 'dim')}  {screen.style(self.format(record), colour)}"
            with suppress(RuntimeError):  # a thread that ends after the loop has nobody to tell
                loop.call_soon_threadsafe(screen.line, text)

    handler = Handler(logging.INFO)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before
