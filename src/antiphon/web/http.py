"""HTTP as plain values: requests, responses, and what is served besides the socket (the playground, the client, a check).

Knows no web framework; the adapters turn theirs into these.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Protocol

import msgspec

PAGE_POLICY = (
    "default-src 'self'; connect-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: everything from here, nothing inline, in nobody's frame."""

HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), speaker-selection=(self), camera=(), geolocation=()",
    "Cache-Control": "no-cache",
}
TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
CLIENTS = ("antiphon.js", "antiphon.mjs")
PLAYGROUND = {"": "index.html", "playground.js": "playground.js", "style.css": "style.css", "icon.svg": "icon.svg"}
SOCKET = "socket"
CHECK = "check"


class Request(msgspec.Struct, frozen=True):
    """``path``: below the place where the routes are mounted, without a leading slash. ``headers``: lower-case names.
    ``address``: of the peer. ``secure``: came by TLS."""

    method: str
    path: str
    headers: dict[str, str]
    address: str
    secure: bool = False


class Response(msgspec.Struct, frozen=True):
    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class Socket(Protocol):
    """A WebSocket that has been accepted."""

    async def receive(self) -> str | None:
        """The next text; ``None`` when the other side is gone or sent what is no text."""
        ...

    async def send(self, text: str) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...


def problem(status: int, error: str, hint: str = "", *, retry_after: float = 0.0) -> Response:
    """An error as JSON, with ``Retry-After`` where waiting helps."""
    body = msgspec.json.encode({"error": error, "hint": hint, "retry_after": retry_after})
    headers = {**HEADERS, "Content-Type": "application/json"}
    if retry_after:
        headers["Retry-After"] = str(max(1, round(retry_after + 0.5)))
    return Response(status, body, headers)


def static(request: Request, *, playground: bool) -> Response | None:
    """A file of ours; ``None`` for a path that is none."""
    name = request.path if request.path in CLIENTS else PLAYGROUND.get(request.path) if playground else None
    if name is None:
        return None
    body, tag = _file(name)
    headers = {**HEADERS, "Content-Type": TYPES[name.rpartition(".")[2]], "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(304, b"", headers)
    return Response(200, b"" if request.method == "HEAD" else body, headers)


@cache
def _file(name: str) -> tuple[bytes, str]:
    body = files("antiphon.web").joinpath("static", name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:20]}"'
