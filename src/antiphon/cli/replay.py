"""``antiphon replay call.jsonl``: the inputs of a recorded log through this build's kernel; the facts must be the same."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec


def main(words: Sequence[str]) -> int:
    """Replay each log. Returns 0 when all gave the same facts, else 1. Raises ``FormatError`` for what is no log."""
    parser = argparse.ArgumentParser(prog="antiphon replay", description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="event log (console --log writes one)")
    parser.add_argument("--json", action="store_true", help="one JSON object per log")
    options = parser.parse_args(words)

    from antiphon.testing.replay import replay

    same = True
    for path in options.logs:
        report = replay(path)
        same = same and report.same
        if options.json:
            print(msgspec.json.encode({"log": str(path), **msgspec.to_builtins(report)}).decode())
        else:
            print(f"{path}: {report}")
    return 0 if same else 1
