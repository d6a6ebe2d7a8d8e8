"""ICE servers of a call: what page and leg use to find each other through firewalls. None unless they are configured."""

from __future__ import annotations

import base64
import hashlib
import hmac
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from antiphon.errors import ConfigurationError
from antiphon.transport.webrtc.ice_servers import IceServer, server_addresses

IceServers = Sequence[IceServer | Mapping[str, Any]]
IceSource = IceServers | Callable[[], IceServers | Awaitable[IceServers]]
"""Servers, or a function that gives them anew for each page (credentials that expire)."""


def turn_credentials(secret: str, *, now: float, user: str = "", ttl: float = 3600.0) -> tuple[str, str]:
    """User name and password that a TURN server accepts for ``ttl`` seconds.

    ``secret``: shared with the server (coturn: ``static-auth-secret``). ``now``: seconds since the epoch. As in
    draft-uberti-behave-turn-rest: the name is the time of expiry and the password its HMAC-SHA1, in base64.
    """
    name = f"{int(now + ttl)}:{user}" if user else str(int(now + ttl))
    digest = hmac.new(secret.encode(), name.encode(), hashlib.sha1).digest()
    return name, base64.b64encode(digest).decode()


async def servers_of(source: IceSource) -> tuple[IceServer, ...]:
    """The servers for one page. Raises ``ConfigurationError`` for what is none; a function's own errors pass."""
    given: Any = source
    if callable(source):
        given = source()
        if inspect.isawaitable(given):
            given = await given
    servers = tuple(_server(one) for one in given)
    server_addresses(servers)
    return servers


def _server(given: Any) -> IceServer:
    try:
        return given if isinstance(given, IceServer) else msgspec.convert(dict(given), IceServer)
    except (TypeError, ValueError, msgspec.ValidationError) as error:
        raise ConfigurationError(
            f"ice_servers: {given!r} is no ICE server ({error}).", hint="Write: IceServer('turn:HOST:3478', ...)."
        ) from error


def for_browser(servers: Sequence[IceServer]) -> list[dict[str, Any]]:
    """The servers as a browser's ``iceServers``: credentials only where there are some."""
    return [{key: value for key, value in msgspec.to_builtins(server).items() if value} for server in servers]
