"""Whether the values of a tool call come from the conversation: small models invent what nobody said.

It compares words, nothing more, and errs on the model's side: a value counts as invented only where nothing like it was
said. Numbers count as said where any number was. It reads English; on other languages it has no opinion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from antiphon.local import call_lines, spoken_times
from antiphon.models.llm import ToolSpec


def words(text: str) -> frozenset[str]:
    """The words of a text, without case; parts of hyphenated ones too."""
    return frozenset(re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.casefold().replace("\u2019", "'")))


ENGLISH = words(
    "the my what i'd i'm i've i'll please can you want need with have it's and how could would like when "
    "where your good are do does there this what's"
)
NUMBERS = words(
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand "
    "million half quarter couple dozen first second third fourth fifth sixth seventh eighth ninth tenth "
    "eleventh twelfth thirteenth twentieth thirtieth both pair noon midnight"
)
ONE = words("a an one single me my myself i")
LINKING = words("in at on to of and the next last day days after past week weeks month months am pm")
ALIKE = 4
"""Letters at the beginning that make two words the same (broke, broken)."""


class Said:
    """The words of a conversation. ``spoken``: what was said and what tools returned; ``known``: the instructions too."""

    def __init__(self, spoken: Iterable[str], instructions: Iterable[str] = ()) -> None:
        self._spoken = words(" ".join(spoken))
        self._known = self._spoken | words(" ".join(instructions))
        self.english = bool(self._spoken & ENGLISH)

    def has(self, value: Any, schema: Any) -> bool:
        """Whether ``value``, as the model wrote it, can have come from there."""
        if isinstance(value, bool) or value is None or isinstance(value, list | dict):
            return True
        if isinstance(value, int | float):
            said = self._number(self._spoken) or f"{value:g}" in self._known
            return said or (value == 1 and bool(self._spoken & ONE))
        if is_time(schema):
            return self._some(words(value) - LINKING, self._spoken)
        return self._some(words(value), self._known)

    def mentions(self, about: str) -> bool:
        """Whether any word of ``about`` was said."""
        return self._some(words(about.replace("_", " ")), self._spoken)

    def _some(self, found: frozenset[str], where: frozenset[str]) -> bool:
        if any(any(c.isdigit() for c in word) or word in NUMBERS for word in found) and self._number(self._spoken):
            return True
        found = frozenset(word for word in found - ENGLISH if len(word) > 2 or word.isdigit()) or found
        begun = {word[:ALIKE] for word in where}
        return not found or any(word in where or (len(word) >= ALIKE and word[:ALIKE] in begun) for word in found)

    @staticmethod
    def _number(where: frozenset[str]) -> bool:
        return any(word in NUMBERS or any(c.isdigit() for c in word) for word in where)


def is_time(schema: Any) -> bool:
    """Whether the schema is of a day or a time of day."""
    options = [schema, *(schema.get("anyOf") or ())] if isinstance(schema, dict) else []
    return any(isinstance(one, dict) and one.get("format") in spoken_times.SHOWN for one in options)


def is_choice(schema: Any) -> bool:
    """Whether the schema lists its values, or they are yes and no."""
    options = [schema, *(schema.get("anyOf") or ())] if isinstance(schema, dict) else []
    return any(
        isinstance(one, dict) and ("enum" in one or "const" in one or "$ref" in one or one.get("type") == "boolean")
        for one in options
    )


def checked(tool: ToolSpec, values: dict[str, Any], said: Said) -> tuple[dict[str, Any], Sequence[str]]:
    """(the values without optional ones that nobody said, names of required ones that nobody said). Of the listed values of
    a required one the model has to choose some, by meaning."""
    kept, missing = dict(values), []
    for name, schema, required in call_lines.properties(tool):
        if name not in values or said.has(values[name], schema):
            asked = values.get(name) is True and not required and isinstance(schema, dict)
            if asked and not said.mentions(f"{name} {schema.get('description', '')}"):
                del kept[name]
            continue
        if required:
            missing += [] if is_choice(schema) else [name]
        else:
            del kept[name]
    return kept, missing


def proven(tool: ToolSpec) -> bool:
    """Whether a call of it needs a value in free words: that such a value was said speaks for the tool."""
    return any(required and not is_choice(schema) for _, schema, required in call_lines.properties(tool))
