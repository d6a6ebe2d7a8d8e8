"""The real small models, loaded once for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from antiphon.local.hosts import InProcessHost
from antiphon.local.store import Store

NEEDED = ("silero-vad", "smart-turn-v3.2", "moonshine-base-en", "piper-joe", "smollm2-135m")


@pytest.fixture(scope="session")
def store() -> Store:
    """The user's store with the models that the tests need. Where they are missing: fetched in CI, else skipped."""
    store = Store()
    if not all(store.installed(name) for name in NEEDED):
        if os.environ.get("CI") != "true":
            pytest.skip(f"models are missing: antiphon models pull {' '.join(NEEDED)}")
        store.ensure(NEEDED)
    return store


@pytest.fixture(scope="session")
def host(store: Store) -> Iterator[InProcessHost]:
    """The models in this process."""
    import onnxruntime

    onnxruntime.set_seed(7)
    host = InProcessHost(store)
    yield host
    host.engine.close()
