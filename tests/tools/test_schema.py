"""Schemas out of type hints: what a model is shown, and what its answers become."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import BaseModel, Field

from antiphon import ConfigurationError, FunctionTool, ToolError, function_tool
from antiphon.errors import FormatError
from antiphon.tools.docstrings import describe
from antiphon.tools.function_tool import ARGUMENTS_LIMIT
from antiphon.tools.schema import from_json, json_schema, without_nulls


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Address:
    street: str
    number: int = 1


class Guest(BaseModel):
    name: str = Field(description="as on the passport")
    age: int = Field(ge=0)


class Party(BaseModel):
    guests: list[Guest]
    title: str = ""


@function_tool
def plain(
    day: date,
    colour: Colour,
    size: Literal["s", "l"],
    where: Address | None = None,
    tags: list[str] | None = None,
    amount: int | str = 3,
) -> Any:
    """Plain types."""
    return day, colour, size, where, tags, amount


@function_tool
def modelled(party: Party, limit: Annotated[int, Field(le=10)] = 5, colour: Colour | None = None) -> Any:
    """Pydantic types.

    Args:
        limit: at most so many
    """
    return party, limit, colour


def test_plain_types_have_the_schema_that_they_say() -> None:
    shown = plain.spec.parameters
    assert shown["required"] == ["day", "colour", "size"]
    assert shown["properties"]["day"] == {"type": "string", "format": "date"}
    assert shown["properties"]["size"] == {"enum": ["l", "s"]}
    assert {"$ref": "#/$defs/Address"} in shown["properties"]["where"]["anyOf"]
    assert shown["$defs"]["Colour"] == {"enum": ["blue", "red"]}
    assert shown["$defs"]["Address"]["required"] == ["street"]
    assert shown["properties"]["amount"]["default"] == 3


def test_plain_types_are_what_the_function_gets() -> None:
    got = plain.parse(
        '{"day": "2026-11-24", "colour": "red", "size": "s", "where": {"street": "Main"}, "amount": "two"}'
    )
    assert plain(**got) == (date(2026, 11, 24), Colour.RED, "s", Address("Main", 1), None, "two")


def test_pydantic_types_keep_their_constraints_and_descriptions() -> None:
    shown = modelled.spec.parameters
    assert shown["$defs"]["Guest"]["properties"]["name"] == {"type": "string", "description": "as on the passport"}
    assert shown["properties"]["limit"]["maximum"] == 10
    assert shown["properties"]["limit"]["description"] == "at most so many"
    assert "title" not in shown and "title" in shown["$defs"]["Party"]["properties"], "a property may be called title"
    assert shown["required"] == ["party"] and shown["additionalProperties"] is False


def test_pydantic_types_are_what_the_function_gets() -> None:
    party, limit, colour = modelled(
        **modelled.parse('{"party": {"guests": [{"name": "Ann", "age": "30"}]}, "colour": "blue"}')
    )
    assert party == Party(guests=[Guest(name="Ann", age=30)]) and limit == 5 and colour is Colour.BLUE


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        (modelled, '{"party": {"guests": [{"name": "Ann", "age": -1}]}}', "party.guests.0.age"),
        (modelled, '{"party": {"guests": []}, "limit": 11}', "limit"),
        (modelled, '{"party": {"guests": []}, "other": 1}', "other"),
        (plain, '{"day": "tomorrow", "colour": "red", "size": "s"}', "day"),
        (plain, '{"day": "2026-11-24", "colour": "green", "size": "s"}', "colour"),
        (plain, "[" * 100_000, "too long"),
        (plain, "[" * 60_000, "not valid JSON"),
        (plain, '{"day": "' + "x" * ARGUMENTS_LIMIT + '"}', "too long"),
    ],
)
def test_what_does_not_fit_is_said_to_the_model(tool: FunctionTool, arguments: str, says: str) -> None:
    with pytest.raises(ToolError, match=says):
        tool.parse(arguments)


def test_types_without_a_json_form_are_refused_when_the_tool_is_made() -> None:
    with pytest.raises(ConfigurationError, match="raw_schema"):

        @function_tool
        def strange(what: complex | bytes | type) -> None:
            """No."""

    class Local:
        """A class of one's own."""

    with pytest.raises(ConfigurationError, match="cannot be read"):

        @function_tool
        def unknown(what: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821
            """No."""


def test_the_schema_is_built_once_for_a_class_not_for_each_agent() -> None:
    class Desk:
        @function_tool
        def look(self, day: str) -> str:
            """Look."""
            return day

    assert Desk().look.spec is Desk().look.spec
    assert Desk().look("Monday") == "Monday"


@pytest.mark.parametrize("options", [{"retry": "sometimes"}, {"on_duplicate": "replace"}])
def test_options_that_do_not_exist_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="not known"):
        function_tool(**options)


