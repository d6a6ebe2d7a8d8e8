"""What the session does for one running tool: progress, recorded steps, filler speech."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from antiphon.errors import SessionClosedError, ToolError
from antiphon.kernel.effects import RunTool
from antiphon.kernel.events import StepDone, ToolProgress
from antiphon.session.saved_state import as_json
from antiphon.session.speech_handle import SpeechHandle
from antiphon.tools.run_context import FillerSource

if TYPE_CHECKING:
    from antiphon.session.shell import Shell

LOOK_AGAIN = 0.25
"""Seconds between two looks for a moment in which nobody speaks."""


class CallHost:
    """The ``ToolHost`` of one call. Usable from any lane."""

    def __init__(self, shell: Shell, effect: RunTool) -> None:
        self._shell, self._effect = shell, effect

    def progress(self, message: str, tell: bool) -> None:
        self._shell.post(ToolProgress(op=self._effect.op, message=message, tell=tell))

    async def step(self, name: str, function: Callable[[], Any]) -> Any:
        recorded = self._shell.kernel.state.conversation.steps.get(self._effect.call_id, {})
        if name in recorded:
            return json.loads(recorded[name])
        value = await run_off_loop(function)
        text = as_json(value)
        if text is None:
            raise ToolError(
                f"Step {name!r} returned {type(value).__name__}, which cannot be recorded.",
                hint="Return plain data: None, text, numbers, lists, dicts, dataclasses.",
            )
        self._shell.post(StepDone(op=self._effect.op, name=name, result=text))
        return json.loads(text)

    @asynccontextmanager
    async def filler(
        self, source: FillerSource, *, delay: float, interval: float | None, max_steps: int
    ) -> AsyncIterator[None]:
        said: list[SpeechHandle] = []
        steps = max_steps if interval is not None else 1
        filling = asyncio.get_running_loop().create_task(
            self._fill(source, delay, interval or 0.0, steps, said), name=f"tool {self._effect.name} filler"
        )
        try:
            yield
        finally:
            filling.cancel()
            with suppress(asyncio.CancelledError):
                await filling
            self._shell.user_lane.run(_drop_unheard, said)

    async def _fill(
        self, source: FillerSource, delay: float, interval: float, steps: int, said: list[SpeechHandle]
    ) -> None:
        for number in range(steps):
            await asyncio.sleep(interval if number else delay)
            while self._busy():  # noqa: ASYNC110  (the kernel lives on another loop: silence has no event here)
                await asyncio.sleep(LOOK_AGAIN)
            text = await _text(source, number)
            self._shell.user_lane.run(self._say, text, said)

    def _busy(self) -> bool:
        state = self._shell.kernel.state
        return bool(state.speech.speeches) or state.turn.phase != "idle"

    def _say(self, text: str, said: list[SpeechHandle]) -> None:
        with suppress(SessionClosedError):
            said.append(self._shell.session.say(text, priority="background"))


def _drop_unheard(said: list[SpeechHandle]) -> None:
    for handle in said:
        if not handle.done() and not handle.heard:
            handle.interrupt(force=True)


async def _text(source: FillerSource, number: int) -> str:
    if isinstance(source, str):
        return source
    if callable(source):
        made = source()
        return str(await made if inspect.isawaitable(made) else made)
    return source[number % len(source)]


async def run_off_loop(function: Callable[..., Any], **kwargs: Any) -> Any:
    """Call it: a coroutine function here, a plain one in a thread, so that it cannot block the loop."""
    if inspect.iscoroutinefunction(function):
        return await function(**kwargs)
    value = await asyncio.to_thread(function, **kwargs)
    return await value if inspect.isawaitable(value) else value
