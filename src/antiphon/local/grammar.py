"""JSON Schema as GBNF, llama.cpp's grammar language: the model can then only write values that fit (as Python literals).

Followed as far as tools use it: objects, strings, numbers, booleans, enumerations, arrays, alternatives, references.
What is not understood may be any JSON value.
"""

from __future__ import annotations

import json
import re
from typing import Any

from antiphon.local import spoken_times

COMMON = {
    **spoken_times.GRAMMAR,
    "text": r"[^\n]{1,400}",
    "string": r'"\"" [^"\\\n\t<] [^"\\\n\t]{0,120} "\""',
    "integer": r'"-"? ("0" | [1-9] [0-9]{0,8})',
    "number": r'"-"? ("0" | [1-9] [0-9]{0,8}) ("." [0-9]{1,6})?',
    "boolean": r'"True" | "False"',
    "null": r'"None"',
    "value": r'string | number | boolean | null | "[]" | "{}"',
}


class Grammar:
    """Collects the rules of one set of tools."""

    def __init__(self) -> None:
        self.rules: dict[str, str] = {}

    def text(self, root: str) -> str:
        """The whole grammar: the rules that ``root`` reaches, with ``root`` first."""
        known = {**COMMON, **self.rules}
        reached: list[str] = []
        open_rules = [root]
        while open_rules:
            for name in re.findall(
                r"[a-z][a-z0-9-]*", re.sub(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]', "", open_rules.pop())
            ):
                if name in known and name not in reached:
                    reached.append(name)
                    open_rules.append(known[name])
        return "\n".join([f"root ::= {root}", *(f"{name} ::= {known[name]}" for name in reached)])

    def rule(self, name: str, body: str) -> str:
        """Add a rule, return its name."""
        clean = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "rule"
        unique = clean if clean not in COMMON and clean != "root" else f"{clean}-rule"
        while unique in self.rules and self.rules[unique] != body:
            unique += "-x"
        self.rules[unique] = body
        return unique

    def value(self, schema: Any, name: str, defs: dict[str, Any], depth: int = 0) -> str:
        """The rule body for a value of this schema."""
        if not isinstance(schema, dict) or depth > 6:
            return "value"
        if reference := schema.get("$ref"):
            return self.value(defs.get(str(reference).split("/")[-1]), name, defs, depth + 1)
        if "const" in schema:
            return literal(schema["const"])
        if schema.get("enum"):
            return " | ".join(literal(choice) for choice in schema["enum"])
        for key in ("anyOf", "oneOf", "allOf"):
            if schema.get(key):
                parts = [self.value(part, f"{name}-{n}", defs, depth + 1) for n, part in enumerate(schema[key])]
                return " | ".join(dict.fromkeys(parts))
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self.value({**schema, "type": one}, name, defs, depth + 1) for one in kind)
        if kind == "array":
            item = self.rule(f"{name}-item", self.value(schema.get("items"), f"{name}-item", defs, depth + 1))
            return f'"[" ({item} (", " {item}){{0,7}})? "]"'
        if kind == "object" or "properties" in schema:
            return self.object(schema, name, defs, depth + 1)
        if kind == "string" and schema.get("format") in spoken_times.SHOWN:
            return str(schema["format"])
        return str(kind) if kind in COMMON else "value"

    def object(self, schema: dict[str, Any], name: str, defs: dict[str, Any], depth: int = 0) -> str:
        """Properties in order, required ones first; others may be left out."""
        properties = schema.get("properties") or {}
        required = [key for key in properties if key in schema.get("required", ())]
        optional = [key for key in properties if key not in required]

        def pair(key: str) -> str:
            body = self.value(properties[key], f"{name}-{key}", defs, depth + 1)
            return f"{quoted(json.dumps(key) + ': ')} {self.rule(f'{name}-{key}', body)}"

        body = ' ", " '.join(pair(key) for key in required)
        tail = ""
        for key in reversed(optional if required else []):
            tail = f' (", " {pair(key)})?{tail}'
        if not required and optional:
            choices = [
                pair(key) + "".join(f' (", " {pair(later)})?' for later in optional[n + 1 :])
                for n, key in enumerate(optional)
            ]
            body = f"({' | '.join(choices)})?"
        return f'"{{" {body}{tail} "}}"'.replace("  ", " ")


def quoted(text: str) -> str:
    """A GBNF literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def literal(value: Any) -> str:
    """A value as a GBNF literal."""
    return quoted(json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value))
