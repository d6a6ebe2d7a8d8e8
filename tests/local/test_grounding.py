"""A small model makes values up; what nobody said does not reach a tool."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import date
from typing import Any, Literal

import pytest

from antiphon.chat.context import ChatContext
from antiphon.local.grounding import Said, checked
from antiphon.local.llm import LocalLLM
from antiphon.local.requests import AnyReply, AnyRequest, Complete, Counted, Piece
from antiphon.models.llm import ToolCallDelta, ToolSpec
from antiphon.tools.function_tool import FunctionTool, function_tool


@function_tool
def reserve(name: str, people: int, day: date, size: str | None = None, outside: bool = False) -> None:
    """Reserve a table."""


@function_tool
def cancel(name: str) -> None:
    """Cancel a table."""


@function_tool
def status(kind: Literal["table", "kitchen"], which: str | None = None) -> None:
    """How things are."""


def made_up(tool: FunctionTool, text: str, *, known: str = "", **values: Any) -> tuple[dict[str, Any], list[str]]:
    kept, missing = checked(tool.spec, values, Said([text], [known]))
    return kept, list(missing)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a table for four on saturday for Baker", {"name": "Baker", "people": 4, "day": "saturday"}),
        ("the name is Ruiz, 2 of us, tomorrow", {"name": "Ruiz", "people": 2, "day": "tomorrow"}),
        ("a table for me on the third, my name is Baker", {"name": "Baker", "people": 1, "day": "3 december"}),
        ("four on saturday, outdoors, for the Bakers", {"name": "Baker", "people": 4, "day": "saturday"}),
    ],
)
def test_what_was_said_is_kept(text: str, values: dict[str, Any]) -> None:
    assert made_up(reserve, text, **values) == (values, [])


def test_required_values_that_nobody_said_are_missing() -> None:
    _, missing = made_up(reserve, "I'd like to reserve a table", name="John Doe", people=2, day="friday")
    assert missing == ["name", "people", "day"]


def test_the_day_in_the_instructions_was_not_said_by_anybody() -> None:
    today = "Today is Tuesday, 24 November 2026. The name of the house is Olive."
    _, missing = made_up(reserve, "I'd like a table", known=today, name="Olive", people=2026, day="tuesday")
    assert missing == ["day"]


def test_optional_values_that_nobody_said_are_left_out() -> None:
    said = {"name": "Baker", "people": 4, "day": "saturday"}
    kept, missing = made_up(reserve, "four on saturday for Baker", **said, size="large", outside=True)
    assert (kept, missing) == (said, [])
    kept, _ = made_up(reserve, "four on saturday for Baker, a large one outside", **said, size="large", outside=True)
    assert kept == {**said, "size": "large", "outside": True}


def test_other_languages_are_left_alone() -> None:
    assert not Said(["Ich m\u00f6chte einen Tisch f\u00fcr vier am Samstag"]).english


class Writer:
    """A model that writes these lines, one for each request that it gets."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.requests: list[Complete] = []

    async def ask(self, request: AnyRequest) -> AsyncGenerator[AnyReply, None]:
        assert isinstance(request, Complete)
        self.requests.append(request)
        yield Piece(text=self.lines.pop(0))
        yield Counted(prompt_tokens=10, cached_tokens=4, completion_tokens=2)

    async def aclose(self) -> None:
        """Nothing to free."""


def answers(
    host: Writer, *said: str, tools: tuple[FunctionTool, ...] = (reserve, cancel)
) -> tuple[str, list[Any], int]:
    """(text, calls as (name, arguments), prompt tokens counted)."""

    async def story() -> tuple[str, list[ToolCallDelta], int]:
        context = ChatContext()
        for number, text in enumerate(said):
            context.add_message(role="assistant" if number % 2 else "user", content=text)
        text, calls, tokens = "", [], 0
        llm = LocalLLM(host, today=lambda: date(2026, 11, 24))
        specs: list[ToolSpec] = [tool.spec for tool in tools]
        async for chunk in llm.chat(chat_ctx=context, tools=specs):
            text += chunk.text
            calls += chunk.tool_calls
            tokens += chunk.usage.prompt_tokens if chunk.usage else 0
        return text, calls, tokens

    text, calls, tokens = asyncio.run(story())
    return text, [(call.name, json.loads(call.arguments)) for call in calls], tokens


def test_the_caller_is_asked_for_what_the_model_made_up() -> None:
    host = Writer('reserve(name="John Doe", people=2, day="friday")', 'cancel(name="Jane")', "say: What is your name?")
    text, calls, tokens = answers(host, "I'd like to reserve a table")
    assert text == "What is your name?" and calls == [] and tokens == 30
    assert "reserve" not in host.requests[1].grammar and "cancel" in host.requests[1].grammar
    assert "not said this yet: name, people, day." in host.requests[2].prompt
    assert host.requests[2].prompt.startswith(host.requests[0].prompt.removesuffix("<|im_start|>assistant\n"))


def test_another_tool_that_fits_what_was_said_is_called_instead() -> None:
    host = Writer('reserve(name="Weber", people=2, day="friday")', 'cancel(name="Weber")')
    assert answers(host, "I can't come, the table for Weber")[1] == [("cancel", {"name": "Weber"})]


def test_another_tool_that_needs_nothing_said_is_no_better() -> None:
    host = Writer('cancel(name="John")', 'status(kind="table")', "say: Who is it for?")
    assert answers(host, "can you cancel my table", tools=(cancel, status))[0] == "Who is it for?"


def test_good_calls_beside_a_made_up_one_are_made() -> None:
    host = Writer('cancel(name="Weber")\nreserve(name="John", people=2, day="friday")')
    assert answers(host, "I want to cancel for Weber and then reserve")[1] == [("cancel", {"name": "Weber"})]


def test_nobody_is_asked_for_ever() -> None:
    host = Writer('cancel(name="John")')
    said = ("can you cancel my table", "For whom?", "for me", "For whom, please?", "it's me", "What is the name?", "me")
    assert answers(host, *said)[1] == [("cancel", {"name": "John"})]
