"""A call whose process dies in the middle: everything but its log and its line is thrown away, and another process's session goes on.

Both run on one virtual loop; the second one has the log alone, as entries out of a store, and whatever its entrypoint makes anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from antiphon import Agent, AgentSession, JobContext, __version__
from antiphon.audio import seam
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.seam import LegSpec
from antiphon.kernel import facts as ft
from antiphon.models.log import LogEntry
from antiphon.session.resumption import Resumption
from antiphon.store.log_reader import event_of, fact_of
from antiphon.store.recovery import recover
from antiphon.testing import Caller, ScriptedLLM, ScriptedSTT, ScriptedTTS, ScriptedTurnDetector
from antiphon.testing.caller import LiveCaller
from antiphon.testing.leg import SimulatedLeg
from antiphon.testing.loop import run
from antiphon.testing.memory_log import MemoryLog
from antiphon.testing.simulation import fixed_ids
from antiphon.transport import offer_leg, withdraw_leg

Entrypoint = Callable[[AgentSession[Any]], Any]


class Died:
    """When the process dies: behind an entry of the log that ``kind`` names and ``that`` holds for, ``after`` seconds later."""

    def __init__(self, kind: str, that: Callable[[Any], bool] = lambda body: True, *, after: float = 0.0) -> None:
        self.kind, self.that, self.after = kind, that, after

    def at(self, entry: LogEntry) -> bool:
        if entry.kind != self.kind:
            return False
        return self.that(fact_of(entry) if entry.lane == "fact" else event_of(entry))


class Watched(MemoryLog):
    """A log that tells of each entry."""

    def __init__(self, told: Callable[[LogEntry], None]) -> None:
        super().__init__()
        self.told: Callable[[LogEntry], None] | None = told

    def append(self, lane: Any, at: float, body: Any) -> int:
        seq = super().append(lane, at, body)
        if self.told is not None:
            self.told(self.entries[-1])
        return seq


class KeepingPlane(InlinePlane):
    """Keeps the caller's sound, as a host of lines does, and gives it again to who attaches and wants it."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[seam.MicAudio] = []
        self._since = -1.0

    def send(self, message: seam.AnyToPlane) -> None:
        if isinstance(message, seam.AttachLine):
            self._since = message.audio_since
        super().send(message)

    def subscribe(self, line: str, deliver: Any) -> None:
        def taken(messages: Sequence[seam.AnyFromPlane]) -> None:
            out: list[seam.AnyFromPlane] = []
            for message in messages:
                out.append(message)
                if isinstance(message, seam.LineAttached) and self._since >= 0.0:
                    out += [kept for kept in self._kept if kept.frame.at >= self._since]
                elif isinstance(message, seam.MicAudio):
                    self._kept.append(message)
            deliver(out)

        super().subscribe(line, taken)


