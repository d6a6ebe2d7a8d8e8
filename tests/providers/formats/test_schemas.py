"""Tools' schemas in the vendors' dialects: narrowed only as far as the meaning stays."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import pydantic
import pytest
from jsonschema import Draft202012Validator

from antiphon import function_tool
from antiphon.providers.formats.schemas import gemini_schema, strict_schema
from tests.providers.formats.vendor_rules import fits


def test_a_strict_schema_has_no_optional_properties_and_no_others() -> None:
    schema = {
        "type": "object",
        "properties": {"day": {"type": "string"}, "hour": {"type": "integer", "default": 9}},
        "required": ["day"],
    }
    made = strict_schema(schema)
    assert made == {
        "type": "object",
        "properties": {"day": {"type": "string"}, "hour": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
        "required": ["day", "hour"],
        "additionalProperties": False,
    }
    already = {"type": "object", "properties": {"x": {"type": ["string", "null"]}}}
    assert (strict_schema(already) or {})["properties"]["x"] == {"type": ["string", "null"]}


@pytest.mark.parametrize(
    "inner",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object"},
        {"oneOf": [{"type": "string"}]},
        {"not": {"type": "string"}},
        {"type": "string", "format": "postcode"},
        {},
        True,
    ],
)
def test_what_strict_mode_has_no_word_for_is_not_strict(inner: Any) -> None:
    assert strict_schema({"type": "object", "properties": {"x": inner}}) is None


def test_only_objects_are_strict() -> None:
    assert strict_schema({"type": "string"}) is None
    assert strict_schema({"anyOf": [{"type": "object"}]}) is None
    assert strict_schema({}) == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Item(pydantic.BaseModel):
    name: str
    size: Size = Size.SMALL
    parts: list[str] = []
    inner: Item | None = None


@function_tool(effect="read")
def order(
    items: list[Item],
    when: Literal["now", "later"],
    tip: Annotated[int, pydantic.Field(ge=0)] = 0,
    count: Literal[1, 2, 3] = 1,
    note: str | None = None,
    either: int | str = 1,
) -> str:
    """Order it.

    Args:
        tip: In cents.
    """
    return ""


GOOD = {
    "items": [{"name": "tea", "size": "large", "parts": [], "inner": None}],
    "when": "now",
    "tip": 5,
    "count": 2,
    "note": None,
    "either": "x",
}


def test_gemini_reads_real_tools_schemas() -> None:
    """References are written out as far as they are not endless, and the result is a ``Schema`` of the API."""
    made = gemini_schema(order.spec.parameters)
    assert made is not None
    fits("google", "Schema", made)
    assert "$ref" not in str(made) and made["required"] == ["items", "when"]
    properties = made["properties"]
    assert properties["when"] == {"type": "STRING", "enum": ["now", "later"]}
    assert properties["tip"]["type"] == "INTEGER" and properties["tip"]["minimum"] == 0
    assert properties["count"]["type"] == "INTEGER" and "One of: 1, 2, 3." in properties["count"]["description"]
    assert properties["note"]["nullable"] is True and properties["note"]["type"] == "STRING"
    assert {one["type"] for one in properties["either"]["anyOf"]} == {"INTEGER", "STRING"}
    item = properties["items"]["items"]
    assert item["properties"]["size"]["enum"] == ["small", "large"]
    assert item["properties"]["inner"]["properties"]["name"]["type"] == "STRING"


def test_strict_mode_reads_real_tools_schemas() -> None:
    made = strict_schema(order.spec.parameters)
    assert made is not None
    Draft202012Validator.check_schema(made)
    check = Draft202012Validator(made)
    assert check.is_valid(GOOD)
    assert not check.is_valid({**GOOD, "when": "never"}) and not check.is_valid({**GOOD, "more": 1})
    assert Draft202012Validator(order.spec.parameters).is_valid(GOOD)


def test_odd_schemas_do_not_break_a_request() -> None:
    """MCP servers send what they like."""
    odd: dict[str, Any] = {
        "type": "object",
        "properties": {
            "loop": {"$ref": "#/$defs/loop"},
            "lost": {"$ref": "#/$defs/nowhere"},
            "list": {"type": "array"},
            "mixed": {"enum": [1, None, 2.5]},
            "yes": {"const": True},
            "any": True,
            "all": {"allOf": [{"type": "string"}]},
            "types": {"type": ["string", "integer", "null"]},
            "free": {"type": "object", "additionalProperties": True},
        },
        "required": ["loop", "gone"],
        "$defs": {"loop": {"$ref": "#/$defs/loop"}},
    }
    made = gemini_schema(odd)
    assert made is not None
    fits("google", "Schema", made)
    assert made["required"] == ["loop"] and made["properties"]["list"]["items"] == {"type": "STRING"}
    assert made["properties"]["yes"] == {"type": "BOOLEAN", "description": "One of: True."}
    assert made["properties"]["any"] == made["properties"]["loop"] == {"type": "STRING"}, "there has to be a type"
    assert made["properties"]["all"] == {"type": "STRING"} and made["properties"]["types"]["nullable"] is True
    assert strict_schema(odd) is None and gemini_schema({"type": "object"}) is None
