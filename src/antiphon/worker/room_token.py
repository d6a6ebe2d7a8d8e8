"""Tokens of a LiveKit server: what one grants, and a new one that grants the same to another identity.

A token is a JWT signed with the key's secret (RFC 7519, HS256). Its claims without the signature let nobody in: they may be kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

import msgspec

LIFETIME = 6 * 3600
"""Seconds for which a new token lets somebody in."""
PERSONAL = ("iss", "sub", "exp", "nbf", "iat", "jti")
"""Claims that belong to one token; the others say what it grants."""


def grants_of(token: str) -> dict[str, Any]:
    """What ``token`` grants, read without checking its signature; empty where it is no JWT."""
    try:
        body = token.split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, IndexError):
        return {}
    return {name: value for name, value in claims.items() if name not in PERSONAL}


def sign(grants: dict[str, Any], *, key: str, secret: str, identity: str = "", lifetime: int = LIFETIME) -> str:
    """A token with these grants."""
    now = int(time.time())
    claims = {**grants, "iss": key, "nbf": now, "exp": now + lifetime}
    if identity:
        claims["sub"] = identity
    text = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    return f"{text}.{_base64(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def agent_grants(room: str) -> dict[str, Any]:
    """What an agent's participant in ``room`` may do."""
    video = {"roomJoin": True, "room": room, "canPublish": True, "canSubscribe": True, "canPublishData": True}
    return {"video": {**video, "canUpdateOwnMetadata": True, "agent": True}, "kind": "agent"}


def _part(value: dict[str, Any]) -> str:
    return _base64(msgspec.json.encode(value))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
