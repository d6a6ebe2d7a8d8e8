"""Which of several models can be asked: a failed one is passed over, tried again in the background, and comes back.

Owns the order, the record of failures and the trials. Never: requests of the conversation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec

from antiphon.errors import AllModelsFailedError
from antiphon.models.choice import Kind
from antiphon.models.llm import LLM
from antiphon.models.stt import STT
from antiphon.models.tts import TTS

logger = logging.getLogger("antiphon")

FIRST_TRIAL, LONGEST_WAIT = 5.0, 60.0
"""Seconds from a failure to the first trial, doubled each time up to the longest."""
TRIAL_TIMEOUT = 10.0
"""Seconds that a trial may take."""

M = TypeVar("M", bound=STT | LLM | TTS)


class AvailabilityChanged(msgspec.Struct, frozen=True):
    """A model of a ``FallbackAdapter`` or ``Hedged`` failed (``available`` is false, ``error`` says how) or is back."""

    kind: Kind
    model: str
    available: bool
    error: str = ""


def name_of(model: Any) -> str:
    """``provider/model``, as far as the object says."""
    provider = model.provider or type(model).__name__
    return f"{provider}/{model.model}" if model.model else str(provider)


class Member(Generic[M]):
    """One of the models. ``error``: why it is not available."""

    def __init__(self, model: M) -> None:
        self.model = model
        self.name = name_of(model)
        self.available = True
        self.error = ""
        self.trials = 0
        self.failed_at = 0.0


class Availability(Generic[M]):
    """``trial``: asks a model for something small and gives whether it answered; ``None``: it could not be asked now.
    ``listener``: told of each change. ``owned``: models that nobody else holds; they are closed with this."""

    def __init__(
        self, kind: Kind, models: Sequence[M], *, trial: Callable[[M], Coroutine[Any, Any, bool | None]]
    ) -> None:
        self.kind: Kind = kind
        self.members = [Member(model) for model in models]
        for number, member in enumerate(self.members):
            before = sum(other.name == member.name for other in self.members[:number])
            member.name += f" ({before + 1})" if before else ""
        self.owned: Sequence[M] = ()
        self.listener: Callable[[AvailabilityChanged], None] | None = None
        self._trial = trial
        self._timers: dict[Member[M], tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def order(self) -> list[Member[M]]:
        """Whom to ask, in turn: those that work, in the user's order; then the others, the longest failed one first."""
        down = sorted((m for m in self.members if not m.available), key=lambda m: m.failed_at)
        return [m for m in self.members if m.available] + down

    def failed(self, member: Member[M], error: BaseException | str) -> None:
        """It did not do what it was asked: pass it over until a trial goes well."""
        member.error = str(error)
        member.failed_at = asyncio.get_running_loop().time()
        if member.available:
            member.available, member.trials = False, 0
            self._tell(member)
        self._try_later(member)

    def worked(self, member: Member[M]) -> None:
        """It answered: it is in its place again."""
        timer = self._timers.pop(member, None)
        if timer is not None:
            _on(timer[0], asyncio.get_running_loop(), timer[1].cancel)
        if not member.available:
            member.available, member.error = True, ""
            self._tell(member)

    async def prewarm(self) -> None:
        """Load or connect all of them, at once. Raises ``AllModelsFailedError`` where that works with none."""
        failures: list[tuple[str, Exception]] = []

        async def one(member: Member[M]) -> None:
            try:
                await member.model.prewarm()
            except Exception as error:
                failures.append((member.name, error))
                self.failed(member, error)

        await asyncio.gather(*(one(member) for member in self.members))
        if len(failures) == len(self.members):
            raise AllModelsFailedError(self.kind, failures)

    async def aclose(self) -> None:
        """No more trials."""
        self._closed = True
        here = asyncio.get_running_loop()
        for loop, timer in self._timers.values():
            _on(loop, here, timer.cancel)
        self._timers.clear()
        tasks = list(self._tasks)
        for task in tasks:
            _on(task.get_loop(), here, task.cancel)
        if own := [task for task in tasks if task.get_loop() is here]:
            await asyncio.wait(own, timeout=1.0)
        await asyncio.gather(*(model.aclose() for model in self.owned), return_exceptions=True)

    def _tell(self, member: Member[M]) -> None:
        if member.available:
            logger.info("%s %s is available again", self.kind, member.name)
        else:
            logger.warning("%s %s is passed over: %s", self.kind, member.name, member.error)
        if self.listener is not None:
            self.listener(
                AvailabilityChanged(kind=self.kind, model=member.name, available=member.available, error=member.error)
            )

    def _try_later(self, member: Member[M]) -> None:
        if self._closed or member in self._timers or len(self.members) == 1:
            return
        wait = min(LONGEST_WAIT, FIRST_TRIAL * 2**member.trials)
        loop = asyncio.get_running_loop()
        self._timers[member] = loop, loop.call_later(wait, self._try, member)

    def _try(self, member: Member[M]) -> None:
        if self._timers.pop(member, None) is None:
            return
        task = asyncio.get_running_loop().create_task(self._run(member), name=f"antiphon:trial:{member.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, member: Member[M]) -> None:
        works: bool | None = False
        try:
            async with asyncio.timeout(TRIAL_TIMEOUT):
                works = await self._trial(member.model)
        except Exception as error:
            member.error = str(error) or type(error).__name__
        if works:
            self.worked(member)
        else:
            member.trials += works is not None
            self._try_later(member)


def _on(loop: asyncio.AbstractEventLoop, here: asyncio.AbstractEventLoop, call: Callable[[], object]) -> None:
    """Call it on its loop: a node that the user has overridden asks on the user's, all others on the core's."""
    if loop is here:
        call()
        return
    with suppress(RuntimeError):  # the loop is closed, and all that was on it
        loop.call_soon_threadsafe(call)


def common(rows: Sequence[Any]) -> Any:
    """The capabilities that all have: of flags, those that are true of each; of the rest, the first one's."""
    first = rows[0]
    flags = {
        name: all(getattr(row, name) for row in rows)
        for name in first.__struct_fields__
        if isinstance(getattr(first, name), bool)
    }
    return msgspec.structs.replace(first, **flags)
