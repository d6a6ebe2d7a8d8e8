"""Six sets of tools as users write them, for ``requests.jsonl``. Only their names, descriptions and types matter: nothing
runs. Neither these sets nor their requests were used to write the local model's prompt: that is what
``development_toolsets.py`` is for. Keep it so."""

from __future__ import annotations

from datetime import date, time
from typing import Literal

from antiphon.tools.function_tool import FunctionTool, function_tool

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
Doctor = Literal["Miller", "Okafor", "Tanaka"]
Drink = Literal["espresso", "latte", "cappuccino", "flat white", "tea", "hot chocolate"]
Account = Literal["checking", "savings", "credit card"]
Room = Literal["kitchen", "living room", "bedroom", "bathroom", "office"]
Department = Literal["reception", "billing", "sales", "technical support", "human resources"]


# --- a doctor's practice ---------------------------------------------------------------------------------------------


@function_tool(effect="read")
def find_slots(day: date, doctor: Doctor | None = None, part: Literal["morning", "afternoon"] | None = None) -> None:
    """Look up free appointments on a day.

    Args:
        day: the day asked for
        part: part of the day
    """


@function_tool
def book_appointment(patient: str, day: date, at: time, doctor: Doctor | None = None) -> None:
    """Book an appointment.

    Args:
        patient: the patient's name
        at: time of day
    """


@function_tool
def move_appointment(patient: str, to_day: date, to_time: time | None = None) -> None:
    """Move an appointment that exists to another day or time.

    Args:
        patient: the patient's name
    """


@function_tool
def cancel_appointment(patient: str, day: date | None = None) -> None:
    """Cancel an appointment.

    Args:
        patient: the patient's name
        day: the day of the appointment
    """


@function_tool
def request_prescription(patient: str, medicine: str, strength_mg: int | None = None) -> None:
    """Order a repeat prescription.

    Args:
        patient: the patient's name
        medicine: name of the medicine
    """


@function_tool(effect="read")
def opening_hours(weekday: Weekday | None = None) -> None:
    """When the practice is open."""


# --- a coffee counter ------------------------------------------------------------------------------------------------


@function_tool
def add_drink(
    drink: Drink,
    size: Literal["small", "medium", "large"] | None = None,
    count: int = 1,
    milk: Literal["whole", "oat", "soy", "almond"] | None = None,
    decaf: bool = False,
) -> None:
    """Add a drink to the order."""


@function_tool
def add_food(food: Literal["muffin", "croissant", "bagel", "cookie"], count: int = 1, warm: bool = False) -> None:
    """Add something to eat to the order."""


@function_tool
def remove_item(item: str) -> None:
    """Take something off the order.

    Args:
        item: what to take off
    """


@function_tool(effect="read")
def order_total() -> None:
    """What the order costs so far."""


@function_tool
def apply_voucher(code: str) -> None:
    """Use a voucher.

    Args:
        code: letters and digits of the voucher
    """


@function_tool
def finish_order(name: str, where: Literal["here", "to go"] | None = None) -> None:
    """The order is complete: the customer wants nothing else.

    Args:
        name: the customer's name, to call out
    """


# --- a bank ----------------------------------------------------------------------------------------------------------


@function_tool(effect="read")
def account_balance(account: Account) -> None:
    """How much money is in an account."""


@function_tool(effect="read")
def list_transactions(account: Account, count: int | None = None, since: date | None = None) -> None:
    """The latest transactions of an account.

    Args:
        count: how many
        since: only from this day on
    """


@function_tool
def transfer_money(amount: float, from_account: Account, to_account: Account) -> None:
    """Move money between the customer's own accounts.

    Args:
        amount: dollars
    """


@function_tool
def pay_bill(payee: str, amount: float, day: date | None = None) -> None:
    """Pay a bill to a company or a person.

    Args:
        payee: who gets the money
        amount: dollars
        day: when to pay, if not now
    """


@function_tool
def block_card(card: Literal["debit", "credit"], reason: Literal["lost", "stolen", "damaged"] | None = None) -> None:
    """Block a card."""


@function_tool(effect="read")
def find_branch(city: str) -> None:
    """The nearest branch of the bank.

    Args:
        city: the city
    """


# --- a smart home ----------------------------------------------------------------------------------------------------


