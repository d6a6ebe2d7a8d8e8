"""AgentSession: one conversation, as the application holds it: how it is set up, begun and ended.

What a conversation can be told and asked is ``LiveSession``, its base. Both live on the user's loop and own no
decision: calls become events to the kernel on the core lane, and what the core tells comes back through ``UserSide``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Generic, TypeVar

import msgspec

from antiphon.agents.agent import NOT_GIVEN, Agent
from antiphon.agents.task import check_takes_over
from antiphon.errors import ConfigurationError, SessionClosedError
from antiphon.kernel import events as ev
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.policy import AgentRef, SessionPolicy
from antiphon.models.choice import ModelChoice
from antiphon.models.llm import LLM
from antiphon.models.prices import Price
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.models.turn_detector import TurnDetector
from antiphon.models.vad import VADOptions
from antiphon.session.argument_mask import ArgumentMask
from antiphon.session.bindings import session_models
from antiphon.session.budget import Budget, BudgetExceeded
from antiphon.session.directory import Directory
from antiphon.session.events import BudgetExceededEvent
from antiphon.session.lanes import Lane
from antiphon.session.live_session import LiveSession
from antiphon.session.options import TurnHandlingOptions
from antiphon.session.services import Services
from antiphon.session.shell import Shell
from antiphon.session.taking_over import TakingOver
from antiphon.session.text_transforms import Transform, compile_transforms
from antiphon.tools.mcp.servers import MCPServer, servers_of
from antiphon.tools.policy import Policy
from antiphon.tools.toolset import Tool

logger = logging.getLogger("antiphon")
T = TypeVar("T")
H = TypeVar("H", bound=Callable[..., Any])


class AgentSession(LiveSession, Generic[T]):
    """One conversation.

    ``stt``, ``llm``, ``tts``: an object, or a ``provider/model`` string; unset: the local models; ``None``: none.
    ``vad``: settings of voice activity detection. ``turn_handling``: see ``TurnHandlingOptions``. ``tools``: functions
    and toolsets for every agent of the session. ``mcp_servers``: MCP servers for every agent: http(s) URLs,
    ``MCPServerHTTP``, ``MCPServerStdio``. ``tool_policy``: asked before a tool runs (``antiphon.tools.policy``). ``userdata``: your own data, of type ``T``. ``max_tool_steps``: rounds of tool calls in one
    reply. ``max_handoffs``: hand-offs without a turn of the caller's between them; what asks for more is refused and told so. ``tts_text_transforms``: what is taken out of text before it is spoken (names or functions; ``None``: nothing).
    ``min_consecutive_speech_delay``: seconds between two speeches. ``user_away_timeout``: seconds of silence of both
    until the user counts as away (0: never). ``party_grace``: seconds that a leg which vanished may take to come back
    before the session ends. ``tool_timeout``: seconds after which a tool counts as failed for the model (a write goes
    on). ``hook_timeout``: seconds that ``on_user_turn_completed`` may take before the call goes on without it.
    ``language``: BCP 47 tag of the conversation. ``budget``: what the call may cost. ``prices``: your own, before those that
    come with Antiphon.
    """

    def __init__(
        self,
        *,
        stt: STT | ModelChoice | str | None = NOT_GIVEN,
        llm: LLM | ModelChoice | str | None = NOT_GIVEN,
        tts: TTS | ModelChoice | str | None = NOT_GIVEN,
        turn_detector: TurnDetector | None = NOT_GIVEN,
        vad: VADOptions | None = None,
        turn_handling: TurnHandlingOptions | dict[str, Any] | None = None,
        tools: Sequence[Tool] = (),
        mcp_servers: Sequence[MCPServer | str] = (),
        tool_policy: Policy | None = None,
        userdata: T = None,  # type: ignore[assignment]
        max_tool_steps: int = 3,
        max_handoffs: int = 5,
        tts_text_transforms: Sequence[str | Transform] | None = ("filter_markdown", "filter_emoji"),
        min_consecutive_speech_delay: float = 0.0,
        user_away_timeout: float = 15.0,
        party_grace: float = 0.0,
        tool_timeout: float = 60.0,
        hook_timeout: float = 8.0,
        language: str = "en",
        budget: Budget | None = None,
        prices: Sequence[Price] = (),
    ) -> None:
        super().__init__([*tools, *servers_of(mcp_servers)])
        self.tool_policy = tool_policy
        self._given = {"stt": stt, "llm": llm, "tts": tts, "turn_detector": turn_detector}
        self.vad_options = vad or VADOptions()
        self.turn_handling = TurnHandlingOptions.of(turn_handling)
        self.userdata = userdata
        self.language = language
        self.budget, self.prices = budget, tuple(prices)
        self.transform = compile_transforms(tts_text_transforms)
        self._base_policy = SessionPolicy(
            max_tool_steps=max_tool_steps,
            max_handoffs=max_handoffs,
            speech_gap=min_consecutive_speech_delay,
            away_after=user_away_timeout,
            party_grace=party_grace,
            tool_deadline=tool_timeout,
            hook_hard=hook_timeout,
        )
        self._context: Any = None

    # --- events --------------------------------------------------------------------------------------------------

    def on(self, event: str, handler: H | None = None) -> Any:
        """Register a handler (function or coroutine); without one, a decorator. May be called before ``start``."""
        return self._ensure_side().emitter.on(event, handler)

    def off(self, event: str, handler: Callable[..., Any]) -> None:
        self._ensure_side().emitter.off(event, handler)

    # --- start ---------------------------------------------------------------------------------------------------

    async def start(
        self,
        agent: Agent,
        ctx_or_leg: Any = None,
        *,
        room: Any = None,
        room_options: Any = None,
        record: bool | str = False,
    ) -> None:
        """Begin the conversation with ``agent``.

        ``ctx_or_leg``: the ``JobContext`` of an entrypoint, or a ``LegSpec``; nothing: a text session. ``room``: ``ctx.room``, in its
        place. ``room_options``: ``RoomOptions`` of a job in a LiveKit room; a job without one has no use for them. ``record``: a
        path (or ``True``, ``call.wav``) of a stereo recording, WAV or, by its name, ``.opus``. Returns when the session runs. Raises
        ``ConfigurationError`` or ``ModelMissingError`` before anything sounds.
        """
        if self._shell is not None:
            raise ConfigurationError(
                "This session was started already.", hint="Make a new AgentSession for a new call."
            )
        check_takes_over(agent)
        side = self._ensure_side()
        user = Lane(asyncio.get_running_loop())
        composer = import_module("antiphon.worker.runtime")
        context = composer.context_for(ctx_or_leg, room, room_options)
        if not self._base_policy.party_grace:
            self._base_policy = msgspec.structs.replace(self._base_policy, party_grace=context.party_grace)
        directory = self._directory = Directory(
            session=self,
            models=session_models(self._given),
            tools=self._tools,
            sets=self.tool_sets,
            turn_handling=self.turn_handling,
            base_policy=self._base_policy,
        )
        try:
            self.tool_sets.open(self._tools)
            directory.adopt(agent)
            context._attach(self)
            self._context = context
            services: Services = await context._services(self, record)
            if services.log is not None:
                services.log = ArgumentMask(services.log, directory.secret_arguments)
            resumption = services.resumption
            taking_over = None if resumption is None else TakingOver(self, directory, resumption, agent)
            ref, kernel = None, Kernel(epoch=services.epoch)
            if taking_over is not None:
                kernel = taking_over.kernel
                if taking_over.begun:
                    agent, ref = taking_over.restore()
                else:
                    kernel.state.epoch = services.epoch
            shell = self._shell = Shell(
                side,
                services,
                user,
                kernel=kernel,
                directory=directory,
                bound=directory.bind(agent),
                session=self,
            )
            begins = taking_over is None or not taking_over.begun
            if begins:
                await self._on_core(shell, shell.prewarm())
            if begins or kernel.state.tools.runs:  # who goes on has a caller waiting
                await self.tool_sets.settle()
        except BaseException:
            self._shell = None
            self.tool_sets.close()
            if self._context is not None:
                await self._context._release()
            raise
        shell.speaking.texts = directory.clip_texts(agent)
        if taking_over is None or begins:
            services.core.post(shell.begin, directory.adopt(agent))
        else:
            side.goes_on(taking_over.resumption.facts, kernel.state)
            services.core.post(self._go_on, shell, taking_over, ref)
        await side.started.wait()
        if taking_over is not None and taking_over.begun:
            side.tell_state()

    def _go_on(self, shell: Shell, taking_over: TakingOver, ref: AgentRef | None) -> None:
        """On the core lane. What the log does not hold yet comes before everything new."""
        resumption, log = taking_over.resumption, shell.services.log
        if log is not None:
            for fact in resumption.unwritten:
                log.append("fact", fact.at, fact)
        shell.owning.take_over(shell.services.id, shell.lane.loop.time() - resumption.age, ref)
        for ask in taking_over.given_up:
            shell.post(ev.TaskCancelled(ask=ask))
        for trouble in taking_over.troubles:
            shell.tell(shell.side.error, "resume", trouble, True)

    async def _on_core(self, shell: Shell, coroutine: Any) -> Any:
        if shell.lane.here():
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, shell.lane.loop))

    # --- tools ---------------------------------------------------------------------------------------------------

    async def update_tools(self, tools: Sequence[Tool | str]) -> None:
        """The session's own tools and toolsets, all of them, from the next request on. A string is an MCP server's URL."""
        self._tools[:] = [servers_of([one])[0] if isinstance(one, str) else one for one in tools]
        if self._shell is not None:
            self.tool_sets.open(self._tools)
        self.tools_changed()

    def tools_changed(self) -> None:
        """A toolset offers other tools than before (it tells so itself)."""
        if self._shell is not None:
            self._shell.lane.run(self._shell.rebound)

    # --- cost ----------------------------------------------------------------------------------------------------

    @property
    def cost(self) -> Any:
        """What the call has cost so far: ``total`` (US dollars), ``wasted``, ``unpriced``; ``None`` before the start."""
        telemetry = None if self._shell is None else self._shell.services.telemetry
        return None if telemetry is None else telemetry.cost()

    def over_budget(self, exceeded: BudgetExceeded) -> None:
        """The call costs more than it may (the core says so, once): tell it, and do what the budget says."""
        side, budget = self._ensure_side(), self.budget
        logger.warning("the call has cost %.4f USD; its budget is %.4f USD", exceeded.cost, exceeded.limit)
        event = BudgetExceededEvent(cost=exceeded.cost, limit=exceeded.limit, at=self.now())
        side.emitter.emit("budget_exceeded", event)
        if budget is None or side.closed.is_set():
            return
        if callable(budget.on_exceeded):
            self.call_user(budget.on_exceeded, exceeded)
        elif budget.on_exceeded == "end":
            self.say(budget.last_words(self.language), allow_interruptions=False, priority="background")
            self.shutdown(drain=True, reason="budget_exceeded")

    # --- the end -------------------------------------------------------------------------------------------------

    async def drain(self) -> None:
        """Take no new turns, say what is queued, then close."""
        shell = self._running()
        shell.post(ev.Drain())
        await self._ensure_side().closed.wait()
        await self._settle()

    def shutdown(self, *, drain: bool = True, reason: str = "user_initiated") -> None:
        """Ask for the end and return at once."""
        shell = self._running()
        shell.post(ev.Drain(reason=reason) if drain else ev.CloseAsked(reason=reason))

    async def aclose(self, deadline: float = 0.0, *, reason: str = "user_initiated") -> None:
        """Close now. Returns within ``deadline`` seconds (the policy's 5 s where 0), whatever the peers do."""
        if self._shell is None:
            return
        if not self._ensure_side().closed.is_set():
            self._shell.post(ev.CloseAsked(reason=reason, deadline=deadline))
            await self._ensure_side().closed.wait()
        await self._settle()

    async def hand_over(self, *, within: float = 10.0) -> bool:
        """Let go of the conversation, so that another process can go on with it from its durable log. Nothing is closed, and what sounds
        goes on. ``within``: seconds to wait for the caller's next silence; a tool that runs then ends here and is the next owner's
        (``retry=``). ``wait_closed`` does not return and no ``close`` event tells of it: whoever runs the job calls ``let_go``. False:
        it came to its end instead. Raises ``ConfigurationError`` without such a log."""
        shell, side = self._running(), self._ensure_side()
        if shell.services.durable is None:
            raise ConfigurationError(
                "This session has no durable log.", hint="Begin it with worker.durability: Durability(...).create(...)."
            )
        shell.lane.post(
            lambda: shell.keep(shell.lane.loop.create_task(shell.owning.leave(within), name="antiphon:hand-over"))
        )
        ways = {asyncio.ensure_future(event.wait()) for event in (side.handed_over, side.closed)}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
        return side.handed_over.is_set()

    def let_go(self) -> None:
        """After ``hand_over``: whoever waits for the end waits no more."""
        self._ensure_side().closed.set()

    async def wait_started(self) -> None:
        """Until ``start`` has come so far that the session runs."""
        await self._ensure_side().started.wait()

    async def wait_written(self) -> None:
        """After the end: until the writes that outlive it (tools with side effects, 30 s at most) are over and the log holds what came
        of them."""
        if self._shell is not None and self._ensure_side().closed.is_set():
            await self._ensure_side().written.wait()

    async def wait_closed(self) -> str:
        """Wait for the end; returns its reason."""
        await self._ensure_side().closed.wait()
        await self._settle()
        return self._ensure_side().close_reason

    async def _settle(self) -> None:
        await self.tool_sets.closed()
        if self._context is not None:
            await self._context._release()

    async def __aenter__(self) -> AgentSession[T]:
        return self

    async def __aexit__(self, *exc: object) -> None:
        with suppress(SessionClosedError):
            await self.aclose()
