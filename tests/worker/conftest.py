"""Fixtures: the real LiveKit server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.worker.livekit_server import LiveKitProcess, serve


@pytest.fixture(scope="session")
def livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitProcess]:
    """A LiveKit server of this machine."""
    yield from serve(tmp_path_factory.mktemp("livekit"))
