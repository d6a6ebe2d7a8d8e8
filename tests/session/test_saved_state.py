"""What of user data outlives a process."""

from __future__ import annotations

from dataclasses import dataclass, field

from antiphon.session.saved_state import SavedState, as_json


@dataclass
class Order:
    items: list[str] = field(default_factory=list)


def test_plain_data_is_saved_when_it_changes() -> None:
    saved, order = SavedState(), Order()
    assert saved.changed("a", order) == '{"items":[]}'
    assert saved.changed("a", order) is None
    order.items.append("latte")
    assert saved.changed("a", order) == '{"items":["latte"]}'
    assert saved.changed("b", None) is None


def test_what_is_no_plain_data_is_left_alone() -> None:
    assert as_json(object()) is None
    assert as_json({"a": open}) is None
    loop: list[object] = []
    loop.append(loop)
    assert as_json(loop) is None
