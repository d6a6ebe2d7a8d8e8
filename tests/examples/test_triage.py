"""The example with a front desk and three specialists: on scripted models, and heard and spoken by the local ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from antiphon import AgentHandoff, ChatMessage
from antiphon.testing import Caller, ScriptedLLM, calls, simulate

ROOT = Path(__file__).parents[2]
VOICES = [ROOT / "examples/triage_callers" / name for name in ("1-bill.wav", "2-internet.wav")]
SPOKEN = """
import sys
sys.path.insert(0, "examples")
import triage
from antiphon import AgentSession, run
from antiphon.testing import ScriptedLLM, calls

SCRIPT = {
    "bill": calls("billing"),
    "internet": [calls("front_desk"), calls("repairs"), "Since when?"],
}

async def entrypoint(ctx):
    await AgentSession(llm=ScriptedLLM(SCRIPT)).start(triage.Desk(), ctx)

run(entrypoint)
"""


@pytest.fixture
def desk() -> type[Any]:
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        import triage  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(ROOT / "examples"))
    found: type[Any] = triage.Desk
    return found


def test_a_caller_goes_through_all_three_and_back_and_the_history_tells_it(desk: type[Any]) -> None:
    llm = ScriptedLLM(
        {
            "march": [calls("amount_due", month="March"), "29 euros and 90 cents."],
            "bill": calls("billing"),
            "broken": [calls("front_desk"), calls("repairs"), "unused"],
            "yesterday": [calls("test_line", broken_since="yesterday"), "Please switch the router off and on."],
            "contract": [calls("front_desk"), calls("sales"), "unused"],
            "mobile": [calls("offer", product="mobile"), "19 euros a month."],
        }
    )
    caller = Caller().waits_for_agent().says("A question about my bill").waits_for_agent(quiet=1.0)
    for words in ("It is about March", "My line is broken", "Since yesterday", "I want a contract", "A mobile one"):
        caller = caller.says(words).waits_for_agent(quiet=1.0)
    result = simulate(desk, caller, llm=llm)
    assert result.heard == (
        "Good day, this is the front desk. How can I help? Billing here. Which month is your question about? "
        "29 euros and 90 cents. Repairs here. Since when is it broken? Please switch the router off and on. "
        "Sales here. Is it for a mobile or a landline? 19 euros a month."
    ), result
    handed = [item for item in result.history.items if isinstance(item, AgentHandoff)]
    assert [(item.old_agent, item.new_agent) for item in handed] == [
        ("desk", "billing"), ("billing", "desk"), ("desk", "repairs"), ("repairs", "desk"), ("desk", "sales"),
    ]  # fmt: skip
    assert [item.reason for item in handed if item.old_agent == "desk"] == [
        "a question about a bill", "something is broken", "wants a contract",
    ]  # fmt: skip
    at_sales = [
        item.text for item in llm.requests[-1].chat_ctx if isinstance(item, ChatMessage) and item.role == "user"
    ]
    assert at_sales == ["I want a contract", "A mobile one"], "sales gets the last turn"
    assert not result.left
    assert not result.errors


def test_recorded_callers_are_understood_and_handed_over_by_voice(heard: Callable[..., str]) -> None:
    """The local ears and voice are real; what the model would choose is scripted."""
    told = heard(VOICES, "-c", SPOKEN)
    assert "(billing takes over)" in told
    assert "Which month is your question about?" in told
    assert "(repairs takes over)" in told
    assert "Since when is it broken?" in told


def test_the_default_model_chooses_the_department_by_voice(heard_by_the_default_model: Callable[..., str]) -> None:
    assert "(billing takes over)" in heard_by_the_default_model(VOICES, "examples/triage.py")
