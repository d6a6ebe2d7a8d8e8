"""A coffee order: its slots, how it is read back, and how two orders are compared. Plain data, no call."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Drink = Literal[
    "americano",
    "cappuccino",
    "coffee",
    "drip coffee",
    "espresso",
    "house coffee",
    "iced coffee",
    "iced mocha",
    "latte",
    "mocha",
]
Size = Literal["small", "medium", "large", "8 ounce", "12 ounce", "16 ounce", "20 ounce"]
Roast = Literal["light", "medium", "dark"]
Milk = Literal["milk", "whole milk", "skim milk", "almond milk", "soy milk", "cream"]
Sugar = Literal["sugar", "brown sugar", "sweetener"]
Shots = Literal["single", "double", "triple"]


class Order(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one caller wants. ``None``: not asked for."""

    drink: Drink
    size: Size | None = None
    roast: Roast | None = None
    shots: Shots | None = None
    milk: Milk | None = None
    sugar: Sugar | None = None

    def spoken(self) -> str:
        """The order as it is read back: "one large double shot iced mocha with skim milk"."""
        words = [
            self.size,
            f"{self.roast} roast" if self.roast else None,
            f"{self.shots} shot" if self.shots else None,
            self.drink,
        ]
        extras = " and ".join(extra for extra in (self.milk, self.sugar) if extra)
        return "one " + " ".join(word for word in words if word) + (f" with {extras}" if extras else "")

    def slots(self) -> dict[str, str]:
        """The slots that are filled, by name."""
        filled: dict[str, str] = msgspec.to_builtins(self)
        return filled


def order_of(data: dict[str, Any]) -> Order:
    """An order out of plain data. Raises ``msgspec.ValidationError`` naming a slot or value that does not exist."""
    return msgspec.convert(data, Order)


def differences(wanted: Order, taken: Order | None) -> list[str]:
    """What was understood wrong, slot by slot; empty when the order is right."""
    if taken is None:
        return ["no order taken"]
    want, got = wanted.slots(), taken.slots()
    return [
        f"{slot}: {got.get(slot, 'nothing')} instead of {want.get(slot, 'nothing')}"
        for slot in Order.__struct_fields__
        if want.get(slot) != got.get(slot)
    ]
