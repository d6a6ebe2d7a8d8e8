"""The ``antiphon`` command: one verb, one module. Only the module of the verb that was asked for is imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from antiphon.cli.report import guarded
from antiphon.cli.run import rows

APP_VERBS = {
    "console": "talk with the agent in this terminal: microphone, typing, or a WAV file",
    "dev": "talk with the agent in a browser: the playground at http://localhost:8080",
    "start": "serve calls: the jobs of a LiveKit server, or those of browsers",
    "call": "ring a number and talk",
}
"""Verbs of a program: ``antiphon VERB app.py ARGS`` is ``python app.py VERB ARGS``."""

OWN_VERBS = {
    "models": "list, fetch, check and remove the local models",
    "providers": "the services that models may come from; test one with your key",
    "check": "what a program would lose if the process of a call died",
    "doctor": "what is missing on this machine, and the command that mends it",
    "bench": "measure turn-taking on recordings of your own",
    "sessions": "the calls of the workers here, or of a store; end one; drain the workers",
    "dispatch": "send an agent to a LiveKit room",
    "rooms": "the rooms of a LiveKit server, and who is in them",
    "token": "a token to join a LiveKit room with",
    "replay": "run a recorded event log through this build's kernel",
    "version": "the version",
}


def usage() -> str:
    """The text of ``antiphon --help``."""

    return (
        "usage: antiphon VERB ...\n\n"
        "with a program of yours (antiphon VERB app.py ARGS is python app.py VERB ARGS):\n"
        f"{rows(APP_VERBS)}\n\nalone:\n{rows(OWN_VERBS)}\n\n"
        "antiphon VERB --help says more about one verb."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the ``antiphon`` command. Returns the exit status: 0 good, 1 a problem, 2 wrong usage."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if words else 2
    verb, rest = words[0], words[1:]
    if verb in APP_VERBS:
        return guarded(lambda: int(import_module("antiphon.cli.app").run_app(verb, rest)))
    if verb in ("version", "--version", "-V"):
        from antiphon import __version__

        print(f"antiphon {__version__}")
        return 0
    if verb in OWN_VERBS:
        return guarded(lambda: int(import_module(f"antiphon.cli.{verb}").main(rest)))
    print(f"antiphon: there is no verb {verb!r}. It knows: {', '.join([*APP_VERBS, *OWN_VERBS])}.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main())
