"""The rehearsal: an entrypoint is run once, up to ``session.start``, so that its models are loaded before the first call and
what is missing is said at once. No call takes place: ``session.start`` ends the entrypoint there, as if it was cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from antiphon.agents.agent import overrides
from antiphon.audio.seam import LegSpec
from antiphon.kernel.kernel import Kernel
from antiphon.worker.job import JobContext
from antiphon.worker.runtime import default_runtime

if TYPE_CHECKING:
    from antiphon.cli.run import Entrypoint
    from antiphon.models.llm import LLM
    from antiphon.session.bindings import Bound
    from antiphon.session.directory import Directory
    from antiphon.session.services import Services
    from antiphon.session.session import AgentSession

KINDS = {"detector": "end of turn", "stt": "recogniser", "tts": "voice", "llm": "language model"}
"""Kinds of models, smallest first, and what they are called here."""

OF_ROOMS = frozenset({"room", "job", "api", "wait_for_participant", "delete_room"})
"""What a ``RoomJobContext`` has beyond a ``JobContext``."""

Progress = Callable[[str, str, float], None]
"""Is told (kind, model, seconds); negative: it is being loaded."""


class Rehearsal(JobContext):
    """The job of a rehearsal. ``reached``: the entrypoint came to ``session.start``."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(leg=LegSpec("rehearsal"))
        self.reached = False
        self._progress = progress

    def __getattr__(self, name: str) -> Any:
        """What only a room has: there is none, and nobody comes. The entrypoint ends here."""
        if name in OF_ROOMS:
            raise asyncio.CancelledError(f"rehearsed up to {name}")
        raise AttributeError(name)

    async def _services(self, session: AgentSession[Any], record: bool | str) -> Services:
        self.reached = True
        assert session._directory is not None
        bound = session._directory.bind(session.current_agent)
        for kind, name in KINDS.items():
            model = getattr(bound, kind)
            if model is not None:
                await self._load(name, model)
        if bound.llm is not None and bound.llm.capabilities.prefill and not overrides(bound.agent, "llm_node"):
            await self._read_ahead(session._directory, bound, bound.llm)
        raise asyncio.CancelledError("rehearsed")

    async def _load(self, name: str, model: Any) -> None:
        title = "/".join(part for part in (model.provider, model.model) if part) or type(model).__name__
        await self._time(name, title, model, model.prewarm)

    async def _read_ahead(self, directory: Directory, bound: Bound, llm: LLM) -> None:
        """What every call's prompt begins with: the model keeps what it has read."""
        prompt = directory.prompt(bound, Kernel().state, "", directory.request(""))
        prompt = prompt.readable(images=llm.capabilities.images, audio=llm.capabilities.audio)
        tools = [tool.spec for tool in bound.tools]
        await self._time("prompt", "read ahead", llm, lambda: llm.prefill(chat_ctx=prompt, tools=tools))

    async def _time(self, name: str, title: str, model: Any, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do the model's work where it belongs, and say how long it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._progress(name, title, -1.0)
        if model.on_core:
            core = default_runtime().core
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), core.loop))
        else:
            await work()
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
