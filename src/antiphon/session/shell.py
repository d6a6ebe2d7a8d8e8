"""The session shell: carries out what one kernel asks for, on the core lane.

The shell decides nothing about the conversation. ``KernelDriver`` steps the kernel, ``Speaking``, ``Listening``,
``PlaneBridge`` and ``Closing`` are its parts; user code runs on the user's lane, sound in the plane.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from antiphon.chat.context import ChatContext
from antiphon.chat.media import Media
from antiphon.errors import ModelError
from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel import facts as ft
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.policy import AgentRef
from antiphon.models.availability import Availability
from antiphon.session.ambience import Ambience
from antiphon.session.argument_mask import MASKED, is_masked
from antiphon.session.barriers import Barriers
from antiphon.session.bindings import Bound
from antiphon.session.budget import BudgetWatch
from antiphon.session.clips import render_clips
from antiphon.session.closing import Closing
from antiphon.session.directory import Directory
from antiphon.session.kernel_driver import KernelDriver
from antiphon.session.lanes import Lane, across
from antiphon.session.listening import Listening
from antiphon.session.owning import Owning
from antiphon.session.plane_bridge import PlaneBridge
from antiphon.session.services import Services
from antiphon.session.speaking import Speaking
from antiphon.session.tool_gate import ToolGate
from antiphon.session.tool_host import CallHost
from antiphon.session.user_code import UserCode, new_function_call
from antiphon.session.user_side import UserSide
from antiphon.tools.run_context import RunContext

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession

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
        self.barriers: Barriers | None = None
        if services.durable is not None:
            self.barriers = Barriers(
                services.durable,
                services.core.loop,
                carry_out=self._do,
                post=lambda event: self.post(event),
                told=lambda text: self.tell(self.side.error, "log", text, True),
            )
        self.driver = KernelDriver(
            kernel,
            services,
            carry_out=self._do if self.barriers is None else self.barriers.take,
            follow=self._follow,
            fault=lambda text: self.tell(self.side.error, "session", text, True),
        )
        self.post, self.now, self.session_time = self.driver.post, self.driver.now, self.driver.session_time
        self.background: set[asyncio.Task[Any]] = set()
        self.bridge = PlaneBridge(self)
        self.closing = Closing(self)
        self.keep = self.closing.keep
        self.user_code = UserCode(
            user,
            core=services.core,
            gate=ToolGate(self, session.tool_policy),
            post=self.post,
            report=self._user_error,
            on_edited=self._edited,
            on_end=self.closing.code_ended,
            shelf=session.media,
            tasks=session.tasks,
        )
        self.directory: Directory = directory
        self.bound: Bound = bound
        self.owning = Owning(self)
        self.ambience = Ambience(self.bridge)
        self.listening = Listening(self)
        self.speaking = Speaking(self)
        self._budget = BudgetWatch(self, session.budget) if session.budget is not None else None
        self._heartbeat: asyncio.TimerHandle | None = None
        self.followed = asyncio.Event()
        """Set with every event, for those who wait for a state of the conversation."""
        self.tool_ops: dict[str, ev.Op] = {}
        self.tool_steps: dict[str, str] = {}
        self._effects: dict[type[fx.Effect], Callable[[Any], None]] = {
            fx.Record: self._record,
            fx.WakeAt: self.driver.wake_at,
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
            fx.DetachTool: self.closing.detach,
            fx.CallHook: self.call_hook,
            fx.AbandonHook: self._abandon_hook,
            fx.Rebind: self._rebind,
            fx.SendDtmf: lambda e: self.bridge.digits(e.digits),
            fx.Failover: self.speaking.failover,
            fx.CloseAll: self.closing.close_all,
            fx.Ended: self.closing.finish,
        }

    # --- effects -------------------------------------------------------------------------------------------------

    def _do(self, effect: fx.AnyEffect) -> None:
        try:
            self._effects[type(effect)](effect)
        except Exception:
            # An effect that cannot be carried out must not stop the others; whoever waits for it has a deadline.
            self.tell(self.side.error, "session", traceback.format_exc(), True)

    def _follow(self, event: ev.Event) -> None:
        self.followed.set()
        self.bridge.configure(self.kernel.state.policy)
        self.speaking.follow(event)
        if self._budget is not None:
            self._budget.follow(event)

    def tell(self, call: Callable[..., object], *args: Any) -> None:
        """Run ``call`` on the user's lane."""
        self.user_lane.post(call, *args)

    def _user_error(self, source: str, text: str) -> None:
        self.tell(self.side.error, source, text, True)

    # --- record, notices -----------------------------------------------------------------------------------------

    def _record(self, effect: fx.Record) -> None:
        if self.services.log is not None:
            self.services.log.append("fact", effect.fact.at, effect.fact)
        metrics: dict[str, float] = {}
        if self.services.telemetry is not None and isinstance(effect.fact, ft.TurnCommitted | ft.SpeechHeard):
            metrics = self.services.telemetry.message_metrics(effect.fact.item)
        self.tell(self.side.fact, effect.position, effect.fact, metrics)

    def _notify(self, effect: fx.Notify) -> None:
        if effect.name == "agent_state_changed":
            self.ambience.agent_is(effect.body["new"])
        self.tell(self.side.notice, effect.name, effect.body, self.now())

    # --- starting ------------------------------------------------------------------------------------------------

    async def prewarm(self) -> None:
        """Load or connect the models, all at once. What may work later is reported; what cannot work is raised."""
        bound = self.bound
        self.name_models()
        voice = bound.tts if self.services.sounds else None
        sound = (bound.stt, voice, bound.detector) if self.services.leg is not None else ()
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
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def name_models(self) -> None:
        """Tell the account which models are really used, and listen to those that stand for several."""
        telemetry, bound = self.services.telemetry, self.bound
        for several in (bound.stt, bound.llm, bound.tts):
            self._listen_to(several)
        if telemetry is None:
            return
        for kind, model in (
            ("stt", bound.stt),
            ("llm", bound.llm),
            ("tts", bound.tts),
            ("turn_detector", bound.detector),
        ):
            if model is not None:
                meters = getattr(model, "meters", False)
                telemetry.use_model(kind, model.provider or type(model).__name__, model.model, meters=meters)

    def _listen_to(self, model: Any) -> None:
        availability = getattr(model, "availability", None)
        if isinstance(availability, Availability):
            availability.listener = lambda change: self.tell(self.side.availability, change)
            for member in availability.members:
                self._listen_to(member.model)

    def begin(self, agent: AgentRef) -> None:
        """Open the line and start the kernel."""
        self.driver.t0 = self.lane.loop.time()
        self.owning.listen()
        self.name_models()
        resumption, leg = self.services.resumption, self.services.leg
        self.post(ev.Start(agent=agent))
        if leg is None:
            self.post(ev.LegUp(leg="text", medium="text", quality="device"))
        else:
            if resumption is not None and resumption.attach:
                self.bridge.attach(self.bridge.line, leg)
            else:
                self.bridge.open(leg)
            self.listening.start()
            self.in_background(lambda: render_clips(self, self.speaking.texts))
        self.beat()

    def drop(self) -> None:
        """Forget all that is not in the kernel's state, without a word to anybody: what the death of a process does."""
        self.driver.drop()
        self.stop_beating()
        self.user_code.close(keep=frozenset())
        waiting = self.barriers.drop() if self.barriers is not None else ()
        for task in (*self.speaking.close(), *self.closing.ending, *self.background, *waiting):
            task.cancel()
        self.keep(self.lane.loop.create_task(self.listening.aclose(), name="antiphon:stt-close"))
        self.bridge.gone()

    def beat(self) -> None:
        if self.services.leg is not None and not self.closing.ended.is_set():
            self.bridge.heartbeat()
            self._heartbeat = self.lane.loop.call_later(HEARTBEAT, self.beat)

    def stop_beating(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.cancel()

    # --- tools, hooks, agents ------------------------------------------------------------------------------------

    def _run_tool(self, effect: fx.RunTool) -> None:
        bound = self.directory.bind(effect.agent) if effect.agent in self.directory.agents else self.bound
        tool = bound.tool(effect.name)
        if tool is None:
            self.post(ev.ToolReturned(op=effect.op, output=f"The tool {effect.name} is gone.", is_error=True))
            return
        if self.services.resumption is not None and tool.options.redact and is_masked(effect.arguments):
            self.post(ev.ToolReturned(op=effect.op, output=MASKED, is_error=True))
            return
        context: RunContext[Any] = RunContext(
            session=self.session,
            agent=bound.agent,
            speech_handle=self.side.handle_of(effect.speech),
            function_call=new_function_call(effect),
            idempotency_key=f"{self.services.id}.{effect.key}",
            host=CallHost(self, effect),
            resumed=effect.again,
        )
        self.tool_ops[effect.call_id] = effect.op
        self.tool_steps[effect.call_id] = effect.speech
        self.user_code.run_tool(effect, tool, context, self.session.handing_over.terms)

    def call_hook(self, effect: fx.CallHook) -> None:
        waiting = self.directory.missing.get(effect.agent)
        if waiting is not None:
            waiting.append(effect)
            return
        agent = self.directory.agents[effect.agent]
        context = None
        media: list[Media] = []
        if effect.hook == "on_user_turn_completed":
            context = self.directory.turn_context(self.bound, self.kernel.state)
            self.directory.edited = None
            media, _ = self.session.media.find(self.kernel.state.agents.turns[0].media)
        self.user_code.call_hook(effect, agent, context, media)

    def _edited(self, context: ChatContext) -> None:
        self.directory.edited = context

    def _abandon_hook(self, effect: fx.AbandonHook) -> None:
        self.user_code.cancel(effect.op)

    def _rebind(self, effect: fx.Rebind) -> None:
        previous = self.bound
        self.bound = self.directory.bind(effect.agent.key)
        self.listening.rebound(previous)
        self._render(previous)
        self.name_models()
        self.tell(self.side.entered, effect.agent.key)

    def rebound(self) -> None:
        """Models or tools of the current agent changed: take them from the next request on, the recogniser now."""
        previous = self.bound
        self.bound = self.directory.bind(self.bound.agent.id)
        self.listening.rebound(previous)
        self._render(previous)
        self.name_models()

    def _render(self, previous: Bound) -> None:
        """Clips for another agent's voice, language and texts; what it shares with the one before is there."""
        before, texts = self.speaking.texts, self.directory.clip_texts(self.bound.agent)
        self.speaking.texts = texts
        if previous.tts is self.bound.tts:
            texts = {key: text for key, text in texts.items() if before.get(key) != text}
        if texts and self.bridge.is_open:
            self.in_background(lambda: render_clips(self, texts))


async def _once(awaitable: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    await awaitable
    yield
