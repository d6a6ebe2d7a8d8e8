"""Requests are read strictly: a field that the vendor does not know is refused, with its path.

Owns: a body -> a typed request, or where it is wrong. Never: a vendor's error shape.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]+)`")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")


class StrictStruct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the requests' parts."""


class MismatchError(Exception):
    """``kind``: ``unknown``, ``missing`` or ``invalid``; ``path``: of the field, as the vendors write it."""

    def __init__(self, kind: str, path: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.path = path
        self.message = message


def read(body: Any, type: type[T]) -> T:
    """``body`` as a ``type``. Raises ``MismatchError``."""
    try:
        return msgspec.convert(body, type)
    except msgspec.ValidationError as error:
        text = str(error)
        path = match["path"] if (match := _PATH.search(text)) else ""
        for kind, pattern in (("unknown", _UNKNOWN), ("missing", _MISSING)):
            if found := pattern.search(text):
                full = f"{path}.{found['field']}".lstrip(".")
                raise MismatchError(kind, full, text) from None
        raise MismatchError("invalid", path, text) from None
