"""``python -m antiphon.testing.simulators NAME [--port PORT]``: one simulator on loopback until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from inspect import signature
from typing import Any

from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.testing.conformance.simulated_llm import obedient
from antiphon.testing.simulators.base import Simulator
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.llm_script import LLMScript
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.registry import NAMES, simulator_of
from antiphon.testing.simulators.server import serving


async def _serve(name: str, simulator: Simulator, port: int) -> None:
    async with serving(simulator, port=port) as url:
        print(f"{name} is simulated at {url}", flush=True)
        await asyncio.get_running_loop().create_future()


def parser() -> argparse.ArgumentParser:
    """The words of the command line."""
    top = argparse.ArgumentParser(prog="python -m antiphon.testing.simulators", description=__doc__)
    top.add_argument("name", choices=sorted(NAMES))
    top.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1 (0: any free one)")
    top.add_argument("--fault-seed", type=int, help="a reproducible script of faults")
    top.add_argument(
        "--recording",
        action="append",
        default=[],
        metavar="WAV=TEXT",
        help="a voice that a recogniser knows, and its words",
    )
    top.add_argument(
        "--obedient", action="store_true", help="a language model does what the conformance kit asks of it"
    )
    return top


def simulator_for(options: argparse.Namespace) -> Simulator:
    """The simulator that the options describe. Raises ``ConfigurationError`` for one that has no use for them, ``AudioError``
    for a recording that cannot be read."""
    made = simulator_of(options.name)
    takes = signature(made).parameters
    given: dict[str, Any] = {
        "faults": FaultScript() if options.fault_seed is None else FaultScript.seeded(options.fault_seed)
    }
    if options.recording:
        given["recordings"] = [_recording(words) for words in options.recording]
    if options.obedient:
        given["script"] = LLMScript(obedient)
    for name, flag in (("recordings", "--recording"), ("script", "--obedient")):
        if name in given and name not in takes:
            raise ConfigurationError(f"{flag} means nothing to the simulator {options.name!r}.", hint="Leave it out.")
    return made(**given)


def _recording(words: str) -> Recording:
    path, equals, text = words.partition("=")
    if not (path and equals and text.strip()):
        raise ConfigurationError(f"{words!r} is not a recording.", hint='Write --recording "FILE.wav=what it says".')
    return Recording.wav(path, text)


def main(words: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    options = parser().parse_args(words)
    try:
        asyncio.run(_serve(options.name, simulator_for(options), options.port))
    except AntiphonError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
