"""One job's end, whenever it comes: it is told of once, with its reason, and nothing is left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, AgentSession, JobContext, SessionClosedError
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.loop import run
from antiphon.worker.served_job import ServedJob


class SlowLLM(ScriptedLLM):
    """Needs a second until it is loaded."""

    async def prewarm(self) -> None:
        await asyncio.sleep(1.0)


async def greets(ctx: JobContext) -> None:
    session: AgentSession[Any] = AgentSession(stt=None, llm=SlowLLM("Hello."), tts=None, turn_detector=None)
    await session.start(Agent(instructions="Be kind."), ctx)
    session.say("Welcome!")


@pytest.mark.parametrize("drain", [True, False])
@pytest.mark.parametrize("after", [-1.0, 0.0, 0.5, 3.0], ids=["unbegun", "begun", "loading", "running"])
def test_a_job_that_is_ended_tells_so_once_and_has_not_failed(after: float, drain: bool) -> None:
    failed: list[Exception] = []
    gone: list[str] = []

    async def main() -> None:
        job = ServedJob(JobContext(user_loop="shared"), greets, failed=failed.append, gone=gone.append)
        job.begin()
        if after >= 0:
            await asyncio.sleep(after)
        job.end("shutdown", drain)
        await asyncio.sleep(40)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())
    assert (gone, failed) == (["shutdown"], [])


def test_a_job_that_is_ended_while_its_session_closes_ended_for_the_sessions_reason() -> None:
    """A LiveKit server ends the job of an agent that leaves because its caller has left."""
    gone: list[str] = []

    async def main() -> None:
        context = JobContext(user_loop="shared")
        job = ServedJob(context, greets, failed=lambda error: None, gone=gone.append)
        job.begin()
        await asyncio.sleep(3.0)
        assert context.session is not None
        context.session.shutdown(drain=False, reason="participant_disconnected")
        job.end("job_terminated")
        await asyncio.sleep(40)

    run(main())
    assert gone == ["participant_disconnected"]


def test_a_job_whose_entrypoint_raises_beside_its_session_ends_both_for_that() -> None:
    failed: list[Exception] = []
    gone: list[str] = []
    context = JobContext(user_loop="shared")

    async def raises(ctx: JobContext) -> None:
        await greets(ctx)
        raise ValueError("out of beans")

    async def main() -> None:
        ServedJob(context, raises, failed=failed.append, gone=gone.append).begin()
        await asyncio.sleep(40)

    run(main())
    assert gone == ["error"] and isinstance(failed[0], ValueError)
    assert context.session is not None and context.session.close_reason == "error"


def test_an_entrypoint_that_speaks_before_its_session_runs_has_failed() -> None:
    failed: list[Exception] = []
    gone: list[str] = []

    async def wrong(ctx: JobContext) -> None:
        session: AgentSession[Any] = AgentSession(stt=None, llm=ScriptedLLM("Hello."), tts=None, turn_detector=None)
        session.say("Welcome!")

    async def main() -> None:
        ServedJob(JobContext(user_loop="shared"), wrong, failed=failed.append, gone=gone.append).begin()
        await asyncio.sleep(1)

    run(main())
    assert gone == ["error"] and isinstance(failed[0], SessionClosedError)
