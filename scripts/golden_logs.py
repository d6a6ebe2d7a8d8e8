"""Write the golden logs of this build's formats: small logs that every later build must read, or refuse by name.

    python scripts/golden_logs.py [--into tests/store/golden]

Run it when ``LOG_VERSION`` or ``SCHEMA`` goes up, with the last build of the old version, and commit what it wrote: files of versions that
are there already are left alone. The call is the same each time: a tool, an interruption, a hand-off, a goodbye.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import msgspec

from antiphon import Agent, function_tool
from antiphon.models.log import LOG_VERSION, LogHeader
from antiphon.store.log_reader import RecordedLog, event_of, fact_of
from antiphon.store.sqlite import SQLiteStore
from antiphon.store.sqlite_file import SCHEMA
from antiphon.testing.caller import Caller
from antiphon.testing.llm import ToolUse
from antiphon.testing.simulation import simulate

BUILD = "golden"


class Till(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take the money.")


class Shop(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take orders.")

    @function_tool
    async def order(self, what: str) -> str:
        """Place an order."""
        return f"ordered {what}"

    @function_tool(effect="read")
    async def pay(self) -> Agent:
        """Send the caller to the till."""
        return Till()


def a_call() -> RecordedLog:
    """What it left in the log."""
    caller = (
        Caller().says("zwei Tees bitte \U0001f375").waits_for_agent().says("what do you have").waits_for_words("green")
    )
    caller = caller.talks_over("stop").waits_for_agent().says("I want to pay").waits_for_agent()
    script = [
        ToolUse("order", {"what": "two teas"}),
        "Two teas, ordered.",
        "We have black, green, white and yellow teas today.",
        "Sorry, what would you like?",
        ToolUse("pay", {}),
        "That is four euros. Goodbye.",
    ]
    return simulate(Shop, caller, llm=script).log.recorded()


def write_file(path: Path, log: RecordedLog) -> None:
    lines = [msgspec.json.encode(LogHeader(build=BUILD)), *(msgspec.json.encode(entry) for entry in log.entries)]
    path.write_bytes(b"".join(line + b"\n" for line in lines))


async def write_store(path: Path, log: RecordedLog) -> None:
    store = SQLiteStore(path, clock=lambda: 1_000.0, boot=lambda: "golden")
    lease = await store.create("call", owner="golden", ttl=3.0, build=BUILD, about={"agent": "shop"})
    written = store.log(lease)
    for entry in log.entries:
        written.append(entry.lane, entry.at, fact_of(entry) if entry.lane == "fact" else event_of(entry))
    await written.aclose()
    await store.create("orphan", owner="golden", ttl=3.0, build=BUILD)
    await store.aclose()


def main() -> None:
    top = argparse.ArgumentParser(description="Write the golden logs of this build's formats.")
    top.add_argument("--into", type=Path, default=Path(__file__).parents[1] / "tests" / "store" / "golden")
    folder = top.parse_args().into
    folder.mkdir(parents=True, exist_ok=True)
    log = a_call()
    file, store = folder / f"event-log-v{LOG_VERSION}.jsonl", folder / f"store-v{SCHEMA}.db"
    if not file.exists():
        write_file(file, log)
    if not store.exists():
        asyncio.run(write_store(store, log))
    for path in (file, store):
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
