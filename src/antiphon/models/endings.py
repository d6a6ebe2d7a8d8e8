"""How a socket, a request or a synthesis ends badly, and what that means.

Owns: the usual meaning of close codes and statuses (RFC 6455, 7.4.1; RFC 9110, 15). Never: sockets, retries.
"""

from __future__ import annotations

import msgspec


class Closed(msgspec.Struct, frozen=True):
    """The service closed the socket. ``code`` 1006: it broke without a word (RFC 6455, 7.4.1)."""

    code: int
    reason: str = ""


class Refused(msgspec.Struct, frozen=True):
    """The handshake was answered with another status than 101. ``retry_after``: the wait it asked for, in seconds."""

    status: int
    body: bytes = b""
    retry_after: float | None = None


class ServiceError(msgspec.Struct, frozen=True):
    """An error message of the service. ``context``: of the synthesis it concerns, empty for the socket."""

    message: str
    code: str = ""
    status: int = 0
    context: str = ""


Ending = Closed | Refused | ServiceError


class Failure(msgspec.Struct, frozen=True):
    """What an ending means. ``retryable``: the same service may do better if asked again (on a new socket); another
    service may be tried in any case. ``hint``: what the user can do. ``retry_after``: seconds. ``status``: HTTP status, 0
    where there was none."""

    message: str
    retryable: bool = True
    retry_after: float | None = None
    hint: str = ""
    status: int = 0


NEVER_AGAIN = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
"""Close codes that say that the request is wrong; all others may be tried again."""
RETRYABLE_STATUS = frozenset({408, 409, 425, 429})


def failure_of(service: str, ending: Ending, *, said: str = "", final: bool = False) -> Failure:
    """The usual meaning of an ending; a codec rules on its service's exceptions first. ``said``: the service's own words
    from a refusal's body. ``final``: asking again cannot help."""
    if isinstance(ending, Closed):
        reason = f": {ending.reason[:200]}" if ending.reason else ""
        text = f"{service} closed the connection ({ending.code}{reason})."
        return Failure(text, retryable=ending.code not in NEVER_AGAIN and not final)
    status = ending.status
    words = said or (ending.message if isinstance(ending, ServiceError) else "")
    answer = f"answered with HTTP {status}" if isinstance(ending, Refused) else "reported an error"
    text = f"{service} {answer}{f': {words[:300]}' if words else ''}".rstrip(".") + "."
    retryable = not final and (status == 0 or status in RETRYABLE_STATUS or status >= 500)
    hint = ""
    if status in (401, 403):
        hint = f"Check the API key of {service}."
    elif status == 402:
        hint = f"The {service} account has no credit left."
    elif status == 429:
        hint = f"{service} limits how much may be asked of it at once."
    elif 300 <= status < 400:
        hint = "Redirects are not followed: give the final address as the base URL."
    elif 400 <= status < 500:
        hint = "Check the model's name and its options."
    wait = ending.retry_after if isinstance(ending, Refused) else None
    return Failure(text, retryable=retryable, retry_after=wait, hint=hint, status=status)
