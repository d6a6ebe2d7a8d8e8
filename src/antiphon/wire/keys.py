"""API keys: where they are read from, and the error for one that is missing.

Owns: the rule that a key is asked for before a call begins, and goes to its own service alone. Never: what is done with it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from antiphon.errors import ConfigurationError
from antiphon.wire.address import host_of, is_loopback

PLACEHOLDER = "none"


def key_for(
    name: str,
    *,
    given: str | None,
    variable: str,
    where: str,
    base_url: str,
    home: str,
    environ: Mapping[str, str] | None = None,
) -> str:
    """The key for a service. ``variable``: the environment variable it is read from. ``where``: the page where one is made.
    ``home``: the service's own address: the key in the variable goes there and nowhere else. A simulator or a proxy on this
    machine gets a placeholder unless a key was ``given``.

    Raises ``ConfigurationError`` where there is none.
    """
    if given is not None and given.strip():
        return given.strip()
    host = host_of(base_url)
    found = (os.environ if environ is None else environ).get(variable, "").strip()
    if host == host_of(home):
        if found:
            return found
        raise ConfigurationError(f"{name} needs an API key.", hint=f"Set {variable}. Keys are made at {where}.")
    if is_loopback(host):
        return PLACEHOLDER
    raise ConfigurationError(
        f"{name} at {host} needs a key of its own: {variable} is for {host_of(home)}.", hint="Pass api_key=."
    )
