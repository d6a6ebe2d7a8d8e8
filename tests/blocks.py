"""Random calls in blocks of seeds."""

from __future__ import annotations

from typing import Any

import pytest


def blocks(count: int) -> list[Any]:
    """``range(count)`` for a test's parameter: coverage measures the first, the others repeat it with other seeds."""
    return [0, *(pytest.param(block, marks=pytest.mark.repeats) for block in range(1, count))]
