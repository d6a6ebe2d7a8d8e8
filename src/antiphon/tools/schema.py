"""JSON Schemas out of type hints, and values out of the JSON that a model sends.

msgspec does both. Where a hint names a pydantic type, pydantic does: it is imported only then. ``json_schema`` and
``from_json`` serve structured output as well: an ``llm_node`` asks its provider for the one and reads the other.
"""

from __future__ import annotations

import functools
import operator
import re
import types
import typing
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime, time
from typing import Annotated, Any, TypeVar

import msgspec

from antiphon.errors import ConfigurationError, FormatError, ToolError

T = TypeVar("T")
REQUIRED: Any = object()
"""The default of a parameter that has none."""
TYPES = "Use str, int, float, bool, Literal, Enum, list, dict, dataclasses or pydantic models, or pass raw_schema=."


class Arguments:
    """The parameters of one function. ``fields``: (name, type hint, default or ``REQUIRED``); ``described``: texts by
    name. ``schema``: the JSON Schema object that a model is shown."""

    def __init__(self, name: str, fields: Sequence[tuple[str, Any, Any]], described: dict[str, str]) -> None:
        self.name = name
        self._names = [field[0] for field in fields]
        try:
            make = _by_pydantic if any(_is_pydantic(hint) for _, hint, _ in fields) else _by_msgspec
            self.schema, self._convert = make(f"{name}_arguments", fields)
        except (TypeError, RuntimeError, ValueError) as exc:
            raise ConfigurationError(f"A parameter type of tool {name!r} has no JSON form: {exc}.", hint=TYPES) from exc
        for key, text in described.items():
            if key in self.schema["properties"] and text:
                self.schema["properties"][key].setdefault("description", text)

    def convert(self, data: dict[str, Any]) -> dict[str, Any]:
        """Checked keyword values. Raises ``ToolError`` with what is wrong, for the model to read."""
        try:
            made = self._convert(data)
        except (ValueError, RecursionError) as exc:  # both libraries' validation errors are ValueErrors
            raise ToolError(f"The arguments of {self.name} do not fit: {_why(exc)}.") from exc
        return {name: getattr(made, name) for name in self._names}


def _is_pydantic(hint: Any) -> bool:
    """Whether a hint names a pydantic model or carries pydantic's annotations, at any depth."""
    if hasattr(hint, "__get_pydantic_core_schema__") or type(hint).__module__.partition(".")[0] == "pydantic":
        return True
    inner = list(typing.get_args(hint)) + list(getattr(hint, "__metadata__", ()))
    return any(_is_pydantic(one) for one in inner)


Made = tuple[dict[str, Any], Callable[[dict[str, Any]], Any]]
TIMED: dict[Any, Any] = {
    kind: Annotated[kind, msgspec.Meta(extra_json_schema={"format": form})]
    for kind, form in ((time, "time"), (datetime, "date-time"))
}
"""Times with their format, which msgspec leaves out where they need no time zone: a model has to know it."""

SHORT_TIME = re.compile(r"(?:\d{4}-\d\d-\d\d[T ])?\d\d?:\d\d")


def _timed(hint: Any) -> Any:
    """The hint with ``TIMED`` in it, also inside lists, dicts and unions."""
    inner = typing.get_args(hint)
    if not inner or typing.get_origin(hint) in (typing.Literal, Annotated):
        return TIMED.get(hint, hint) if isinstance(hint, type) else hint
    new = tuple(_timed(one) for one in inner)
    if new == inner:
        return hint
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return functools.reduce(operator.or_, new)
    return typing.get_origin(hint)[new]


def _with_seconds(value: Any, schema: Any, defs: dict[str, Any]) -> Any:
    """Times of day as people and models write them ("9:30"), in the form that msgspec reads."""
    options = [defs.get(str(one.get("$ref")).rpartition("/")[2], one) for one in (schema, *schema.get("anyOf", ()))]
    if isinstance(value, str):
        timed = any(one.get("format") in ("time", "date-time") for one in options)
        return f"{value.rjust(5, '0')}:00" if timed and SHORT_TIME.fullmatch(value) else value
    if isinstance(value, list):
        inner: Any = next((one["items"] for one in options if "items" in one), {})
        return [_with_seconds(one, inner, defs) for one in value]
    if isinstance(value, dict):
        fields: Any = next((one["properties"] for one in options if "properties" in one), {})
        return {key: _with_seconds(one, fields.get(key) or {}, defs) for key, one in value.items()}
    return value


