"""What a model object has asked of its service, over all its streams.

Owns: counts. Never: prices.
"""

from __future__ import annotations

import msgspec


class WireUsage(msgspec.Struct):
    """``streams``: recognitions or syntheses. ``sockets``: opened. ``lost``: of them, those that broke while they were needed.
    ``seconds``: audio sent, what was sent again included. ``characters``: text sent, likewise. ``billed_seconds``,
    ``billed_characters``: as far as the service has said what it bills."""

    streams: int = 0
    sockets: int = 0
    lost: int = 0
    seconds: float = 0.0
    characters: int = 0
    billed_seconds: float = 0.0
    billed_characters: int = 0
