"""What the examples' spoken tests share: a call of recorded callers in a process of its own, on the real local models."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from antiphon.local.store import Store

ROOT = Path(__file__).parents[2]
SMALL = ("silero-vad", "smart-turn-v3.2", "moonshine-base-en", "piper-joe")
DEFAULT = "qwen2.5-coder-1.5b"

Transcript = Callable[..., str]


def needs(*names: str) -> None:
    store = Store()
    missing = [name for name in names if not store.installed(name)]
    if missing and os.environ.get("CI") == "true" and DEFAULT not in missing:
        store.ensure(missing)
    elif missing:
        pytest.skip(f"models are missing: antiphon models pull {' '.join(missing)}")


def call(callers: Sequence[Path], *program: str) -> str:
    done = subprocess.run(
        [sys.executable, *program, "console", "--wav", *map(str, callers)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def heard() -> Transcript:
    """The transcript of a call: local ears and voice are real; what the model would choose is the program's script."""
    needs(*SMALL)
    return call


@pytest.fixture
def heard_by_the_default_model() -> Transcript:
    """The transcript of a call in which the default model chooses too. Large: only where the tester asks for it."""
    if not os.environ.get("ANTIPHON_LARGE_MODELS"):
        pytest.skip("set ANTIPHON_LARGE_MODELS=1 to run it")
    needs(*SMALL, DEFAULT)
    return call