class AlwaysThere(KeepingPlane):
    """Keeps what it says to nobody, as a host of lines does while a line is orphaned, but for what it ``loses``."""

    loses: tuple[type[seam.FromPlane], ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[seam.AnyFromPlane] = []
        self._to: Any = None

    def subscribe(self, line: str, deliver: Any) -> None:
        self._to = deliver
        super().subscribe(line, self._heard)

    def unsubscribe(self, line: str) -> None:
        self._to = None  # it goes on listening to the plane

    def _heard(self, messages: Sequence[seam.AnyFromPlane]) -> None:
        at = next((n for n, message in enumerate(messages) if isinstance(message, seam.LineAttached)), None)
        if self._to is None:
            self._waiting += messages
        elif at is None or not self._waiting:
            self._to(messages)
        else:
            lost = (*self.loses, *(() if self._since < 0.0 else (seam.MicAudio,)))
            kept = [message for message in self._waiting if not isinstance(message, lost)]
            self._waiting = []
            self._to([*messages[: at + 1], *kept, *messages[at + 1 :]])


class Forgetful(AlwaysThere):
    """Has told of the caller's voice, and it did not arrive."""

    loses = (seam.VadEdge, seam.Progress)


class StoppedOwner(AlwaysThere):
    """Has told somebody who stood still all there was."""

    loses = (seam.VadEdge, seam.MicAudio)


class Call:
    """What came of it. ``sessions``: of each process. ``llms``: their models. ``resumption``: what the second one was given."""

    def __init__(self) -> None:
        self.sessions: list[AgentSession[Any]] = []
        self.agents: list[Agent] = []
        self.llms: list[ScriptedLLM] = []
        self.errors: list[str] = []
        self.heard = ""
        self.close_reason = ""
        self.resumption: Resumption | None = None
        self.log: MemoryLog | None = None
        self.complaints: list[str] = []
        self.left: list[str] = []

    def facts(self, kind: type) -> list[Any]:
        assert self.log is not None
        return [fact for fact in self.log.facts if isinstance(fact, kind)]

    def outputs(self, name: str) -> list[str]:
        return [fact.output for fact in self.facts(ft.ToolResult) if fact.name == name]

    @property
    def history(self) -> str:
        return "\n".join(f"{m.role}: {m.text}" for m in self.sessions[-1].history.messages)

    def __str__(self) -> str:
        lines = [f"{entry.at:7.2f} {entry.lane:5} {entry.kind} {entry.body}"[:220] for entry in self.log.entries]  # type: ignore[union-attr]
        return "\n".join([*lines, f"heard: {self.heard}", f"errors: {self.errors}", self.history])


def died_and_went_on(
    make: Callable[[], Agent],
    caller: Caller,
    died: Died | int,
    *,
    llm: Any = "All right.",
    llm_after: Any = None,
    attach: bool = True,
    away: float = 0.0,
    cut: Callable[[Sequence[LogEntry]], Sequence[LogEntry]] = lambda entries: entries,
    entrypoint: Entrypoint = lambda session: None,
    options: Callable[[], dict[str, Any]] = dict,
    plane: type[InlinePlane] = InlinePlane,
    seed: int = 0,
) -> Call:
    """``died``: when, or behind which entry of the log. ``llm_after``: the second process's model, where its script is another. ``away``: seconds until the second one is there.
    ``cut``: what of the log it has. ``options``: of each ``AgentSession``."""
    with fixed_ids(seed):
        return run(_call(make, caller, died, llm, llm_after, attach, away, cut, entrypoint, options, plane), seed=seed)


async def _call(
    make: Callable[[], Agent], caller: Caller, died: Died | int, llm: Any, llm_after: Any, attach: bool, away: float,
    cut: Any, entrypoint: Entrypoint, options: Callable[[], dict[str, Any]], make_plane: type[InlinePlane],
) -> Call:  # fmt: skip
    loop = asyncio.get_running_loop()
    call, origin, plane = Call(), loop.time(), make_plane()
    leg = SimulatedLeg(origin)
    leg.on_change = plane.poke
    offer_leg("resume", leg)
    spec = LegSpec("object", {"key": "resume"})
    now = asyncio.Event()

    def told(entry: LogEntry) -> None:
        if entry.seq == died if isinstance(died, int) else died.at(entry):
            log.told = None
            loop.call_later(0.0 if isinstance(died, int) else died.after, now.set)

    log = call.log = Watched(told)

    async def process(script: Any, resumption: Resumption | None, plane: Any) -> AgentSession[Any]:
        call.llms.append(script if isinstance(script, ScriptedLLM) else ScriptedLLM(script))
        session: AgentSession[Any] = AgentSession(
            llm=call.llms[-1], stt=ScriptedSTT(), tts=ScriptedTTS(), turn_detector=ScriptedTurnDetector(), **options()
        )
        call.sessions.append(session)
        session.on("error", lambda event: call.errors.append(event.error))
        agent = make()
        call.agents.append(agent)
        context = JobContext(
            leg=spec, plane=plane, user_loop="shared", log=log, id="call", resumption=resumption,
            epoch=len(call.sessions),
        )  # fmt: skip
        await session.start(agent, context)
        entrypoint(session)
        return session

    live = LiveCaller(leg, origin)
    first = await process(llm, None, plane)
    speaking = loop.create_task(caller(live))
    dead = loop.create_task(now.wait())
    await asyncio.wait({speaking, dead}, return_when=asyncio.FIRST_COMPLETED)
    session = first
    if dead.done():
        assert first._shell is not None
        first._shell.drop()
        first._shell = None
        entries = list(cut(log.entries))
        if not attach:
            await plane.aclose()
            offer_leg("resume", leg)
        await asyncio.sleep(away)
        if not attach:
            plane = make_plane()
            leg.on_change = plane.poke
        call.resumption = resumption_of(entries, log, age=loop.time() - origin, attach=attach)
        session = await process(llm_after if llm_after is not None else call.llms[0], call.resumption, plane)
    else:
        dead.cancel()
    await speaking
    with suppress(TimeoutError):
        async with asyncio.timeout(10.0):
            await session.wait_for_idle()
    await live.hangs_up()
    call.close_reason = await session.wait_closed()
    await plane.aclose()
    withdraw_leg("resume")
    call.heard, call.complaints = leg.ear.text, live.complaints
    await asyncio.sleep(3.0)
    here = asyncio.current_task()
    call.left = [task.get_name() for task in asyncio.all_tasks() if task is not here and not task.done()]
    return call


def resumption_of(entries: Sequence[LogEntry], log: MemoryLog, *, age: float, attach: bool) -> Resumption:
    found = recover(log.recorded().header, entries, build=__version__)
    facts = tuple(fact_of(entry) for entry in entries if entry.lane == "fact")
    return Resumption(
        kernel=found.kernel, exact=found.exact, facts=(*facts, *found.unwritten), unwritten=found.unwritten, age=age,
        attach=attach,
    )  # fmt: skip
