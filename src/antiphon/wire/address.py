"""Addresses of services: how a base URL and a path become the address of a socket, and which are refused.

Owns: the rule that keys and callers' voices do not travel unencrypted. Never: sockets.
"""

from __future__ import annotations

import ipaddress

from yarl import URL

from antiphon.errors import ConfigurationError
from antiphon.models.speech_codec import ConnectSpec

_SOCKET = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_HTTP = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def checked_base_url(url: str, *, allow_insecure: bool = False) -> str:
    """The base URL of a speech service, without a slash at its end. Raises ``ConfigurationError`` for one that is no
    address, and for an unencrypted one of another machine unless ``allow_insecure``."""
    try:
        parts = URL(url)
        host, scheme = parts.host or "", parts.scheme
    except (ValueError, IndexError):  # yarl raises the latter for brackets with nothing in them
        host = scheme = ""
    if scheme not in _SOCKET or not host:
        raise ConfigurationError(f"{url!r} is not an address.", hint="Write https://HOST or wss://HOST.")
    if parts.user or parts.password:
        raise ConfigurationError("A base URL must not hold a password.", hint="Pass the key as api_key=.")
    if scheme in ("http", "ws") and not is_loopback(host) and not allow_insecure:
        raise ConfigurationError(
            f"{parts.origin()} is not encrypted: the key and the caller's voice could be read on the way.",
            hint="Use https:// or wss://, or pass allow_insecure=True (ANTIPHON_ALLOW_INSECURE=1 for model strings) for a network that "
            "you trust.",
        )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def socket_url(base_url: str, spec: ConnectSpec) -> str:
    """The address of a socket."""
    url = URL(base_url.rstrip("/") + spec.path)
    return str(url.with_scheme(_SOCKET[url.scheme]).extend_query(list(spec.query)))


def http_url(base_url: str) -> str:
    """The base URL for requests, whichever kind it was written as."""
    url = URL(base_url)
    return str(url.with_scheme(_HTTP[url.scheme])).rstrip("/")
