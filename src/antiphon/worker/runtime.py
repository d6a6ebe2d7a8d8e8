"""The composition root of a program: the core thread, the plane, the log and telemetry, wired together.

One per process, made when the first session starts. Tests and tools make their own with the parts they want.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
from importlib import import_module
from typing import Any, Literal, Protocol

from antiphon.audio.seam import LegSpec, PlaneLink
from antiphon.errors import ConfigurationError, NotSupportedError
from antiphon.session.lanes import Lane
from antiphon.worker.job import JobContext

PlaneForm = Literal["thread", "process"]


class RunningPlane(PlaneLink, Protocol):
    """A plane that runs outside the core's loop, and may end by itself."""

    @property
    def alive(self) -> bool: ...


class CoreThread:
    """The core's event loop on its own thread: user code cannot block it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="antiphon-core", daemon=True)
        self._thread.start()
        ready.wait()
        self.lane = Lane(self.loop)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(ready.set)
        self.loop.run_forever()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left, timeout=0.5))
        self.loop.close()

    def stop(self) -> None:
        """End the loop; waits at most a second for the thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(1.0)


class Runtime:
    """``core`` and the planes of this process, made when first asked for."""

    def __init__(self) -> None:
        self._core: CoreThread | None = None
        self._planes: dict[str, RunningPlane] = {}
        self._lock = threading.Lock()
        self._starting = asyncio.Lock()

    @property
    def core(self) -> Lane:
        with self._lock:
            if self._core is None:
                sys.setswitchinterval(0.0005)
                self._core = CoreThread()
            return self._core.lane

    async def plane(self, form: PlaneForm) -> PlaneLink:
        """The plane of this form, running; another one where it has ended (its calls are lost, the next are not)."""
        plane: PlaneLink = await _on(self.core, self._running(form))
        return plane

    async def _running(self, form: PlaneForm) -> PlaneLink:
        """On the core's lane; one is started at a time."""
        async with self._starting:
            if form not in self._planes or not self._planes[form].alive:
                self._planes[form] = await _start_plane(form)
            return self._planes[form]

    async def aclose(self) -> None:
        """End planes and core."""
        planes, self._planes = self._planes, {}
        if self._core is not None:
            for plane in planes.values():
                await _on(self._core.lane, plane.aclose())
            self._core.stop()
            self._core, self._starting = None, asyncio.Lock()

    def close(self) -> None:
        """At interpreter exit: end the core; planes end with their process."""
        if self._core is not None:
            self._core.stop()
            self._core = None


async def _start_plane(form: PlaneForm) -> RunningPlane:
    """A running plane with voice activity detection from the model store."""
    path = str(import_module("antiphon.local.store").Store().path("silero-vad", "silero_vad.onnx"))
    if form == "process":
        plane = import_module("antiphon.audio.process_plane").ProcessPlane(vad_path=path)
    else:
        silero = import_module("antiphon.audio.vad").SileroVAD
        plane = import_module("antiphon.audio.thread_plane").ThreadPlane(lambda: silero(path))
    await plane.start()
    link: RunningPlane = plane
    return link


async def _on(lane: Lane, coroutine: Any) -> Any:
    if lane.here():
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, lane.loop))


_runtime: Runtime | None = None


def default_runtime() -> Runtime:
    """The process's runtime."""
    global _runtime
    if _runtime is None:
        _runtime = Runtime()
        atexit.register(_runtime.close)
    return _runtime


def context_for(given: Any, room: Any = None, room_options: Any = None) -> JobContext:
    """What ``session.start`` was given, as a job context: a context, its room, a leg, or nothing (a text session)."""
    if room is not None:
        given = _job_of(given, room)
    if isinstance(given, JobContext):
        if room_options is not None:
            given.use_room(room_options)
        return given
    if room_options is not None:
        raise NotSupportedError(
            "room_options= are of a job in a LiveKit room; this session has none.",
            hint="Pass ctx, or set the options of the leg in its LegSpec.",
        )
    if given is None or isinstance(given, LegSpec):
        virtual = getattr(asyncio.get_running_loop(), "virtual", False)  # the test kit's clock drives all lanes
        return JobContext(leg=given, user_loop="shared" if virtual else "own")
    raise ConfigurationError(
        f"session.start() cannot use {type(given).__name__}.",
        hint="Pass the JobContext of the entrypoint or a LegSpec.",
    )


def _job_of(given: Any, room: Any) -> JobContext:
    context = getattr(room, "context", None)
    if not isinstance(context, JobContext):
        raise NotSupportedError(
            f"room= takes ctx.room, not {type(room).__module__}.{type(room).__name__}.",
            hint="The room's connection lives in the media process: pass ctx, or room=ctx.room.",
        )
    if given is not None and given is not context:
        raise ConfigurationError("room= is the room of another job.", hint="Pass ctx alone.")
    return context
