"""The gate before a tool runs: what a tool policy may answer, and what counts as a caller's yes.

A policy is a function ``(ctx, tool) -> Verdict`` (or a coroutine), called with the call's ``RunContext`` before each
call that would run. Its verdict and reason go to the log.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """Made by ``allow``, ``deny``, ``ask_caller`` and ``ask_human``. ``reason``: for the log; of a denial also for the
    model."""

    kind: Literal["allow", "deny", "ask_caller", "ask_human"]
    reason: str = ""


Policy = Callable[[Any, Any], Verdict | Awaitable[Verdict]]


def allow(reason: str = "") -> Verdict:
    """Run it."""
    return Verdict("allow", reason)


def deny(reason: str) -> Verdict:
    """Do not run it; the model reads why."""
    return Verdict("deny", reason)


def ask_caller(reason: str = "") -> Verdict:
    """Run it when the caller has agreed to these very arguments (as ``confirm=True`` does)."""
    return Verdict("ask_caller", reason)


def ask_human(reason: str = "") -> Verdict:
    """Run it when a handler of the session's ``tool_approval`` event approves; the tool's time limit holds."""
    return Verdict("ask_human", reason)


YES: dict[str, str] = {
    "en": "yes yeah yep yup sure correct right ok okay absolutely definitely exactly confirm confirmed agreed fine",
    "de": "ja jawohl jo genau richtig gern gerne klar einverstanden passt okay ok korrekt",
    "es": "sí si claro correcto vale exacto exactamente adelante confirmo ok",
    "fr": "oui ouais accord exact exactement parfait confirme ok volontiers",
}
NO: dict[str, str] = {
    "en": "no nope nah not don't dont never wait wrong but instead unsure maybe incorrect actually doesn't isn't",
    "de": "nein nee nicht kein keine nie falsch aber warte moment stattdessen vielleicht doch",
    "es": "no nunca pero espera incorrecto mejor quizás quizas",
    "fr": "non pas jamais mais attends attendez faux plutôt peut",
}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def says_yes(text: str, language: str = "en") -> bool:
    """Whether a caller's words are a clear yes: a word of agreement, and none that takes it back. Unclear is no.

    ``language``: BCP 47 tag; the words of all known languages count for others."""
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(text)]
    key = language.partition("-")[0].lower()
    yes, no = ({*(t[key] if key in t else " ".join(t.values())).split()} for t in (YES, NO))
    return "?" not in text and any(word in yes for word in words) and not any(word in no for word in words)
