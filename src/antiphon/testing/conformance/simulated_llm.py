"""Rigs over the simulators of language models, on loopback.

Owns what each fault of the table is for a language model's service, and the simulated model that does what the kit asks of it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from antiphon.models.llm import LLM
from antiphon.testing.conformance.llm_checks import BOOK, BOOK_TWICE, SAY, SENTENCE
from antiphon.testing.conformance.rig import Rig
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault, SimulatedCall
from antiphon.testing.simulators.llm_simulator import LLMSimulator
from antiphon.testing.simulators.server import serving

AMID = 6
"""Events that the service has sent when something happens in the middle."""

ALWAYS: Mapping[str, LLMServiceFault] = {
    "http_401": LLMServiceFault(status=401),
    "http_402": LLMServiceFault(status=402),
    "http_403": LLMServiceFault(status=403),
    "http_404": LLMServiceFault(status=404),
    "http_429": LLMServiceFault(status=429),
    "http_500": LLMServiceFault(status=500),
    "slow_start": LLMServiceFault(slow=0.5),
    "split_bytes": LLMServiceFault(bytes=1),
    "crlf": LLMServiceFault(crlf=True),
    "comments": LLMServiceFault(comments=3),
    "pings": LLMServiceFault(pings=3),
    "usage_absent": LLMServiceFault(usage="absent"),
    "usage_twice": LLMServiceFault(usage="twice"),
    "usage_always": LLMServiceFault(usage="always"),
    "split_arguments": LLMServiceFault(),
    "interleaved_calls": LLMServiceFault(),
}
ONCE: Mapping[str, LLMServiceFault] = {
    "http_429_once": LLMServiceFault(status=429),
    "http_503_once": LLMServiceFault(status=503),
    "half_open": LLMServiceFault(mishap="stall"),
    "stalls": LLMServiceFault(mishap="stall", after=AMID),
    "breaks": LLMServiceFault(mishap="cut", after=AMID),
    "ends_early": LLMServiceFault(mishap="end", after=AMID),
    "error_message": LLMServiceFault(mishap="error", after=AMID),
    "garbage": LLMServiceFault(mishap="garbage", after=AMID),
    "unknown_type": LLMServiceFault(mishap="unknown", after=AMID),
}
NOWHERE = {"nobody_listens": "http://127.0.0.1:1", "no_such_host": "https://nowhere.invalid"}


def obedient(request: dict[str, Any], *, piece: int = 4, interleave: bool = False) -> Answer:
    """What the kit asks for last, in whatever format it is asked."""
    text = json.dumps(request)
    asked = max((BOOK, BOOK_TWICE, SAY), key=lambda prompt: text.rfind(json.dumps(prompt)[1:-1]))
    if asked == SAY:
        return Answer(text=SENTENCE, piece=piece)
    days = ("Monday", "Tuesday") if asked == BOOK_TWICE else ("Monday",)
    calls = tuple(SimulatedCall("book", json.dumps({"day": day})) for day in days)
    return Answer(calls=calls, piece=piece, interleave=interleave)


def llm_rig(make: Callable[[str], LLM], simulator: Callable[[LLMScript], LLMSimulator]) -> Rig:
    """``make``: the model at the base URL of its simulator. ``simulator``: the service, by its script."""

    @asynccontextmanager
    async def enter(fault: str) -> AsyncIterator[LLM]:
        if fault in NOWHERE:
            yield make(NOWHERE[fault])
            return

        def answer(request: dict[str, Any]) -> Answer:
            apart = fault in ("split_arguments", "interleaved_calls")
            return obedient(request, piece=1 if apart else 4, interleave=fault == "interleaved_calls")

        faults = ALWAYS[fault] if fault in ALWAYS else {0: ONCE[fault]}
        async with serving(simulator(LLMScript(answer, faults))) as url:
            yield make(url)

    def rig(fault: str) -> AbstractAsyncContextManager[Any] | None:
        return enter(fault) if fault in ALWAYS or fault in ONCE or fault in NOWHERE else None

    return rig
