"""A caller orders at a counter whose language model is a service: what the kernel keeps, the service takes back."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon import Agent, function_tool
from antiphon.providers import openai
from antiphon.testing import Caller, CallResult, simulate
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault, SimulatedCall
from antiphon.testing.simulators.openai import OpenAISimulator

LATTE = SimulatedCall("order", '{"item": "latte", "count": 2}')
ORDER = Answer(text="Let me see.", thinking="They want lattes.", calls=(LATTE,), cached_tokens=5)


def barista(request: dict[str, Any]) -> Answer | str:
    """Answers what was said last, however often it is asked."""
    last = next(item for item in reversed(request["input"]) if item.get("role") != "assistant")
    if last.get("type") == "function_call_output":
        return "Two lattes are on their way. Anything else?"
    return ORDER if "lattes" in last["content"] else "Good bye, and thank you for coming."


class Counter(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You take orders at a coffee counter.")
        self.orders: list[tuple[str, int]] = []

    @function_tool
    async def order(self, item: str, count: int) -> str:
        """Order something."""
        self.orders.append((item, count))
        return f"{count} {item} ordered"


def serve(
    faults: dict[int, LLMServiceFault] | None = None, connection: tuple[Fault, ...] = ()
) -> tuple[CallResult, Counter, list[dict[str, Any]], OpenAISimulator]:
    script = LLMScript(barista, faults)
    service = OpenAISimulator(script, faults=FaultScript.of(*connection))
    llm = openai.ResponsesLLM("gpt-test", api_key="k", connector=MemoryConnector(service))
    agent = Counter()
    caller = Caller().says("Two lattes please.", at=1.0).waits_for_agent(quiet=2.0)
    caller = caller.says("No, that is all.").waits_for_agent(quiet=2.0)
    return simulate(agent, caller, llm=llm), agent, script.requests, service


def test_an_order_with_a_tool_over_one_socket() -> None:
    result, agent, requests, service = serve()
    assert agent.orders == [("latte", 2)]
    assert "Two lattes are on their way." in result.heard and "thank you for coming" in result.heard
    assert "They want lattes" not in result.heard
    assert len(service.clients) == 1
    assert [item["type"] for item in requests[1]["input"]] == ["function_call_output"], "only what is new"
    assert requests[1]["previous_response_id"]


def test_what_the_service_sealed_comes_back_with_the_call_when_its_memory_is_lost() -> None:
    lost = LLMServiceFault(status=400, code="previous_response_not_found", message="Previous response not found.")
    result, agent, requests, _ = serve(faults={1: lost})
    assert agent.orders == [("latte", 2)] and "on their way" in result.heard
    kinds = [item.get("type", "message") for item in requests[2]["input"]]
    assert kinds == ["message", "reasoning", "function_call", "function_call_output", "message"]
    sealed = next(item for item in requests[2]["input"] if item.get("type") == "reasoning")
    assert sealed["encrypted_content"]


@pytest.mark.parametrize("kind", ["abort", "silent", "refuse", "vanish"])
def test_a_socket_that_dies_costs_no_order_and_none_twice(kind: str) -> None:
    connection = (Fault(kind, clients=(0, 1)),)  # type: ignore[arg-type]
    result, agent, _, service = serve(connection=connection)
    assert agent.orders == [("latte", 2)]
    assert "Two lattes are on their way." in result.heard
    assert len(service.clients) + len(service.refused) >= 3


def test_a_caller_who_interrupts_is_answered_on_what_was_heard() -> None:
    long = "We have coffee, tea, hot chocolate, orange juice, water, milk, and many kinds of cake today."
    script = LLMScript((long, "A tea, then."))
    service = OpenAISimulator(script)
    llm = openai.ResponsesLLM("gpt-test", api_key="k", connector=MemoryConnector(service))
    caller = Caller().says("What do you have?", at=1.0).talks_over("Stop, I will have a tea, please.", after_word=4)
    result = simulate(Counter, caller.waits_for_agent(quiet=3.0), llm=llm)
    assert result.heard.endswith("A tea, then.")
    said = [item["content"] for item in script.requests[-1]["input"] if item.get("role") == "assistant"]
    assert said and long.startswith(said[0].rstrip(". …")[:10]) and said[0] != long
    assert "previous_response_id" not in script.requests[-1]
