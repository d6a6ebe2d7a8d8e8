"""Barriers: an effect whose ``after`` names a fact waits until that fact is durable.

The caller's turn before its answer sounds, a tool's intent before it acts. Only what waits is held back, and what is said of it afterwards; the rest
of the session goes on. A stuck disk delays speech and reads by ``PATIENCE`` at most; a write waits until its
intent is on the disk, or can never be.

Owns: what waits, and for how long. Never: what a session does when another owner has it (the kernel says: ``Fenced``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from antiphon.errors import FencedError, StoreError
from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.models.store import SessionLog

PATIENCE = 0.3
"""Seconds that speech waits for the disk."""
AT_MOST = 3_600.0
"""Seconds that a write waits: its own time limit, and the end of the session, come before."""

Key = ev.Op | str
"""What an effect is of: a tool's op, or a speech."""


class Barriers:
    """In front of the shell. ``carry_out``: does an effect. ``told``: of a barrier that was not waited for, as text."""

    def __init__(
        self,
        log: SessionLog,
        loop: asyncio.AbstractEventLoop,
        *,
        carry_out: Callable[[fx.AnyEffect], None],
        post: Callable[[ev.Event], None],
        told: Callable[[str], None],
    ) -> None:
        self._log, self._loop = log, loop
        self._carry_out, self._post, self._told = carry_out, post, told
        self._held: dict[Key, list[fx.AnyEffect]] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._late = self._fenced = False

    def take(self, effect: fx.AnyEffect) -> None:
        """Do it, now or when its barrier is reached."""
        key = _key(effect)
        if key is not None and key in self._held:
            self._behind(key, effect)
        elif key is not None and effect.after > self._log.durable:
            self._held[key] = [effect]
            self._tasks[key] = self._loop.create_task(self._wait(key, effect), name="antiphon:barrier")
        else:
            self._carry_out(effect)

    def drop(self) -> list[asyncio.Task[None]]:
        """Nothing that waits will happen; returns the tasks that are ending."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        self._held.clear()
        self._tasks.clear()
        return tasks

    def _behind(self, key: Key, effect: fx.AnyEffect) -> None:
        """Something is said of what waits: to end it before it has begun, or to be done after it."""
        if isinstance(effect, fx.CancelTool | fx.DetachTool | fx.Cancel | fx.Stop):
            self._release(key).cancel()
            if isinstance(effect, fx.CancelTool | fx.DetachTool):
                said = "The call was cancelled before it had begun."
                self._post(ev.ToolReturned(op=effect.op, output=said, is_error=True, cancelled=True))
            else:
                self._carry_out(effect)
        else:
            self._held[key].append(effect)

    async def _wait(self, key: Key, effect: fx.AnyEffect) -> None:
        writes = isinstance(effect, fx.RunTool) and effect.effect != "read"
        try:
            await self._log.until_durable(effect.after, AT_MOST if writes else PATIENCE)
            self._late = False
        except FencedError:
            if not self._fenced:
                self._fenced = True
                self._post(ev.Fenced())
            return  # nothing of a former owner's happens any more
        except (StoreError, TimeoutError) as exc:
            if not self._late:
                self._late = True
                why = str(exc) or f"it took longer than {PATIENCE:g} s"
                self._told(f"The conversation goes on without being stored first: {why}")
        held = self._held[key]
        self._release(key)
        for one in held:
            self._carry_out(one)

    def _release(self, key: Key) -> asyncio.Task[None]:
        del self._held[key]
        return self._tasks.pop(key)


def _key(effect: fx.AnyEffect) -> Key | None:
    """Of effects that may have to wait, and of those that follow upon them."""
    if isinstance(effect, fx.RunTool | fx.CancelTool | fx.DetachTool | fx.Cancel):
        return effect.op
    if isinstance(effect, fx.Play | fx.Pause | fx.Resume | fx.Stop):
        return effect.speech
    return None