@pytest.mark.parametrize("options", [{"confirm": True, "effect": "read"}, {"retry": "verify"}, {"verify": print}])
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"one of them|belong together"):
        function_tool(**options)


class Answer(msgspec.Struct):
    mood: Literal["good", "bad"]
    score: int


@pytest.mark.parametrize("kind", [Answer, Guest, Address])
def test_structured_output_has_a_schema_and_is_read_back(kind: type[Any]) -> None:
    assert '"properties"' in msgspec.json.encode(json_schema(kind)).decode()
    with pytest.raises(FormatError, match=kind.__name__):
        from_json(kind, '{"other": []}')


def test_structured_output_is_a_value_of_its_type() -> None:
    assert from_json(Answer, '{"mood": "good", "score": 3}') == Answer("good", 3)
    assert from_json(Guest, '{"name": "Ann", "age": 3}') == Guest(name="Ann", age=3)
    with pytest.raises(ConfigurationError, match="no JSON form"):
        json_schema(complex)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("Do it.\n\nMore of it.\n\nArgs:\n    a (int, optional): first\n    b: second\n        line", 2),
        ("Do it.\n\nMore of it.\n\nParameters\n----------\na : int\n    first\nb : str\n    second\n    line", 2),
        ("Do it.\n\nMore of it.\n\n:param int a: first\n:param b: second\n    line\n:raises ValueError: never", 2),
        ("Do it.\n\nMore of it.", 0),
    ],
)
def test_descriptions_come_from_any_style_of_docstring(text: str, parameters: int) -> None:
    def function() -> None: ...

    function.__doc__ = text
    summary, found = describe(function)
    assert summary == "Do it. More of it."
    assert found == {"a": "first", "b": "second line"} if parameters else not found


def test_pydantic_and_the_docstring_parser_are_imported_only_where_they_are_used() -> None:
    script = "import sys, antiphon.tools.function_tool; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"pydantic", "docstring_parser", "mcp"} & set(done.stdout.split())


class Inner(msgspec.Struct):
    size: int = 3
    name: str | None = "tea"


def test_a_null_where_nothing_was_said_is_nothing() -> None:
    """Services that hold a model to its schema send ``null`` for what it leaves out."""

    @function_tool(effect="read")
    def order(day: str, many: list[Inner], hour: int = 9, note: str | None = "none", inner: Inner | None = None) -> str:
        """Order."""
        return ""

    made = order.parse(
        '{"day": "Monday", "hour": null, "note": null, "inner": {"size": null, "name": null}, "many": [{"size": null}]}'
    )
    assert made == {"day": "Monday", "hour": 9, "note": None, "inner": Inner(3, None), "many": [Inner(3)]}
    with pytest.raises(ToolError, match="day"):
        order.parse('{"day": null}')
    raw = {"type": "object", "properties": {"a": {"enum": [1, None]}, "b": {"const": 1}, "c": {}, "d": {"type": ["string", "null"]},
                                            "e": {"$ref": "#/$defs/gone"}, "f": {"type": "string"}}}  # fmt: skip
    given: dict[str, Any] = dict.fromkeys("abcdefg")
    assert without_nulls(given, raw) == dict.fromkeys("acdeg")
    assert without_nulls([None], raw) == [None] and without_nulls(None, raw) is None


def test_times_of_day_say_their_form_and_may_be_short() -> None:
    @function_tool
    def wake(at: time, until: datetime | None = None, also: list[time] | None = None, note: str = "") -> None:
        """Wake somebody."""

    shown = wake.spec.parameters["properties"]
    assert shown["at"] == {"type": "string", "format": "time"}
    assert shown["until"]["anyOf"][0] == {"type": "string", "format": "date-time"}
    assert shown["also"]["anyOf"][0]["items"] == {"type": "string", "format": "time"}
    got = wake.parse('{"at": "9:30", "until": "2026-11-24T07:15", "also": ["06:00", "06:05:30"], "note": "9:30"}')
    assert got == {
        "at": time(9, 30),
        "until": datetime(2026, 11, 24, 7, 15),
        "also": [time(6), time(6, 5, 30)],
        "note": "9:30",
    }
    for wrong in ('{"at": "25:00"}', '{"at": "9:5"}', '{"at": "half past nine"}', '{"at": 9}'):
        with pytest.raises(ToolError):
            wake.parse(wrong)
