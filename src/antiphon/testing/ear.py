"""The caller's ear: which words of the agent were heard, when, and when there was sound at all.

It hears what the leg has let through, after the fact; it decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from antiphon.audio.frames import AudioFrame
from antiphon.testing.speech import spread

_GAP = 1e-3
"""Seconds between two stretches of sound that still count as one."""


class HeardWord(msgspec.Struct):
    """A word as the caller heard it. ``start``, ``end``: seconds of call time. ``whole``: all of it sounded."""

    text: str
    start: float
    end: float
    whole: bool = True


class Sound(msgspec.Struct):
    """A stretch of sound without a break, seconds of call time. ``text``: what was said, where that is known.
    ``asks``: the caller said it to the agent, who is to answer (not a hum, not a noise)."""

    start: float
    end: float
    text: str = ""
    asks: bool = False


class Ear:
    """``origin``: the moment on the loop's clock at which the call began."""

    def __init__(self, origin: float) -> None:
        self._origin = origin
        self.words: list[HeardWord] = []
        self.sounds: list[Sound] = []
        self._utterance = ("", 0.0)
        self._index = -1
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def hear(self, start: float, frame: AudioFrame) -> None:
        """``frame`` sounded from ``start`` (loop's clock)."""
        begin, end = start - self._origin, start - self._origin + frame.duration
        symbol = frame.symbol
        if symbol is not None and symbol.kind == "silence":
            return
        if symbol is None and not any(frame.data):
            return
        if self.sounds and begin - self.sounds[-1].end < _GAP:
            self.sounds[-1].end = end
        else:
            self.sounds.append(Sound(begin, end))
        if symbol is not None and symbol.kind == "speech" and symbol.total:
            self._words(symbol.text, symbol.start, symbol.total, frame.duration, begin)
        for item in list(self._watchers):
            ready, future = item
            if ready():
                self._watchers.remove(item)
                if not future.done():
                    future.set_result(None)

    def _words(self, text: str, offset: float, total: float, seconds: float, begin: float) -> None:
        goes_on = self._utterance[0] == text and abs(self._utterance[1] - offset) < _GAP
        if not goes_on:
            self._index = -1
        self._utterance = (text, offset + seconds)
        for index, word in enumerate(spread(text, total)):
            if word.end <= offset + 1e-6 or word.start >= offset + seconds - 1e-6:
                continue
            first, last = max(word.start, offset), min(word.end, offset + seconds)
            whole = last >= word.end - 1e-4
            if goes_on and index == self._index:
                self.words[-1].end = begin + last - offset
                self.words[-1].whole = whole
            else:
                whole = whole and first <= word.start + 1e-4
                self.words.append(HeardWord(word.text, begin + first - offset, begin + last - offset, whole))
            self._index = index

    @property
    def text(self) -> str:
        """All words that were heard whole."""
        return " ".join(word.text for word in self.words if word.whole)

    async def until(self, ready: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``ready()`` is true after some sound. False: ``timeout`` seconds passed first."""
        if ready():
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        item = (ready, future)
        self._watchers.append(item)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            return False
        finally:
            with suppress(ValueError):
                self._watchers.remove(item)
        return True
