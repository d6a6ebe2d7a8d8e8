"""What a call cost: usage by the price table. A price that is not known is said to be unknown, never taken for nothing.

Owns the sums. Never: the prices, the usage.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from antiphon.models.prices import Price, PriceTable
from antiphon.telemetry.records import ModelUsage

PRICED = ("stt", "llm", "tts")


class CostReport(msgspec.Struct, frozen=True):
    """US dollars. ``total``: of all models whose price is known (``None``: of none is). ``wasted``: the part of it that no
    caller needed. ``unpriced``: models that were used and whose price is not known: the call cost more than ``total``.
    ``estimated``: some of the usage is reckoned. ``as_of``: the day of the price table."""

    total: float | None = None
    wasted: float = 0.0
    unpriced: tuple[str, ...] = ()
    estimated: bool = False
    currency: str = "USD"
    as_of: str = ""

    def __str__(self) -> str:
        known = "unknown" if self.total is None else f"{self.total:.4f} USD"
        parts = [f"{'about ' if self.estimated and self.total else ''}{known}"]
        if self.wasted:
            parts.append(f"{self.wasted:.4f} of it for nothing")
        if self.unpriced:
            parts.append(f"without {', '.join(self.unpriced)}, whose price is not known")
        return ", ".join(parts)


def priced(usage: Iterable[ModelUsage], table: PriceTable) -> list[ModelUsage]:
    """The same usage with its cost, and of what the cost was reckoned."""
    return [_priced(use, table) for use in usage]


def cost_of(usage: Iterable[ModelUsage], table: PriceTable) -> CostReport:
    """The sum over usage that has been priced."""
    used = [use for use in usage if use.kind in PRICED and use.requests + use.audio_seconds + use.characters > 0]
    known = [use.cost for use in used if use.cost is not None]
    return CostReport(
        total=round(sum(known), 6) if known else None,
        wasted=round(sum(use.wasted.cost or 0.0 for use in used if use.wasted is not None), 6),
        unpriced=tuple(f"{use.provider}/{use.model}" for use in used if use.cost is None),
        estimated=any(use.estimated_requests for use in used),
        as_of=table.as_of,
    )


def _priced(use: ModelUsage, table: PriceTable) -> ModelUsage:
    if use.kind not in PRICED:
        return use
    row = table.find(use.kind, use.provider, use.model)
    cost = None if row is None else _amount(use, row)
    if row is None:
        price = "unknown: pass prices= to the session"
    elif cost is None:
        price = f"{row.model} has no price for what was used"
    else:
        price = "own machine" if row.own_machine else f"{row.model} of {row.as_of or table.as_of}"
    wasted = None if use.wasted is None else _priced(use.wasted, table)
    return msgspec.structs.replace(use, cost=None if cost is None else round(cost, 9), price=price, wasted=wasted)


def _amount(use: ModelUsage, row: Price) -> float | None:
    """Dollars; ``None`` where the row says nothing about the units that were used."""
    if row.own_machine:
        return 0.0
    if use.kind == "llm":
        if row.million_prompt_tokens is None or row.million_completion_tokens is None:
            return None
        cached = row.million_prompt_tokens if row.million_cached_tokens is None else row.million_cached_tokens
        fresh = max(0, use.prompt_tokens - use.cached_tokens)
        return (
            fresh * row.million_prompt_tokens
            + use.cached_tokens * cached
            + use.completion_tokens * row.million_completion_tokens
        ) / 1e6
    if row.thousand_characters is not None and use.kind == "tts":
        return use.characters * row.thousand_characters / 1e3
    return None if row.audio_minute is None else use.audio_seconds * row.audio_minute / 60
