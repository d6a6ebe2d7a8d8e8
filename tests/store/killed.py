"""Sessions that are killed between two appends, and new processes that go on from the file. Run by ``test_killed``; prints what came
of each kill as JSON.

For each number: one process holds a conversation and dies by SIGKILL right behind that append; another claims the session,
recovers the kernel from the file, writes down what it then decides, and has the dead one's lease refused. Then processes with
eight sessions under load are killed at any moment, in the middle of commits too.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from antiphon import Agent, AgentSession, JobContext, function_tool
from antiphon.errors import FencedError, LeaseHeldError
from antiphon.kernel.effects import Record
from antiphon.kernel.events import Resumed
from antiphon.kernel.facts import TurnCommitted
from antiphon.kernel.kernel import Kernel
from antiphon.models.store import Lease
from antiphon.store.log_reader import fact_of
from antiphon.store.recovery import recover
from antiphon.store.sqlite import SQLiteStore
from antiphon.testing.llm import ScriptedLLM, ToolUse

BUILD = "this"


class Shop(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take orders.")

    @function_tool
    async def order(self, what: str) -> str:
        """Place an order."""
        return f"ordered {what}"


class Deadly:
    """The session's log, in front of the store's: the process does not survive append number ``last``."""

    def __init__(self, log: Any, last: int) -> None:
        self.log, self.last, self.count = log, last, 0

    def append(self, lane: Any, at: float, body: Any) -> int:
        seq: int = self.log.append(lane, at, body)
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        return seq

    async def aclose(self) -> None:
        await self.log.aclose()


async def live(path: Path, last: int, acknowledged: int) -> None:
    """The first owner. Each position that is durable goes to ``acknowledged``, a pipe."""
    store = SQLiteStore(path)
    lease = await store.create("call", owner="first", ttl=0.05, build=BUILD)
    os.write(acknowledged, f"lease {lease.epoch}\n".encode())
    log = store.log(lease)

    async def acknowledge() -> None:
        while True:
            if log.durable < log.position:
                await log.until_durable(log.position, timeout=10.0)
                os.write(acknowledged, f"durable {log.durable}\n".encode())
            await asyncio.sleep(0.0005)

    telling = asyncio.ensure_future(acknowledge())
    llm = ScriptedLLM([ToolUse("order", {"what": "tea"}), "One tea.", "Goodbye."])
    session: AgentSession[None] = AgentSession(llm=llm, stt=None, tts=None, turn_detector=None)
    await session.start(Shop(), JobContext(user_loop="shared", log=Deadly(log, last), id="call"))
    for words in ("One tea, please.", "That is all."):
        await session.run(user_input=words)
        await asyncio.sleep(0.004)
    await session.aclose()
    telling.cancel()
    await store.aclose()


async def go_on(path: Path) -> dict[str, Any]:
    """The second owner."""
    store = SQLiteStore(path)
    while True:
        try:
            lease = await store.claim("call", owner="second", ttl=60.0)
            break
        except LeaseHeldError as held:
            await asyncio.sleep(held.remaining)
    before = await store.read("call")
    recovered = recover(before.header, before.entries, build=BUILD)
    kernel = Kernel.load(recovered.kernel)
    log = store.log(lease)
    for fact in recovered.unwritten:
        log.append("fact", fact.at, fact)
    event = Resumed(seq=kernel.state.seq + 1, now=kernel.state.now, epoch=lease.epoch)
    log.append("input", event.now, event)
    for effect in kernel.step(event):
        if isinstance(effect, Record):
            log.append("fact", effect.fact.at, effect.fact)
    await log.aclose()
    stale = Lease(session="call", owner="first", epoch=1, expires=0.0, ttl=60.0, seq=lease.seq, position=lease.position)
    late = store.log(stale)
    late.append("fact", 9.0, {"kind": "turn.committed", "text": "from the grave"})
    try:
        await late.until_durable(lease.position + 1, timeout=5.0)
        refused = ""
    except FencedError as exc:
        refused = str(exc)
    after = await store.read("call")
    again = recover(after.header, after.entries, build=BUILD)
    await store.aclose()
    facts = [fact_of(entry) for entry in after.entries if entry.lane == "fact"]
    return {
        "entries": len(before.entries),
        "facts": lease.position,
        "exact": recovered.exact and again.exact,
        "why": recovered.why or again.why,
        "gapless": [entry.seq for entry in after.entries] == list(range(1, len(after.entries) + 1)),
        "epochs": after.epochs == [1] * len(before.entries) + [2] * (len(after.entries) - len(before.entries)),
        "position": kernel.state.position == len(facts),
        "same": msgspec.to_builtins(Kernel.load(again.kernel).state) == msgspec.to_builtins(kernel.state),
        "refused": refused,
        "ended": recovered.ended,
        "said": [fact.text for fact in facts if fact.__struct_config__.tag == "turn.committed"],
    }


async def under_load(path: Path, acknowledged: int) -> None:
    """Eight sessions that append as fast as they can; each position that is durable is told."""
    store = SQLiteStore(path)

    async def one(name: str) -> None:
        log = store.log(await store.create(name, owner="first", ttl=60.0))
        while True:
            for _ in range(3):
                log.append("fact", 1.0, TurnCommitted(at=1.0, turn=log.position, item="i", text="two teas " * 20))
            await log.until_durable(log.position, timeout=10.0)
            os.write(acknowledged, f"{name} {log.durable}\n".encode())

    await asyncio.gather(*(one(f"call{n}") for n in range(8)))


async def lost(path: Path, durable: dict[str, int]) -> list[str]:
    """What is missing of what was acknowledged, and what is not as it must be."""
    store, wrong = SQLiteStore(path), []
    for session in await store.sessions():
        read = await store.read(session.id)
        if [entry.seq for entry in read.entries] != list(range(1, session.seq + 1)):
            wrong.append(f"{session.id} has gaps")
        if [entry.body["turn"] for entry in read.entries] != list(range(session.position)):
            wrong.append(f"{session.id} is out of order")
        if session.position < durable.pop(session.id, 0):
            wrong.append(f"{session.id} lost acknowledged facts")
    await store.aclose()
    return wrong + sorted(durable)


def in_a_process(work: Any, seconds: float = 0.0) -> tuple[str, int]:
    """What it wrote, and how it ended. ``seconds``: it is killed then."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            asyncio.run(work(write))
        finally:
            os._exit(0)
    os.close(write)
    if seconds:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(read) as pipe:
        wrote = pipe.read()
    return wrote, os.waitpid(child, 0)[1]


