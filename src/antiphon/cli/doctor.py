"""``antiphon doctor``: what is there, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

import msgspec

from antiphon.cli.checks import Finding, keys, machine, sound, versions
from antiphon.cli.pulling import megabytes
from antiphon.cli.screen import Screen
from antiphon.local import DEFAULT_MODELS
from antiphon.local.store import Store

MARKS = {"ok": ("ok", "green"), "note": ("-", "dim"), "warn": ("!", "yellow"), "missing": ("MISSING", "red")}


def models(store: Store) -> Iterator[Finding]:
    """The models an agent uses when it names none, and the others that are here."""
    for row in store.list():
        if row.installed:
            yield Finding("models", row.name, "ok", f"{megabytes(row.size)}, {row.licence}")
        elif row.name in DEFAULT_MODELS:
            detail = f"not here; {megabytes(row.fetch_size)} to fetch"
            yield Finding("models", row.name, "missing", detail, f"antiphon models pull {row.name}")
        else:
            yield Finding("models", row.name, "note", f"not here (optional, {megabytes(row.fetch_size)})")


def examine(store: Store) -> list[Finding]:
    """All findings, in the order in which they are shown."""
    return [*versions(), *machine(store.root), *models(store), *sound(), *keys(os.environ)]


def main(words: Sequence[str]) -> int:
    """Run the checks. Returns 0 when the local models can hold a conversation, else 1."""
    parser = argparse.ArgumentParser(prog="antiphon doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(words)
    store = Store()
    findings = examine(store)
    missing = [finding for finding in findings if finding.state == "missing"]
    if options.json:
        report = {"healthy": not missing, "models": str(store.root), "findings": findings}
        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        return 1 if missing else 0
    show(findings, Screen(sys.stdout))
    return 1 if missing else 0


def show(findings: Sequence[Finding], screen: Screen) -> None:
    """The list, by topic, each problem with its command, and a verdict."""
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            screen.line(screen.style(topic, "bold"))
        mark, colour = MARKS[finding.state]
        screen.line(f"  {screen.style(f'{mark:7}', colour)} {finding.name:20} {finding.detail}")
        if finding.mend:
            screen.line(f"  {'':7} {'':20} mend: {finding.mend}")
    missing = sum(finding.state == "missing" for finding in findings)
    warned = sum(finding.state == "warn" for finding in findings)
    if missing:
        screen.line(f"\n{missing} missing: the local models cannot hold a conversation yet.")
    else:
        also = f" {warned} to look at above." if warned else ""
        screen.line(f"\nThe local models can hold a conversation on this machine.{also}")
