"""Descriptions of a tool and its parameters, out of its docstring (Google, NumPy and Sphinx styles)."""

from __future__ import annotations

import inspect
import re

_SPHINX = re.compile(r"^:param\s+(?:[^:]+\s+)?(\w+)\s*:\s*(.*)$")
_GOOGLE = re.compile(r"^(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY = re.compile(r"^(\w+)\s*:\s*[^:]*$")
_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Return|Raises|Yields|Examples?|Notes?)\s*:?$")


def describe(function: object) -> tuple[str, dict[str, str]]:
    """The summary, and a description for each documented parameter."""
    text = inspect.getdoc(function) or ""
    summary: list[str] = []
    parameters: dict[str, str] = {}
    section, current, indent = "", "", 0
    lines = text.splitlines()
    for number, line in enumerate(lines):
        stripped = line.strip()
        sphinx = _SPHINX.match(stripped)
        if sphinx:
            section, current = "sphinx", sphinx[1]
            parameters[current] = sphinx[2]
            continue
        if stripped.startswith(":"):
            section, current = "skip", ""
            continue
        heading = _SECTION.match(stripped)
        if heading:
            section = "args" if heading[1] in ("Args", "Arguments", "Parameters") else "skip"
            current = ""
            following = lines[number + 1].strip() if number + 1 < len(lines) else ""
            if section == "args" and set(following) == {"-"}:
                section = "numpy"
            continue
        depth = len(line) - len(line.lstrip())
        if not section:
            summary.append(stripped)
        elif section == "numpy" and depth == 0 and (named := _NUMPY.match(stripped)):
            current = named[1]
            parameters[current] = ""
        elif section == "args" and (named := _GOOGLE.match(stripped)) and (not current or depth <= indent):
            current, indent = named[1], depth
            parameters[current] = named[2]
        elif current and stripped and set(stripped) != {"-"}:
            parameters[current] = f"{parameters[current]} {stripped}".strip()
    return " ".join(part for part in summary if part).strip(), parameters
