"""Keeps the media processes of a worker: starts them, one more where those that run have no room, another where one has ended.

A few rooms in each: the SDK that joins rooms has faults that end its whole process, and events of one room that slow the
others. Belongs to the supervisor's loop.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from antiphon.audio.seam import AttachLine, CloseLine
from antiphon.errors import AudioError

logger = logging.getLogger("antiphon")

SPARE = 2
"""Places that are kept free by starting another process in time."""


class MediaKeeper:
    """``folder``: of the sockets. ``room``: calls in each process. ``own``: whether there are media processes at all; without them each agent
    process has a plane of its own."""

    def __init__(self, folder: Path, *, room: int, own: bool) -> None:
        self._folder, self._room, self._own = folder, room, own
        self._planes: dict[str, Any] = {}
        """By their sockets, oldest first."""
        self._dead: set[str] = set()
        self._numbers = itertools.count(1)
        self._starting = asyncio.Lock()

    @property
    def newest(self) -> tuple[Any, str]:
        """This process's connection to the one that was started last, and its socket (``None`` and empty: there is none)."""
        path = next(reversed(self._alive()), "")
        return self._planes.get(path), path

    @property
    def alive(self) -> bool:
        """Whether lines can be opened."""
        return not self._own or bool(self._alive())

    def _alive(self) -> list[str]:
        return [path for path, plane in self._planes.items() if plane.alive]

    def place(self, calls: Mapping[str, int]) -> str:
        """Socket of the process for one more call: the fullest that has room. ``calls``: how many each has."""
        alive = self._alive()
        roomy = [path for path in alive if calls.get(path, 0) < self._room]
        if roomy:
            return max(roomy, key=lambda path: calls.get(path, 0))
        return min(alive, key=lambda path: calls.get(path, 0), default="")

    def wanting(self, calls: Mapping[str, int]) -> bool:
        """Whether another process should be started."""
        free = sum(max(0, self._room - calls.get(path, 0)) for path in self._alive())
        return self._own and free < min(SPARE, self._room)

    def lives(self, path: str) -> bool:
        """Whether lines there may be open: not where it was one of these and has ended."""
        return path not in self._dead and (path not in self._planes or bool(self._planes[path].alive))

    async def start(self) -> None:
        """Start one more. Raises ``AudioError``."""
        if not self._own:
            return
        async with self._starting:
            for path in [path for path, plane in self._planes.items() if not plane.alive]:
                logger.error("the media process is gone: another one is started")
                self._dead.add(path)
                await self._planes.pop(path).aclose()
            vad = str(import_module("antiphon.local.store").Store().path("silero-vad", "silero_vad.onnx"))
            path = str(self._folder / f"media-{next(self._numbers)}")
            plane = import_module("antiphon.audio.process_plane").ProcessPlane(vad_path=vad, listen=path)
            await plane.start()
            self._planes[path] = plane

    def close_line(self, line: str, media: str) -> None:
        """Close a line whose agent process is gone."""
        plane = self._planes.get(media)
        if plane is None:
            return
        try:
            plane.send(AttachLine(line=line))
            plane.send(CloseLine(line=line))
        except AudioError:
            return

    async def aclose(self, *, stays: bool) -> None:
        """End them. ``stays``: each goes on by itself until the last of its lines is over."""
        await asyncio.gather(*(plane.leave() if stays else plane.aclose() for plane in self._planes.values()))
