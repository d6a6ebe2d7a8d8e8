"""What can go wrong on the way to a service, as typed errors that say what to do next.

Owns: status, headers and socket errors -> ``ModelError``; that none of them shows a key. Never: retries, sockets.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from antiphon.errors import ContextLengthError, ModelError, RefusedError
from antiphon.models.codec import NO_CREDIT, ServiceFault

RETRYABLE = frozenset({408, 409, 425, 429})
PLACEHOLDERS = 8
"""Characters of the shortest real key: what is shorter is a placeholder, and may be a word."""
KEY_HEAD = 12
"""Characters of a key's beginning that are secret already; fewer are the same in every key of a service."""


class Service(msgspec.Struct, frozen=True):
    """The service as error messages speak of it. ``key_variable``: where its key is read from (empty: it needs none).
    ``key_hint``: what to do about its key, where that is not all. ``start_hint`` / ``model_hint``: what to do when nothing listens / when it does not have the model."""

    name: str
    base_url: str
    model: str = ""
    key_variable: str = ""
    key_hint: str = ""
    start_hint: str = ""
    model_hint: str = ""


def status_error(service: Service, status: int, headers: Mapping[str, str], fault: ServiceFault) -> ModelError:
    """The error for an HTTP answer that is not a success."""
    said = f": {fault.message}" if fault.message else ""
    text = f"{service.name} answered with HTTP {status}{said}".rstrip(".") + "."
    if fault.kind == "context_length":
        return ContextLengthError(text, status=status)
    if fault.kind == "refused":
        return RefusedError(text, category=fault.code, status=status)
    retryable = (status in RETRYABLE or status >= 500) and not fault.final
    hint = NO_CREDIT if fault.kind == "no_credit" else _hint(service, status)
    if 300 <= status < 400:
        hint = f"Give the address it redirects to ({headers.get('Location', 'unknown')}) as the base URL."
    wait = retry_after(headers)
    if wait is None:
        wait = fault.retry_after
    return ModelError(text, hint=hint, retryable=retryable, status=status, retry_after=wait, code=fault.code)


def with_hint(service: Service, error: ModelError) -> ModelError:
    """An error that came with a status within an answer says what to do, as one that came in its place."""
    if error.status and not error.hint:
        error.hint = _hint(service, error.status)
    return error


def _hint(service: Service, status: int) -> str:
    """What to do about a status."""
    if status in (401, 403):
        if service.key_variable:
            return service.key_hint or f"Set {service.key_variable} to a key that is valid for {service.base_url}."
        return f"{service.base_url} wants an API key that was not given."
    if status == 404:
        return (service.model_hint or "Check the model's name and the base URL.").format(model=service.model)
    if status == 429:
        return "The service limits how often it may be asked."
    if status == 529:
        return "The service is overloaded."
    if status in (400, 413, 422):
        return "The service does not accept this request: check the model's options, tools and context length."
    return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the service asks us to wait: ``Retry-After`` (RFC 9110, 10.2.3; a date counts from the answer's own
    ``Date``, so that no clock is needed here) or the finer ``retry-after-ms``."""
    if (fine := _number(headers.get("retry-after-ms"))) is not None:
        return fine / 1000
    value = headers.get("Retry-After")
    if (seconds := _number(value)) is not None:
        return seconds
    from email.utils import parsedate_to_datetime  # here: few answers have such a date, and its import is slow

    try:
        wait = (parsedate_to_datetime(value or "") - parsedate_to_datetime(headers.get("Date") or "")).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, wait)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < 86_400 * 365 else None


def connection_error(service: Service, error: Exception) -> ModelError:
    """The error for a connection that failed or broke."""
    import aiohttp  # here, so that a model object can be made without it

    start = service.start_hint.format(model=service.model)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return ModelError(
            f"No secure connection to {service.name} at {service.base_url}: {error}.",
            hint="Check the address, the machine's clock and its certificates.",
            retryable=False,
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ModelError(
            f"The host of {service.base_url} has no address.",
            hint="Check the base URL and the machine's network connection.",
        )
    if isinstance(error, aiohttp.InvalidURL):
        return ModelError(f"{service.base_url} is not an address.", hint="Write http://HOST:PORT/v1.", retryable=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        return ModelError(
            f"Nothing answers at {service.base_url} ({error.os_error.strerror or error.os_error}).",
            hint=f"Is the server running? {start}".strip(),
        )
    # A response error's own text holds the whole address, with whatever is in its query.
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return ModelError(
        f"The connection to {service.name} at {service.base_url} broke ({type(error).__name__}: {said[:200]}).",
        retryable=not isinstance(error, ValueError),
    )


def deadline_error(service: Service, what: str, seconds: float) -> ModelError:
    """The error for a deadline that passed: ``what`` was waited for in vain."""
    return ModelError(f"{service.name} at {service.base_url} gave no {what} within {seconds:g} s.")


def without_key(error: ModelError, key: str) -> ModelError:
    """The same error object, with ``key`` taken out of everything it says: services repeat a wrong key in their answers, and
    a text that was cut may end within it."""
    if len(key) < PLACEHOLDERS:
        return error
    for name, value in vars(error).items():
        if isinstance(value, str):
            setattr(error, name, _cleaned(value, key))
    error.args = tuple(_cleaned(value, key) if isinstance(value, str) else value for value in error.args)
    return error


def _cleaned(text: str, key: str) -> str:
    head, at = key[:KEY_HEAD], 0
    while (at := text.find(head, at)) >= 0:
        end = next(n for n in range(len(key), 0, -1) if text.startswith(key[:n], at))
        text = f"{text[:at]}***{text[at + end :]}"
        at += 3
    return text
