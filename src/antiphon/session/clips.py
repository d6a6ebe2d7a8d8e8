"""The ladder's clips: rendered by the session's voice while there is time, so that they are there when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from antiphon.agents.nodes import speak
from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.errors import ModelError
from antiphon.session.lanes import across

if TYPE_CHECKING:
    from antiphon.session.shell import Shell


@dataclass(frozen=True)
class Clip:
    """What a stored clip says: ``samples`` at ``PLAY_RATE`` in all, ``words`` as (text, first, last) sample offsets."""

    text: str
    samples: int
    words: tuple[tuple[str, int, int], ...] = ()


def clip_of(text: str, frames: list[AudioFrame]) -> Clip:
    """The account of rendered audio."""
    samples = round(sum(frame.samples * PLAY_RATE / frame.rate for frame in frames))
    words = [word for frame in frames for word in frame.words]
    return Clip(text, samples, tuple((w.text, int(w.start * PLAY_RATE), int(w.end * PLAY_RATE)) for w in words))


RENDER_TIMEOUT = 30.0
"""Seconds a voice may take for one clip before it is given up."""


async def render_clips(shell: Shell, texts: dict[str, str]) -> None:
    """Synthesise each text once and hand it to the plane; ``dead_man`` is the filler once more, for the plane itself."""
    tts = shell.bound.tts if shell.services.sounds else None
    if tts is None:
        return
    home = shell.lane if tts.on_core else shell.user_lane

    async def one(text: str) -> AsyncIterator[str]:
        yield text

    for key, text in texts.items():
        try:
            async with asyncio.timeout(RENDER_TIMEOUT):
                frames: list[AudioFrame] = [frame async for frame in across(partial(speak, tts, one(text)), home=home)]
        except (ModelError, TimeoutError) as exc:
            shell.tell(shell.side.error, "tts", f"the {key} clip could not be rendered: {exc}", True)
            continue
        shell.speaking.clips[key] = clip_of(text, frames)
        shell.bridge.store_clip(key, tuple(frames))
        if key == "filler":
            shell.bridge.store_clip("dead_man", tuple(frames))
