"""Amnesia: in the middle of a call the core forgets everything but the kernel's written state, and a new owner goes on.

It is what a take-over does, without a second process: the plane and the caller's leg live on, shell, tasks, model
streams and whatever they held are gone.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from antiphon.kernel.kernel import Kernel
from antiphon.session.session import AgentSession
from antiphon.session.shell import Shell


def forget(session: AgentSession[Any]) -> bool:
    """Drop the session's core and go on from the kernel's bytes. False: the session is over, there is nothing to take."""
    old = session._shell
    if old is None or old.closing.ended.is_set():
        return False
    written = old.kernel.dump()
    old.drop()
    services = dataclasses.replace(old.services, epoch=old.services.epoch + 1)
    new = Shell(
        old.side,
        services,
        old.user_lane,
        kernel=Kernel.load(written),
        directory=old.directory,
        bound=old.directory.bind(session.current_agent),
        session=session,
    )
    new.speaking.texts = old.speaking.texts
    new.speaking.clips = old.speaking.clips
    session._shell = new
    new.owning.take_over(old.bridge.line, old.driver.t0)
    return True
