"""Function tools: schema, arguments, context."""

from __future__ import annotations

from enum import Enum
from typing import Literal

import pytest

from antiphon import Agent, ConfigurationError, RunContext, ToolError, function_tool
from antiphon.chat.items import FunctionCall
from antiphon.tools.docstrings import describe


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Counter(Agent):
    @function_tool
    async def book(self, ctx: RunContext, day: str, hour: int = 9) -> str:
        """Book an appointment.

        Args:
            day: the day of the week,
                in English
            hour: 0 to 23
        """
        return f"{day} at {hour} for {ctx.call_id}"

    @function_tool(effect="read", name="sizes")
    def list_sizes(self, size: Size | None = None, kind: Literal["cup", "mug"] = "cup") -> str:
        """What there is."""
        return f"{size} {kind}"


def context() -> RunContext[None]:
    call = FunctionCall(id="i", call_id="c1", name="book", arguments="{}")
    return RunContext(session=None, agent=None, speech_handle=None, function_call=call, idempotency_key="k")


def test_methods_become_tools_with_schema_from_hints_and_docstring() -> None:
    tools = {tool.name: tool for tool in Counter(instructions="x").tools}
    assert list(tools) == ["book", "sizes"]
    book = tools["book"].spec
    assert book.description == "Book an appointment."
    assert book.parameters["required"] == ["day"]
    assert book.parameters["properties"]["day"] == {"type": "string", "description": "the day of the week, in English"}
    assert book.parameters["properties"]["hour"]["default"] == 9
    assert "ctx" not in book.parameters["properties"]
    assert tools["sizes"].options.effect == "read"
    assert tools["book"].options.effect == "write"


async def call(name: str, arguments: str) -> str:
    tool = next(t for t in Counter(instructions="x").tools if t.name == name)
    function, kwargs = tool.bind(tool.parse(arguments), context())
    result = function(**kwargs)
    return str(await result if hasattr(result, "__await__") else result)


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("book", '{"day": "Monday"}', "Monday at 9 for c1"),
        ("book", '{"day": "Monday", "hour": "14"}', "Monday at 14 for c1"),
        ("sizes", "", "None cup"),
        ("sizes", '{"size": "large", "kind": "mug"}', "Size.LARGE mug"),
    ],
)
def test_arguments_are_checked_and_converted(name: str, arguments: str, result: str) -> None:
    import asyncio

    assert asyncio.run(call(name, arguments)) == result


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("book", "{", "not valid JSON"),
        ("book", "[1]", "must be a JSON object"),
        ("book", "{}", "day"),
        ("book", '{"day": "Monday", "hour": "noon"}', "hour"),
        ("book", '{"day": "Monday", "place": "here"}', "place"),
        ("sizes", '{"kind": "bucket"}', "kind"),
    ],
)
def test_bad_arguments_say_what_is_wrong(name: str, arguments: str, says: str) -> None:
    tool = next(t for t in Counter(instructions="x").tools if t.name == name)
    with pytest.raises(ToolError, match=says):
        tool.parse(arguments)


def test_raw_schema_passes_arguments_through() -> None:
    schema = {"name": "raw", "description": "d", "parameters": {"type": "object", "properties": {"a": {}}}}

    @function_tool(raw_schema=schema)
    def raw(raw_arguments: dict[str, object]) -> object:
        return raw_arguments["a"]

    assert raw.spec.parameters == schema["parameters"]
    function, kwargs = raw.bind(raw.parse('{"a": [1]}'), context())
    assert function(**kwargs) == [1]


def test_two_tools_of_one_name_are_refused() -> None:
    @function_tool
    def book() -> None:
        """Again."""

    with pytest.raises(ConfigurationError, match="book"):
        Counter(instructions="x", tools=[book])


def test_star_arguments_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="names"):

        @function_tool
        def many(*names: str) -> None:
            """No."""


def test_unknown_effect_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="effect"):
        function_tool(effect="sometimes")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "text",
    [
        "Do it.\n\nArgs:\n    a (int): first\n    b: second\n        line\n\nReturns:\n    c: none",
        "Do it.\n\nParameters\n----------\na : int\n    first\nb : str\n    second\n    line\n\nReturns\n-------\nc : int",
        "Do it.\n\n:param int a: first\n:param b: second\n    line\n:returns: c",
    ],
)
def test_docstring_styles(text: str) -> None:
    def function() -> None: ...

    function.__doc__ = text
    assert describe(function) == ("Do it.", {"a": "first", "b": "second line"})


def test_a_method_has_self() -> None:
    class Renamed(Agent):
        @function_tool
        async def book(this, day: str) -> str:  # noqa: N805
            """Book."""
            return day

    class Forgotten(Agent):
        @function_tool
        async def now() -> str:  # type: ignore[misc]
            """The time."""
            return "noon"

    for kind, says in ((Renamed, "tool 'book' of Renamed is this"), (Forgotten, "is missing")):
        with pytest.raises(ConfigurationError, match=says) as raised:
            kind(instructions="x")
        assert "Name it self" in str(raised.value)
