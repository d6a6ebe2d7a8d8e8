"""Retry schedule and the reading of error headers."""

from __future__ import annotations

import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from antiphon.errors import ContextLengthError, ModelError, RefusedError
from antiphon.wire import http
from antiphon.wire.faults import Service, connection_error, retry_after, without_key
from antiphon.wire.retry import RetryPolicy


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "2"}, 2.0),
        ({"Retry-After": "2", "retry-after-ms": "250"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:10 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 10.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:27:00 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:10 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e99"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_the_schedule() -> None:
    policy = RetryPolicy(delays=(0.0, 0.4), budget=3.0)
    error = ModelError("x")

    def wait(attempt: int, elapsed: float, jitter: float = 0.0, error: ModelError = error) -> float | None:
        return policy.wait(error, attempt=attempt, elapsed=elapsed, jitter=lambda: jitter)

    assert wait(0, 0.1) == 0.0 and wait(1, 0.1) == 0.4 and wait(1, 0.1, 1.0) == 0.5
    assert wait(2, 0.1) is None and wait(1, 2.9) is None
    assert wait(0, 0.0, error=ModelError("x", retryable=False)) is None
    assert wait(0, 0.5, error=ModelError("x", retry_after=2.0)) == 2.0
    assert wait(0, 1.5, error=ModelError("x", retry_after=2.0)) is None


KEY = ConnectionKey("h", 443, True, True, None, None, None)
SERVICE = Service(name="ollama", base_url="http://h/v1", model="m", start_hint="Start it with: serve {model}")


@pytest.mark.parametrize(
    ("error", "says", "retryable"),
    [
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "not known")), "no address", True),
        (
            aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version")),
            "secure connection.*certificates",
            False,
        ),
        (aiohttp.ClientConnectorError(KEY, OSError(111, "Connection refused")), "refused.*running.*serve m", True),
        (aiohttp.InvalidURL("x"), "not an address", False),
        (aiohttp.ServerDisconnectedError(), "broke.*Disconnected", True),
        (ConnectionResetError(104, "reset"), "broke.*reset", True),
        (ValueError("newline in header"), "broke.*newline", False),
    ],
)
def test_each_broken_connection_says_what_to_do(error: Exception, says: str, retryable: bool) -> None:
    found = connection_error(SERVICE, error)
    assert found.retryable is retryable
    with pytest.raises(ModelError, match=says):
        raise found


def test_a_proxy_is_used_for_others_but_never_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3129")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert http.proxy_for("https://api.example/v1/x") == "http://proxy.example:3129"
    assert http.proxy_for("http://api.example/v1/x") == "http://proxy.example:3128"
    for local in ("http://127.0.0.1:8080/v1", "http://localhost/v1", "http://[::1]:80/v1", "http://inside.example/v1"):
        assert http.proxy_for(local) is None


SECRET = "sk-proj-abcdefghij0123456789"


@pytest.mark.parametrize(
    "error",
    [
        ModelError(f"Bad {SECRET}", hint=f"Not {SECRET}.", status=401, retry_after=2.0, code=SECRET, retryable=False),
        ContextLengthError(f"Too long for {SECRET}", status=400),
        RefusedError(f"No {SECRET}", category=SECRET, status=400),
        ModelError(f"Cut within: {SECRET[:15]}"),
    ],
)
def test_a_key_is_taken_out_of_all_that_an_error_says_and_the_error_stays_what_it_is(error: ModelError) -> None:
    kind, status, wait = type(error), error.status, error.retry_after
    cleaned = without_key(error, SECRET)
    said = f"{cleaned} {cleaned!r} {vars(cleaned)}"
    assert SECRET[:12] not in said and "***" in said
    assert type(cleaned) is kind and (cleaned.status, cleaned.retry_after) == (status, wait)


def test_a_placeholder_is_no_secret() -> None:
    assert str(without_key(ModelError("There is none."), "none")) == "There is none."
