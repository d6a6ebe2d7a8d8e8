"""The address of a LiveKit server, as people write it."""

from __future__ import annotations

import re

from yarl import URL

from antiphon.errors import ConfigurationError


def server_address(url: str) -> URL:
    """By http(s). Raises ``ConfigurationError`` for what is none; a password is not repeated there."""
    try:
        made = URL(url)
        known = made.scheme in ("ws", "wss", "http", "https") and bool(made.host)
    except ValueError:
        known = False
    if not known:
        raise ConfigurationError(
            f"{_shown(url)!r} is not the address of a LiveKit server.",
            hint="Write LIVEKIT_URL=wss://HOST or ws://127.0.0.1:7880.",
        )
    if made.user or made.password:
        raise ConfigurationError(
            f"There is a user or password in the address {_shown(url)!r}: a LiveKit server knows none.",
            hint="Write LIVEKIT_URL=wss://HOST, and the key as LIVEKIT_API_KEY and LIVEKIT_API_SECRET.",
        )
    return made.with_scheme({"ws": "http", "wss": "https"}.get(made.scheme, made.scheme)).with_query(None)


def _shown(url: str) -> str:
    """Without what may be a password."""
    return re.sub(r"^.*@", "...@", url).partition("?")[0]
