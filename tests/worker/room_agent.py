"""An agent in a room of the real server without a worker: the job is made by hand, its sound runs in the media process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from livekit import api

from antiphon.audio.frames import AudioFrame
from antiphon.models.capabilities import STTCapabilities
from antiphon.models.stt import STT, STTEvent, STTStream
from antiphon.session.lanes import Lane
from antiphon.worker.engine import Acceptance, Assignment, JobOffer
from antiphon.worker.room_job import RoomJobContext, RoomLine
from antiphon.worker.runtime import default_runtime
from tests.worker.livekit_server import KEY, SECRET, LiveKitProcess


def a_room() -> str:
    return f"room-{uuid.uuid4().hex[:8]}"


def token(room: str, identity: str, *, kind: str = "standard", **grants: Any) -> str:
    made = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True, **grants)
    return api.AccessToken(KEY, SECRET).with_identity(identity).with_kind(kind).with_grants(made).to_jwt()  # type: ignore[arg-type]


@asynccontextmanager
async def agent_in(livekit: LiveKitProcess, room: str, **grants: Any) -> AsyncIterator[RoomJobContext]:
    """A job in ``room``: its context. ``grants``: of the agent's token."""
    runtime = default_runtime()
    plane = await runtime.plane("process")
    offer = JobOffer(id=f"job-{uuid.uuid4().hex[:8]}", room=room)
    assignment = Assignment(offer, Acceptance("agent"), livekit.url, token(room, "agent", kind="agent", **grants))
    here, server = Lane(asyncio.get_running_loop()), (livekit.url, KEY, SECRET)
    line = RoomLine(offer.id, assignment, server=server, plane=plane, core=runtime.core, user=here)
    context = line.context()
    runtime.core.post(line.open)
    try:
        yield context
    finally:
        await context.aclose()
        runtime.core.post(line.close)


class Ears(STT):
    """Knows no words: each stretch of voice that ends is a final ``heard N``. ``frames``: all that it got."""

    capabilities = STTCapabilities(partials=False)
    provider, model, on_core = "test", "ears", True

    def __init__(self) -> None:
        self.frames: list[AudioFrame] = []

    def stream(self, *, language: str = "") -> STTStream:
        return _Stretches(self)

    @property
    def voiced(self) -> float:
        """Seconds of voice."""
        return sum(frame.duration for frame in self.frames if frame.speech)


class _Stretches(STTStream):
    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._said: asyncio.Queue[STTEvent | None] = asyncio.Queue()
        self._since = 0.0
        self._count = 0

    def push(self, frame: AudioFrame) -> None:
        if frame.flush:
            return
        self._ears.frames.append(msgspec.structs.replace(frame))
        if frame.speech and not self._since:
            self._since = frame.at
        elif self._since and not frame.speech:
            self._count += 1
            self._said.put_nowait(STTEvent(kind="final", text=f"heard {self._count}", start=self._since, end=frame.at))
            self._since = 0.0

    def end_input(self) -> None:
        self._said.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        while (event := await self._said.get()) is not None:
            yield event

    async def aclose(self) -> None:
        self._said.put_nowait(None)