def _by_msgspec(name: str, fields: Sequence[tuple[str, Any, Any]]) -> Made:
    fields = [(one, _timed(hint), default) for one, hint, default in fields]
    parts: list[Any] = [one[:2] if one[2] is REQUIRED else one for one in fields]
    kind = msgspec.defstruct(name, parts, kw_only=True, forbid_unknown_fields=True)
    schemas, components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    root = components.pop(schemas[0]["$ref"].rsplit("/", 1)[1])
    if components:
        root["$defs"] = components
    schema = _untitled(root)

    def convert(data: dict[str, Any]) -> Any:
        return msgspec.convert(_with_seconds(data, schema, components), kind, strict=False)

    return schema, convert


def _by_pydantic(name: str, fields: Sequence[tuple[str, Any, Any]]) -> Made:
    from pydantic import ConfigDict, create_model

    config = ConfigDict(extra="forbid", protected_namespaces=())
    parts: dict[str, Any] = {one: (hint, ... if default is REQUIRED else default) for one, hint, default in fields}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a parameter may be named like a method of pydantic's models
        model = create_model(name, __config__=config, **parts)
    return _untitled(model.model_json_schema()), model.model_validate


def _untitled(schema: Any) -> Any:
    """Without titles, which repeat the names; a property called ``title`` stays."""
    if isinstance(schema, list):
        return [_untitled(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            plain[key] = {name: _untitled(one) for name, one in value.items()}
        elif key in ("default", "const", "enum", "examples"):
            plain[key] = value
        elif not (key == "title" and isinstance(value, str)):
            plain[key] = _untitled(value)
    return plain


def _why(exc: BaseException) -> str:
    errors = getattr(exc, "errors", None)
    if errors is None:
        return str(exc)
    found = errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found)


def without_nulls(value: Any, schema: Any, root: Any = None) -> Any:
    """``value`` less the optional properties that are ``null`` where ``schema`` has no ``null``: services that hold a
    model to its schema make every property required, and what is left out comes as ``null``."""
    root = schema if root is None else root
    schema = _target(schema, root)
    if not isinstance(schema, dict):
        return value
    if isinstance(value, list):
        return [without_nulls(one, schema.get("items"), root) for one in value]
    if not isinstance(value, dict):
        return value
    options = [one for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, ())]
    objects = [
        one
        for one in [schema, *(_target(option, root) for option in options)]
        if isinstance(one, dict) and "properties" in one
    ]
    if len(objects) != 1:
        return value
    properties, required = objects[0]["properties"], objects[0].get("required", ())
    return {
        name: without_nulls(one, properties.get(name), root)
        for name, one in value.items()
        if one is not None or name in required or name not in properties or _takes_null(properties[name], root)
    }


def _target(schema: Any, root: Any) -> Any:
    """Behind references to ``$defs``."""
    for _ in range(8):
        if not isinstance(schema, dict) or not str(schema.get("$ref", "")).startswith("#/$defs/"):
            return schema
        schema = root.get("$defs", {}).get(schema["$ref"].removeprefix("#/$defs/"))
    return None


def _takes_null(schema: Any, root: Any) -> bool:
    schema = _target(schema, root)
    if not isinstance(schema, dict):
        return schema is not False
    options = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if options:
        return any(_takes_null(one, root) for one in options)
    if "enum" in schema or "const" in schema:
        return None in schema.get("enum", [schema.get("const", 0)])
    kinds = schema.get("type", "null")
    return "null" in (kinds if isinstance(kinds, list) else [kinds])


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type: of what a model is to answer, for instance. Raises ``ConfigurationError``."""
    try:
        if _is_pydantic(kind):
            from pydantic import TypeAdapter

            made: dict[str, Any] = TypeAdapter(kind).json_schema()
        else:
            made = msgspec.json.schema(kind)
    except (TypeError, RuntimeError) as exc:
        raise ConfigurationError(f"{kind!r} has no JSON form: {exc}.", hint=TYPES) from exc
    plain: dict[str, Any] = _untitled(made)
    return plain


def from_json(kind: type[T], text: str) -> T:
    """The value that JSON ``text`` spells. Raises ``FormatError`` where it does not fit."""
    try:
        if _is_pydantic(kind):
            from pydantic import TypeAdapter

            value: T = TypeAdapter(kind).validate_json(text)
            return value
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError) as exc:
        raise FormatError(f"This is no {getattr(kind, '__name__', kind)}: {_why(exc)}.") from exc
