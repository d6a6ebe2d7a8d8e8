"""What was proven of each provider, how, and when: data, each entry with the test that shows it.

``schema``: what is sent and what simulators send is valid by the vendor's own schema. ``sdk``: the vendor's own client library
completes the conversation against the simulator. ``recording``: traffic recorded from the real service is understood.
``live``: the kit ran against the real service.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

ProofKind = Literal["schema", "sdk", "recording", "live"]


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``test``: ``path::name`` in the project. ``as_of``: the day on which it last held."""

    provider: str
    kind: Literal["stt", "llm", "tts"]
    proof: ProofKind
    as_of: str
    test: str
    note: str = ""


@cache
def proofs() -> tuple[Proof, ...]:
    """All of ``providers/data/verified.json``."""
    data = files("antiphon.providers").joinpath("data", "verified.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Proof, ...])


def proofs_of(provider: str, kind: str) -> list[Proof]:
    return [proof for proof in proofs() if (proof.provider, proof.kind) == (provider, kind)]
