"""Holding one conversation from the command line: the job, its session, what is shown, and a clean end on Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from antiphon.cli.live import LiveCall
from antiphon.cli.report import INTERRUPTED, complain
from antiphon.cli.screen import Screen
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.worker.job import JobContext
from antiphon.worker.runtime import default_runtime

if TYPE_CHECKING:
    from antiphon.cli.run import Entrypoint
    from antiphon.session.session import AgentSession

Meanwhile = Callable[["AgentSession[Any]"], Awaitable[None]]
"""What the command line does beside the call: typing, drawing levels. Cancelled when the call is over."""

LEVELS_EVERY = 0.1
"""Seconds between two drawings of the levels."""


class ShownJob(JobContext):
    """A job that shows its session on ``shown``, from the first event on."""

    shown: LiveCall

    def _attach(self, session: AgentSession[Any]) -> None:
        super()._attach(session)
        self.shown.attach(session)


async def hold(entrypoint: Entrypoint, job: ShownJob, screen: Screen, *meanwhile: Meanwhile) -> int:
    """Run the entrypoint until its call is over, or until Ctrl-C or SIGTERM: then the session is closed and the files
    are written; a second Ctrl-C stops waiting for that. Returns 0, 1 after a typed error or a call that an error ended,
    130 when interrupted."""
    conversation = asyncio.create_task(_converse(entrypoint, job, meanwhile), name="conversation")
    stop = Stop(screen, "closing the call (Ctrl-C again: at once)")
    try:
        with stop, _problems_on(job.shown):
            interrupted = asyncio.create_task(stop.pressed.wait(), name="interrupted")
            await asyncio.wait({conversation, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            interrupted.cancel()
            closing = asyncio.create_task(_close(conversation, job), name="closing")
            stop.at_once = closing.cancel
            with suppress(asyncio.CancelledError):
                await closing
            await default_runtime().aclose()
        if stop.pressed.is_set():
            return INTERRUPTED
        conversation.result()
    except AntiphonError as error:
        screen.close()
        complain(error)
        return 1
    finally:
        screen.close()
    return 1 if job.session is not None and job.session.close_reason == "error" else 0


async def _close(conversation: asyncio.Task[None], job: JobContext) -> None:
    if not conversation.done():
        conversation.cancel()
        await asyncio.wait({conversation})
    await job.aclose()


async def _converse(entrypoint: Entrypoint, job: JobContext, meanwhile: tuple[Meanwhile, ...]) -> None:
    await entrypoint(job)
    session = job.session
    if session is None:
        raise ConfigurationError(
            "The entrypoint ended without starting a session.", hint="Call: await session.start(agent, ctx)"
        )
    ended = asyncio.create_task(job.wait_closed(), name="call")
    beside = [asyncio.ensure_future(work(session)) for work in meanwhile]
    try:
        while not ended.done():
            running = [task for task in beside if not task.done()]
            await asyncio.wait({ended, *running}, return_when=asyncio.FIRST_COMPLETED)
            for task in beside:
                if task.done() and not task.cancelled():
                    task.result()
        await ended
    finally:
        others: list[asyncio.Future[Any]] = [ended, *beside]
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def _problems_on(shown: LiveCall) -> Iterator[None]:
    """What the library logs as a warning or worse appears among the lines of the call, and nowhere else."""
    loop = asyncio.get_running_loop()
    logger = logging.getLogger("antiphon")

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = self.format(record)
            with suppress(RuntimeError):  # a thread that ends after the loop has nobody to tell
                loop.call_soon_threadsafe(shown.problem, text)

    handler = Handler(logging.WARNING)
    logger.addHandler(handler)
    passed_on, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = passed_on


class Stop:
    """Ctrl-C and SIGTERM while the block runs: the first says ``text`` and sets ``pressed``, the second calls
    ``at_once``."""

    def __init__(self, screen: Screen, text: str) -> None:
        self.pressed = asyncio.Event()
        self.at_once: Callable[[], object] = lambda: None
        self._screen, self._text = screen, text
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self.press)

    def __exit__(self, *exc: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.remove_signal_handler(number)

    def press(self) -> None:
        """As a signal does."""
        if self.pressed.is_set():
            self.at_once()
        else:
            self.pressed.set()
            self._screen.line(self._screen.style(self._text, "dim"))


def show_levels(shown: LiveCall) -> Meanwhile:
    """Draw the loudness of both sides until the call ends."""

    async def draw(session: AgentSession[Any]) -> None:
        while True:
            shown.level(*session.levels, session.now())
            await asyncio.sleep(LEVELS_EVERY)

    return draw
