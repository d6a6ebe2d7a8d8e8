"""Simulators for tests that have no loop of their own to run them on: they get a thread and a loop.

Owns that thread. Never: what a service does.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import Any

from antiphon.testing.simulators.base import Simulator
from antiphon.testing.simulators.registry import simulator_of
from antiphon.testing.simulators.server import serving


class ThreadedSimulators:
    """A context manager; calling it starts a simulator and gives its base URL."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulators", daemon=True)
        self._stack = AsyncExitStack()
        self._running: dict[str, Simulator] = {}

    def __call__(self, name: str, **options: Any) -> str:
        """Start the simulator of this name. Raises ``ConfigurationError`` for a name that is not known."""
        simulator = simulator_of(name)(**options)
        opening = asyncio.run_coroutine_threadsafe(self._stack.enter_async_context(serving(simulator)), self._loop)
        url = opening.result()
        self._running[url] = simulator
        return url

    def of(self, url: str) -> Simulator:
        """The simulator at this address."""
        return self._running[url]

    def __enter__(self) -> ThreadedSimulators:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
