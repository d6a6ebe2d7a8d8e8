"""A rig: a model whose service can be made to fail. One for each simulator, and one for the scripted models."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Rig(Protocol):
    """``fault``: a name of the fault table. Gives the model within a context that starts and ends the service, or ``None``
    where this service cannot be made to fail so."""

    def __call__(self, fault: str) -> AbstractAsyncContextManager[Any] | None: ...
