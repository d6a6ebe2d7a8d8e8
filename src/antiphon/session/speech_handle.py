"""SpeechHandle: one answer of the agent, tool steps included, as the application holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from antiphon.chat.items import ChatItem
    from antiphon.session.live_session import LiveSession


class SpeechHandle:
    """Await it: it is done when everything of it was heard, interrupted or given up.

    ``written``: text the model has produced; ``spoken``: text whose audio exists; ``heard``: text the caller has
    heard. Lives on the user's loop.
    """

    def __init__(self, session: LiveSession, id: str, *, source: str, allow_interruptions: bool = True) -> None:
        self.id = id
        self.source = source
        self._session = session
        self._allow = allow_interruptions
        self._done = asyncio.Event()
        self._callbacks: list[Callable[[SpeechHandle], object]] = []
        self._steps: dict[str, asyncio.Event] = {}
        self.interrupted = False
        self.error = ""
        self._segments: dict[tuple[str, int], str] = {}
        self._spoken: set[tuple[str, int]] = set()
        self._heard: dict[str, str] = {}
        self.chat_items: list[ChatItem] = []

    def __repr__(self) -> str:
        state = "done" if self.done() else "open"
        return f"SpeechHandle({self.id}, {self.source}, {state}{', interrupted' if self.interrupted else ''})"

    def __await__(self) -> Generator[Any, None, SpeechHandle]:
        return self._finished().__await__()

    async def _finished(self) -> SpeechHandle:
        await self._done.wait()
        return self

    async def wait_for_playout(self) -> None:
        """Wait until it is done."""
        await self._done.wait()

    async def wait_for_step(self, call_id: str) -> None:
        """Wait until what was said before the tool call ``call_id`` has been heard or was interrupted."""
        step = self._session.step_of(call_id)
        if step:
            await self._steps.setdefault(step, asyncio.Event()).wait()

    def done(self) -> bool:
        return self._done.is_set()

    def add_done_callback(self, callback: Callable[[SpeechHandle], object]) -> None:
        """Call it on the user's loop when done; at once where it is done already."""
        if self.done():
            self._session.call_user(callback, self)
        else:
            self._callbacks.append(callback)

    def interrupt(self, *, force: bool = False) -> SpeechHandle:
        """Stop it. ``force``: also where interruptions are not allowed."""
        self._session.interrupt_speech(self.id, force=force)
        return self

    @property
    def allow_interruptions(self) -> bool:
        return self._allow

    @allow_interruptions.setter
    def allow_interruptions(self, allowed: bool) -> None:
        if allowed and not self._allow:
            raise ValueError("a protected speech stays protected")
        if not allowed and self._allow:
            self._allow = False
            self._session.protect_speech(self.id)

    @property
    def written(self) -> str:
        return "".join(self._segments[key] for key in sorted(self._segments)).strip()

    @property
    def spoken(self) -> str:
        return "".join(self._segments[key] for key in sorted(self._segments) if key in self._spoken).strip()

    @property
    def heard(self) -> str:
        return " ".join(text for text in self._heard.values() if text).strip()

    # --- told by the session -------------------------------------------------------------------------------------

    def _segment(self, step: str, index: int, text: str) -> None:
        self._segments[(step, index)] = text

    def _synthesised(self, step: str, index: int) -> None:
        self._spoken.add((step, index))

    def _heard_so_far(self, step: str, text: str) -> None:
        self._heard[step] = text

    def _step_done(self, step: str, outcome: str) -> None:
        if outcome == "interrupted":
            self.interrupted = True
        self._steps.setdefault(step, asyncio.Event()).set()

    def _finish(self) -> None:
        if self.done():
            return
        self._done.set()
        for event in self._steps.values():
            event.set()
        for callback in self._callbacks:
            self._session.call_user(callback, self)
        self._callbacks.clear()
