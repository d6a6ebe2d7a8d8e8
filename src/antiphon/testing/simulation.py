"""A whole call on the virtual clock: kernel, plane and session are the real ones; models and caller are scripted.

It wires the parts, lets the caller act, waits for the end with bounds everywhere, and looks at what is left.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal

from antiphon.agents.agent import Agent
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.seam import LegSpec
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.models.turn_detector import TurnDetector
from antiphon.session.events import EVENT_NAMES
from antiphon.session.session import AgentSession
from antiphon.testing import llm as scripted_llm
from antiphon.testing.caller import Caller, LiveCaller, Script
from antiphon.testing.leg import LegFaults, PcmLeg, SimulatedLeg
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.loop import VirtualLoop, run
from antiphon.testing.memory_log import MemoryLog
from antiphon.testing.result import CallResult, Leftovers
from antiphon.testing.stt import ScriptedSTT
from antiphon.testing.takeover import forget
from antiphon.testing.tts import ScriptedTTS
from antiphon.testing.turn_detector import ScriptedTurnDetector
from antiphon.testing.vad import LoudnessVAD
from antiphon.transport import offer_leg, withdraw_leg
from antiphon.worker.job import JobContext

AgentSource = Agent | Callable[[], Agent]
UNSET: Any = object()
END_WITHIN = 30.0
"""Virtual seconds that the session gets to end after the caller has left, before it is closed from outside."""


class Simulation:
    """One call.

    ``agent``: an agent, or what makes one (its class). ``caller``: a ``Caller`` or an async function of a
    ``LiveCaller``. ``llm``: a model, or a script for one (see ``testing.llm.Script``). ``stt``, ``tts``,
    ``turn_detector``: models, ``None`` for none. ``leg``: faults of the far end. ``quality``: how the far end
    acknowledges. ``pcm``: real samples through the plane. ``close_after``: seconds the session may still go on when
    the caller's script is over and has not hung up. ``look_after``: seconds after the session's end until what is left
    is counted (a tool that writes may outlive its session). ``forget_after``: numbers of inputs after which the core
    loses everything but the kernel's written state (``testing.takeover``). ``log``: where the call is written. All other arguments go to ``AgentSession``.
    """

    def __init__(
        self,
        agent: AgentSource,
        caller: Caller | Script | None = None,
        *,
        llm: Any = "All right.",
        stt: STT | None = UNSET,
        tts: TTS | None = UNSET,
        turn_detector: TurnDetector | None = UNSET,
        leg: LegFaults | None = None,
        quality: Literal["peer", "device", "paced", "estimated"] = "peer",
        pcm: bool = False,
        close_after: float = 30.0,
        look_after: float = 0.0,
        forget_after: Sequence[int] = (),
        log: MemoryLog | None = None,
        **session_options: Any,
    ) -> None:
        self._agent = agent
        self._caller: Script = caller if caller is not None else Caller().waits_for_agent()
        self.llm = ScriptedLLM(llm) if _is_script(llm) else llm
        self.stt: STT | None = ScriptedSTT() if stt is UNSET else stt
        self.tts: TTS | None = ScriptedTTS(pcm=pcm) if tts is UNSET else tts
        self.turn_detector: TurnDetector | None = ScriptedTurnDetector() if turn_detector is UNSET else turn_detector
        self._leg_faults, self._quality, self._pcm = leg, quality, pcm
        self._close_after, self._look_after = close_after, look_after
        self._forget_after = frozenset(forget_after)
        self._log = log
        self._options = session_options
        self.session: AgentSession[Any] | None = None
        """The session, once the call runs: an async caller may use it for push-to-talk."""
        self.leg: SimulatedLeg | None = None

    async def run(self) -> CallResult:
        """The call, from ring to end. Never longer than its bounds."""
        loop = asyncio.get_running_loop()
        tasks_before = asyncio.all_tasks(loop)
        threads_before = {thread.name for thread in threading.enumerate()}
        began_real = time.perf_counter()
        origin = loop.time()
        log = MemoryLog() if self._log is None else self._log
        log.on_input = self._maybe_forget
        events: list[tuple[str, Any]] = []
        plane = InlinePlane(LoudnessVAD() if self._pcm else None)
        leg = self.leg = self._make_leg(origin)
        leg.on_change = plane.poke
        key = f"simulation-{id(self)}"
        offer_leg(key, leg)
        agent = self._agent if isinstance(self._agent, Agent) else self._agent()
        context = JobContext(leg=LegSpec("object", {"key": key}), plane=plane, user_loop="shared", log=log, id="call")
        session = self.session = AgentSession(
            stt=self.stt, llm=self.llm, tts=self.tts, turn_detector=self.turn_detector, **self._options
        )
        for name in EVENT_NAMES:
            session.on(name, _keep(events, name))
        live = LiveCaller(leg, origin)
        complaints: list[str] = []
        try:
            await session.start(agent, context)
            left_at = await self._converse(session, live, complaints)
            await self._end(session, complaints)
        finally:
            await plane.aclose()
            withdraw_leg(key)
        ended_at = loop.time()
        await asyncio.sleep(self._look_after)
        await asyncio.sleep(0)
        return CallResult(
            words=leg.ear.words,
            agent_sounds=leg.ear.sounds,
            caller_sounds=leg.said,
            history=session.history,
            events=events,
            log=log,
            close_reason=session.close_reason,
            duration=ended_at - origin,
            close_took=ended_at - left_at,
            real_seconds=time.perf_counter() - began_real,
            left=self._leftovers(loop, tasks_before, threads_before, plane),
            complaints=complaints + live.complaints,
            report=context.report(),
            digits=leg.sent_digits,
            hung_up_at=left_at - origin,
            session=session,
        )

    def _maybe_forget(self, inputs: int) -> None:
        if inputs in self._forget_after and self.session is not None:
            asyncio.get_running_loop().call_soon(forget, self.session)

    def _make_leg(self, origin: float) -> SimulatedLeg:
        if self._pcm:
            return PcmLeg(origin, faults=self._leg_faults)
        return SimulatedLeg(origin, quality=self._quality, faults=self._leg_faults)

    async def _converse(self, session: AgentSession[Any], live: LiveCaller, complaints: list[str]) -> float:
        """The caller's part; returns when the caller left (loop's clock)."""
        loop = asyncio.get_running_loop()
        caller = loop.create_task(_acting(self._caller, live), name="caller")
        closed = loop.create_task(session.wait_closed(), name="closed")
        try:
            await asyncio.wait({caller, closed}, return_when=asyncio.FIRST_COMPLETED)
            if caller.done() and not closed.done() and not live.hung_up:
                idle = loop.create_task(session.wait_for_idle(), name="idle")
                await asyncio.wait({idle, closed}, timeout=self._close_after, return_when=asyncio.FIRST_COMPLETED)
                if not idle.done():
                    idle.cancel()
                    if not closed.done():
                        complaints.append(
                            f"the session was not idle {self._close_after:g} s after the caller's last step"
                        )
                if not closed.done():
                    await live.hangs_up()
            if caller.done():
                await caller
        finally:
            caller.cancel()
            closed.cancel()
            await asyncio.wait({caller, closed})
        return loop.time()

    async def _end(self, session: AgentSession[Any], complaints: list[str]) -> None:
        """The session ends by itself when its caller has left; where it does not, it is closed."""
        for close in (session.wait_closed, session.aclose):
            try:
                async with asyncio.timeout(END_WITHIN):
                    await close()
                    return
            except TimeoutError:
                complaints.append(f"the session had not ended after {END_WITHIN:g} s of {close.__name__}()")

    def _leftovers(
        self, loop: asyncio.AbstractEventLoop, before: set[Any], threads: set[str], plane: InlinePlane
    ) -> Leftovers:
        here = asyncio.current_task()
        tasks = sorted(t.get_name() for t in asyncio.all_tasks(loop) - before if t is not here and not t.done())
        new_threads = sorted(
            t.name for t in threading.enumerate() if t.name not in threads and not t.name.startswith("asyncio_")
        )
        models = {"stt": self.stt, "llm": self.llm, "tts": self.tts}
        streams = [f"{name}: {n} open" for name, m in models.items() if (n := getattr(m, "open_streams", 0))]
        sockets = loop.open_sockets if isinstance(loop, VirtualLoop) else 0
        return Leftovers(tuple(tasks), tuple(new_threads), sockets, tuple(streams), plane.plane.lines)


def simulate(
    agent: AgentSource, caller: Caller | Script | None = None, *, seed: int = 0, limit: float = 7_200.0, **options: Any
) -> CallResult:
    """Run one call on a virtual clock of its own and return what came of it. ``options``: as for ``Simulation``.

    ``seed``: the order of what falls on the same instant; the same seed gives the same call, to the last log entry.
    ``limit``: virtual seconds. Raises ``SimulationStuckError`` where a real call would hang for ever.
    """
    with fixed_ids(seed):
        return run(Simulation(agent, caller, **options).run(), seed=seed, limit=limit)


@contextmanager
def fixed_ids(seed: int) -> Iterator[None]:
    """Ids that the session draws (``uuid4``) come from ``seed``, so that two runs can be compared."""
    import_module("antiphon.worker.account")  # imported later it would draw ids of its own, in the first call only
    source = random.Random(seed)
    real = uuid.uuid4
    uuid.uuid4 = lambda: uuid.UUID(int=source.getrandbits(128), version=4)
    try:
        yield
    finally:
        uuid.uuid4 = real


def text_context() -> JobContext:
    """For a session without sound in a test: ``await session.start(agent, text_context())``."""
    return JobContext(user_loop="shared", log=MemoryLog(), id="text")


async def _acting(script: Script, live: LiveCaller) -> None:
    await script(live)


def _keep(events: list[tuple[str, Any]], name: str) -> Callable[[Any], None]:
    return lambda event: events.append((name, event))


def _is_script(llm: Any) -> bool:
    if isinstance(llm, str | scripted_llm.ToolUse | tuple | list | dict):
        return True
    return callable(llm)