@function_tool
def set_light(
    room: Room, on: bool, brightness: int | None = None, colour: Literal["white", "warm", "red", "blue"] | None = None
) -> None:
    """Turn the light of a room on or off.

    Args:
        brightness: percent
    """


@function_tool
def set_temperature(room: Room, degrees: float) -> None:
    """Set the heating of a room."""


@function_tool
def move_blinds(room: Room, position: Literal["open", "closed", "half"]) -> None:
    """Open or close the blinds of a room."""


@function_tool
def play_music(what: str, room: Room | None = None) -> None:
    """Play music.

    Args:
        what: artist, song or kind of music
    """


@function_tool
def stop_music() -> None:
    """Stop the music."""


@function_tool
def set_timer(minutes: int, label: str | None = None) -> None:
    """Start a timer.

    Args:
        label: what it is for
    """


@function_tool
def set_lock(door: Literal["front door", "back door", "garage"], locked: bool) -> None:
    """Lock or unlock a door."""


@function_tool(effect="read")
def room_status(room: Room) -> None:
    """Temperature and humidity that are measured in a room now."""


# --- a support desk --------------------------------------------------------------------------------------------------


@function_tool
def create_ticket(
    product: Literal["router", "phone", "television", "laptop"],
    problem: str,
    urgency: Literal["low", "normal", "high"] | None = None,
) -> None:
    """Open a new ticket for a problem.

    Args:
        problem: what is wrong, in a few words
    """


@function_tool(effect="read")
def ticket_status(ticket: int) -> None:
    """How far a ticket is.

    Args:
        ticket: the ticket's number
    """


@function_tool
def add_note(ticket: int, note: str) -> None:
    """Add a note to a ticket that exists.

    Args:
        ticket: the ticket's number
        note: what to write
    """


@function_tool
def close_ticket(ticket: int, solved: bool) -> None:
    """Close a ticket.

    Args:
        ticket: the ticket's number
        solved: whether the problem is solved
    """


@function_tool
def call_back(phone: str, day: date | None = None, at: time | None = None) -> None:
    """Have a technician call the customer back.

    Args:
        phone: telephone number
    """


@function_tool
def talk_to_person() -> None:
    """Put the customer through to a human."""


# --- travel and directory enquiries ----------------------------------------------------------------------------------


@function_tool(effect="read")
def find_trains(origin: str, destination: str, day: date | None = None, after: time | None = None) -> None:
    """Look up train connections.

    Args:
        origin: station of departure
        destination: station of arrival
        after: earliest departure
    """


@function_tool
def book_seat(
    train: str, day: date, passengers: int = 1, comfort: Literal["first class", "second class"] | None = None
) -> None:
    """Book seats on a train.

    Args:
        train: number of the train, for instance IC 204
    """


@function_tool(effect="read")
def flight_status(flight: str) -> None:
    """Whether a flight is on time.

    Args:
        flight: number of the flight
    """


@function_tool(effect="read")
def weather(city: str, day: date | None = None) -> None:
    """The weather forecast for a city.

    Args:
        city: the city
    """


@function_tool(effect="read")
def find_number(name: str, city: str | None = None) -> None:
    """Look up a telephone number in the directory.

    Args:
        name: person or business
    """


@function_tool
def connect_me(department: Department) -> None:
    """Put the caller through to a department of the travel company."""


TOOLSETS: dict[str, tuple[str, list[FunctionTool]]] = {
    "clinic": (
        "You answer the telephone of a doctor's practice.",
        [find_slots, book_appointment, move_appointment, cancel_appointment, request_prescription, opening_hours],
    ),
    "coffee": (
        "You take orders at a coffee counter.",
        [add_drink, add_food, remove_item, order_total, apply_voucher, finish_order],
    ),
    "bank": (
        "You are the telephone assistant of a bank.",
        [account_balance, list_transactions, transfer_money, pay_bill, block_card, find_branch],
    ),
    "home": (
        "You control a smart home.",
        [set_light, set_temperature, move_blinds, play_music, stop_music, set_timer, set_lock, room_status],
    ),
    "support": (
        "You answer the support line of an electronics shop.",
        [create_ticket, ticket_status, add_note, close_ticket, call_back, talk_to_person],
    ),
    "travel": (
        "You answer the telephone of a travel company.",
        [find_trains, book_seat, flight_status, weather, find_number, connect_me],
    ),
}
"""Instructions and tools by name."""
