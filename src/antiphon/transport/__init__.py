"""Transports: one kind of leg each, made by name inside the media plane.

A name is a built-in transport (imported when first asked for), one registered here, or ``module:factory`` of any
importable module, which also works where the plane is a process.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from antiphon.audio.leg import LegFactory, LegMedia
from antiphon.errors import ConfigurationError

_BUILT_IN = {
    "wav": "antiphon.transport.wav:make_leg",
    "console": "antiphon.transport.console:make_leg",
    "memory": "antiphon.transport.memory:make_leg",
    "webrtc": "antiphon.transport.webrtc.leg:make_leg",
    "livekit": "antiphon.transport.livekit.leg:make_leg",
}
_registered: dict[str, LegFactory] = {}
_objects: dict[str, LegMedia] = {}


def register(name: str, factory: LegFactory) -> None:
    """Serve ``name`` in this process, before a built-in of that name."""
    _registered[name] = factory


def leg_factory(name: str) -> LegFactory:
    """The factory of a transport. Raises ``ConfigurationError`` for a name nobody knows."""
    if name == "object":
        return _take_object
    if name in _registered:
        return _registered[name]
    module, _, attribute = _BUILT_IN.get(name, name).partition(":")
    if not attribute:
        known = ", ".join(sorted({*_BUILT_IN, *_registered}))
        raise ConfigurationError(f"No transport is called {name!r}.", hint=f"Known: {known}.")
    try:
        factory: LegFactory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"The transport {name!r} cannot be loaded: {error}.") from error
    return factory


def offer_leg(key: str, leg: LegMedia) -> None:
    """Let a plane of this process (thread or inline) take ``leg`` by ``LegSpec("object", {"key": key})``, once."""
    _objects[key] = leg


def withdraw_leg(key: str) -> None:
    """Undo ``offer_leg`` where nobody took the leg."""
    _objects.pop(key, None)


def _take_object(options: Mapping[str, Any]) -> LegMedia:
    key = str(options.get("key", ""))
    try:
        return _objects.pop(key)
    except KeyError:
        raise ConfigurationError(
            f"No leg is offered under {key!r}.", hint="Offer it first; a plane in another process cannot see it."
        ) from None
