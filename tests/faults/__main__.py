"""``python -m tests.faults [--trials N] [--seed N] [NAME ...]``: the table of faults. Exit status 1 where something is broken."""

from __future__ import annotations

import argparse
import pkgutil
import subprocess
import sys
import time
from importlib import import_module

import msgspec

from tests import faults
from tests.faults import Row

NAMES = sorted(
    module.name for module in pkgutil.iter_modules(faults.__path__) if not module.name.startswith(("_", "test_"))
)


def row_of(name: str, trials: int, seed: int) -> Row:
    """Run one, in a process of its own."""
    command = [sys.executable, "-m", "tests.faults", "--one", name, "--trials", str(trials), "--seed", str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    try:
        return msgspec.json.decode(done.stdout.splitlines()[-1], type=Row)
    except (IndexError, msgspec.DecodeError):
        return Row(name, 0, [f"it ended with status {done.returncode} and told nothing"])


def main() -> int:
    top = argparse.ArgumentParser(prog="test-faults", description="Faults, many times over.")
    top.add_argument("names", nargs="*", metavar="NAME", help=f"default: all ({', '.join(NAMES)})")
    top.add_argument("--trials", type=int, default=200, help="of each (default: 200)")
    top.add_argument("--seed", type=int, default=0, help="default: 0")
    top.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    options = top.parse_args()
    if options.one:
        row: Row = import_module(f"tests.faults.{options.one}").main(options.trials, options.seed)
        print(msgspec.json.encode(row).decode())
        return 0
    if unknown := set(options.names) - set(NAMES):
        top.error(f"there is no {', '.join(sorted(unknown))}")
    print(f"{'fault':52} {'trials':>7} {'broken':>7} {'seconds':>8}  note", flush=True)
    failed = False
    for name in options.names or NAMES:
        began = time.monotonic()
        row = row_of(name, options.trials, options.seed)
        seconds = time.monotonic() - began
        print(f"{row.fault:52} {row.trials:7} {len(row.broken):7} {seconds:8.1f}  {row.note}", flush=True)
        for problem in row.broken[:10]:
            print(f"    {problem}", flush=True)
        failed |= bool(row.broken) or not row.trials
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
