"""Addresses of services: how a base URL and a path become the address of a socket, and which are refused.

Owns: the rule that keys and callers' voices do not travel unencrypted. Never: sockets.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlencode, urlsplit

from antiphon.errors import ConfigurationError
from antiphon.models.speech_codec import ConnectSpec

_SOCKET = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}

ALLOW_INSECURE = "ANTIPHON_ALLOW_INSECURE"
"""Environment variable: ``1`` lets model strings name unencrypted addresses of other machines."""


def checked_base_url(url: str, *, allow_insecure: bool = False) -> str:
    """The base URL of a speech service, without a slash at its end. Raises ``ConfigurationError`` for one that is no
    address, and for an unencrypted one of another machine unless ``allow_insecure``."""
    parts = _parts(url)
    if parts is None or parts.scheme not in _SOCKET or not parts.hostname:
        raise ConfigurationError(f"{url!r} is not an address.", hint="Write https://HOST or wss://HOST.")
    if parts.username or parts.password:
        raise ConfigurationError("A base URL must not hold a password.", hint="Pass the key as api_key=.")
    if parts.query or parts.fragment:
        raise ConfigurationError("A base URL ends with its path.", hint="Pass the service's parameters as options=.")
    if parts.scheme in ("http", "ws") and not is_loopback(parts.hostname) and not allow_insecure:
        raise ConfigurationError(
            f"{parts.scheme}://{parts.netloc} is not encrypted: the key and the caller's voice could be read on the way.",
            hint="Use https:// or wss://, or pass allow_insecure=True (ANTIPHON_ALLOW_INSECURE=1 for model strings) for a network that "
            "you trust.",
        )
    return url.rstrip("/")


def host_of(url: str) -> str:
    """The host of an address that was checked."""
    return urlsplit(url).hostname or ""


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def socket_url(base_url: str, spec: ConnectSpec) -> str:
    """The address of a socket."""
    parts = urlsplit(base_url.rstrip("/") + spec.path)
    return parts._replace(scheme=_SOCKET[parts.scheme], query=urlencode(spec.query)).geturl()


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (read for its check)
    except ValueError:
        return None
    return parts
