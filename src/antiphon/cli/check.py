"""``antiphon check app.py``: what would be lost if the process of a call died and another went on with it."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from antiphon.agents.agent import Agent
from antiphon.cli.screen import Screen
from antiphon.cli.takeover_checks import losses
from antiphon.errors import ConfigurationError


def main(words: Sequence[str]) -> int:
    """Import the program, which does not run, and look at its agents. Returns 0 when nothing would be lost, else 1."""
    parser = argparse.ArgumentParser(prog="antiphon check", description=__doc__)
    parser.add_argument("app", help="path of a Python program")
    path = Path(parser.parse_args(words).app)
    before = set(sys.modules)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        program = _imported(path)
        own = {program.__name__, *(set(sys.modules) - before)}
        kinds = [
            kind for kind in _below(Agent) if kind.__module__ in own and not kind.__module__.startswith("antiphon.")
        ]
        found = [finding for kind in kinds for finding in losses(kind)]
    finally:
        sys.path.pop(0)
    screen = Screen(sys.stdout)
    for finding in found:
        screen.line(f"  {screen.style('!', 'yellow')} {finding.name:30} {finding.detail}")
        screen.line(f"    {'':30} mend: {finding.mend}")
    agents = f"{len(kinds)} agent{'' if len(kinds) == 1 else 's'}"
    screen.line(f"{agents}: {len(found) or 'nothing'} would be lost at a takeover.")
    return 1 if found else 0


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"There is no Python program {str(path)!r}.", hint="Pass the path of a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _below(kind: type[Agent]) -> Iterator[type[Agent]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
