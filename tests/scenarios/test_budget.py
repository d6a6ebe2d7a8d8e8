"""What a call costs is known while it runs, and a budget acts on it."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon import Agent, AgentSession, Budget, BudgetExceeded, ConfigurationError, Price
from antiphon.testing import (
    Caller,
    CallResult,
    ScriptedLLM,
    ScriptedTTS,
    ScriptedTurnDetector,
    run,
    simulate,
    text_context,
)

ANSWER = "I am happy to help you with that today. What would you like to do first?"
PRICES = (
    Price(model="scripted/llm", kind="llm", million_prompt_tokens=1_000.0, million_completion_tokens=10_000.0),
    Price(model="scripted/stt", kind="stt", audio_minute=0.06),
    Price(model="scripted/tts", kind="tts", thousand_characters=1.0),
)


def chat(turns: int = 3, **options: Any) -> CallResult:
    caller = Caller().says("Please help me", at=4.0).waits_for_agent()
    for _ in range(turns - 1):
        caller.says("And now again please").waits_for_agent().stays_silent(1.0)
    agent = lambda: Agent(instructions="Help.")  # noqa: E731
    return simulate(agent, caller, **{"llm": ANSWER, "prices": PRICES, **options})


def test_the_report_has_usage_and_cost_of_every_model() -> None:
    result = chat()
    usage = {use.kind: use for use in result.report.usage if use.kind in ("stt", "llm", "tts")}
    words = len(ANSWER.split())
    assert usage["llm"].completion_tokens == words * usage["llm"].requests
    assert usage["stt"].audio_seconds == pytest.approx(result.duration, abs=2.0)
    assert usage["stt"].cost == pytest.approx(usage["stt"].audio_seconds * 0.001)
    assert usage["tts"].cost == pytest.approx(usage["tts"].characters / 1_000)
    assert result.report.cost.total == pytest.approx(sum(use.cost for use in usage.values()), abs=1e-5)
    assert result.session.cost == result.report.cost and not result.report.cost.unpriced


def test_an_unknown_price_is_named() -> None:
    result = chat(prices=PRICES[:2])
    assert result.report.cost.unpriced == ("scripted/tts",)
    assert result.report.cost.total is not None


def test_what_speculation_wasted_has_its_cost() -> None:
    caller = Caller().says("I want a coffee", at=1.0).says("with oat milk", after=0.9).waits_for_agent()
    detector = ScriptedTurnDetector([0.31, 0.31, 0.31, 0.9])
    result = simulate(
        lambda: Agent(instructions="Help."), caller, turn_detector=detector, llm="It comes at once.", prices=PRICES
    )
    assert 0 < result.report.cost.wasted < result.report.cost.total
    assert "for nothing" in str(result.report.cost)


def test_a_budget_warns_once_and_the_call_goes_on() -> None:
    result = chat(budget=Budget(per_call=0.3))
    (event,) = result.named("budget_exceeded")
    assert event.cost > 0.3 and event.limit == 0.3
    assert len(result.replies) == 3 and result.close_reason == "participant_disconnected"


def test_a_budget_that_ends_the_call_says_goodbye_first() -> None:
    result = chat(turns=6, budget=Budget(per_call=0.3, on_exceeded="end"))
    assert result.heard.endswith("Thank you for calling. Goodbye."), result
    assert result.close_reason == "budget_exceeded" and len(result.turns) < 6
    assert not result.left, result


def test_a_budget_that_ends_the_call_has_words_of_ones_own() -> None:
    result = chat(turns=6, budget=Budget(per_call=0.3, on_exceeded="end", say="We stop here."))
    assert result.heard.endswith("We stop here."), result


def test_a_budget_may_call_ones_own_code() -> None:
    seen: list[BudgetExceeded] = []

    async def over(exceeded: BudgetExceeded) -> None:
        seen.append(exceeded)

    result = chat(budget=Budget(per_call=0.3, on_exceeded=over))
    assert len(seen) == 1 and seen[0].cost > 0.3
    assert result.close_reason == "participant_disconnected"


def test_listening_alone_can_use_up_a_budget_while_nobody_has_said_anything() -> None:
    result = simulate(
        lambda: Agent(instructions="Help."),
        Caller().stays_silent(60.0),
        prices=PRICES,
        budget=Budget(per_call=0.03, on_exceeded="end"),
        user_away_timeout=0,
    )
    assert result.close_reason == "budget_exceeded"
    assert 25 < result.duration < 45, result


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no budget"):
        Budget(per_call=0)
    with pytest.raises(ConfigurationError, match="on_exceeded"):
        Budget(per_call=1.0, on_exceeded="stop")  # type: ignore[arg-type]


def test_a_written_conversation_costs_nothing_of_the_voice() -> None:
    async def main() -> Any:
        async with AgentSession[None](llm=ScriptedLLM(ANSWER), tts=ScriptedTTS(), prices=PRICES) as session:
            await session.start(Agent(instructions="Help."), text_context())
            await session.run(user_input="Please help me")
            return {use.kind: use for use in session.usage}, session.cost

    usage, cost = run(main())
    assert usage["tts"].characters == 0 and not usage["tts"].cost
    assert cost.total == usage["llm"].cost > 0


def test_of_a_reply_prepared_in_vain_the_voice_costs_what_it_spoke() -> None:
    """The voice is given the first segment ahead, no more."""
    caller = Caller().says("I want a coffee", at=1.0).says("with oat milk", after=0.9).waits_for_agent()
    result = simulate(
        lambda: Agent(instructions="Help."),
        caller,
        turn_detector=ScriptedTurnDetector([0.31, 0.31, 0.31, 0.9]),
        llm="It comes at once. And here is a second sentence, and here a third one.",
        prices=PRICES,
    )
    wasted = next(use.wasted for use in result.report.usage if use.kind == "tts")
    assert wasted is None or wasted.characters <= wasted.requests * len("It comes at once. ")
    assert next(use.wasted for use in result.report.usage if use.kind == "llm") is not None
