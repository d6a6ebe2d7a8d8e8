"""Options of speech services, as a user writes them, checked when the model is made and not amid a call.

Owns: which values cannot be. Never: what a service calls them, which models it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from antiphon.errors import ConfigurationError

WIRE = ("retry", "sleep")
"""What every model takes beside its own options: how it asks again."""


def terms(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """A list of words. Raises ``ConfigurationError`` for a single text, which would be taken letter by letter."""
    if isinstance(values, str):
        raise ConfigurationError(f"{name}={values!r} is one text, not a list.", hint=f"Write {name}=[{values!r}].")
    return tuple(values)


def within(low: float, high: float, **options: float | None) -> None:
    """Raises ``ConfigurationError`` for an option outside what the service takes; ``None`` is not given."""
    for name, value in options.items():
        if value is not None and not low <= value <= high:
            raise ConfigurationError(f"{name}={value} cannot be.", hint=f"It is {low:g} to {high:g}.")


def unused(model: str, **options: object) -> None:
    """Raises ``ConfigurationError`` for options that were given and that ``model`` does not have."""
    if wrong := [name for name, value in options.items() if value]:
        raise ConfigurationError(
            f"{model} has no {' and no '.join(wrong)}.", hint="Leave it out, or take a model that has it."
        )


def known(kind: type, wire: Mapping[str, Any]) -> None:
    """Raises ``ConfigurationError`` for an option that ``kind`` does not have, with those that it has."""
    if wrong := [name for name in wire if name not in WIRE]:
        names = [name for name in signature(kind.__init__).parameters if name not in ("self", "wire")]  # type: ignore[misc]
        raise ConfigurationError(
            f"There is no option {wrong[0]!r}.",
            hint=f"There are {', '.join((*names, *WIRE))}; options= takes any other of the service.",
        )
