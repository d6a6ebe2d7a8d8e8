"""Saved state comes back into what holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from antiphon.agents.saved_state import read_into


@dataclass
class Plain:
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Frozen:
    name: str = ""


class Struct(msgspec.Struct):
    name: str = ""


class FrozenStruct(msgspec.Struct, frozen=True):
    name: str = ""


class Model(BaseModel):
    name: str = ""


@pytest.mark.parametrize(
    ("held", "saved", "becomes"),
    [
        ({"a": 1}, {"b": 2}, {"b": 2}),
        ([1], [2, 3], [2, 3]),
        (Plain(), {"names": ["x"]}, Plain(["x"])),
        (Struct(), {"name": "x"}, Struct("x")),
        (Model(), {"name": "x"}, Model(name="x")),
    ],
)
def test_what_can_be_filled_is_filled_in_place(held: Any, saved: Any, becomes: Any) -> None:
    assert read_into(held, saved) is held and held == becomes


@pytest.mark.parametrize(
    ("held", "saved", "becomes"),
    [
        (None, {"a": 1}, {"a": 1}),
        (Frozen(), {"name": "x"}, Frozen("x")),
        (FrozenStruct(), {"name": "x"}, FrozenStruct("x")),
        (3, 4, 4),
        ("a", "b", "b"),
    ],
)
def test_what_is_frozen_is_replaced(held: Any, saved: Any, becomes: Any) -> None:
    assert read_into(held, saved) == becomes


@pytest.mark.parametrize(("held", "saved"), [(Plain(), {"names": 3}), (Model(), {"name": []}), ({}, [1]), (3, "x")])
def test_what_does_not_fit_is_refused_and_nothing_changed(held: Any, saved: Any) -> None:
    with pytest.raises(ValueError, match="of this build"):
        read_into(held, saved)
