"""A scenario run many times, and the share of the runs that passed: models do not answer alike twice.

``await repeat(10, scenario, at_least=0.9)`` runs it, a few at a time, and fails where too few pass. Each run is on its own: a
task, a scope of mocked tools, a session that it makes itself.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import sys
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from antiphon.errors import ConfigurationError
from antiphon.tools import stand_ins

PARALLEL = 4
"""Runs at a time, unless told otherwise: providers limit how many requests they take at once."""

TIMEOUT = 600.0
"""Seconds that one run may take, unless told otherwise: a service that does not answer must not hold up the others for ever."""

SHOWN = 5
"""Failures whose whole text is shown; the others are counted by their first line."""


@dataclass(frozen=True)
class Failure:
    """A run that did not pass. ``number``: which one, from 0. ``text``: what it raised, with the place."""

    number: int
    error: BaseException = field(repr=False)
    text: str = ""


@dataclass(frozen=True)
class PassRate:
    """What came of all runs. ``str()`` is the report."""

    runs: int
    at_least: float
    failures: tuple[Failure, ...] = ()

    @property
    def passed(self) -> int:
        return self.runs - len(self.failures)

    @property
    def rate(self) -> float:
        """Share of the runs that passed, 0 to 1."""
        return self.passed / self.runs

    @property
    def enough(self) -> bool:
        """Whether as many runs passed as had to."""
        return self.passed >= math.ceil(self.at_least * self.runs - 1e-9)

    def __str__(self) -> str:
        lines = [f"{self.passed} of {self.runs} runs passed ({self.rate:.0%}), at least {self.at_least:.0%} have to."]
        for failure in self.failures[:SHOWN]:
            lines += ["", f"run {failure.number}:", failure.text.rstrip()]
        rest = Counter(str(failure.error).partition("\n")[0] for failure in self.failures[SHOWN:])
        if rest:
            lines += ["", "and:", *(f"{count} x {text}" for text, count in rest.most_common())]
        return "\n".join(lines)


async def repeat(
    runs: int,
    scenario: Callable[..., Awaitable[Any]],
    *,
    at_least: float = 1.0,
    parallel: int = PARALLEL,
    timeout: float = TIMEOUT,
) -> PassRate:
    """Run ``scenario`` ``runs`` times, at most ``parallel`` at a time; a run that raises, or takes longer than ``timeout``
    seconds, has failed.

    ``scenario``: a coroutine function without arguments, or of the run's number. ``at_least``: share of the runs that has to
    pass, 0 to 1. Prints the rate and the failures to standard output and returns them; raises ``AssertionError`` with them
    where too few pass."""
    rate = await measured(runs, scenario, at_least=at_least, parallel=parallel, timeout=timeout)
    sys.stdout.write(f"{rate}\n")
    if not rate.enough:
        raise AssertionError(str(rate))
    return rate


async def measured(
    runs: int,
    scenario: Callable[..., Awaitable[Any]],
    *,
    at_least: float = 1.0,
    parallel: int = PARALLEL,
    timeout: float = TIMEOUT,
) -> PassRate:
    """As ``repeat``, without a word and whatever comes of it."""
    if runs < 1 or parallel < 1 or not 0.0 <= at_least <= 1.0 or not timeout > 0.0:
        raise ConfigurationError(
            f"repeat(runs={runs}, at_least={at_least}, parallel={parallel}, timeout={timeout}) means nothing.",
            hint="runs and parallel are 1 or more, at_least is a share from 0 to 1, timeout is more than 0 s.",
        )
    if not inspect.iscoroutinefunction(scenario):
        raise ConfigurationError(
            f"repeat() got {scenario!r}.", hint="Pass a coroutine function: async def scenario(): ..."
        )
    numbered = bool(inspect.signature(scenario).parameters)
    seats = asyncio.Semaphore(parallel)

    async def one(number: int) -> Failure | None:
        async with seats:
            with stand_ins.scoped(uuid.uuid4().hex):
                limit = asyncio.timeout(timeout)
                try:
                    async with limit:
                        await (scenario(number) if numbered else scenario())
                except Exception as exc:
                    error = TimeoutError(f"The run took longer than {timeout:g} s.") if limit.expired() else exc
                    return Failure(number, error, _text(error))
        return None

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number), name=f"run {number}") for number in range(runs)]
    return PassRate(runs, at_least, tuple(found for task in tasks if (found := task.result()) is not None))


def _text(exc: Exception) -> str:
    """The error, and the line of the scenario that raised it."""
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename != __file__]
    place = next((f" ({frame.filename}:{frame.lineno})" for frame in frames), "")
    kind = "" if isinstance(exc, AssertionError) else f"{type(exc).__name__}: "
    return f"{kind}{exc}{place}"
