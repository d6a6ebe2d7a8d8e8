"""The rehearsal: an entrypoint is run once, up to ``session.start``, so that its models are loaded before the first call and
what is missing is said at once. No call takes place: ``session.start`` ends the entrypoint there, as if it was cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from antiphon.audio.seam import LegSpec
from antiphon.errors import ConfigurationError
from antiphon.worker.job import JobContext
from antiphon.worker.runtime import default_runtime

if TYPE_CHECKING:
    from antiphon.cli.run import Entrypoint
    from antiphon.session.services import Services
    from antiphon.session.session import AgentSession

KINDS = {"detector": "end of turn", "stt": "recogniser", "tts": "voice", "llm": "language model"}
"""Kinds of models, smallest first, and what they are called here."""

Progress = Callable[[str, str, float], None]
"""Is told (kind, model, seconds); negative: it is being loaded."""


class Rehearsal(JobContext):
    """The job of a rehearsal. ``rehearsing`` lets an entrypoint know."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(leg=LegSpec("rehearsal"))
        self.reached = False
        self._progress = progress

    async def _services(self, session: AgentSession[Any], record: bool | str) -> Services:
        self.reached = True
        for kind, name in KINDS.items():
            with suppress(ConfigurationError):
                model = session.model_of(session.current_agent, kind)
                await self._load(name, model)
        raise asyncio.CancelledError("rehearsed")

    async def _load(self, name: str, model: Any) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        title = "/".join(part for part in (model.provider, model.model) if part) or type(model).__name__
        self._progress(name, title, -1.0)
        if model.on_core:
            core = default_runtime().core
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(model.prewarm(), core.loop))
        else:
            await model.prewarm()
        self._progress(name, title, loop.time() - began)


async def rehearse(entrypoint: Entrypoint, progress: Progress) -> bool:
    """Load the models of ``entrypoint``'s session. Returns whether it came to ``session.start``; raises what it raised."""
    job = Rehearsal(progress)
    task = asyncio.ensure_future(entrypoint(job))
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    if not task.cancelled():
        task.result()
    return job.reached