def trial(last: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.db"
        wrote, status = in_a_process(lambda pipe: live(path, last, pipe))

        async def report(pipe: int) -> None:
            os.write(pipe, json.dumps(await go_on(path)).encode())

        killed = os.WIFSIGNALED(status)
        told: dict[str, Any] = {"append": last, "killed": killed, "leased": "lease" in wrote}
        durable = [int(line.split()[1]) for line in wrote.splitlines() if line.startswith("durable")]
        told["acknowledged"] = max(durable, default=0)
        if killed:
            said, _ = in_a_process(report)
            told.update(json.loads(said))
        return told


def load_trial(seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.db"
        wrote, _ = in_a_process(lambda pipe: under_load(path, pipe), seconds)
        durable: dict[str, int] = {}
        for line in wrote.splitlines():
            name, position = line.split()
            durable[name] = int(position)
        return {"acknowledged": sum(durable.values()), "wrong": asyncio.run(lost(path, durable))}


def main(loads: int) -> None:
    outcomes, chance = [trial(1)], random.Random(7)
    while outcomes[-1]["killed"]:
        outcomes.append(trial(len(outcomes) + 1))
    told = {"kills": outcomes, "loads": [load_trial(chance.uniform(0.15, 0.4)) for _ in range(loads)]}
    print(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]))
