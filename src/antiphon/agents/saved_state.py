"""Saved state: the application's own data as it comes back out of the log."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec


def read_state(like: Any, saved: Any) -> Any:
    """``saved``, plain data, as a value of the type that ``like`` has. Raises ``ValueError`` where it is none."""
    if like is None or saved is None:
        return saved
    validate = getattr(type(like), "model_validate", None)
    try:
        return msgspec.convert(saved, type(like)) if validate is None else validate(saved)
    except (msgspec.ValidationError, TypeError, ValueError) as exc:
        raise ValueError(f"what was saved is no {type(like).__name__} of this build ({exc})") from exc


def read_into(held: Any, saved: Any) -> Any:
    """``saved`` as ``held`` has it: a dict, a list and an object with fields are filled in place, so that whoever holds them sees it; what is
    frozen, or ``None``, is replaced. Returns what holds now. Raises ``ValueError`` where it does not fit."""
    value = read_state(held, saved)
    if held is None or value is None:
        return value
    if isinstance(held, dict):
        held.clear()
        held.update(value)
    elif isinstance(held, list):
        held[:] = value
    else:
        try:
            for name in _fields(value):
                setattr(held, name, getattr(value, name))
        except (AttributeError, ValueError):  # frozen
            return value
    return held if _fields(value) or isinstance(held, dict | list) else value


def _fields(value: Any) -> tuple[str, ...]:
    if dataclasses.is_dataclass(value):
        return tuple(field.name for field in dataclasses.fields(value))
    names = getattr(type(value), "__struct_fields__", None) or getattr(type(value), "model_fields", None) or ()
    return tuple(names)
