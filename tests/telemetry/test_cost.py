"""What a call cost: known prices are summed, unknown ones are said to be unknown."""

from __future__ import annotations

import pytest

from antiphon import Price
from antiphon.models.prices import PriceTable
from antiphon.providers.prices import bundled_prices
from antiphon.telemetry.cost import cost_of, priced
from antiphon.telemetry.records import ModelUsage

TABLE = PriceTable(
    prices=(
        Price(model="a/llm", kind="llm", million_prompt_tokens=2.0, million_completion_tokens=8.0),
        Price(
            model="a/cached",
            kind="llm",
            million_prompt_tokens=2.0,
            million_completion_tokens=8.0,
            million_cached_tokens=0.5,
        ),
        Price(model="a/ear*", kind="stt", audio_minute=0.6),
        Price(model="a/ear-pro*", kind="stt", audio_minute=6.0),
        Price(model="a/voice", kind="tts", thousand_characters=0.03),
        Price(model="local/*", kind="llm", own_machine=True),
    ),
    as_of="2026-11-22",
)


def test_tokens_minutes_and_characters_have_their_prices() -> None:
    usage = priced(
        [
            ModelUsage(kind="llm", provider="a", model="llm", requests=1, prompt_tokens=1_000, completion_tokens=500),
            ModelUsage(kind="llm", provider="a", model="cached", requests=1, prompt_tokens=1_000, cached_tokens=800),
            ModelUsage(kind="stt", provider="a", model="ear-2", audio_seconds=30.0),
            ModelUsage(kind="stt", provider="a", model="ear-pro-2", audio_seconds=30.0),
            ModelUsage(kind="tts", provider="a", model="voice", characters=2_000, audio_seconds=99.0),
            ModelUsage(kind="llm", provider="local", model="qwen", requests=3, prompt_tokens=10_000),
        ],
        TABLE,
    )
    assert [use.cost for use in usage] == pytest.approx([0.006, 0.0008, 0.3, 3.0, 0.06, 0.0])
    assert usage[0].price == "a/llm of 2026-11-22" and usage[5].price == "own machine"
    assert cost_of(usage, TABLE).total == pytest.approx(3.3668)


def test_an_unknown_price_is_said_and_is_not_nothing() -> None:
    used = [ModelUsage(kind="llm", provider="b", model="new", requests=1, prompt_tokens=5)]
    (use,) = priced(used, TABLE)
    assert use.cost is None and use.price.startswith("unknown")
    report = cost_of([use], TABLE)
    assert report.total is None and report.unpriced == ("b/new",)
    assert str(report) == "unknown, without b/new, whose price is not known"


def test_a_row_without_a_price_for_the_unit_is_unknown_too() -> None:
    (use,) = priced([ModelUsage(kind="tts", provider="a", model="voice", audio_seconds=3.0, characters=0)], TABLE)
    assert use.cost == 0.0
    table = PriceTable(prices=(Price(model="a/voice", kind="tts"),))
    (use,) = priced([ModelUsage(kind="tts", provider="a", model="voice", audio_seconds=3.0)], table)
    assert use.cost is None


def test_ones_own_price_counts_before_the_bundled_one() -> None:
    own = Price(model="openai/gpt-4o", kind="llm", million_prompt_tokens=1.0, million_completion_tokens=1.0)
    table = bundled_prices().with_own([own])
    assert table.find("llm", "openai", "gpt-4o") is own
    assert bundled_prices().find("llm", "openai", "gpt-4o") is not own


def test_waste_has_a_cost_of_its_own() -> None:
    wasted = ModelUsage(kind="llm", provider="a", model="llm", requests=1, completion_tokens=100)
    used = ModelUsage(kind="llm", provider="a", model="llm", requests=2, completion_tokens=300, wasted=wasted)
    report = cost_of(priced([used], TABLE), TABLE)
    assert (report.total, report.wasted) == pytest.approx((0.0024, 0.0008))
    assert str(report) == "0.0024 USD, 0.0008 of it for nothing"


def test_every_bundled_price_names_its_source_and_can_be_found() -> None:
    table = bundled_prices()
    assert table.as_of >= "2026-11-22"
    for row in table.prices:
        assert row.own_machine or row.source.startswith("https://"), row
        provider, _, model = row.model.partition("/")
        assert table.find(row.kind, provider, model) is row
        units = {
            "llm": row.million_prompt_tokens,
            "stt": row.audio_minute,
            "tts": row.thousand_characters or row.audio_minute,
        }
        assert row.own_machine or (units[row.kind] or 0) > 0, row
