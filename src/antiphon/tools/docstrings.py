"""Descriptions of a tool and its parameters, out of its docstring (Google, NumPy, Sphinx and Epydoc styles)."""

from __future__ import annotations

import inspect


def describe(function: object) -> tuple[str, dict[str, str]]:
    """The description, and that of each documented parameter, each as one line of text."""
    text = inspect.getdoc(function)
    if not text:
        return "", {}
    from docstring_parser import ParseError, parse

    try:
        found = parse(text)
    except ParseError:
        return _line(text), {}
    description = f"{found.short_description or ''} {found.long_description or ''}"
    return _line(description), {one.arg_name: _line(one.description or "") for one in found.params}


def _line(text: str) -> str:
    return " ".join(text.split())
