"""The session shell: drives one kernel on the core lane and carries its effects out.

Every event, whoever it comes from, passes ``post``: it is stamped, logged, stepped; the effects are done in order.
The shell decides nothing about the conversation. User code runs on the user's lane, sound in the plane.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel import facts as ft
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.out import KernelFault
from antiphon.kernel.policy import AgentRef
from antiphon.session.ambience import Ambience
from antiphon.session.bindings import Bound
from antiphon.session.clips import render_clips
from antiphon.session.directory import Directory
from antiphon.session.lanes import Lane, across
from antiphon.session.listening import Listening
from antiphon.session.plane_bridge import PlaneBridge
from antiphon.session.services import Services
from antiphon.session.speaking import Speaking
from antiphon.session.user_code import UserCode, new_function_call
from antiphon.session.user_side import UserSide
from antiphon.tools.run_context import RunContext

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession

TOOL_DRAIN = 30.0
"""Seconds a write may go on after its session has ended."""
HEARTBEAT = 0.5
"""Seconds between signs of life to the plane."""


class Shell:
    """One session on the core lane. ``side``: its end on the user's lane, told things by posting there; ``session``: what
    user code is handed."""

    def __init__(
        self,
        side: UserSide,
        services: Services,
        user: Lane,
        *,
        kernel: Kernel,
        directory: Directory,
        bound: Bound,
        session: AgentSession[Any],
    ) -> None:
        self.side = side
        self.session = session
        self.services = services
        self.lane = services.core
        self.user_lane = user
        self.kernel = kernel
        self.t0 = self.lane.loop.time()
        self._seq = kernel.state.seq
        self._clock = kernel.state.now
        self._inbox: deque[ev.Event] = deque()
        self._stepping = False
        self._dropped = False
        self._wake: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[Any]] = set()
        self._background: set[asyncio.Task[Any]] = set()
        self.bridge = PlaneBridge(self)
        self.user_code = UserCode(
            user,
            post=self.post,
            report=self._user_error,
            on_edited=self._edited,
            on_end=lambda: self.lane.post(self._code_ended.set),
        )
        self.directory: Directory = directory
        self.bound: Bound = bound
        self.ambience = Ambience(self.bridge)
        self.listening = Listening(self)
        self.speaking = Speaking(self)
        self.ended = asyncio.Event()
        self._code_ended = asyncio.Event()
        self._freeing: asyncio.Task[None] | None = None
        self._heartbeat: asyncio.TimerHandle | None = None
        self.tool_ops: dict[str, ev.Op] = {}
        self.tool_steps: dict[str, str] = {}
        self.detached: set[ev.Op] = set()
        self._effects: dict[type[fx.Effect], Callable[[Any], None]] = {
            fx.Record: self._record,
            fx.WakeAt: self._wake_at,
            fx.Notify: self._notify,
            fx.ScoreTurn: self.listening.score,
            fx.FlushStt: self.listening.flush,
            fx.ResetStt: self.listening.reset,
            fx.StartReply: self.speaking.start_reply,
            fx.StartSay: self.speaking.start_say,
            fx.AdoptReply: self.speaking.adopt,
            fx.Cancel: self.speaking.cancel,
            fx.Play: self.speaking.play,
            fx.Pause: lambda e: self.bridge.pause(e),
            fx.Resume: lambda e: self.bridge.resume(e),
            fx.Stop: lambda e: self.bridge.stop(e),
            fx.PlayCanned: self.speaking.play_canned,
            fx.SetReflex: lambda e: self.bridge.arm(e.armed),
            fx.RunTool: self._run_tool,
            fx.CancelTool: lambda e: self.user_code.cancel(e.op),
            fx.DetachTool: lambda e: self._detach(e.op),
            fx.CallHook: self._call_hook,
            fx.AbandonHook: self._abandon_hook,
            fx.Rebind: self._rebind,
            fx.CloseLeg: lambda e: self.bridge.close_leg(),
            fx.SendDtmf: lambda e: self.bridge.digits(e.digits),
            fx.Failover: self.speaking.failover,
            fx.CloseAll: self._close_all,
            fx.Ended: self._ended,
        }

    # --- ingress -------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Session time in seconds."""
        return self.lane.loop.time() - self.t0

    def session_time(self, clock: float) -> float:
        """From the capture clock (the machine's monotonic clock) to session time."""
        return max(0.0, clock - self.t0)

    def post(self, event: ev.Event) -> None:
        """Take an event, from any lane."""
        if not self.lane.here():
            self.lane.post(self.post, event)
            return
        if self._dropped:
            return
        self._inbox.append(event)
        if not self._stepping:
            self._drain()

    def _drain(self) -> None:
        self._stepping = True
        try:
            while self._inbox:
                self._seq += 1
                event = msgspec.structs.replace(self._inbox.popleft(), seq=self._seq, now=self._latest())
                if self.services.log is not None:
                    self.services.log.append("input", event.now, event)
                for effect in self._step(event):
                    self._do(effect)
                self.speaking.follow(event)
        finally:
            self._stepping = False

    def _step(self, event: ev.Event) -> list[fx.AnyEffect]:
        telemetry = self.services.telemetry
        if telemetry is not None:
            telemetry.on_event(event)
        try:
            effects: list[fx.AnyEffect] = self.kernel.step(event)
        except KernelFault:
            # A defect of ours must not end the call: it is said, and the session's deadlines go on.
            self.tell(self.side.error, "session", traceback.format_exc(), True)
            return []
        if telemetry is not None:
            for effect in effects:
                telemetry.on_effect(effect)
        return effects

    def _do(self, effect: fx.AnyEffect) -> None:
        try:
            self._effects[type(effect)](effect)
        except Exception:
            # An effect that cannot be carried out must not stop the others; whoever waits for it has a deadline.
            self.tell(self.side.error, "session", traceback.format_exc(), True)

    def tell(self, call: Callable[..., object], *args: Any) -> None:
        """Run ``call`` on the user's lane."""
        self.user_lane.post(call, *args)

    def _user_error(self, source: str, text: str) -> None:
        self.tell(self.side.error, source, text, True)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """A task that the session waits for when it closes."""
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # --- record, time, notices -----------------------------------------------------------------------------------

    def _record(self, effect: fx.Record) -> None:
        if self.services.log is not None:
            self.services.log.append("fact", effect.fact.at, effect.fact)
        metrics: dict[str, float] = {}
        if self.services.telemetry is not None and isinstance(effect.fact, ft.TurnCommitted | ft.SpeechHeard):
            metrics = self.services.telemetry.message_metrics(effect.fact.item)
        self.tell(self.side.fact, effect.position, effect.fact, metrics)

    def _wake_at(self, effect: fx.WakeAt) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if effect.at >= 0:
            self._wake = self.lane.loop.call_at(self.t0 + effect.at, self._tick, effect.at)

    def _tick(self, at: float) -> None:
        self._wake = None
        self._clock = max(self._clock, at)  # the loop may call a rounding error early
        self.post(ev.Tick())

    def _latest(self) -> float:
        self._clock = max(self._clock, self.now())
        return self._clock

    def _notify(self, effect: fx.Notify) -> None:
        if effect.name == "agent_state_changed":
            self.ambience.agent_is(effect.body["new"])
        self.tell(self.side.notice, effect.name, effect.body, self.now())

    # --- starting ------------------------------------------------------------------------------------------------

    async def prewarm(self) -> None:
        """Load or connect the models, all at once. What may work later is reported; what cannot work is raised."""
        bound = self.bound
        sound = (bound.stt, bound.tts, bound.detector) if self.services.leg is not None else ()
        models = [model for model in (bound.llm, *sound) if model is not None]

        async def one(model: Any) -> None:
            home = self.lane if model.on_core else self.user_lane
            try:
                async for _ in across(lambda: _once(model.prewarm()), home=home):
                    pass
            except ModelError as exc:
                if not exc.retryable:
                    raise
                self.tell(self.side.error, model.provider or type(model).__name__, str(exc), True)

        await asyncio.gather(*(one(model) for model in models))
        await self.listening.prefill.instructions()

    def in_background(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine of the session's that ends with it."""
        task = self.lane.loop.create_task(make(), name="antiphon:background")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _name_models(self) -> None:
        """Tell the account which models are really used."""
        telemetry, bound = self.services.telemetry, self.bound
        if telemetry is None:
            return
        for kind, model in (
            ("stt", bound.stt),
            ("llm", bound.llm),
            ("tts", bound.tts),
            ("turn_detector", bound.detector),
        ):
            if model is not None:
                telemetry.use_model(kind, model.provider or type(model).__name__, model.model)

    def begin(self, agent: AgentRef) -> None:
        """Open the line and start the kernel."""
        self.t0 = self.lane.loop.time()
        self._name_models()
        self.post(ev.Start(agent=agent))
        if self.services.leg is None:
            self.post(ev.LegUp(leg="text", medium="text", quality="device"))
        else:
            self.bridge.open(self.services.leg)
            self.listening.start()
            self.in_background(lambda: render_clips(self, self.speaking.texts))
        self._beat()

    def take_over(self, line: str, t0: float) -> None:
        """Go on with a conversation whose owner is gone: the kernel's state is here, the line lives in the plane.
        ``t0``: the clock's time at which the session began."""
        self.t0 = t0
        self._name_models()
        if self.services.leg is not None:
            self.bridge.attach(line)
            self.listening.start()
            self.in_background(lambda: render_clips(self, self.speaking.texts))
        self.post(ev.Resumed(epoch=self.services.epoch))
        self._beat()

    def drop(self) -> None:
        """Forget all that is not in the kernel's state, without a word to anybody: what the death of a process does."""
        self._dropped = True
        for handle in (self._wake, self._heartbeat):
            if handle is not None:
                handle.cancel()
        self.user_code.close(keep=frozenset())
        for task in (*self.speaking.close(), *self._ending, *self._background):
            task.cancel()
        self.keep(self.lane.loop.create_task(self.listening.aclose(), name="antiphon:stt-close"))
        self.bridge.gone()

    def _beat(self) -> None:
        if self.services.leg is not None and not self.ended.is_set():
            self.bridge.heartbeat()
            self._heartbeat = self.lane.loop.call_later(HEARTBEAT, self._beat)

    # --- tools, hooks, agents ------------------------------------------------------------------------------------

    def _run_tool(self, effect: fx.RunTool) -> None:
        tool = self.bound.tool(effect.name)
        if tool is None:
            self.post(ev.ToolReturned(op=effect.op, output=f"The tool {effect.name} is gone.", is_error=True))
            return
        context: RunContext[Any] = RunContext(
            session=self.session,
            agent=self.bound.agent,
            speech_handle=self.side.handle_of(effect.speech),
            function_call=new_function_call(effect),
            idempotency_key=effect.key,
        )
        self.tool_ops[effect.call_id] = effect.op
        self.tool_steps[effect.call_id] = effect.speech
        self.user_code.run_tool(effect, tool, context, self.directory.adopt)

    def _call_hook(self, effect: fx.CallHook) -> None:
        agent = self.directory.agents[effect.agent]
        context = None
        if effect.hook == "on_user_turn_completed":
            context = self.directory.turn_context(self.bound, self.kernel.state)
            self.directory.edited = None
        self.user_code.call_hook(effect, agent, context)

    def _edited(self, context: ChatContext) -> None:
        self.directory.edited = context

    def _abandon_hook(self, effect: fx.AbandonHook) -> None:
        self.user_code.cancel(effect.op)

    def _rebind(self, effect: fx.Rebind) -> None:
        previous = self.bound
        self.bound = self.directory.bind(effect.agent.key)
        self.bridge.configure(effect.agent.policy)
        self.listening.rebound(previous)
        self.tell(self.side.entered, effect.agent.key)

    def rebound(self) -> None:
        """Models or tools of the current agent changed: take them from the next request on, the recogniser now."""
        previous = self.bound
        self.bound = self.directory.bind(self.bound.agent.id)
        self.listening.rebound(previous)
        self._name_models()

    def _detach(self, op: ev.Op) -> None:
        """A write outlives the session: the process keeps its task, and its result is recorded when it comes."""
        self.detached.add(op)

    # --- the end -------------------------------------------------------------------------------------------------

    def _close_all(self, effect: fx.CloseAll) -> None:
        self._freeing = self.lane.loop.create_task(self._free(effect), name="antiphon:close")

    async def _free(self, effect: fx.CloseAll) -> None:
        """Free everything; what does not end by the deadline is named and left."""
        deadline = self.t0 + effect.deadline
        self.user_code.close(keep=self.detached)
        self._ending.update(self.speaking.close())
        self._ending.add(self.lane.loop.create_task(self.listening.aclose(), name="antiphon:stt-close"))
        if self.services.leg is not None:
            self._ending.add(self.lane.loop.create_task(self.bridge.aclose(), name="antiphon:line-close"))
        for task in self._background:
            task.cancel()
        pending = {task for task in self._ending | self._background if not task.done()}
        if pending:
            _, pending = await asyncio.wait(pending, timeout=max(0.0, deadline - self.lane.loop.time() - 0.1))
        for task in pending:
            task.cancel()
        await self._user_code_ends(lambda: bool(self.user_code.running(self.detached)), deadline - 0.05)
        abandoned = [task.get_name().removeprefix("antiphon:") for task in pending]
        abandoned += self.user_code.running(self.detached)
        self.post(ev.Closed(op=effect.op, abandoned=tuple(abandoned)))

    def _ended(self, effect: fx.Ended) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self.bridge.gone()
        self.keep(self.lane.loop.create_task(self._finish(effect.reason), name="antiphon:finish"))

    async def _finish(self, reason: str) -> None:
        """The account and the log are complete before the application hears of the end, but for detached writes."""
        if self.services.telemetry is not None:
            self.services.telemetry.finish()
        detached = any(self.user_code.runs(op) for op in self.detached)
        if not detached:
            await self._close_log()
        self.ended.set()
        self.tell(self.side.ended, reason)
        if detached:
            until = self.lane.loop.time() + TOOL_DRAIN
            await self._user_code_ends(lambda: any(self.user_code.runs(op) for op in self.detached), until)
            self.user_code.close(keep=frozenset())
            await self._close_log()

    async def _user_code_ends(self, running: Callable[[], bool], until: float) -> None:
        """Wait while ``running()``, at most ``until`` (loop time)."""
        while running():
            self._code_ended.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._code_ended.wait()
            except TimeoutError:
                return

    async def _close_log(self) -> None:
        if self.services.log is not None:
            await self.services.log.aclose()


async def _once(awaitable: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    await awaitable
    yield
