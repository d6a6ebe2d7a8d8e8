"""Four sets of tools for ``development.jsonl``: what the local model's prompt and grammar are tuned on."""

from __future__ import annotations

from datetime import date, time
from typing import Literal

from antiphon.tools.function_tool import FunctionTool, function_tool

# --- a sports club ---------------------------------------------------------------------------------------------------


@function_tool(effect="read")
def class_times(course: Literal["yoga", "spinning", "boxing", "pilates"], day: date | None = None) -> None:
    """When a class takes place."""


@function_tool
def join_class(
    member: int, course: Literal["yoga", "spinning", "boxing", "pilates"], day: date, at: time | None = None
) -> None:
    """Sign a member up for a class.

    Args:
        member: number of the membership
    """


@function_tool
def pause_membership(member: int, months: int, reason: str | None = None) -> None:
    """Pause a membership.

    Args:
        member: number of the membership
    """


@function_tool
def report_broken(machine: str) -> None:
    """Report a machine that does not work.

    Args:
        machine: which machine
    """


@function_tool(effect="read")
def prices(kind: Literal["month", "year", "day pass"] | None = None) -> None:
    """What a membership costs."""


# --- a parcel service ------------------------------------------------------------------------------------------------


@function_tool(effect="read")
def track_parcel(number: str) -> None:
    """Where a parcel is.

    Args:
        number: tracking number
    """


@function_tool
def schedule_pickup(street: str, day: date, at: time | None = None, parcels: int = 1) -> None:
    """Have parcels picked up.

    Args:
        street: street and house number
    """


@function_tool
def redirect_parcel(number: str, to: Literal["neighbour", "post office", "locker"]) -> None:
    """Have a parcel delivered somewhere else.

    Args:
        number: tracking number
    """


@function_tool(effect="read")
def shipping_price(weight_kg: float, country: str, express: bool = False) -> None:
    """What it costs to send a parcel.

    Args:
        country: where it goes
    """


@function_tool
def report_damage(number: str, what: str) -> None:
    """Report a parcel that came damaged.

    Args:
        number: tracking number
        what: what is broken
    """


# --- a restaurant ----------------------------------------------------------------------------------------------------


@function_tool
def reserve_table(name: str, people: int, day: date, at: time, outside: bool = False) -> None:
    """Reserve a table.

    Args:
        name: the guest's name
    """


@function_tool
def cancel_reservation(name: str) -> None:
    """Cancel a reservation.

    Args:
        name: the guest's name
    """


@function_tool(effect="read")
def dish_of_the_day(day: date | None = None) -> None:
    """The dish of the day."""


@function_tool(effect="read")
def allergens(dish: str) -> None:
    """What a dish contains that people can be allergic to.

    Args:
        dish: name of the dish
    """


@function_tool
def order_delivery(dish: str, count: int = 1, size: Literal["small", "normal", "large"] | None = None) -> None:
    """Order a dish to be delivered.

    Args:
        dish: name of the dish
    """


# --- a garage --------------------------------------------------------------------------------------------------------


@function_tool
def book_service(
    plate: str, work: Literal["inspection", "tyres", "oil change", "repair"], day: date, loan_car: bool = False
) -> None:
    """Book work on a car.

    Args:
        plate: number plate
    """


@function_tool(effect="read")
def repair_status(plate: str) -> None:
    """Whether a car that is being repaired is ready.

    Args:
        plate: number plate
    """


@function_tool
def send_tow_truck(place: str, people: int | None = None) -> None:
    """Send help to a car that has broken down.

    Args:
        place: where the car is
    """


@function_tool
def rate_visit(
    stars: int, mood: Literal["happy", "neutral", "angry"] | None = None, comment: str | None = None
) -> None:
    """Take down how content the customer was.

    Args:
        stars: one to five
    """


@function_tool(effect="read")
def price_of(work: Literal["inspection", "tyres", "oil change"]) -> None:
    """What a piece of work costs."""


@function_tool
def leave_message(text: str, mechanic: str | None = None) -> None:
    """Leave a message for a mechanic.

    Args:
        text: the message
        mechanic: name of the mechanic
    """


TOOLSETS: dict[str, tuple[str, list[FunctionTool]]] = {
    "sports": (
        "You answer the telephone of a sports club.",
        [class_times, join_class, pause_membership, report_broken, prices],
    ),
    "parcels": (
        "You answer the telephone of a parcel service.",
        [track_parcel, schedule_pickup, redirect_parcel, shipping_price, report_damage],
    ),
    "restaurant": (
        "You answer the telephone of a restaurant.",
        [reserve_table, cancel_reservation, dish_of_the_day, allergens, order_delivery],
    ),
    "garage": (
        "You answer the telephone of a garage.",
        [book_service, repair_status, send_tow_truck, rate_visit, price_of, leave_message],
    ),
}
"""Instructions and tools by name."""
