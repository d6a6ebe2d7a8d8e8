"""STUN and TURN servers as a browser's ``iceServers`` names them (RFC 7064, 7065). None is built in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from antiphon.errors import ConfigurationError

_URL = re.compile(
    r"(?P<scheme>stun|stuns|turn|turns):(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?:\?transport=(?P<transport>udp|tcp))?"
)
_MOST = 8


class IceServer(msgspec.Struct, frozen=True):
    """``urls``: ``stun:host[:port]``, ``turn:host[:port][?transport=udp|tcp]`` or ``turns:host[:port]``; TURN needs
    ``username`` and ``credential``."""

    urls: str | tuple[str, ...]
    username: str = ""
    credential: str = ""


class StunServer(NamedTuple):
    host: str
    port: int
    name: str


class TurnServer(NamedTuple):
    host: str
    port: int
    name: str
    username: str
    credential: str
    transport: Literal["udp", "tcp"]
    tls: bool


def server_addresses(servers: Sequence[IceServer]) -> list[StunServer | TurnServer]:
    """Each URL once, in order. Raises ``ConfigurationError`` for one that cannot be used."""
    found: list[StunServer | TurnServer] = []
    for server in servers:
        for url in (server.urls,) if isinstance(server.urls, str) else server.urls:
            each = _server(url, server)
            if each not in found:
                found.append(each)
    if len(found) > _MOST:
        raise ConfigurationError(
            f"There are more than {_MOST} ICE servers.", hint="One STUN and two TURN servers are plenty."
        )
    return found


def _server(url: str, server: IceServer) -> StunServer | TurnServer:
    match = _URL.fullmatch(url)
    if match is None or match["scheme"] == "stuns":
        raise ConfigurationError(
            f"This is no ICE server that can be used: {url!r}.",
            hint="Write stun:host:port, turn:host:port?transport=udp (or tcp), or turns:host:port.",
        )
    tls = match["scheme"] == "turns"
    host = match["host"].strip("[]")
    port = int(match["port"] or (5349 if tls else 3478))
    if not 0 < port < 65536:
        raise ConfigurationError(f"The port of the ICE server {url!r} does not exist.")
    if match["scheme"] == "stun":
        return StunServer(host, port, url)
    if not server.username or not server.credential:
        raise ConfigurationError(
            f"The TURN server {url!r} needs a username and a credential.", hint="Short-lived ones: docs/webrtc.md."
        )
    transport: Literal["udp", "tcp"] = "tcp" if tls or match["transport"] == "tcp" else "udp"
    return TurnServer(host, port, url, server.username, server.credential, transport, tls)
