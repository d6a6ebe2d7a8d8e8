"""Running one check: within a deadline, with nothing left behind, every way it can go wrong said in a line.

Owns the judging. Never: what is asked of the model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from antiphon.errors import ModelError
from antiphon.testing.conformance.fault_table import Fault
from antiphon.testing.conformance.report import Check

DEADLINE = 30.0
"""Seconds that one check may take."""
FAULT_DEADLINE = 20.0
"""Seconds within which a failing service must be whole again, or be said to have failed."""
SETTLE = 0.3
"""Seconds in which tasks that were cancelled must have ended."""

M = TypeVar("M")


class FoundError(Exception):
    """A rule of the contract does not hold."""


def must(holds: object, otherwise: str) -> None:
    """Raises ``FoundError``."""
    if not holds:
        raise FoundError(otherwise)


async def closed(model: Any, scene: Callable[[Any], Awaitable[str | None]]) -> str | None:
    """Run a scene on a model, and close it."""
    try:
        return await scene(model)
    finally:
        await model.aclose()


async def run_check(
    group: str, name: str, make: Callable[[], Any], scene: Callable[[Any], Awaitable[str | None]]
) -> Check:
    """``scene`` raises ``FoundError`` for what does not hold; what it returns is the detail."""
    before = asyncio.all_tasks()
    try:
        async with asyncio.timeout(DEADLINE):
            detail = await closed(make(), scene)
    except FoundError as found:
        return Check(group, name, "failed", str(found))
    except TimeoutError:
        return Check(group, name, "failed", f"not done within {DEADLINE:g} s")
    except Exception as error:
        return Check(group, name, "failed", f"{type(error).__name__}: {error}")
    left = await left_behind(before)
    return Check(group, name, "failed", left) if left else Check(group, name, "passed", detail or "")


async def run_fault(
    fault: Fault,
    entered: AbstractAsyncContextManager[M] | None,
    scene: Callable[[M], Awaitable[str]],
    whole: str,
) -> Check:
    """``scene`` gives what came of the model as text, which is ``whole`` where nothing was lost."""
    if entered is None:
        return Check(fault.group, fault.name, "not possible")
    before = asyncio.all_tasks()
    error: ModelError | None = None
    got = ""
    try:
        async with entered as model, asyncio.timeout(FAULT_DEADLINE):
            try:
                got = await scene(model)
            except ModelError as problem:
                error = problem
            finally:
                await model.aclose()  # type: ignore[attr-defined]
    except FoundError as found:
        return Check(fault.group, fault.name, "failed", str(found))
    except TimeoutError:
        return Check(fault.group, fault.name, "failed", f"neither whole nor an error within {FAULT_DEADLINE:g} s")
    except Exception as problem:
        return Check(fault.group, fault.name, "failed", f"{type(problem).__name__} instead of a ModelError: {problem}")
    left = await left_behind(before)
    if left:
        return Check(fault.group, fault.name, "failed", left)
    return _judge(fault, got, whole, error)


def _judge(fault: Fault, got: str, whole: str, error: ModelError | None) -> Check:
    if error is None:
        if fault.outcome == "error":
            return Check(fault.group, fault.name, "failed", "no error came")
        if got != whole:
            return Check(fault.group, fault.name, "failed", f"lost without a word: {got!r} instead of {whole!r}")
        return Check(fault.group, fault.name, "passed", "whole")
    if fault.outcome == "whole":
        return Check(fault.group, fault.name, "failed", f"given up: {error}")
    if fault.retryable is not None and error.retryable is not fault.retryable:
        wrong = "can be tried again" if error.retryable else "cannot be tried again"
        return Check(fault.group, fault.name, "failed", f"the error says that it {wrong}: {error}")
    return Check(fault.group, fault.name, "passed", f"said: {str(error)[:120]}")


async def left_behind(before: set[asyncio.Task[Any]]) -> str:
    """Names of tasks that still run, after a moment to end."""
    here = asyncio.current_task()
    until = asyncio.get_running_loop().time() + SETTLE
    while left := [task for task in asyncio.all_tasks() - before if task is not here and not task.done()]:
        if asyncio.get_running_loop().time() >= until:
            return f"left running: {', '.join(sorted(task.get_name() for task in left))}"
        await asyncio.sleep(0.02)
    return ""
