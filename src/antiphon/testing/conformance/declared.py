"""Declared capabilities: each is shown by a scene, those that the vendor offers besides are named as missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from antiphon.testing.conformance.offers import offer_of
from antiphon.testing.conformance.report import Check, Report
from antiphon.testing.conformance.running import run_check

Scene = Callable[[Any], Awaitable[str | None]]


async def check_declared(report: Report, make: Callable[[], Any], scenes: Mapping[str, Scene | None]) -> None:
    """``scenes``: what shows each flag; ``None``: it cannot be seen from outside."""
    offer = offer_of(report.kind, report.model.partition("/")[0])
    for name, declared in report.capabilities.items():
        if not isinstance(declared, bool):
            continue
        if not declared:
            if name in offer.least:
                report.checks.append(Check("capability", name, "failed", "the least that a codec of this vendor has"))
            else:
                result = "missing" if name in offer.more else "not declared"
                report.checks.append(Check("capability", name, result))  # type: ignore[arg-type]
            continue
        scene = scenes.get(name)
        if scene is None:
            report.checks.append(Check("capability", name, "not shown", "it cannot be seen from outside"))
        else:
            report.checks.append(await run_check("capability", name, make, scene))


def new_report(kind: Any, model: Any) -> Report:
    """An empty report of a model."""
    name = f"{model.provider or type(model).__name__}/{model.model}"
    return Report(kind=kind, model=name, capabilities=msgspec.to_builtins(model.capabilities))
