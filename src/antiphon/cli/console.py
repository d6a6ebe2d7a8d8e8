"""The verb ``console``: a conversation in this terminal, by microphone, by typing, or from a WAV file."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.audio.seam import LegSpec
from antiphon.errors import AudioError, ConfigurationError

if TYPE_CHECKING:
    from antiphon.cli.run import Entrypoint
    from antiphon.session.session import AgentSession

WAV_MANNERS = {"wait_for_reply": True, "lead_in": 1.0, "tail": 2.0}
"""How a recorded caller behaves: lets a greeting end, waits for an answer, and for a while more before hanging up."""


def parser(prog: str) -> argparse.ArgumentParser:
    """The words of ``console``."""
    top = argparse.ArgumentParser(
        prog=prog,
        description="Talk with the agent in this terminal. Ctrl-C ends the call and writes the files asked for.",
    )
    how = top.add_mutually_exclusive_group()
    how.add_argument("--text", action="store_true", help="type instead of talking: one line is one turn")
    how.add_argument(
        "--wav",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="the caller is a recording, paced in real time; of several, each waits for the answer to the one before",
    )
    how.add_argument("--list-devices", action="store_true", help="show the sound devices and stop")
    files = top.add_argument_group("files")
    files.add_argument("--out", type=Path, metavar="WAV", help="what the caller heard (with --wav)")
    files.add_argument(
        "--record", type=Path, metavar="FILE", help="both sides: caller left, agent right (.wav or .opus)"
    )
    files.add_argument("--report", type=Path, metavar="JSON", help="the session report")
    files.add_argument("--log", type=Path, metavar="JSONL", help="the event log (antiphon replay reads it)")
    sound = top.add_argument_group("sound")
    sound.add_argument("--input", metavar="DEVICE", help="microphone: number or part of its name")
    sound.add_argument("--output", metavar="DEVICE", help="loudspeaker: number or part of its name")
    sound.add_argument("--no-aec", action="store_true", help="no echo cancelling (with headphones)")
    sound.add_argument("--plane", choices=("thread", "process"), default="thread", help="where sound runs")
    return top


def main(entrypoint: Entrypoint | None, words: Sequence[str], *, prog: str) -> int:
    """Hold one conversation. Returns the exit status."""
    options = parser(prog).parse_args(words)
    if options.list_devices:
        from antiphon.cli.devices import print_devices

        print_devices()
        return 0
    if entrypoint is None:
        raise ConfigurationError("There is no entrypoint.", hint="Call antiphon.run(entrypoint) in the program.")
    check(options)
    return asyncio.run(converse(entrypoint, options))


async def converse(entrypoint: Entrypoint, options: argparse.Namespace) -> int:
    """The conversation that the options describe. Ctrl-C is the usual way to end it and no failure."""
    from antiphon.cli.conversation import Meanwhile, ShownJob, hold, show_levels
    from antiphon.cli.live import LiveCall
    from antiphon.cli.report import INTERRUPTED
    from antiphon.cli.screen import Screen

    screen = Screen(sys.stdout)
    files = {name: str(path) if (path := getattr(options, name)) else None for name in ("log", "report", "record")}
    job = ShownJob(
        leg=leg_of(options), plane=options.plane, log=files["log"], report=files["report"], record=files["record"]
    )
    talking = not options.text and not options.wav
    job.shown = LiveCall(screen, levels=talking, show_caller=not (options.text and sys.stdin.isatty()))
    screen.line(screen.style(greeting(options), "dim"))
    beside: list[Meanwhile] = [show_levels(job.shown)] if talking else [type_lines] if options.text else []
    status = await hold(entrypoint, job, screen, *beside)
    for path in (options.out, options.record, options.report, options.log):
        if path is not None and path.exists():
            print(f"wrote {path}")
    return 0 if status == INTERRUPTED else status


def leg_of(options: argparse.Namespace) -> LegSpec | None:
    """The media path; ``None`` for typing."""
    if options.text:
        return None
    if options.wav:
        wav: dict[str, Any] = {"path": [str(path) for path in options.wav], **WAV_MANNERS}
        if options.out:
            wav["out"] = str(options.out)
        return LegSpec("wav", wav)
    return LegSpec("console", {"input": options.input, "output": options.output, "aec": not options.no_aec})


def greeting(options: argparse.Namespace) -> str:
    """The first line: what is going on and how it ends."""
    if options.text:
        return "Type to the agent. Ctrl-D ends the conversation."
    if options.wav:
        return f"The caller is {', '.join(path.name for path in options.wav)}, in real time. Ctrl-C ends the call."
    return "Talk when you like. Ctrl-C ends the call. (--text types instead, --wav FILE plays a caller)"


async def type_lines(session: AgentSession[Any]) -> None:
    """One line is one turn, and its answer is waited for; at the end of input the session is drained."""
    from antiphon.cli.typing_in import typed_lines

    prompt = sys.stdin.isatty()
    await session.wait_for_idle()
    if prompt:
        print("> ", end="", flush=True)
    async for line in typed_lines(sys.stdin.fileno()):
        if line:
            await session.run(user_input=line)
        if prompt:
            print("> ", end="", flush=True)
    await session.drain()


def check(options: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is loaded."""
    for path in options.wav or ():
        if not path.is_file():
            raise AudioError(f"There is no file {str(path)!r}.", hint="Pass a WAV recording to --wav.")
    if options.out and not options.wav:
        raise ConfigurationError("--out goes with --wav.", hint="Use --record to keep both sides of any call.")
    for name in ("out", "record", "report", "log"):
        path = getattr(options, name)
        if path is not None and not path.resolve().parent.is_dir():
            raise ConfigurationError(f"--{name}: there is no folder {str(path.parent)!r}.", hint="Make it first.")
    if not options.text and not options.wav:
        from antiphon.cli.devices import need_devices

        need_devices()
    if options.text and options.record:
        raise ConfigurationError("A typed conversation has no sound to record.", hint="Leave --record out.")
    if options.record:
        from antiphon.audio.recorder import need_codec

        need_codec(str(options.record))
