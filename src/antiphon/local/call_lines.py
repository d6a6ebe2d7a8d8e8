"""Tool calls as one line of Python, the form that a small coding model writes best: ``add_item(drink="latte", size="large")``.

Half the tokens of JSON calls, and values stay apart from the caller's words. This file gives the form shown to the
model, the grammar that holds it to the form, and the way from JSON arguments to a line and back. A line is parsed as data
(``ast.literal_eval``), never run.
"""

from __future__ import annotations

import ast
import json
import re
from datetime import date
from typing import Any

from antiphon.local import spoken_times
from antiphon.local.grammar import Grammar, quoted
from antiphon.models.llm import ToolSpec

NAME = re.compile(r"[A-Za-z_][\w.-]*")
"""Names of tools: more than Python's, since servers of tools use dashes and dots."""


def definitions(tool: ToolSpec) -> dict[str, Any]:
    """The named sub-schemas of a tool."""
    schema = tool.parameters or {}
    return dict(schema.get("$defs") or schema.get("definitions") or {})


def properties(tool: ToolSpec) -> list[tuple[str, Any, bool]]:
    """(name, schema, required) of each value, required ones first."""
    schema = tool.parameters or {}
    required = schema.get("required", ())
    found = [(name, field, name in required) for name, field in (schema.get("properties") or {}).items()]
    return sorted(found, key=lambda field: not field[2])


def form(tool: ToolSpec) -> str:
    """The line to show the model: ``add_item(drink="<what>", size="<small|large>"[, milk="<oat|soy>"])  # what for``."""
    defs = definitions(tool)
    inside = ""
    for name, schema, required in properties(tool):
        part = f"{', ' if inside else ''}{name}={placeholder(schema, defs, name)}"
        inside += part if required else f"[{part}]"
    purpose = (tool.description or "").strip().split("\n")[0]
    return f"{tool.name}({inside})" + (f"  # {purpose}" if purpose else "")


def placeholder(schema: Any, defs: dict[str, Any], name: str, depth: int = 0) -> str:
    """What stands for the value ``name`` in the form."""
    if not isinstance(schema, dict) or depth > 6:
        return "<value>"
    if reference := schema.get("$ref"):
        target = defs.get(str(reference).split("/")[-1]) or {}
        own = {key: value for key, value in schema.items() if key != "$ref"}
        return placeholder({**target, **own}, defs, name, depth + 1)
    said = str(schema.get("description") or "").strip().split("\n")[0]
    if choices := schema.get("enum"):
        joined = "|".join(str(choice) for choice in choices)
        return f'"<{joined}>"' if isinstance(choices[0], str) else f"<{joined}>"
    for key in ("anyOf", "oneOf", "allOf"):
        options = [option for option in schema.get(key) or () if option != {"type": "null"}]
        if options:
            return placeholder({**options[0], **({"description": said} if said else {})}, defs, name, depth + 1)
    match schema.get("type"):
        case "string" if schema.get("format") in spoken_times.SHOWN:
            return f'"<{spoken_times.SHOWN[schema["format"]]}>"'
        case "string":
            return f'"<{said or name}>"'
        case "array":
            item: dict[str, Any] = {**(schema.get("items") or {})}
            if said:
                item["description"] = said
            return f"[{placeholder(item, defs, name, depth + 1)}, ...]"
        case kind:
            return f"<{said or kind or name}>"


def rule(grammar: Grammar, tool: ToolSpec) -> str:
    """Add the grammar of this tool's line; returns the rule's name."""
    defs = definitions(tool)

    def pair(name: str, schema: Any) -> str:
        body = grammar.value(schema, f"tool-{tool.name}-{name}", defs)
        return f"{quoted(name + '=')} {grammar.rule(f'tool-{tool.name}-{name}', body)}"

    fields = properties(tool)
    needed = [pair(name, schema) for name, schema, required in fields if required]
    others = [pair(name, schema) for name, schema, required in fields if not required]
    more = f"{{0,{len(others)}}}"
    # in any order: a fixed one makes a small model leave out what it has passed, or invent what it should pass over
    other = grammar.rule(f"tool-{tool.name}-other", " | ".join(others)) if others else ""
    if needed:
        body = ' ", " '.join(needed) + (f' (", " {other}){more}' if others else "")
    else:
        body = f'({other} (", " {other}){more})?' if others else ""
    return grammar.rule(f"tool-{tool.name}", f'{quoted(tool.name + "(")} {body} ")"'.replace("  ", " "))


def write(name: str, arguments: str, today: date) -> str:
    """A call as the model would have written it ``today``."""
    try:
        values = json.loads(arguments or "{}")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return f"{name}()"
    return (
        f"{name}({', '.join(f'{key}={_python(value, today)}' for key, value in values.items() if value is not None)})"
    )


def _python(value: Any, today: date) -> str:
    """A value as Python writes it, strings in double quotes."""
    match value:
        case str():
            return json.dumps(spoken_times.in_words(value, today), ensure_ascii=False)
        case list():
            return f"[{', '.join(_python(one, today) for one in value)}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(key)}: {_python(one, today)}' for key, one in value.items())}}}"
        case _:
            return repr(value)


def read(line: str) -> tuple[str, str] | None:
    """(tool name, JSON arguments) of a line; ``None`` for one that is no call (it was cut off)."""
    name, paren, inside = line.strip().partition("(")
    try:
        call = ast.parse(f"call{paren}{inside}", mode="eval").body
        if not NAME.fullmatch(name) or not isinstance(call, ast.Call) or call.args:
            return None
        values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg}
        return name, json.dumps(values, ensure_ascii=False)
    except (SyntaxError, ValueError, TypeError):
        return None


def settle(tool: ToolSpec, arguments: str, today: date) -> str:
    """The JSON arguments with the days and times that stand in words reckoned from ``today``."""
    schema = {**(tool.parameters or {}), "type": "object"}
    settled = _settled(json.loads(arguments), schema, definitions(tool), today)
    return json.dumps(settled, ensure_ascii=False)


def _settled(value: Any, schema: Any, defs: dict[str, Any], today: date, depth: int = 0) -> Any:
    if not isinstance(schema, dict) or depth > 6:
        return value
    if reference := schema.get("$ref"):
        return _settled(value, defs.get(str(reference).split("/")[-1]), defs, today, depth + 1)
    for option in [one for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key) or ()]:
        value = _settled(value, option, defs, today, depth + 1)
    match value:
        case str() if schema.get("format") in spoken_times.SHOWN:
            return spoken_times.resolve(schema["format"], value, today)
        case list():
            return [_settled(one, schema.get("items"), defs, today, depth + 1) for one in value]
        case dict():
            fields = schema.get("properties") or {}
            return {key: _settled(one, fields.get(key), defs, today, depth + 1) for key, one in value.items()}
    return value
