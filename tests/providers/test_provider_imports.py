"""Providers cost nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest


def python(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("provider", ["cartesia", "deepgram"])
def test_a_provider_is_imported_without_the_network(provider: str) -> None:
    loaded = python(f"import sys; from antiphon.providers import {provider}; print(*sys.modules)").split()
    heavy = {"aiohttp", "asyncio", "numpy", "yarl", "orjson", "opentelemetry"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in loaded)


def test_no_provider_is_imported_unless_it_is_used() -> None:
    loaded = python("import sys, antiphon.session.bindings, antiphon.providers.registry; print(*sys.modules)").split()
    found = {name.removeprefix("antiphon.providers.") for name in loaded if name.startswith("antiphon.providers.")}
    assert found == {"registry", "llm_rows", "openai_compatible_rows"}, "rows of data, and nothing else"
