"""One job's end on the user's lane: runs the entrypoint, waits for its session's end, and ends both when it is told to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from antiphon.errors import AntiphonError, SessionClosedError
from antiphon.session.closing import HANDED_OVER
from antiphon.worker.job import JobContext

Entrypoint = Callable[[Any], Awaitable[None]]
"""Is given its ``JobContext``; in a LiveKit room a ``RoomJobContext``."""

logger = logging.getLogger("antiphon")


class ServedJob:
    """``failed``: told of an entrypoint that raised or started no session; ``gone``: told, once and at last, when nothing of it
    runs any more, why it ended. Both on the user's lane."""

    def __init__(
        self,
        context: JobContext,
        entrypoint: Entrypoint,
        *,
        failed: Callable[[Exception], object],
        gone: Callable[[str], object],
    ) -> None:
        self.context = context
        self._entrypoint, self._tell_failed, self._tell_gone = entrypoint, failed, gone
        self._task: asyncio.Task[None] | None = None
        self._reason = ""
        self._cancelled = False
        self._leaving: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start the entrypoint."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"antiphon:{self.context.id}")

    async def _run(self) -> None:
        context = self.context
        try:
            await self._entrypoint(context)
            if context.session is None:
                raise AntiphonError(
                    "The entrypoint ended without starting a session.", hint="Call: await session.start(agent, ctx)"
                )
            await context.wait_closed()
        except asyncio.CancelledError:
            pass
        except SessionClosedError as error:  # the caller may be gone before the entrypoint has said a word
            if context.session is None or not context.session.close_reason:
                self._failed(error)
        except Exception as error:
            self._failed(error)
        finally:
            await self._close()

    def _failed(self, error: Exception) -> None:
        self._reason = self.context.shutdown_reason = "error"
        if isinstance(error, AntiphonError):
            logger.error("call %s: %s", self.context.id, error)
        else:
            logger.exception("call %s: the entrypoint raised", self.context.id)
        self._tell_failed(error)

    async def _close(self) -> None:
        try:
            await self.context.aclose()
            await self.context.wait_written()
        except Exception:
            logger.exception("call %s did not close cleanly", self.context.id)
        session = self.context.session
        ended = session.close_reason if session is not None else ""  # it may have been closing when this job was to end
        self._tell_gone(ended or self._reason)

    def leave(self, within: float) -> None:
        """As ``hand_over``, in a task of its own."""
        if self._leaving is None or self._leaving.done():
            self._leaving = asyncio.get_running_loop().create_task(self.hand_over(within))

    async def hand_over(self, within: float) -> None:
        """Leave it to another process (see ``AgentSession.hand_over``), once its session runs: then ``gone`` is told
        ``HANDED_OVER``."""
        context, task = self.context, self._task
        if task is None:
            return
        starts = asyncio.ensure_future(context.wait_started())
        await asyncio.wait({task, starts}, return_when=asyncio.FIRST_COMPLETED)
        starts.cancel()
        if task.done() or context.session is None:
            return
        with suppress(SessionClosedError):
            if await context.session.hand_over(within=within):
                self._reason, self._cancelled = HANDED_OVER, True
                task.cancel()
                context.session.let_go()

    def end(self, reason: str, drain: bool = False) -> None:
        """End the session, or the entrypoint that has none yet. ``drain``: what is being said first."""
        context, task = self.context, self._task
        if task is None or task.done() or self._cancelled:
            return
        session = context.session
        context.shutdown_reason = self._reason = self._reason or reason
        if session is not None and session.close_reason:
            return  # it has ended, and its report is being written
        if drain and session is not None:
            with suppress(SessionClosedError):
                session.shutdown(drain=True, reason=reason)
                return
        self._cancelled = True
        asyncio.get_running_loop().call_soon(task.cancel)  # a task that never ran would not tell of its end
