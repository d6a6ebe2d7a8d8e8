"""From a row and a model's name to what a language model object is made of: codec, address, key, capabilities.

Owns: which key goes to which host, which addresses are refused. Never: sockets, formats.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import msgspec

from antiphon.errors import ConfigurationError
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.provider_row import ModelFacts, ProviderRow
from antiphon.wire.address import ALLOW_INSECURE, checked_base_url
from antiphon.wire.deadlines import LOCAL, REMOTE, Deadlines
from antiphon.wire.faults import Service

OWN_SERVER_KEY = "OPENAI_COMPATIBLE_API_KEY"
"""Key for a server that only speaks a vendor's format: the vendor's own key is never sent to another host."""


class LLMService(msgspec.Struct, frozen=True):
    """What a model object is made of."""

    codec: Any
    service: Service
    provider: str
    key: str
    capabilities: LLMCapabilities
    deadlines: Deadlines


def llm_service(
    row: ProviderRow,
    model: str,
    *,
    facts: ModelFacts | None = None,
    base_url: str = "",
    api_key: str | None = None,
    allow_insecure: bool = False,
    options: Mapping[str, Any] | None = None,
    quirks: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> LLMService:
    """``base_url``: instead of the row's; on another host than the row's it is taken for a server that only speaks the format:
    the row's quirks and its key do not go there. ``api_key``: sent wherever the model is. ``quirks``: further ones.

    Raises ``ConfigurationError`` for a missing key or endpoint, and for an address that is refused.
    """
    environ = os.environ if environ is None else environ
    allow_insecure = allow_insecure or environ.get(ALLOW_INSECURE, "") == "1"
    name = f"{row.prefix}/{model}"
    home = _home(row, environ, name, wanted=not base_url)
    address = checked_base_url(base_url or home, allow_insecure=allow_insecure)
    elsewhere = bool(base_url) and not row.local and not _at_home(address, home, row)
    key = _key(row, name, address, given=api_key, elsewhere=elsewhere, environ=environ)
    module, _, attribute = row.codec.partition(":")
    codec = getattr(import_module(module), attribute)
    known = {**({} if elsewhere else row.quirks), **(quirks or {})}
    if facts is not None and facts.shutdown and not elsewhere:
        import logging

        logging.getLogger("antiphon").warning(
            "%s is shut down by its service on %s: choose another model.", name, facts.shutdown
        )
    hint = "" if elsewhere else row.model_hint
    if facts is not None and facts.shutdown and hint:
        hint = f"It was to be shut down on {facts.shutdown}: choose another model."
    return LLMService(
        codec=codec(codec.Quirks(**known), options),
        service=Service(
            name=row.prefix,
            base_url=address,
            model=model,
            key_variable=OWN_SERVER_KEY if elsewhere else row.key_variable,
            key_hint=_key_hint(address) if elsewhere else "",
            start_hint=row.start_hint,
            model_hint=hint,
        ),
        provider=row.vendor or row.prefix,
        key=key,
        capabilities=LLMCapabilities(
            tools=row.tools or elsewhere,
            parallel_tools=row.parallel_tools or elsewhere,
            images=not elsewhere and (facts.images if facts is not None else row.images),
            audio=not elsewhere and model.startswith(row.listening_models),
        ),
        deadlines=LOCAL if row.local or elsewhere else REMOTE,
    )


def _key_hint(address: str) -> str:
    return f"Pass api_key= with a key that is valid for {address}; a model string takes it from {OWN_SERVER_KEY}."


def _home(row: ProviderRow, environ: Mapping[str, str], name: str, *, wanted: bool) -> str:
    """The row's own address, with the user's endpoint in it."""
    if not row.endpoint_variable:
        return row.base_url
    endpoint = environ.get(row.endpoint_variable, "").strip().rstrip("/")
    if not endpoint and wanted:
        raise ConfigurationError(
            f"{name} needs the address of your resource.",
            hint=f"Set {row.endpoint_variable}, as in https://NAME.openai.azure.com.",
        )
    return row.base_url.replace("{endpoint}", endpoint) if endpoint else ""


def _at_home(address: str, home: str, row: ProviderRow) -> bool:
    """Whether the address is the row's service: the same host, or one of those that belong to it."""
    host = urlsplit(address).hostname or ""
    own = urlsplit(home).hostname
    return host == own or any(host == name or host.endswith(f".{name}") for name in row.key_hosts)


def _key(
    row: ProviderRow, name: str, address: str, *, given: str | None, elsewhere: bool, environ: Mapping[str, str]
) -> str:
    if given is not None:
        return given.strip()
    key = environ.get(OWN_SERVER_KEY if elsewhere else row.key_variable, "").strip()
    if not key and row.key_needed and not elsewhere:
        where = f" Keys are made at {row.key_url}." if row.key_url else ""
        raise ConfigurationError(
            f"{name} needs an API key.",
            hint=f"Set {row.key_variable}.{where} Without a key: ollama/MODEL, or leave llm= out for the local model.",
        )
    return key
