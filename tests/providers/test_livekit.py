"""LiveKit's plugins behind the adapter. They run in an environment of their own, as separate processes: all stories of
``tests/livekit_plugins/stories.py`` in one go, each reported here."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from antiphon.errors import ConfigurationError
from antiphon.providers import livekit
from antiphon.session.bindings import resolve

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "tests" / "livekit_plugins"
PYTHON = ROOT / ".cache" / "livekit-plugins" / "bin" / "python"


def stories() -> list[str]:
    tree = ast.parse((PLUGINS / "stories.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef)]
    found = [one.name for one in functions if "story" in map(ast.unparse, one.decorator_list)]
    assert len(found) > 15
    return found


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    if not PYTHON.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("scripts/install-livekit-plugins has not been run")
        pytest.skip("LiveKit's plugins are not installed (scripts/install-livekit-plugins)")
    environment = {
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{PLUGINS}",
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
    }
    done = subprocess.run(
        [PYTHON, PLUGINS / "stories.py"], capture_output=True, text=True, env=environment, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("story", stories())
def test_a_plugin_of_livekits(story: str, outcomes: dict[str, str]) -> None:
    if outcomes[story] != "ok":
        pytest.fail(outcomes[story], pytrace=False)


def test_without_livekit_nothing_is_theirs_and_nothing_of_it_is_imported() -> None:
    with pytest.raises(ConfigurationError, match="not an STT, LLM or TTS of a LiveKit plugin"):
        livekit.adapt(object())
    with pytest.raises(ConfigurationError, match="is not a STT"):
        resolve("stt", ModuleType("stt"))
    script = "import sys, antiphon.providers.livekit; print([n for n in sys.modules if n.startswith('livekit')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
