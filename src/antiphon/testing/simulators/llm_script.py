"""What a simulated language model answers, and how its service fails.

Owns: answers, faults, the record of what was asked. Never: a vendor's format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

Mishap = Literal["cut", "end", "stall", "ping", "error", "garbage", "unknown"]
"""After some events: the connection is reset (``cut``), the body ends without the end mark (``end``), nothing more comes
(``stall``) or nothing but pings (``ping``), the service reports an ``error`` within the stream, sends ``garbage``, or an event of an ``unknown`` kind and then
goes on."""


class SimulatedCall(msgspec.Struct, frozen=True):
    """A tool call of the model's. ``arguments``: JSON text, sent as it is. ``id``: made up where it is empty."""

    name: str
    arguments: str = "{}"
    id: str = ""


class Answer(msgspec.Struct, frozen=True):
    """One answer. ``refusal``: said instead of text, where the vendor has a form for that. ``thinking``: thought before.
    ``finish``: how it ends where not by itself. ``piece``: characters of one event; ``interleave``: the pieces of several calls
    come in turn, where the vendor does that. The counts are what the usage says; thoughts are part of ``completion_tokens``."""

    text: str = ""
    calls: tuple[SimulatedCall, ...] = ()
    refusal: str = ""
    thinking: str = ""
    finish: Literal["", "length", "content_filter", "refusal"] = ""
    piece: int = 4
    interleave: bool = False
    prompt_tokens: int = 20
    completion_tokens: int = 10
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class LLMServiceFault(msgspec.Struct, frozen=True):
    """How one request fails or strays.

    ``status``: the HTTP status of a refusal, with the vendor's ``code``, ``message`` and further ``headers``. ``mishap``
    happens ``after`` that many events. ``slow``: seconds before the first event. ``usage``: left out, told twice, or told
    with every event. ``bytes``: the stream is written in pieces of that many bytes (0: event by event). ``crlf``: lines end in
    CRLF. ``comments``: that many comment lines before each event. ``pings``: events that say nothing, before the first."""

    status: int = 0
    code: str = ""
    message: str = "The simulator was asked to fail."
    headers: dict[str, str] = {}
    mishap: Mishap | None = None
    after: int = 0
    slow: float = 0.0
    usage: Literal["", "absent", "twice", "always"] = ""
    bytes: int = 0
    crlf: bool = False
    comments: int = 0
    pings: int = 0


Answers = Sequence[Answer | str] | Callable[[dict[str, Any]], Answer | str]
FINE = LLMServiceFault()


class LLMScript:
    """Answers in order, the last one for all further requests, or a function that answers a request's body; and a fault for
    each request that shall have one, by its number from 0, or for all of them. ``requests``: the bodies that came, refused ones too."""

    def __init__(
        self, answers: Answers = ("Hello.",), faults: dict[int, LLMServiceFault] | LLMServiceFault | None = None
    ) -> None:
        self.answers = answers
        self.faults = faults or {}
        self.requests: list[dict[str, Any]] = []
        self.answered = 0

    def fault(self) -> LLMServiceFault:
        """How the request goes that was recorded last."""
        if isinstance(self.faults, LLMServiceFault):
            return self.faults
        return self.faults.get(len(self.requests) - 1, FINE)

    def answer(self) -> Answer:
        """The answer to the request that was recorded last."""
        if callable(self.answers):
            found = self.answers(self.requests[-1])
        else:
            found = self.answers[min(self.answered, len(self.answers) - 1)]
        self.answered += 1
        return Answer(text=found) if isinstance(found, str) else found


def pieces(text: str, size: int) -> list[str]:
    """``text`` in pieces of ``size`` characters."""
    return [text[at : at + size] for at in range(0, len(text), max(1, size))]


def call_pieces(answer: Answer) -> Iterator[tuple[int, str]]:
    """The arguments of all calls in pieces, each with the number of its call: one call after the other, or in turn."""
    queues = [pieces(call.arguments, answer.piece) for call in answer.calls]
    if not answer.interleave:
        yield from ((number, piece) for number, queue in enumerate(queues) for piece in queue)
        return
    for turn in range(max((len(queue) for queue in queues), default=0)):
        yield from ((number, queue[turn]) for number, queue in enumerate(queues) if turn < len(queue))
