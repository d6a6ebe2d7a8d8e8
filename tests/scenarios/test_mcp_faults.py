"""MCP servers that are late, absent, dead, lying or talkative: the voice goes on, and nothing is done twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from antiphon import Agent, MCPToolOptions
from antiphon.chat.items import FunctionCallOutput
from antiphon.testing import Caller, CallResult, ScriptedLLM, calls, simulate
from antiphon.tools.results import RESULT_LIMIT
from tests.scenarios.test_tool_faults import in_order
from tests.tools.mcp_peer import OBJECT, Peer, PeerServer, text

SCRIPT = {"hello": "Hello you.", "echo": [calls("echo", text="hi"), "So be it."], "more": [calls("more"), "More."]}


def talk(
    peer: Peer, *lines: str, quiet: float = 2.0, script: Any = None, **options: Any
) -> tuple[CallResult, ScriptedLLM]:
    """The caller says each line when the agent has answered the one before."""
    llm = ScriptedLLM(script or SCRIPT)
    caller = Caller().says(lines[0], at=1.0).waits_for_agent(quiet=quiet)
    for line in lines[1:]:
        caller = caller.says(line).waits_for_agent(quiet=quiet)
    agent = Agent(instructions="Serve.", mcp_servers=[PeerServer(peer, **options)])
    result = simulate(agent, caller, llm=llm, look_after=5.0)
    in_order(result, llm)
    return result, llm


def offered(llm: ScriptedLLM, request: int) -> list[str]:
    return [tool.name for tool in llm.requests[request].tools]


async def echo(peer: Peer, request: dict[str, Any]) -> Any:
    return text(f"you said {request['params']['arguments'].get('text')}")


def a_server_that_is_well_serves() -> None:
    peer = Peer(echo)
    result, llm = talk(peer, "Please echo")
    assert result.tools[0].output == "you said hi" and offered(llm, 0) == ["echo"]
    assert result.heard == "So be it." and not result.errors


def a_server_that_is_slow_at_start_does_not_delay_the_first_word() -> None:
    peer = Peer(echo, connects_after=8.0)
    result, llm = talk(peer, "Well hello", "And another hello", "Please echo", quiet=4.0)
    assert offered(llm, 0) == [] and result.words[0].start < 4.0
    assert result.heard.endswith("So be it.") and result.tools[0].output == "you said hi"


def a_server_that_is_absent_is_reported_and_joins_when_it_comes() -> None:
    peer = Peer(echo, refuses=3)
    result, llm = talk(peer, "Well hello", "Please echo", quiet=6.0)
    assert offered(llm, 0) == [] and offered(llm, -1) == ["echo"]
    assert sum("nobody is there" in error for error in result.errors) == 1, "said once an outage"
    assert "join again when it is back" in " ".join(result.errors) and peer.connections == 4


def a_server_that_never_answers_costs_its_time_limit() -> None:
    peer = Peer(None)
    result, _ = talk(peer, "Please echo", timeout=3.0, filler="One moment.", quiet=4.0)
    assert "did not answer within 3 seconds" in result.tools[0].output
    assert "not known whether it took effect" in result.tools[0].output
    assert result.heard == "One moment. So be it." and len(peer.calls) == 1


def a_server_that_answers_another_id_has_not_answered() -> None:
    async def wrong(peer: Peer, request: dict[str, Any]) -> Any:
        await peer.send({"id": 99_999, "result": text("you said something else")})

    peer = Peer(wrong)
    result, _ = talk(peer, "Please echo", timeout=2.0)
    assert "did not answer" in result.tools[0].output and "something else" not in str(result.history.items)


def a_server_killed_during_a_call_is_not_called_again() -> None:
    async def die(peer: Peer, request: dict[str, Any]) -> Any:
        await asyncio.sleep(0.5)
        await peer.dies()
        await asyncio.sleep(5.0)

    peer = Peer(die)
    result, _ = talk(peer, "Please echo", quiet=4.0)
    assert len(peer.calls) == 1, "it may have taken effect"
    assert "lost during the call" in result.tools[0].output and result.heard == "So be it."
    assert peer.connections == 2, "and it is connected again"


def a_server_killed_between_two_calls_is_there_for_the_second() -> None:
    async def echo_and_die(peer: Peer, request: dict[str, Any]) -> Any:
        if len(peer.calls) == 1:
            asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(peer.dies()))
        return await echo(peer, request)

    peer = Peer(echo_and_die)
    result, _ = talk(peer, "Please echo", "Please echo again", quiet=3.0)
    assert [tool.output for tool in result.tools] == ["you said hi"] * 2
    assert peer.connections == 2


def a_flood_of_progress_is_thinned() -> None:
    async def flood(peer: Peer, request: dict[str, Any]) -> Any:
        token = request["params"]["_meta"]["progressToken"]
        for n in range(2_000):
            await peer.notify("progress", progressToken=token, progress=n, total=2_000)
            if n % 500 == 0:
                await asyncio.sleep(0.3)
        return await echo(peer, request)

    peer = Peer(flood)
    result, _ = talk(peer, "Please echo")
    updates = [event for name, event in result.events if name == "tool_execution_updated" and event.status == "updated"]
    assert 1 <= len(updates) <= 5 and updates[0].message == "0 of 2000"
    assert result.tools[0].output == "you said hi"


def a_flood_of_change_notices_is_one_look() -> None:
    async def flood(peer: Peer, request: dict[str, Any]) -> Any:
        peer.tools.append({"name": "more", "inputSchema": OBJECT})
        for _ in range(1_000):
            await peer.notify("tools/list_changed")
        return await echo(peer, request)

    peer = Peer(flood)
    _, llm = talk(peer, "Please echo", "Tell me more", quiet=3.0)
    assert offered(llm, -1) == ["echo", "more"] and peer.lists <= 4


def a_server_whose_list_of_tools_is_not_valid_has_none() -> None:
    tools = [{"name": "echo", "inputSchema": OBJECT}, {"name": "list", "inputSchema": {"type": "array"}}]
    result, llm = talk(Peer(echo, tools=tools), "Well hello")
    assert offered(llm, 0) == [] and result.heard == "Hello you."
    assert sum("not valid" in error and "\n" not in error for error in result.errors) == 1, result.errors


def tools_that_no_model_can_take_are_left_out() -> None:
    tools: list[dict[str, Any]] = [
        {"name": "huge", "inputSchema": {**OBJECT, "description": "x" * 100_000}},
        {"name": "echo", "inputSchema": OBJECT, "description": "y" * 100_000},
        {"name": "echo", "inputSchema": OBJECT},
        {"name": "bad name/é", "inputSchema": OBJECT},
    ]
    peer = Peer(echo, tools=tools)
    result, llm = talk(peer, "Please echo")
    assert offered(llm, 0) == ["echo", "bad_name__"]
    assert len(llm.requests[0].tools[0].description) == 2_000
    assert any("2 tools" in error and "huge" in error for error in result.errors), result.errors


def an_answer_that_breaks_its_own_schema_is_no_answer() -> None:
    async def lie(peer: Peer, request: dict[str, Any]) -> Any:
        return text("fine", structuredContent={"degrees": "warm"})

    output = {"type": "object", "properties": {"degrees": {"type": "number"}}, "required": ["degrees"]}
    peer = Peer(lie, tools=[{"name": "echo", "inputSchema": OBJECT, "outputSchema": output}])
    result, _ = talk(peer, "Please echo")
    assert "not what it says of itself" in result.tools[0].output and result.tools[0].is_error


def what_is_no_result_is_no_answer() -> None:
    async def nonsense(peer: Peer, request: dict[str, Any]) -> Any:
        return {"content": "yes"}

    result, _ = talk(Peer(nonsense), "Please echo")
    assert result.tools[0].is_error and result.heard == "So be it."


def five_megabytes_from_a_server_are_cut() -> None:
    async def much(peer: Peer, request: dict[str, Any]) -> Any:
        return text("x" * 5_000_000)

    result, _ = talk(Peer(much), "Please echo")
    assert len(result.tools[0].output) < RESULT_LIMIT + 100


def errors_of_a_server_are_what_the_model_reads() -> None:
    async def fail(peer: Peer, request: dict[str, Any]) -> Any:
        if len(peer.calls) == 1:
            return text("no such day", isError=True)
        await peer.send({"id": request["id"], "error": {"code": -32602, "message": "bad day"}})
        return None

    result, _ = talk(Peer(fail), "Please echo", "Please echo again")
    assert [tool.output for tool in result.tools] == ["no such day", "peer refused the call: bad day"]
    assert all(tool.is_error for tool in result.tools)


def hints_of_a_stranger_count_only_with_trust() -> None:
    """A read may run ahead of the turn's commit: while the caller may still go on."""
    tools = [{"name": "echo", "inputSchema": OBJECT, "annotations": {"readOnlyHint": True}}]
    for trust, effect in ((False, "write"), (True, "read")):
        result, _ = talk(Peer(echo, tools=tools), "Please echo", trust=trust)
        assert [f.effect for f in result.facts if type(f).__name__ == "ToolIntent"] == [effect]


