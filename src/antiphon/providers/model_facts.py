"""What is known of single language models: ``data/llm_models.json``, with the date of its facts.

Owns: reading it. Never: prices.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from antiphon.models.provider_row import ModelFacts


class ModelList(msgspec.Struct, frozen=True):
    """The file. ``as_of``: the day on which its facts were looked up (ISO 8601)."""

    as_of: str
    models: list[ModelFacts]


@cache
def model_list() -> ModelList:
    """All of it."""
    file = Path(__file__).parent / "data" / "llm_models.json"
    return msgspec.json.decode(file.read_bytes(), type=ModelList)


def facts_of(provider: str, model: str) -> ModelFacts | None:
    """What is known of a provider's model, if anything."""
    return next((facts for facts in model_list().models if facts.provider == provider and facts.id == model), None)
