"""Closing: the shell's part at the end. Everything is freed by the deadline; what does not end is named and left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel.tools import CANCEL_WAIT

if TYPE_CHECKING:
    from antiphon.session.shell import Shell

TOOL_DRAIN = 30.0
"""Seconds a write may go on after its session has ended."""


FENCED, HANDED_OVER = "fenced", "handed_over"
ELSEWHERE = frozenset((FENCED, HANDED_OVER))
"""Why a session ended that another process goes on with: it was taken, or given."""


class Closing:
    """Owns the tasks that are ending, the writes that outlive the session, and the order in which things are freed."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.ended = asyncio.Event()
        self.ending: set[asyncio.Task[Any]] = set()
        self._code_ended = asyncio.Event()
        self._freeing: asyncio.Task[None] | None = None
        self._detached: set[ev.Op] = set()

    def keep(self, task: asyncio.Task[Any]) -> None:
        """A task that the session waits for when it closes."""
        self.ending.add(task)
        task.add_done_callback(self.ending.discard)

    def code_ended(self) -> None:
        """A tool or a hook came to its end; from any lane."""
        self._shell.lane.post(self._code_ended.set)

    def detach(self, effect: fx.DetachTool) -> None:
        """A write outlives the session: the process keeps its task, and its result is recorded when it comes."""
        self._detached.add(effect.op)

    def close_all(self, effect: fx.CloseAll) -> None:
        self._freeing = self._shell.lane.loop.create_task(self._free(effect), name="antiphon:close")

    async def _free(self, effect: fx.CloseAll) -> None:
        """Free everything; what does not end by the deadline is named and left."""
        shell, loop = self._shell, self._shell.lane.loop
        deadline = shell.driver.t0 + effect.deadline
        shell.user_code.close(keep=self._detached)
        self.ending.update(shell.speaking.close())
        self.ending.add(loop.create_task(shell.listening.aclose(), name="antiphon:stt-close"))
        if shell.services.leg is not None:
            self.ending.add(loop.create_task(shell.bridge.aclose(), name="antiphon:line-close"))
        for model in shell.directory.made_models():
            self.ending.add(loop.create_task(model.aclose(), name="antiphon:model-close"))
        for task in shell.background:
            task.cancel()
        pending = {task for task in self.ending | shell.background if not task.done()}
        if pending:
            _, pending = await asyncio.wait(pending, timeout=max(0.0, deadline - loop.time() - 0.1))
        for task in pending:
            task.cancel()
        await self._user_code_ends(lambda: bool(shell.user_code.running(self._detached)), deadline - 0.05)
        abandoned = [task.get_name().removeprefix("antiphon:") for task in pending]
        abandoned += shell.user_code.running(self._detached)
        shell.post(ev.Closed(op=effect.op, abandoned=tuple(abandoned)))

    def finish(self, effect: fx.Ended) -> None:
        shell = self._shell
        if effect.reason in ELSEWHERE:  # the line is another's: nothing of it is closed, everything else is let go
            shell.drop()
            for model in shell.directory.made_models():
                self.keep(shell.lane.loop.create_task(model.aclose(), name="antiphon:model-close"))
        shell.driver.cancel_wake()
        shell.stop_beating()
        shell.bridge.gone()
        self.keep(shell.lane.loop.create_task(self._finish(effect.reason), name="antiphon:finish"))

    async def _finish(self, reason: str) -> None:
        """The account and the log are complete before the application hears of the end, but for detached writes."""
        shell = self._shell
        if shell.services.telemetry is not None:
            shell.services.telemetry.finish()
        detached = self._writes_run()
        if not detached:
            await self._close_log()
        self.ended.set()
        shell.tell(shell.side.ended, reason)
        try:
            if detached:
                await self._user_code_ends(self._writes_run, shell.lane.loop.time() + TOOL_DRAIN)
                shell.user_code.close(keep=frozenset())
                await self._user_code_ends(self._writes_run, shell.lane.loop.time() + CANCEL_WAIT)
                await self._close_log()
        finally:
            shell.tell(shell.side.written.set)

    def _writes_run(self) -> bool:
        return any(self._shell.user_code.runs(op) for op in self._detached)

    async def _user_code_ends(self, running: Callable[[], bool], until: float) -> None:
        """Wait while ``running()``, at most ``until`` (loop time)."""
        while running():
            self._code_ended.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._code_ended.wait()
            except TimeoutError:
                return

    async def _close_log(self) -> None:
        if self._shell.services.log is not None:
            await self._shell.services.log.aclose()
