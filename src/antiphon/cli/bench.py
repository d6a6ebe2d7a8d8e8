"""``antiphon bench``: measures on the user's own recordings."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from antiphon.bench.turn_data import read_rows
from antiphon.bench.turn_report import as_json, as_text, report
from antiphon.bench.turn_scores import score_rows
from antiphon.errors import ConfigurationError
from antiphon.models.turn_detector import TurnDetector

PATIENCE = 60.0
"""Seconds that a detector may take here; in a call a late score counts as none."""

TURNS = """How well a detector tells ends of turns from pauses, on recorded turns.

Prints false cut-offs at 300 and 600 ms mean latency and the latency at 5 and 10 % cut-offs as eot-bench defines them, then
what the policy of a call does, along its one knob; silence alone beside both. Detectors hear nothing that comes after the
moment at which they are asked.

A row of the data: {"id", "audio", "speaker", "text", "spans": [{"start", "end", "label": "hold" | "eot"}]}, seconds;
optional "set" (else the first folder of "audio"), "slice", "expects". Rows of transcripts: {"m", "spk", "lab", "gap",
"text"}."""


def parser() -> argparse.ArgumentParser:
    """The words of ``antiphon bench``."""
    top = argparse.ArgumentParser(prog="antiphon bench", description="Measures on recordings of your own.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="WHAT")
    turns = verbs.add_parser(
        "turns", help="end-of-turn detection", description=TURNS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    turns.add_argument("--data", type=Path, required=True, metavar="FILE.jsonl", help="the rows (.jsonl or .jsonl.gz)")
    turns.add_argument("--audio", type=Path, metavar="DIR", help="folder that the rows' audio paths start from")
    turns.add_argument(
        "--detector",
        default="antiphon",
        metavar="NAME",
        help="vad, smart-turn, antiphon (default) or your module:Class",
    )
    turns.add_argument("--json", type=Path, metavar="OUT", help="write all figures there")
    turns.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="only rows with this value (may be repeated)",
    )
    turns.add_argument("--skip-unreadable", action="store_true", help="leave out rows without readable audio, counted")
    turns.add_argument("--seed", type=int, default=0, help="of the intervals (default 0)")
    return top


def main(words: Sequence[str]) -> int:
    """Run one bench. Returns the exit status."""
    options = parser().parse_args(words)
    where = dict(_condition(text) for text in options.where)
    made = asyncio.run(_turns(options, where))
    if options.json is not None:
        try:
            options.json.write_bytes(made[1])
        except OSError as error:
            raise ConfigurationError(
                f"Cannot write {options.json}: {error.strerror or error}.", hint="Choose another --json."
            ) from error
    print(made[0])
    return 0


async def _turns(options: argparse.Namespace, where: dict[str, str]) -> tuple[str, bytes]:
    rows = read_rows(options.data, where)
    detector = detector_named(options.detector)
    try:
        if detector is not None:
            await detector.prewarm()
        choose = None if detector is None else lambda row: detector
        scored = await score_rows(
            rows, options.audio, choose, skip_unreadable=options.skip_unreadable, on_row=_progress(len(rows))
        )
    finally:
        if detector is not None:
            await detector.aclose()
    made = report(options.detector, scored, seed=options.seed)
    return as_text(made), as_json(made)


def detector_named(name: str) -> TurnDetector | None:
    """``vad`` (none), one of ours in this process, or a user's class without arguments. Raises ``ConfigurationError``."""
    if name == "vad":
        return None
    if name in ("antiphon", "smart-turn"):
        from antiphon.local import TURN_MODEL
        from antiphon.local.hosts import InProcessHost
        from antiphon.local.store import Store
        from antiphon.local.turn_detector import LocalTurnDetector

        store = Store()
        store.path(TURN_MODEL)
        return LocalTurnDetector(
            InProcessHost(store), TURN_MODEL, head="stock" if name == "smart-turn" else "", deadline=PATIENCE
        )
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ConfigurationError(
            f"There is no detector {name!r}.", hint="Use vad, smart-turn, antiphon or module:Class."
        )
    sys.path.insert(0, os.getcwd())
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigurationError(
            f"Cannot make the detector {name}: {error}.", hint="Name an importable class that needs no arguments."
        ) from error
    if not isinstance(made, TurnDetector):
        raise ConfigurationError(f"{name} is not a TurnDetector.", hint="Derive it from antiphon.TurnDetector.")
    return made


def _condition(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ConfigurationError(f"{text!r} is not FIELD=VALUE.", hint="For example: --where sp=val.")
    return key, value


def _progress(total: int) -> Callable[[int], None]:
    def show(done: int) -> None:
        if sys.stderr.isatty() and (done % 10 == 0 or done == total):
            print(f"\r{done} of {total} turns", end="" if done < total else "\n", file=sys.stderr, flush=True)

    return show
