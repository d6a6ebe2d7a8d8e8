"""Keeps arguments that a tool wants kept secret out of the event log: a log in front of the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from antiphon.kernel.effects import RunTool
from antiphon.kernel.events import ToolCall
from antiphon.kernel.facts import ToolIntent
from antiphon.models.log import EventLog, Lane

Secrets = Callable[[str], bool | Sequence[str]]
"""A tool's name to what of it is secret: everything, nothing, or these parameters."""


MASKED = "Its secret arguments were not kept when the process that had them died. Ask for them again."
"""The output of a call that would run with masked arguments."""
_MARK = "[redacted "


def is_masked(arguments: str) -> bool:
    """Whether these came out of the log, or of a history made from it."""
    return _MARK in arguments


class ArgumentMask:
    """An ``EventLog`` that writes ``[redacted n]`` for secret values, the same ``n`` for the same value."""

    def __init__(self, log: EventLog, secrets: Secrets) -> None:
        self._log, self._secrets = log, secrets
        self._known: dict[str, int] = {}

    def append(self, lane: Lane, at: float, body: msgspec.Struct | dict[str, Any]) -> int:
        if isinstance(body, ToolCall | ToolIntent | RunTool):
            secret = self._secrets(body.name)
            if secret:
                body = msgspec.structs.replace(body, arguments=self._masked(body.arguments, secret))
                if not isinstance(body, RunTool):  # a model's thoughts of them are as secret
                    body = msgspec.structs.replace(body, extra="")
        return self._log.append(lane, at, body)

    async def aclose(self) -> None:
        await self._log.aclose()

    def _masked(self, arguments: str, secret: bool | Sequence[str]) -> str:
        try:
            data = json.loads(arguments or "{}")
        except ValueError:
            data = None
        if not isinstance(data, dict):
            return json.dumps(self._mask(arguments))
        return json.dumps({k: self._mask(v) if secret is True or k in _names(secret) else v for k, v in data.items()})

    def _mask(self, value: Any) -> str:
        text = json.dumps(value, sort_keys=True)
        return f"{_MARK}{self._known.setdefault(text, len(self._known) + 1)}]"


def _names(secret: bool | Sequence[str]) -> Sequence[str]:
    return () if isinstance(secret, bool) else secret
