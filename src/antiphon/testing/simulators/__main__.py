"""``python -m antiphon.testing.simulators NAME [--port PORT]``: one simulator on loopback until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio

from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.registry import NAMES, simulator_of
from antiphon.testing.simulators.server import serving


async def _serve(name: str, port: int, faults: FaultScript) -> None:
    async with serving(simulator_of(name)(faults=faults), port=port) as url:
        print(f"{name} is simulated at {url}", flush=True)
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m antiphon.testing.simulators", description=__doc__)
    parser.add_argument("name", choices=sorted(NAMES))
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1 (0: any free one)")
    parser.add_argument("--fault-seed", type=int, help="a reproducible script of faults")
    given = parser.parse_args()
    faults = FaultScript() if given.fault_seed is None else FaultScript.seeded(given.fault_seed)
    try:
        asyncio.run(_serve(given.name, given.port, faults))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
