"""After the call: which order belongs to which caller, and which were understood right."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
from orders import Order, differences, order_of
from recordings import Caller

from antiphon import ChatContext, ChatMessage, FunctionCall, FunctionCallOutput


class Taken(msgspec.Struct):
    """What came of one caller: words as the recogniser heard them, the order, the answer as the caller heard it."""

    heard: str = ""
    order: Order | None = None
    answer: str = ""


def orders_taken(history: ChatContext, starts: Sequence[int]) -> list[Taken]:
    """One entry per caller, out of the conversation. ``starts``: how many items it had when each one stepped up."""
    failed = {item.call_id for item in history if isinstance(item, FunctionCallOutput) and item.is_error}
    taken = []
    for start, end in zip(starts, [*starts[1:], len(history)], strict=True):
        caller = Taken()
        for item in history.items[start:end]:
            if isinstance(item, ChatMessage) and item.role == "user":
                caller.heard = f"{caller.heard} {item.text}".strip()
            elif isinstance(item, ChatMessage):
                caller.answer = f"{caller.answer} {item.text}".strip()
            elif isinstance(item, FunctionCall) and item.name == "place_order" and item.call_id not in failed:
                caller.order = order_of(json.loads(item.arguments))
        taken.append(caller)
    return taken


def table(callers: Sequence[Caller], taken: Sequence[Taken]) -> tuple[list[str], int]:
    """Lines to print, and how many orders were understood right (of those callers whose order is known)."""
    lines, right = [], 0
    for index, caller in enumerate(callers):
        got = taken[index] if index < len(taken) else Taken()
        order = got.order.spoken() if got.order else "no order"
        if caller.order is None:
            lines.append(f"  -      {caller.path.name:24} {order}")
            continue
        wrong = differences(caller.order, got.order)
        right += not wrong
        lines.append(f"  {'wrong' if wrong else 'right':6} {caller.path.name:24} {order}")
        lines += [f"         {'':24} {difference}" for difference in wrong]
    return lines, right
