"""JSON Schemas of tools in the dialects of vendors that know only a part of JSON Schema.

Owns: the narrowing. Never: what a tool takes; a schema that a dialect cannot express is not bent until it fits.
Sources: OpenAI's guide on structured outputs (strict mode); the ``Schema`` object of Gemini's API, a subset of OpenAPI 3.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEPTH = 12
"""Levels to which a reference is followed: schemas may refer to themselves."""

_STRICT = frozenset({
    "type", "description", "title", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf",
    "$ref", "$defs", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minItems", "maxItems", "default",
})  # fmt: skip
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_GEMINI = frozenset({
    "description", "title", "nullable", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum",
    "minLength", "maxLength", "pattern", "default", "example",
})  # fmt: skip
_ANYTHING = {"type": "STRING"}
"""The API wants a type of everything."""


class _Inexpressible(Exception):  # noqa: N818  (a signal within this file)
    pass


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema for OpenAI's strict mode: objects are closed and every property is required; one that was optional may
    be ``null`` instead. ``None`` where strict mode cannot express it: maps with free keys, ``oneOf``, ``not``, and such."""
    if schema.get("type", "object") != "object" or "anyOf" in schema:
        return None
    try:
        return _strict({"type": "object", "properties": {}, **schema})
    except _Inexpressible:
        return None


def _strict(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or not schema:
        raise _Inexpressible
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key not in _STRICT or (key == "format" and value not in _FORMATS):
            raise _Inexpressible
        if key in ("items",):
            made[key] = _strict(value)
        elif key == "anyOf":
            made[key] = [_strict(one) for one in value]
        elif key == "$defs":
            made[key] = {name: _strict(one) for name, one in value.items()}
        elif key != "default":
            made[key] = value
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties", False) is not False or "properties" not in schema:
            raise _Inexpressible
        required = set(schema.get("required", ()))
        made["properties"] = {
            name: _strict(one) if name in required else _or_null(_strict(one))
            for name, one in schema["properties"].items()
        }
        made["required"] = list(schema["properties"])
        made["additionalProperties"] = False
    elif not {"type", "enum", "const", "anyOf", "$ref"} & set(made):
        raise _Inexpressible
    return made


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if any(one.get("type") == "null" for one in schema.get("anyOf", ())) or "null" in _types(schema):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _types(schema: Mapping[str, Any]) -> list[Any]:
    kind = schema.get("type", [])
    return kind if isinstance(kind, list) else [kind]


def gemini_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema in Gemini's subset: references are written out, ``const`` is an enum of one, ``null`` among types is
    ``nullable``; what the subset has no word for is left out, which allows more than the tool does: the tool's own check
    says no. ``None`` where there are no parameters at all."""
    if not schema.get("properties"):
        return None
    return _gemini(schema, schema, DEPTH)


def _gemini(schema: Any, root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    schema = _resolved(schema, root)
    if depth == 0 or not isinstance(schema, Mapping):
        return dict(_ANYTHING)
    made: dict[str, Any] = {key: value for key, value in schema.items() if key in _GEMINI and value is not None}
    kinds = [kind for kind in _types(schema) if kind != "null"]
    if len(kinds) < len(_types(schema)):
        made["nullable"] = True
    options = [_resolved(one, root) for key in ("anyOf", "oneOf") for one in schema.get(key, ())]
    if any(_types(one) == ["null"] for one in options if isinstance(one, Mapping)):
        made["nullable"] = True
        options = [one for one in options if not isinstance(one, Mapping) or _types(one) != ["null"]]
    if not options and len(kinds) > 1:
        options, kinds = [{**schema, "type": kind} for kind in kinds], []
    if len(options) == 1:
        return {**_gemini(options[0], root, depth - 1), **made}
    if options:
        made["anyOf"] = [_gemini(one, root, depth - 1) for one in options]
        return made
    values = [schema["const"]] if "const" in schema else list(schema.get("enum", ()))
    if None in values:
        made["nullable"] = True
        values = [value for value in values if value is not None]
    kind = kinds[0] if kinds else _kind_of(values, schema)
    made["type"] = str(kind).upper()
    if values and kind == "string":
        made["enum"] = [str(value) for value in values]
    elif values:
        allowed = ", ".join(str(value) for value in values)
        made["description"] = f"{made.get('description', '')} One of: {allowed}.".strip()
    if kind == "array":
        made["items"] = _gemini(schema.get("items", {}), root, depth - 1)
    if kind == "object":
        _object(schema, root, depth, made)
    return made


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int, made: dict[str, Any]) -> None:
    properties = schema.get("properties", {})
    if not properties:
        return
    made["properties"] = {name: _gemini(one, root, depth - 1) for name, one in properties.items()}
    made["required"] = [name for name in schema.get("required", ()) if name in properties]
    if not made["required"]:
        del made["required"]
    made["propertyOrdering"] = list(properties)


def _resolved(schema: Any, root: Mapping[str, Any]) -> Any:
    """Behind a reference within ``root``, and a list of one in ``allOf``, with what stands beside them."""
    for _ in range(DEPTH):
        if not isinstance(schema, Mapping):
            break
        path = schema.get("$ref")
        if isinstance(path, str) and path.startswith("#"):
            found: Any = root
            for step in path[1:].split("/")[1:]:
                found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
            schema = {**_mapping(found), **{key: value for key, value in schema.items() if key != "$ref"}}
        elif len(schema.get("allOf", ())) == 1:
            schema = {**_mapping(schema["allOf"][0]), **{k: v for k, v in schema.items() if k != "allOf"}}
        else:
            break
    return schema


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _kind_of(values: list[Any], schema: Mapping[str, Any]) -> str:
    if "properties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    if not values:
        return "string"
    if all(isinstance(value, str) for value in values):
        return "string"
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    return "integer" if all(isinstance(value, int) for value in values) else "number"
