"""Names and ids that every vendor takes: letters, digits, ``_`` and ``-``, of bounded length.

Owns: what stands for a name that does not fit; the same name always gives the same one, so that a prompt stays the same
from turn to turn. Never: which tool is meant.
"""

from __future__ import annotations

import hashlib
import re

MAX_ID = 40
"""Characters of a call id: OpenAI's chat completions take no more."""
MAX_NAME = 64
"""Characters of a tool's name: the least that the vendors agree on."""

_BAD = re.compile(r"[^a-zA-Z0-9_-]")


def fit(name: str, *, most: int = MAX_NAME, start: str = "_") -> str:
    """``name`` where it fits already; else its letters, with a hash of the whole, so that two names stay two. ``start``
    goes before what does not begin with a letter or ``_``, which Gemini wants of names."""
    text = _BAD.sub("_", name)
    if start and not re.match(r"[a-zA-Z_]", text):
        text = start + text
    if text == name and len(text) <= most:
        return text
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{text[: most - 9]}_{digest}"


def fit_id(id: str, taken: set[str]) -> str:
    """A call id that no earlier call of the request has; it is added to ``taken``."""
    first = fit(id, most=MAX_ID, start="")
    found, number = first, 1
    while found in taken or not found:
        number += 1
        found = fit(f"{id}#{number}", most=MAX_ID, start="")
    taken.add(found)
    return found
