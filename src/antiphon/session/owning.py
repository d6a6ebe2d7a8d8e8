"""Owning: how a shell comes by a conversation that was another's, how it lets go of it, and whether it is still its own.

Part of the shell, on the core lane.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from antiphon.errors import ModelError
from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel.liveness import at_rest
from antiphon.kernel.policy import AgentRef
from antiphon.session.clips import render_clips
from antiphon.session.closing import HANDED_OVER

if TYPE_CHECKING:
    from antiphon.session.shell import Shell


class Owning:
    """One shell's."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def listen(self) -> None:
        """Be told whose the session is, where it has a lease."""
        if self._shell.services.ownership is not None:
            self._shell.services.ownership.listen(self._told)

    def _told(self, ours: bool) -> None:
        if ours:
            self._shell.bridge.sure_again()
        else:
            self._shell.post(ev.Fenced())

    def take_over(self, line: str, t0: float, agent: AgentRef | None = None) -> None:
        """Go on with a conversation whose owner is gone: the kernel's state is here, the line lives in the plane, or is lost
        (``Services.resumption``). ``t0``: the clock's time at which the session began. ``agent``: goes on where only the
        conversation is known."""
        shell = self._shell
        resumption, leg = shell.services.resumption, shell.services.leg
        lost = leg is not None and resumption is not None and not resumption.attach
        shell.driver.t0 = t0
        self.listen()
        shell.name_models()
        if leg is not None and not lost:
            shell.bridge.attach(line, leg)
            shell.listening.start()
        shell.post(ev.Resumed(epoch=shell.services.epoch, lost=lost, agent=agent))
        if leg is not None and lost:
            shell.bridge.open(leg)
            shell.listening.start()
        if leg is not None:
            shell.in_background(lambda: render_clips(shell, shell.speaking.texts))
        elif not shell.kernel.state.legs.legs:
            shell.post(ev.LegUp(leg="text", medium="text", quality="device"))
        if resumption is not None:
            shell.in_background(self._prewarm)
        shell.beat()

    async def _prewarm(self) -> None:
        """The conversation goes on meanwhile; a model that cannot work says so when it is asked, too."""
        try:
            await self._shell.prewarm()
        except ModelError as exc:
            self._shell.tell(self._shell.side.error, "model", str(exc), False)

    async def leave(self, within: float) -> None:
        """Let go of the conversation for another owner: when it is the caller's move and nobody speaks, and after ``within`` seconds
        as it is. The line goes on, what it says from here on waits there. What is over by itself meanwhile is not left."""
        shell, loop = self._shell, self._shell.lane.loop
        until = loop.time() + within
        while not at_rest(shell.kernel.state) and (left := until - loop.time()) > 0:
            shell.followed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(shell.followed.wait(), left)
        if self._runs():
            await shell.bridge.detach()
            if self._runs():
                shell.closing.finish(fx.Ended(reason=HANDED_OVER))

    def _runs(self) -> bool:
        return self._shell.kernel.state.lifecycle.phase in ("running", "draining")
