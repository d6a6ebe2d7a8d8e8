"""``antiphon.run``: gives a program with an entrypoint its verbs."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from antiphon.cli.report import guarded
from antiphon.errors import ConfigurationError, NotSupportedError

if TYPE_CHECKING:
    from antiphon.worker.server import AgentServer

Entrypoint = Callable[[Any], Awaitable[None]]

Program = Union[Entrypoint, "AgentServer"]

SERVED = {
    "console": "talk with the agent in this terminal",
    "dev": "talk with it in a browser: the playground, for one person or several",
    "start": "serve calls: the jobs of a LiveKit server, or those of browsers",
}
LATER = ("call",)

calls = 0
"""How often ``run`` was called in this process: the ``antiphon`` command looks whether a program did it."""


def run(program: Program, argv: Sequence[str] | None = None) -> None:
    """Serve ``program`` (an entrypoint or an ``AgentServer``) as the command line says: ``console``, ``dev`` or ``start``
    (``python app.py dev --help`` says more).

    ``argv``: the words after the program's name (default: those of the process). Raises ``SystemExit`` with a
    status other than 0 when something went wrong, after saying what and how to mend it.
    """
    global calls
    calls += 1
    words = list(sys.argv[1:] if argv is None else argv)
    name = f"python {Path(sys.argv[0]).name}"
    if not words or words[0] in ("-h", "--help"):
        print(f"usage: {name} VERB ...\n\n{rows(SERVED)}\n")
        print(f"{name} VERB --help says more about one verb.")
        status = 0 if words else 2
    else:
        status = guarded(lambda: run_verb(program, words, prog=f"{name} {words[0]}"))
    if status:
        raise SystemExit(status)


def rows(verbs: dict[str, str]) -> str:
    """A table of verbs for a help text."""
    return "\n".join(f"  {verb:9} {text}" for verb, text in verbs.items())


def run_verb(program: Program | None, words: Sequence[str], *, prog: str) -> int:
    """Carry out the verb ``words[0]``; returns the exit status. ``program`` is not needed for ``--help``.
    ``prog``: how the user called it, for the help text."""
    verb = words[0]
    if verb in LATER:
        raise NotSupportedError(f"{verb!r} is not served by this version.", hint="Talk with the agent by: dev, console")
    if verb not in SERVED:
        raise ConfigurationError(f"There is no verb {verb!r}.", hint=f"This version has: {', '.join(SERVED)}")
    if program is not None:
        _check(program)
        if verb == "console":
            program = _entrypoint(program)
    return int(import_module(f"antiphon.cli.{verb}").main(program, words[1:], prog=prog))


def _check(program: Program) -> None:
    """Raises ``ConfigurationError`` where it is nothing that can be served."""
    if not callable(program) and not hasattr(program, "entrypoints"):
        raise ConfigurationError(
            f"run() takes an async function, not {type(program).__name__}.",
            hint="Write: async def entrypoint(ctx: JobContext) -> None: ...",
        )


def _entrypoint(program: Program) -> Program:
    """What ``console`` serves: the entrypoint itself, or the only one of a server."""
    entrypoints = getattr(program, "entrypoints", None)
    if entrypoints is None:
        return program
    if len(entrypoints) != 1:
        raise ConfigurationError(
            f"This server has {len(entrypoints)} entrypoints.", hint="console serves a program with one."
        )
    only: Entrypoint = next(iter(entrypoints.values()))
    return only
