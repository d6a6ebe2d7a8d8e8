"""The prices that come with Antiphon: data, with the day on which they were looked up and where.

They change without notice: what counts is the vendor's invoice. A session takes the user's own prices first.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from antiphon.models.prices import Price, PriceTable


class _File(msgspec.Struct, forbid_unknown_fields=True):
    as_of: str
    currency: str
    origin: str
    same_prices: dict[str, str]
    prices: tuple[Price, ...]


@cache
def bundled_prices() -> PriceTable:
    """The table of ``providers/data/prices.json``."""
    data = files("antiphon.providers").joinpath("data", "prices.json").read_bytes()
    read = msgspec.json.decode(data, type=_File)
    return PriceTable(prices=read.prices, as_of=read.as_of, same=read.same_prices)
