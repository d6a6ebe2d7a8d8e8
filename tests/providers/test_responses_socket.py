"""OpenAI's Responses over its WebSocket, on the virtual clock: what is sent, what is remembered, when sockets are replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from llm_world import TOOLS, Heard, ask

from antiphon.chat.context import ChatContext
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.errors import ModelError
from antiphon.providers import openai
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault, SimulatedCall
from antiphon.testing.simulators.openai import OpenAISimulator
from antiphon.wire import lane_responses


class Line:
    """A model and its simulated service, without a network."""

    def __init__(self, service: OpenAISimulator, **options: Any) -> None:
        self.service = service
        self.connector = MemoryConnector(service)
        self.llm = openai.ResponsesLLM("gpt-test", api_key="secret", connector=self.connector, **options)
        self.ctx = ChatContext.empty()
        self.ctx.add_message(role="system", content="You take orders at a coffee counter.")

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.service.script.requests

    @property
    def sockets(self) -> int:
        return len(self.service.clients)

    async def turn(self, words: str, *, heard: str | None = None) -> Heard:
        """The caller says ``words``; of the answer ``heard`` is heard, or all."""
        self.ctx.add_message(role="user", content=words)
        got = await ask(self.llm, self.ctx, TOOLS)
        said = got.text if heard is None else heard
        if said:
            self.ctx.add_message(role="assistant", content=said)
        for call in got.calls:
            item = FunctionCall(
                id=call.call_id, call_id=call.call_id, name=call.name, arguments=call.arguments, extra=call.extra
            )
            self.ctx.items += [
                item,
                FunctionCallOutput(id=f"o{call.call_id}", call_id=call.call_id, name=call.name, output="done"),
            ]
        return got


def call(
    story: Callable[[Line], Coroutine[Any, Any, None]],
    *answers: Answer | str,
    faults: dict[int, LLMServiceFault] | None = None,
    connection: tuple[Fault, ...] = (),
    lifetime: float = 3600.0,
    **options: Any,
) -> None:
    script = LLMScript(answers or ("Hello.",), faults)
    with virtual_loop(0) as loop:
        service = OpenAISimulator(script, lifetime=lifetime, faults=FaultScript.of(*connection), key="secret")
        line = Line(service, **options)
        loop.run_until_complete(story(line))
        loop.run_until_complete(line.llm.aclose())
        loop.run_until_complete(line.connector.aclose())
        assert line.connector.open == 0
        assert not [task for task in asyncio.all_tasks(loop) if task.get_name().startswith("llm")]


def test_a_turn_sends_only_what_is_new_on_the_socket_of_the_turn_before() -> None:
    async def story(line: Line) -> None:
        for n, words in enumerate(["Hello?", "A coffee.", "And a tea."]):
            assert (await line.turn(words)).text == ("Good morning!", "Sure.", "That is all?")[n]
        assert line.sockets == 1
        assert [len(request["input"]) for request in line.requests] == [1, 1, 1]
        assert "previous_response_id" not in line.requests[0]
        assert [r.get("previous_response_id") for r in line.requests[1:]] == ["resp_s0_1", "resp_s0_2"]
        assert line.requests[2]["input"] == [{"role": "user", "content": "And a tea."}]
        assert all(request["instructions"] and request["store"] is False for request in line.requests)

    call(story, "Good morning!", "Sure.", "That is all?")


def test_the_result_of_a_tool_is_all_that_the_next_step_sends() -> None:
    order = Answer(
        text="One moment.", thinking="A latte.", calls=(SimulatedCall("order", '{"item": "latte", "count": 1}'),)
    )

    async def story(line: Line) -> None:
        await line.turn("A latte.")
        got = await ask(line.llm, line.ctx, TOOLS)
        assert got.text == "It is on its way."
        assert [item["type"] for item in line.requests[1]["input"]] == ["function_call_output"]

    call(story, order, "It is on its way.")


def test_after_an_interruption_the_whole_conversation_goes_along_on_the_same_socket() -> None:
    async def story(line: Line) -> None:
        await line.turn("What is there?")
        await line.turn("Stop!", heard="We have")
        got = await line.turn("Just a tea.")
        assert got.error is None and line.sockets == 1
        assert [r.get("previous_response_id") for r in line.requests] == [None, "resp_s0_1", None]
        assert {"role": "assistant", "content": "We have"} in line.requests[2]["input"]
        assert line.requests[2]["input"][0] == {"role": "user", "content": "What is there?"}

    call(story, "Good morning!", "We have coffee, tea, and cake.", "Sure.")


def test_a_stream_that_is_closed_ends_its_socket_and_the_next_one_is_there_already() -> None:
    async def story(line: Line) -> None:
        line.ctx.add_message(role="user", content="Tell me everything.")
        stream = line.llm.chat(chat_ctx=line.ctx)
        async for _chunk in stream:
            break
        await stream.aclose()
        await asyncio.sleep(0.1)
        assert line.sockets == 2 and line.connector.open == 1
        assert (await line.turn("Never mind.")).text == "Fine."
        assert line.sockets == 2

    long = Answer(text="Once upon a time " * 50, piece=3)
    call(story, long, "Fine.", faults={0: LLMServiceFault(mishap="stall", after=60)})


def test_a_socket_is_replaced_before_its_hour_is_over_between_two_turns() -> None:
    async def story(line: Line) -> None:
        await line.turn("Hello?")
        for n in range(11):
            await asyncio.sleep(299)
            await line.turn(f"Still here {n}.")
        assert line.sockets == 1
        await asyncio.sleep(290)
        assert (await line.turn("And now?")).error is None
        assert line.sockets == 2 and line.connector.open == 1
        assert "previous_response_id" not in line.requests[-1]
        assert len(line.requests[-1]["input"]) == 25

    call(story)


def test_a_service_that_ends_sockets_earlier_costs_one_more_request_and_no_word() -> None:
    async def story(line: Line) -> None:
        await line.turn("Hello?")
        await asyncio.sleep(60)
        got = await line.turn("A coffee.")
        assert (got.text, got.error) == ("Hello.", None)
        assert line.sockets == 2 and line.connector.open == 1

    call(story, lifetime=30.0)


def test_a_response_that_the_service_has_lost_is_not_missed() -> None:
    async def story(line: Line) -> None:
        await line.turn("Hello?")
        got = await line.turn("A coffee.")
        assert (got.text, got.error) == ("Hello.", None)
        assert [r.get("previous_response_id") for r in line.requests] == [None, "resp_s0_1", None]

    lost = LLMServiceFault(status=400, code="previous_response_not_found", message="Previous response not found.")
    call(story, faults={1: lost})


def test_sockets_that_nobody_uses_are_closed() -> None:
    async def story(line: Line) -> None:
        await line.turn("Hello?")
        await asyncio.sleep(600)
        await line.turn("Are you there?")
        assert line.sockets == 2 and line.connector.open == 1

    call(story)


def test_several_calls_at_once_have_a_socket_each_and_keep_their_own_memory() -> None:
    async def story(line: Line) -> None:
        others = [Line(line.service) for _ in range(3)]
        for other in others:
            other.llm, other.connector = line.llm, line.connector
        for turn in range(3):
            spoken = [other.turn(f"Caller {n}, turn {turn}.") for n, other in enumerate(others)]
            for got in await asyncio.gather(*spoken):
                assert got.error is None
        assert line.sockets == 3
        assert [len(request["input"]) for request in line.requests] == [1] * 9

    call(story)


def test_a_call_that_begins_takes_no_other_calls_socket() -> None:
    async def story(line: Line) -> None:
        other = Line(line.service)
        other.llm, other.connector = line.llm, line.connector
        await line.turn("Two lattes, please.")
        await other.turn("Where are you?")
        await line.turn("That is all.")
        assert line.sockets == 2
        assert [len(request["input"]) for request in line.requests] == [1, 1, 1]

    call(story)


@pytest.mark.parametrize("kind", ["abort", "close", "silent", "refuse", "vanish"])
def test_a_socket_that_dies_before_the_first_word_is_replaced(kind: str) -> None:
    async def story(line: Line) -> None:
        began = asyncio.get_running_loop().time()
        got = await line.turn("Hello?")
        assert (got.text, got.error) == ("Hello.", None)
        assert asyncio.get_running_loop().time() - began < 3.5, "within the time of a turn"

    call(story, connection=(Fault(kind, status=503),))  # type: ignore[arg-type]


def test_a_socket_that_died_unseen_between_two_turns_is_found_in_time() -> None:
    async def story(line: Line) -> None:
        assert (await line.turn("Hello?")).error is None
        began = asyncio.get_running_loop().time()
        got = await line.turn("A coffee.")
        assert (got.text, got.error) == ("Hello.", None)
        assert asyncio.get_running_loop().time() - began < 3.5

    call(story, connection=(Fault("silent", after=10),))


def test_a_socket_that_dies_in_the_middle_of_an_answer_is_an_error() -> None:
    async def story(line: Line) -> None:
        got = await line.turn("Hello?")
        assert got.text == "Once upon a" and isinstance(got.error, ModelError) and got.finish is None
        assert (await line.turn("Again?")).text == "Fine."

    call(story, Answer(text="Once upon a time there was.", piece=11), "Fine.", connection=(Fault("abort", after=5),))


def test_a_refused_key_is_told_at_once_when_connecting_ahead() -> None:
    async def story(line: Line) -> None:
        with pytest.raises(ModelError, match="401") as caught:
            await line.llm.prewarm()
        assert "OPENAI_API_KEY" in caught.value.hint and not caught.value.retryable

    with virtual_loop(0) as loop:
        line = Line(OpenAISimulator(key="another"))
        loop.run_until_complete(story(line))
        loop.run_until_complete(line.llm.aclose())


@pytest.mark.parametrize(
    ("status", "hint"), [(404, "model's name"), (429, "how often"), (401, "OPENAI_API_KEY"), (400, "options")]
)
def test_a_refusal_on_the_socket_says_what_to_do(status: int, hint: str) -> None:
    async def story(line: Line) -> None:
        got = await line.turn("Hello?")
        assert isinstance(got.error, ModelError) and got.error.status == status
        assert hint in got.error.hint and "amid its answer" not in str(got.error) and "Not now" in str(got.error)

    call(story, faults=LLMServiceFault(status=status, code="x", message="Not now."))


def test_a_model_that_is_closed_amid_an_answer_leaves_no_socket() -> None:
    async def story(line: Line) -> None:
        turn = asyncio.get_running_loop().create_task(line.turn("Hello?"))
        await asyncio.sleep(0.2)
        await line.llm.aclose()
        got = await turn
        assert got.text == "" and line.connector.open == 0
        assert isinstance(got.error, ModelError) and "closed" in str(got.error)

    call(story, connection=(Fault("late", seconds=0.1),))


def test_an_answer_that_does_not_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_responses, "WHOLE", 20_000)

    async def story(line: Line) -> None:
        got = await line.turn("Hello?")
        assert isinstance(got.error, ModelError) and "does not end" in str(got.error) and not got.error.retryable

    call(story, Answer(text="word " * 2000))


def test_connecting_ahead_leaves_nothing_to_do_for_the_first_turn() -> None:
    async def story(line: Line) -> None:
        await line.llm.prewarm()
        await line.llm.prewarm()
        assert line.connector.open == 1
        await line.turn("Hello?")
        assert line.sockets == 1

    call(story)
