"""The kit on each language model, over its simulator: the contract, what is declared, the table of faults."""

from __future__ import annotations

import asyncio

import pytest
from llm_world import VENDORS
from test_openai_compatible import CHAT_ROWS, DIALECTS, model_of

from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.llm import LLM
from antiphon.testing.conformance import check_llm
from antiphon.testing.conformance.report import Report
from antiphon.testing.conformance.simulated_llm import llm_rig, obedient
from antiphon.testing.simulators import serving
from antiphon.testing.simulators.llm_script import LLMScript
from antiphon.testing.simulators.llm_simulator import LLMSimulator
from antiphon.testing.simulators.openai import OpenAISimulator
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.retry import RetryPolicy

SEEING = LLMCapabilities(images=True)
"""As at home: of another host nothing is assumed."""
QUICK = Deadlines(connect=1.0, first=1.0, between=0.5)


async def kit(make, simulator) -> Report:  # type: ignore[no-untyped-def]
    async with serving(simulator(LLMScript(obedient))) as url:
        return await check_llm(lambda: make(url), rig=llm_rig(make, simulator))


@pytest.mark.parametrize("vendor", list(VENDORS))
def test_language_models_pass_the_kit(vendor: str) -> None:
    make, service = VENDORS[vendor]

    def quick(url: str) -> LLM:
        return make(url, deadlines=QUICK, retry=RetryPolicy(delays=(0.0, 0.01)), capabilities=SEEING)

    def simulator(script: LLMScript) -> LLMSimulator:
        return service(script)

    report = asyncio.run(kit(quick, simulator))
    assert report.ok, [check for check in report.checks if check.result == "failed"]
    assert report.count("passed") > 30, report


@pytest.mark.parametrize("prefix", [prefix for prefix in CHAT_ROWS if prefix not in ("openai", "azure")])
def test_services_that_follow_openai_pass_its_contract(prefix: str) -> None:
    row = CHAT_ROWS[prefix]

    async def contract() -> Report:
        async with serving(OpenAISimulator(LLMScript(obedient), dialect=DIALECTS[prefix])) as url:
            return await check_llm(lambda: model_of(row, url))

    report = asyncio.run(contract())
    failed = [check.name for check in report.checks if check.result == "failed"]
    # Perplexity calls no tools: the one check of the contract that hands it some cannot hold.
    assert failed == (["history_with_tools"] if not row.tools else []), report
