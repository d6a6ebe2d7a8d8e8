"""Redaction of whole records: every text field of a log entry, a report or a trace passes through the redactors.

Owns: which fields are text, and that nothing raises into the call. Never: what personal data looks like.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.models.redaction import Redactor
from antiphon.safety.detectors import card_numbers, email_addresses, phone_numbers, spoken_digits

FAILED = "[redaction failed]"
DEFAULT: tuple[Redactor, ...] = (email_addresses, card_numbers, phone_numbers, spoken_digits)

_NAMES = """kind lane seq at now format version build id item speech turn call_id key segment revision leg medium agent
    previous hook op stage edge modality quality effect retry source outcome action priority language provider model
    task ask after position samples order created_at type role file where"""
STRUCTURAL = frozenset(_NAMES.split())
"""Fields that hold names and codes of the framework, never what somebody said."""
_TAIL_DIGITS = re.compile(r"\d(?:[\s().-]{0,2}\d){2,14}\W*$")
_MAX_DEPTH = 64


class TextRedaction:
    """Applies ``redactors`` in order. Without arguments: e-mail addresses, cards, phone numbers, spoken digits.

    JSON inside a text field (a tool's arguments) is redacted by its values and stays JSON. Whole numbers of seven
    digits and more count as text. Pressed keys (``digit``) are masked. Partial transcripts lose digits at
    their end, which may be the beginning of a number. A redactor that raises, or returns no text, turns the
    field into ``[redaction failed]``.
    """

    def __init__(self, redactors: Sequence[Redactor] = DEFAULT) -> None:
        self.redactors = tuple(redactors)

    def text(self, value: str) -> str:
        try:
            for redact in self.redactors:
                value = redact(value)
                if not isinstance(value, str):
                    return FAILED
        except Exception:
            return FAILED
        return value

    def data(self, value: Any) -> Any:
        partial = isinstance(value, dict) and value.get("kind") == "stt.partial"
        return self._walk(value, "", partial, 0)

    def _walk(self, value: Any, field: str, partial: bool, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            return FAILED
        if isinstance(value, dict):
            return {key: self._field(key, item, partial, depth) for key, item in value.items()}
        if isinstance(value, list | tuple):
            if field == "words":
                return self._words(value)
            return [self._walk(item, field, partial, depth + 1) for item in value]
        if isinstance(value, str):
            return self._string(value, partial, depth)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1_000_000:
            redacted = self.text(str(value))
            return value if redacted == str(value) else redacted
        return value

    def _field(self, key: Any, item: Any, partial: bool, depth: int) -> Any:
        if key in STRUCTURAL and not isinstance(item, dict | list | tuple):
            return item
        if key == "digit" and isinstance(item, str):
            return "*"
        return self._walk(item, str(key), partial, depth + 1)

    def _string(self, value: str, partial: bool, depth: int) -> str:
        if value[:1] in ("{", "["):
            try:
                inner = msgspec.json.decode(value)
            except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
                inner = None
            if isinstance(inner, dict | list):
                return msgspec.json.encode(self._json(inner, depth + 1)).decode()
        value = self.text(value)
        return _TAIL_DIGITS.sub("[digits]", value) if partial else value

    def _json(self, value: Any, depth: int) -> Any:
        """Inside a tool's arguments no field name is the framework's own: all of it is text."""
        if depth > _MAX_DEPTH:
            return FAILED
        if isinstance(value, dict):
            return {self.text(str(key)): self._json(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self._json(item, depth + 1) for item in value]
        return self._walk(value, "", False, depth)

    def _words(self, words: Sequence[Any]) -> list[Any]:
        """Timed words: a number may be spread over several, so they are judged together."""
        texts = [w[0] if isinstance(w, list | tuple) and w and isinstance(w[0], str) else "" for w in words]
        joined = " ".join(texts)
        if self.text(joined) == joined:
            return [list(w) if isinstance(w, tuple) else w for w in words]
        return [["[redacted]", *w[1:]] if isinstance(w, list | tuple) else FAILED for w in words]
