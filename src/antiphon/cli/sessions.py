"""``antiphon sessions``: the calls of the workers that run on this machine, or of a store; end one; drain the workers."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from antiphon.cli.report import complain
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.worker.control import Answer, Ask, ask_worker
from antiphon.worker.runtime_directory import control_sockets
from antiphon.worker.store_choice import open_store

COLUMNS = ("id", "agent", "status", "owner", "age", "takeovers", "reason")


def parser() -> argparse.ArgumentParser:
    """The words of ``antiphon sessions``."""
    top = argparse.ArgumentParser(
        prog="antiphon sessions",
        description="Without a verb: the sessions of this user's workers on this machine; with --store: those of a store that have "
        "not ended, whoever has them.",
    )
    top.add_argument("--store", metavar="URL", help="sqlite:///calls.db, or a path")
    top.add_argument("--all", action="store_true", help="with --store: those that have ended too")
    top.add_argument("--json", action="store_true", help="as JSON")
    verbs = top.add_subparsers(dest="verb", metavar="VERB")
    one = verbs.add_parser("end", help="end a session after what is being said, by the worker that has it")
    one.add_argument("session", metavar="ID", help="of the session, or of its job")
    verbs.add_parser("drain", help="let the workers take no more calls, and end with those that run")
    return top


def main(words: Sequence[str]) -> int:
    """Run one verb. Returns the exit status."""
    options = parser().parse_args(words)
    if options.verb == "end":
        if not any(answer.done for answer in _ask(Ask(end=options.session))):
            raise ConfigurationError(
                f"No worker of this user has a session {options.session!r} on this machine.", hint="antiphon sessions"
            )
        print(f"ending {options.session}")
        return 0
    if options.verb == "drain":
        answers = _ask(Ask(drain=True))
        if not answers:
            raise ConfigurationError("No worker of this user runs on this machine.")
        for answer in answers:
            print(f"{answer.worker}: takes no more calls, waits for {len(answer.sessions)}")
        return 0
    if options.store and not Path(options.store.removeprefix("sqlite:///")).exists():
        raise ConfigurationError(f"There is no store {options.store!r}.", hint="Pass what the worker has as store=.")
    rows = asyncio.run(_stored(options.store, options.all)) if options.store else _running()
    if options.json:
        print(json.dumps(rows))
    else:
        _table(rows)
    return 0


def _ask(ask: Ask) -> list[Answer]:
    """Every worker's answer; one that does not answer is told of."""

    async def each() -> list[Answer | BaseException | None]:
        return await asyncio.gather(*(ask_worker(path, ask) for path in control_sockets()), return_exceptions=True)

    answers = []
    for answer in asyncio.run(each()):
        if isinstance(answer, AntiphonError):
            complain(answer)
        elif isinstance(answer, BaseException):
            raise answer
        elif answer is not None:
            answers.append(answer)
    return answers


def _running() -> list[dict[str, Any]]:
    return [
        {
            "id": session.id,
            "agent": session.agent_name,
            "status": "live" if session.pid else "waiting",
            "owner": answer.worker,
            "age": round(session.age, 1),
            "takeovers": session.takeovers,
            "reason": "",
        }
        for answer in _ask(Ask())
        for session in answer.sessions
    ]


async def _stored(choice: str, ended: bool) -> list[dict[str, Any]]:
    store = open_store(choice)
    try:
        found = await store.sessions()
    finally:
        await store.aclose()
    return [
        {
            "id": session.id,
            "agent": session.about.get("agent_name", ""),
            "status": session.status,
            "owner": session.owner,
            "age": round(time.time() - session.created, 1),
            "takeovers": session.epoch - 1,
            "reason": session.reason,
        }
        for session in found
        if ended or session.status != "ended"
    ]


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        print("no sessions")
        return
    texts = [COLUMNS, *(tuple(str(row[name]) for name in COLUMNS) for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(COLUMNS))]
    for row in texts:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