def what_is_offered_and_how_is_for_the_user_to_say() -> None:
    tools = [{"name": name, "inputSchema": OBJECT} for name in ("get_one", "get_two", "delete_all", "put_one")]
    script = {"one": [calls("srv__get_one"), "One."], "put": [calls("write"), "Shall I?"]}
    result, llm = talk(
        Peer(echo, tools=tools), "Give me one", "Please put it", script=script,
        allow=["get_*", "put_*"], deny=["*two"], namespace="srv",
        options={"put_one": MCPToolOptions(name="write", confirm=True, description="Write it.")},
    )  # fmt: skip
    assert offered(llm, 0) == ["srv__get_one", "write"]
    assert llm.requests[0].tools[1].description == "Write it."
    assert result.tools[1].output.startswith("Not done yet")


def progress_may_free_the_conversation() -> None:
    async def slow(peer: Peer, request: dict[str, Any]) -> Any:
        token = request["params"]["_meta"]["progressToken"]
        for n in (1, 2):
            await peer.notify("progress", progressToken=token, progress=n, message=f"step {n}")
            await asyncio.sleep(3.0)
        return await echo(peer, request)

    script = {"echo": [calls("echo", text="hi"), "I am at it.", "It is done."], "hello": "Hello you."}
    result, _ = talk(
        Peer(slow), "Please echo", "Well hello", quiet=1.0, script=script,
        options={"echo": MCPToolOptions(progress="tell")},
    )  # fmt: skip
    outputs = [item.output for item in result.history.items if isinstance(item, FunctionCallOutput)]
    assert outputs == ["step 1", "you said hi"] and result.heard.startswith("I am at it. Hello you.")


