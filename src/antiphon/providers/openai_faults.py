"""What OpenAI's errors mean, as the services that speak its formats word them.

Owns: error bodies and error objects -> ``ServiceFault``. Never: statuses and headers (``wire.faults``).
Sources: OpenAI's "Error codes"; the wording of context errors of vLLM, llama.cpp, Ollama, Groq and OpenRouter.
"""

from __future__ import annotations

import re

import msgspec

from antiphon.models.codec import ServiceFault
from antiphon.providers.answer import object_in, text_in
from antiphon.providers.json_fields import UNREADABLE

NO_CREDIT = frozenset(
    {"402", "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated"}
)
TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
REFUSED = frozenset({"content_filter", "content_policy_violation", "invalid_prompt", "bio_policy", "cyber_policy"})
TRANSIENT = frozenset({"server_error", "rate_limit_exceeded", "overloaded", "slow_down", "timeout", "api_error"})
RETRYABLE_STATUS = frozenset({"408", "409", "425", "429"})
"""Of the statuses that some services put where the code should be, those of requests that may be made again."""
_TOO_LONG = re.compile(
    r"maximum (context|model) length|context (length|window|size)|prompt is too long|too many tokens|exceeds? the (available )?context",
    re.IGNORECASE,
)


def fault_of_body(body: bytes) -> ServiceFault:
    """What the body of an HTTP error says; an empty fault where it is no JSON. Never raises."""
    try:
        data = msgspec.json.decode(body)
    except UNREADABLE:
        return ServiceFault()
    if isinstance(data, list) and data:
        data = data[0]
    if not isinstance(data, dict):
        return ServiceFault()
    fault = fault_of(data.get("error", data))
    # The status says whether it may pass; of what the body says only what it comes to weighs more.
    return fault if fault.kind else msgspec.structs.replace(fault, final=False)


def fault_of(error: object, status: object = None) -> ServiceFault:
    """What an error object (or a bare message) says. ``status``: that came with it, where there is no other."""
    given = object_in(error)
    inner = object_in(object_in(given.get("innererror")).get("content_filter_result"))
    message = text_in(given.get("message")) or text_in(given.get("detail")) or text_in(error)
    code, kind = _word(given.get("code")), text_in(given.get("type"))
    fault = _fault(message, code or kind, {code, kind}, filtered=bool(inner))
    if fault.kind:
        return fault
    number = _word(status) or code
    known = len(number) == 3 and number.isdecimal() and number.isascii()
    if known:
        final = number < "500" and number not in RETRYABLE_STATUS
    else:
        final = kind == "invalid_request_error"
    wait = _seconds(object_in(given.get("headers")))
    return msgspec.structs.replace(fault, final=final, retry_after=wait, status=int(number) if known else 0)


def _fault(message: str, code: str, words: set[str], *, filtered: bool) -> ServiceFault:
    if words & NO_CREDIT:
        return ServiceFault(message=message, code=code, final=True, kind="no_credit")
    if words & TOO_LONG or (not words & TRANSIENT and _TOO_LONG.search(message)):
        return ServiceFault(message=message, code=code, final=True, kind="context_length")
    if filtered or words & REFUSED:
        return ServiceFault(message=message, code=code, final=True, kind="refused")
    return ServiceFault(message=message, code=code)


def _word(value: object) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text_in(value)


def _seconds(headers: dict[str, object]) -> float | None:
    """The wait that headers within an error ask for, as errors on a socket have them."""
    named = {name.lower(): text_in(value) for name, value in headers.items()}
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if named.get(name, "").replace(".", "", 1).isdigit():
            return float(named[name]) * scale
    return None
