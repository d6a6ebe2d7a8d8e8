"""What is known of each provider: rows of the registry with their capabilities, prices and proofs.

Owns the composition. Never: printing, running anything against a service.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

import msgspec

from antiphon.models.prices import Price
from antiphon.providers import registry
from antiphon.providers.prices import bundled_prices
from antiphon.providers.verification import Proof, proofs_of
from antiphon.wire.resolve import llm_from_string

NO_KEY = "not-a-key"
"""Stands in for a key where a model is only looked at."""
NO_ENDPOINT = "https://NAME.openai.azure.com"


class ProviderEntry(msgspec.Struct, frozen=True):
    """``name``: as model strings begin. ``example``: such a string. ``configured``: it can be used as things are: its key is
    set, or it needs none. ``verified``: the kinds of proof, ``as_of`` the day of the latest one."""

    name: str
    kind: Literal["stt", "llm", "tts"]
    example: str
    key_variable: str
    configured: bool
    capabilities: dict[str, Any]
    prices: list[Price]
    verified: list[str]
    as_of: str
    proofs: list[Proof]
    local: bool = False


def entries(environ: Mapping[str, str]) -> list[ProviderEntry]:
    """All providers, by name and kind."""
    found = [_llm(row, environ) for row in registry.ROWS] + [_speech(row, environ) for row in registry.SPEECH]
    return sorted(found, key=lambda entry: (entry.name, entry.kind))


def _llm(row: registry.ProviderRow, environ: Mapping[str, str]) -> ProviderEntry:
    prices = _prices("llm", row.prefix)
    example = f"{row.prefix}/{'MODEL' if row.local else row.example}"
    model = llm_from_string(example, environ={row.key_variable: NO_KEY, row.endpoint_variable: NO_ENDPOINT})
    wanted = [variable for variable in (row.key_variable, row.endpoint_variable) if variable]
    configured = not row.key_needed or all(environ.get(variable, "").strip() for variable in wanted)
    return _entry(row.prefix, "llm", example, row.key_variable, configured, model.capabilities, prices, local=row.local)


def _speech(row: registry.SpeechRow, environ: Mapping[str, str]) -> ProviderEntry:
    module, _, attribute = row.factory.partition(":")
    front = import_module(module)
    model = getattr(front, attribute)(model=row.model, api_key=NO_KEY)
    variable = front.KEY_VARIABLE
    configured = bool(environ.get(variable, "").strip())
    example = f"{row.prefix}/{row.model}"
    return _entry(
        row.prefix, row.kind, example, variable, configured, model.capabilities, _prices(row.kind, row.prefix)
    )


def _prices(kind: str, prefix: str) -> list[Price]:
    table = bundled_prices()
    names = (f"{prefix}/", f"{table.same.get(prefix, prefix)}/")
    return [
        msgspec.structs.replace(row, as_of=row.as_of or table.as_of)
        for row in table.prices
        if row.kind == kind and row.model.startswith(names)
    ]


def _entry(
    name: str,
    kind: Literal["stt", "llm", "tts"],
    example: str,
    key_variable: str,
    configured: bool,
    capabilities: msgspec.Struct,
    prices: list[Price],
    *,
    local: bool = False,
) -> ProviderEntry:
    proofs = proofs_of(name, kind)
    return ProviderEntry(
        name=name,
        kind=kind,
        example=example,
        key_variable=key_variable,
        configured=configured,
        capabilities=msgspec.to_builtins(capabilities),
        prices=prices,
        verified=sorted({proof.proof for proof in proofs}),
        as_of=max((proof.as_of for proof in proofs), default=""),
        proofs=proofs,
        local=local,
    )