def a_write_of_a_server_outlives_the_session() -> None:
    async def slow(peer: Peer, request: dict[str, Any]) -> Any:
        await asyncio.sleep(4.0)
        return await echo(peer, request)

    llm = ScriptedLLM(SCRIPT)
    agent = Agent(instructions="Serve.", mcp_servers=[PeerServer(Peer(slow))])
    result = simulate(agent, Caller().says("Please echo", at=1.0).hangs_up(after=1.5), llm=llm, look_after=8.0)
    in_order(result, llm)
    assert result.tools[0].output == "you said hi"


SCENARIOS = [
    a_server_that_is_well_serves,
    a_server_that_is_slow_at_start_does_not_delay_the_first_word,
    a_server_that_is_absent_is_reported_and_joins_when_it_comes,
    a_server_that_never_answers_costs_its_time_limit,
    a_server_that_answers_another_id_has_not_answered,
    a_server_killed_during_a_call_is_not_called_again,
    a_server_killed_between_two_calls_is_there_for_the_second,
    a_flood_of_progress_is_thinned,
    a_flood_of_change_notices_is_one_look,
    a_server_whose_list_of_tools_is_not_valid_has_none,
    tools_that_no_model_can_take_are_left_out,
    an_answer_that_breaks_its_own_schema_is_no_answer,
    what_is_no_result_is_no_answer,
    five_megabytes_from_a_server_are_cut,
    errors_of_a_server_are_what_the_model_reads,
    hints_of_a_stranger_count_only_with_trust,
    what_is_offered_and_how_is_for_the_user_to_say,
    progress_may_free_the_conversation,
    a_write_of_a_server_outlives_the_session,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_mcp_fault(scenario: Any) -> None:
    scenario()
