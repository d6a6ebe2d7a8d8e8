"""What the campaign's programs share: the worker with its callers and its dispatcher, and what they write down.

``CAMPAIGN`` in the environment: a folder. ``SERVER``: options of the ``AgentServer`` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from antiphon import AgentServer, RoomJobContext, RunContext, run
from antiphon.audio.seam import LegSpec
from antiphon.errors import AntiphonError
from antiphon.worker import room_job
from antiphon.worker.agent_child import VARIABLE
from antiphon.worker.engine import Assignment
from tests.takeover.diary import EFFECTS, EVENTS, Diary

FOLDER = Path(os.environ["CAMPAIGN"])
events, effects = Diary(FOLDER / EVENTS), Diary(FOLDER / EFFECTS)


def made_server() -> AgentServer:
    """Its callers are legs of the real media process: no rooms."""
    room_job.room_leg = caller
    return AgentServer(load_threshold=1000.0, **json.loads(os.environ.get("SERVER", "{}")))


def caller(assignment: Assignment) -> LegSpec:
    """``turns`` and ``seed`` are the job's metadata."""
    about = json.loads(assignment.offer.metadata)
    record = str(FOLDER / f"{assignment.offer.id}.jsonl")
    return LegSpec("tests.takeover.caller:make_leg", {"record": record, **about})


def main(server: AgentServer) -> int:
    """As an agent process, or as the supervisor with the campaign's dispatcher."""
    if VARIABLE in os.environ:
        run(server)
        return 0
    from antiphon.cli.screen import Screen
    from antiphon.cli.supervising import Manner, supervise
    from tests.takeover.dispatch import LineDispatch

    manner = Manner(ready=lambda supervisor: ["Ready."], stopping="stopping", waits=False)
    return asyncio.run(supervise(server, LineDispatch(FOLDER), Screen(sys.stdout), manner))


def acts(kind: str, ctx: RunContext[Any], turn: int, key: str) -> None:
    effects.note(kind, job=job_of(ctx), turn=turn, key=key, call=ctx.call_id)


def job_of(ctx: RunContext[Any]) -> str:
    job: str = ctx.userdata
    return job


async def acknowledged(ctx: RoomJobContext) -> None:
    """Tell which facts are durable, for as long as the log takes some."""
    log: Any = ctx.log
    told = 0
    with suppress(AntiphonError):
        while ctx.session is not None and not ctx.session.close_reason:
            position = log.position
            with suppress(TimeoutError):
                await log.until_durable(position, timeout=2.0)
                if position > told:
                    events.note("durable", job=ctx.job.id, epoch=ctx.epoch, position=position)
                    told = position
            await asyncio.sleep(0.1)
