"""Keeps the media process of a worker: starts it, starts another one where it has ended. Belongs to the supervisor's loop."""

from __future__ import annotations

import asyncio
import itertools
import logging
from importlib import import_module
from pathlib import Path
from typing import Any

from antiphon.audio.seam import AttachLine, CloseLine
from antiphon.errors import AudioError

logger = logging.getLogger("antiphon")


class MediaKeeper:
    """``folder``: of the sockets. ``own``: whether there is a media process at all; without one each agent process has a plane of
    its own."""

    def __init__(self, folder: Path, *, own: bool) -> None:
        self.path = ""
        """Socket of the one that runs; empty: there is none."""
        self._folder, self._own = folder, own
        self._plane: Any = None
        self._numbers = itertools.count(1)
        self._starting = asyncio.Lock()

    @property
    def plane(self) -> Any:
        """This process's connection to it (``None``: there is no media process)."""
        return self._plane

    @property
    def pid(self) -> int:
        return int(self._plane.pid) if self._plane is not None else 0

    @property
    def alive(self) -> bool:
        """Whether lines can be opened."""
        return not self._own or (self._plane is not None and bool(self._plane.alive))

    async def start(self) -> None:
        """Have one that runs. Raises ``AudioError``."""
        async with self._starting:
            if self.alive:
                return
            if self._plane is not None:
                logger.error("the media process is gone: another one is started")
            vad = str(import_module("antiphon.local.store").Store().path("silero-vad", "silero_vad.onnx"))
            path = str(self._folder / f"media-{next(self._numbers)}")
            plane = import_module("antiphon.audio.process_plane").ProcessPlane(vad_path=vad, listen=path)
            await plane.start()
            self._plane, self.path = plane, path

    def close_line(self, line: str, media: str) -> None:
        """Close a line whose agent process is gone."""
        if self._plane is None or media != self.path:
            return
        try:
            self._plane.send(AttachLine(line=line))
            self._plane.send(CloseLine(line=line))
        except AudioError:
            return

    async def aclose(self, *, stays: bool) -> None:
        """End it. ``stays``: it goes on by itself until the last of its lines is over."""
        if self._plane is not None:
            await (self._plane.leave() if stays else self._plane.aclose())
