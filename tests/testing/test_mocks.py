"""Mocked tools: what runs instead, what stays real, what is kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, AgentSession, RunContext, ToolError, Toolset, function_tool
from antiphon.errors import ConfigurationError
from antiphon.testing import Caller, ScriptedLLM, calls, mock_tools, repeat, simulate, text_context


class Shop(Agent):
    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Sell.", **options)
        self.real: list[str] = []

    @function_tool(effect="read")
    async def price(self, ctx: RunContext, item: str, count: int = 1) -> str:
        """What something costs."""
        self.real.append("price")
        return "real"

    @function_tool(confirm=True)
    async def buy(self, item: str) -> str:
        """Buy something."""
        self.real.append("buy")
        return "real"


class Rival(Agent):
    @function_tool(effect="read")
    async def price(self, item: str) -> str:
        """What something costs."""
        return "the rival's"


async def asked(agent: Agent, mocks: dict[str, Any], script: Any = None, **options: Any) -> tuple[Any, Any]:
    """What came of one text turn under these mocks of a shop, and the mocks."""
    llm = ScriptedLLM(script or [calls("price", item="tea"), "So it is."])
    async with AgentSession(stt=None, tts=None, llm=llm, **options) as session:
        await session.start(agent, text_context())
        with mock_tools(Shop, mocks) as tools:
            result = await session.run(user_input="What is the tea?")
        return result, tools


async def wait_a_little(item: str) -> str:
    await asyncio.sleep(2)
    return f"{item} after a while"


@pytest.mark.parametrize(
    ("mock", "output"),
    [
        (lambda item: f"{item} is three", "tea is three"),
        (lambda: "three", "three"),
        (lambda ctx, count: f"{ctx.agent.id} {count}", "shop 1"),
        (lambda **all: f"{sorted(all)}", "['count', 'item']"),
        (wait_a_little, "tea after a while"),
        ("three", "three"),
        ({"amount": 3}, '{"amount": 3}'),
    ],
)
@pytest.mark.call
async def test_what_a_mock_gives_is_the_result(mock: Any, output: str) -> None:
    shop = Shop()
    result, tools = await asked(shop, {"price": mock})
    result.expect.contains_function_call_output(output=output, is_error=False)
    (call,) = tools.calls_of("price")
    assert (call.arguments, call.done, call.error) == ({"item": "tea", "count": 1}, True, None)
    assert shop.real == []


@pytest.mark.call
async def test_a_mock_that_raises_is_a_tool_that_failed() -> None:
    for mock, output in ((ToolError("None left."), "None left."), (RuntimeError("secret"), "internal error")):
        result, tools = await asked(Shop(), {"price": mock})
        result.expect.contains_function_call_output(output=output, is_error=True)
        assert tools.calls[0].error is mock


@pytest.mark.call
async def test_what_a_tool_may_do_is_still_asked_of_it() -> None:
    """The schema, the caller's yes: they are the tool's, whoever does the work."""
    result, tools = await asked(Shop(), {"price": "three"}, [calls("price", item="tea", colour="red"), "Sorry."])
    result.expect.contains_function_call_output(output="do not fit", is_error=True)
    bought, mocks = await asked(Shop(), {"buy": "done"}, [calls("buy", item="tea"), "Shall I?"])
    bought.expect.contains_function_call_output(output="the caller has to agree", is_error=True)
    assert tools.calls == mocks.calls == []


@pytest.mark.call
async def test_other_tools_and_other_agents_are_real() -> None:
    shop = Shop()
    result, tools = await asked(shop, {"buy": "done"})
    assert shop.real == ["price"] and tools.calls == []
    result, tools = await asked(Rival(instructions="x"), {"price": "mocked"})
    result.expect.contains_function_call_output(output="the rival's")


@pytest.mark.call
async def test_tools_of_toolsets_and_of_the_session_are_mocked_too() -> None:
    class Stock(Toolset):
        @function_tool(effect="read")
        async def count(self) -> str:
            """How many there are."""
            return "real"

    @function_tool(effect="read")
    async def weather() -> str:
        """The weather."""
        return "real"

    script = [(calls("count"), calls("weather")), "So it is."]
    mocks = {"count": "seven", "weather": "sunny"}
    result, _ = await asked(Shop(tools=[Stock()]), mocks, script, tools=[weather])
    result.expect.contains_function_call_output(output="seven")
    result.expect.contains_function_call_output(output="sunny")


@pytest.mark.call
async def test_the_innermost_mock_counts_and_ends_with_its_block() -> None:
    shop = Shop()
    with mock_tools(shop, {"price": "outer"}):
        result, _ = await asked(shop, {"price": "inner"})
        result.expect.contains_function_call_output(output="inner")
        result, _ = await asked(shop, {})
        result.expect.contains_function_call_output(output="outer")
    result, _ = await asked(shop, {})
    result.expect.contains_function_call_output(output="real")


def test_mocks_hold_in_simulated_calls() -> None:
    with mock_tools(Shop, {"price": "three"}) as tools:
        llm = ScriptedLLM([calls("price", item="tea"), "It is three."])
        result = simulate(Shop, Caller().says("What is the tea?", at=1.0).waits_for_agent(), llm=llm)
    assert result.heard == "It is three." and len(tools.calls) == 1


@pytest.mark.call
async def test_runs_at_the_same_time_do_not_share_their_mocks() -> None:
    async def scenario(number: int) -> None:
        with mock_tools(Shop, {"price": f"price {number}"}) as tools:
            await asyncio.sleep(0.1 * (number % 3))
            result, _ = await asked(Shop(), {})
            result.expect.contains_function_call_output(output=f"price {number}")
            assert len(tools.calls) == 1

    assert (await repeat(9, scenario, parallel=9)).passed == 9


@pytest.mark.call
async def test_a_mock_of_a_tool_that_nobody_has_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"'prize', which Shop did not have\. Its tools were: buy, price"):
        await asked(Shop(), {"prize": 3, "price": 3})
    with pytest.raises(ZeroDivisionError), mock_tools(Shop, {"prize": 3}):
        await asked(Shop(), {})
        raise ZeroDivisionError  # what went wrong in the block is what is raised


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigurationError, match="takes 'colour'"), mock_tools(Shop, {"price": lambda colour: 1}):
        pass
    anything: Any = "Shop"
    with pytest.raises(ConfigurationError, match="Pass the agent's class"), mock_tools(anything, {}):
        pass
    with mock_tools(Shop, {"price": 1}) as tools, pytest.raises(ConfigurationError, match="'buy' is not mocked"):
        tools.calls_of("buy")
