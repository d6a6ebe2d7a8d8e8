"""Running somebody's program as ``antiphon VERB app.py ARGS``: the program runs as ``__main__``, as if by python."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from antiphon.cli import run as runner
from antiphon.errors import ConfigurationError


def run_app(verb: str, words: Sequence[str]) -> int:
    """Run the program named first in ``words`` with ``verb`` and the rest. Returns the exit status."""
    if not words or words[0] in ("-h", "--help"):
        return runner.run_verb(None, [verb, "--help"], prog=f"antiphon {verb} app.py")
    if words[0].startswith("-"):
        raise ConfigurationError(
            f"Which program? Its path comes right after {verb!r}.", hint=f"antiphon {verb} app.py {' '.join(words)}"
        )
    path = Path(words[0])
    if not path.is_file():
        raise ConfigurationError(
            f"There is no file {words[0]!r}.",
            hint="Pass the path of a Python program that calls antiphon.run(entrypoint).",
        )
    before = sys.argv, list(sys.path)
    calls = runner.calls
    try:
        sys.argv = [str(path), verb, *words[1:]]
        sys.path.insert(0, str(path.resolve().parent))
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as stop:
        return _status(stop)
    finally:
        sys.argv, sys.path[:] = before
    if runner.calls == calls:
        raise ConfigurationError(
            f"{words[0]} has no entrypoint: it ended without calling antiphon.run().",
            hint='Its last lines should be: if __name__ == "__main__": run(entrypoint)',
        )
    return 0


def _status(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code
    print(stop.code, file=sys.stderr)
    return 1
