"""The contract of redaction: what leaves the conversation for logs, reports and traces passes through it."""

from __future__ import annotations

from typing import Any, Protocol


class Redactor(Protocol):
    """Takes personal data out of one text. Deterministic: the same text gives the same result."""

    def __call__(self, text: str, /) -> str: ...


class Redaction(Protocol):
    """Redactors applied to whole records. Never raises: what cannot be redacted is replaced as a whole."""

    def text(self, value: str) -> str:
        """One text without personal data."""
        ...

    def data(self, value: Any) -> Any:
        """Plain data (dicts, lists, strings, numbers) with every text field redacted; the argument is not changed."""
        ...
