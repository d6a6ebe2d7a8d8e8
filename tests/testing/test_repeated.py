"""Repeated runs: how many passed, what the others said, and how many went on at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon.errors import ConfigurationError
from antiphon.testing import repeat


async def fails_every_third(number: int) -> None:
    assert number % 3 != 2, f"run {number} of three"


@pytest.mark.call
async def test_enough_runs_pass(capsys: pytest.CaptureFixture[str]) -> None:
    rate = await repeat(9, fails_every_third, at_least=0.6)
    assert (rate.passed, round(rate.rate, 2), [one.number for one in rate.failures]) == (6, 0.67, [2, 5, 8])
    printed = capsys.readouterr().out
    assert "6 of 9 runs passed (67%), at least 60% have to." in printed and "run 5 of three" in printed


@pytest.mark.call
async def test_too_few_runs_pass() -> None:
    with pytest.raises(AssertionError) as failure:
        await repeat(9, fails_every_third, at_least=0.7)
    assert "6 of 9 runs passed" in str(failure.value) and "test_repeated.py:" in str(failure.value)


@pytest.mark.call
async def test_an_exact_share_is_enough() -> None:
    async def scenario(number: int) -> None:
        assert number

    assert (await repeat(10, scenario, at_least=0.9)).enough
    with pytest.raises(AssertionError):
        await repeat(10, scenario)


@pytest.mark.call
async def test_an_error_is_a_failure_with_its_kind_and_many_are_counted() -> None:
    async def scenario() -> None:
        raise KeyError("nothing")

    with pytest.raises(AssertionError) as failure:
        await repeat(8, scenario)
    assert str(failure.value).count("KeyError: 'nothing'") == 5 and "3 x 'nothing'" in str(failure.value)


@pytest.mark.call
async def test_only_so_many_run_at_once() -> None:
    running = most = 0

    async def scenario() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1)
        running -= 1

    begun = asyncio.get_running_loop().time()
    await repeat(10, scenario, parallel=3)
    assert most == 3 and asyncio.get_running_loop().time() - begun == pytest.approx(4.0)


@pytest.mark.call
async def test_a_run_that_never_ends_has_failed() -> None:
    async def scenario(number: int) -> None:
        if number == 1:
            await asyncio.Event().wait()

    begun = asyncio.get_running_loop().time()
    with pytest.raises(AssertionError) as failure:
        await repeat(3, scenario, timeout=30.0)
    assert "2 of 3 runs passed" in str(failure.value)
    assert "TimeoutError: The run took longer than 30 s." in str(failure.value)
    assert asyncio.get_running_loop().time() - begun == pytest.approx(30.0)


@pytest.mark.parametrize(
    "options", [{"runs": 0}, {"parallel": 0}, {"timeout": 0.0}, {"at_least": 1.5}, {"scenario": lambda: None}]
)
@pytest.mark.call
async def test_mistakes_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        await repeat(**{"runs": 2, "scenario": fails_every_third, **options})
