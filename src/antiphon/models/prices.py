"""What models cost: rows of data, and how a row is found. Prices are in US dollars.

Owns the form. Never: the figures of vendors (``providers/data/prices.json``), sums over a call (``telemetry.cost``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The price of one model, ``provider/model``, or of all whose names begin so (``provider/model*``).

    ``million_prompt_tokens``, ``million_completion_tokens``, ``million_cached_tokens`` (unset: as prompt tokens): dollars for a
    million. ``thousand_characters``: of text given to a voice. ``audio_minute``: of a minute of audio, heard or made.
    ``own_machine``: it runs on the user's own machine, and nothing is owed for its use. ``source``: where the price stands;
    ``as_of``: the day on which it stood there.
    """

    model: str
    kind: Literal["stt", "llm", "tts"]
    million_prompt_tokens: float | None = None
    million_completion_tokens: float | None = None
    million_cached_tokens: float | None = None
    thousand_characters: float | None = None
    audio_minute: float | None = None
    own_machine: bool = False
    source: str = ""
    as_of: str = ""


class PriceTable(msgspec.Struct, frozen=True):
    """``prices``: an earlier one counts before a later one of the same name. ``as_of``: of those that do not say. ``same``:
    providers whose models cost what another one's cost, where they have no row of their own."""

    prices: tuple[Price, ...] = ()
    as_of: str = ""
    same: dict[str, str] = {}

    def with_own(self, prices: Iterable[Price]) -> PriceTable:
        """The same with these before all others."""
        return msgspec.structs.replace(self, prices=(*prices, *self.prices))

    def find(self, kind: str, provider: str, model: str) -> Price | None:
        """The row of a model: its own, else the longest beginning of its name that has one."""
        name = f"{provider}/{model}"
        rows = [row for row in self.prices if row.kind == kind]
        exact = next((row for row in rows if row.model == name), None)
        if exact is not None:
            return exact
        found = [row for row in rows if row.model.endswith("*") and name.startswith(row.model[:-1])]
        if not found and provider in self.same:
            return self.find(kind, self.same[provider], model)
        return max(found, key=lambda row: len(row.model), default=None)
