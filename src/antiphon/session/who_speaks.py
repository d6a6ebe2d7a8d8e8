"""Who speaks, and with what: the part of a session's interface by which agents, tasks, models and settings change on a live
call. Part of ``LiveSession``; what a change means the kernel decides."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from typing import TYPE_CHECKING, Any, TypeVar

from antiphon.agents.agent import NOT_GIVEN, Agent
from antiphon.agents.handoff import ContextPolicy, EntryMode, Handoff
from antiphon.agents.task import AgentTask, check_takes_over
from antiphon.kernel import events as ev
from antiphon.kernel.policy import AgentRef, Terms
from antiphon.models.choice import ModelChoice
from antiphon.models.llm import LLM
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.session.bindings import resolve
from antiphon.session.options import TurnHandlingOptions

if TYPE_CHECKING:
    from antiphon.session.directory import Directory
    from antiphon.session.handing_over import HandingOver
    from antiphon.session.shell import Shell
    from antiphon.session.tasks import Tasks
    from antiphon.session.tool_sets import ToolSets
    from antiphon.session.user_side import UserSide

R = TypeVar("R")


class WhoSpeaks:
    """Needs the parts of the session that carry it out."""

    turn_handling: TurnHandlingOptions
    tasks: Tasks
    handing_over: HandingOver
    tool_sets: ToolSets
    _shell: Shell | None
    _directory: Directory | None

    def _running(self) -> Shell:
        raise NotImplementedError

    def _ensure_side(self) -> UserSide:
        raise NotImplementedError

    def running(self) -> tuple[Shell, Directory]:
        """Its parts, while it runs. Raises ``SessionClosedError`` else."""
        shell = self._running()
        assert self._directory is not None
        return shell, self._directory

    def update_agent(
        self,
        agent: Agent,
        *,
        context: ContextPolicy | None = None,
        entry: EntryMode | None = None,
        reason: str = "",
    ) -> asyncio.Future[bool]:
        """Hand over to ``agent``, on terms as in ``Handoff``. Returns at once; the future says whether it takes over: not where
        another hand-off is under way, or where the conversation has been passed on too often without the caller. Raises
        ``ConfigurationError`` for a task, which is awaited instead, and for settings of the agent that cannot hold."""
        check_takes_over(agent)
        handoff = Handoff(agent, context, entry, reason)
        ask, done = uuid.uuid4().hex, asyncio.get_running_loop().create_future()
        side = self._ensure_side()
        self.running()
        side.handoffs[ask] = done
        if self.handing_over.needs_model(handoff):
            self.handing_over.begin(
                lambda: self._hand_over_later(handoff, ask),
                otherwise=lambda: side.handoff_answered(ask, done=False),
            )
        else:
            self._hand_over(ask, *self.handing_over.at_once(handoff))
        return done

    async def _hand_over_later(self, handoff: Handoff, ask: str) -> None:
        self._hand_over(ask, *await self.handing_over.terms(handoff))

    def _hand_over(self, ask: str, ref: AgentRef, terms: Terms) -> None:
        self._running().post(ev.AgentAsked(agent=ref, terms=terms, ask=ask))

    def conversation_agents(self) -> set[str]:
        """Ids of the agents that have spoken so far."""
        return self._ensure_side().spoke

    async def run_task(self, task: AgentTask[R]) -> R:
        """Let a task speak until it is done, on top of whoever speaks now; returns its result. For application code; in
        a tool or hook it is the same as the await of the task. Raises as that does."""
        result: R = await self.tasks.run(task)
        return result

    def update_options(
        self,
        *,
        stt: STT | ModelChoice | str | None = NOT_GIVEN,
        llm: LLM | ModelChoice | str | None = NOT_GIVEN,
        tts: TTS | ModelChoice | str | None = NOT_GIVEN,
        turn_handling: TurnHandlingOptions | dict[str, Any] | None = NOT_GIVEN,
    ) -> None:
        """Other models or turn settings for the session, on a live call. Raises ``ConfigurationError`` for settings that cannot
        hold, alone or with those of an agent: all is as it was then."""
        _, directory = self.running()
        given = {"stt": stt, "llm": llm, "tts": tts}
        models = {kind: resolve(kind, model) for kind, model in given.items() if model is not NOT_GIVEN}
        turns = self.turn_handling if turn_handling is NOT_GIVEN else TurnHandlingOptions.of(turn_handling)
        after = dataclasses.replace(directory, models=directory.models | models, turn_handling=turns)
        agents = [one for one in directory.agents.values() if not (isinstance(one, AgentTask) and one.done())]
        for agent in agents:
            after.policy(agent)
        directory.models.update(models)
        self.turn_handling = directory.turn_handling = turns
        for agent in agents:
            self.agent_changed(agent)

    def check_settings(self, agent: Agent) -> None:
        """Raises ``ConfigurationError`` where the agent's models or turn settings cannot hold here."""
        if self._directory is not None:
            self._directory.policy(agent)

    def agent_changed(
        self,
        agent: Agent,
        *,
        instructions: str | None = None,
        tools_added: tuple[str, ...] = (),
        tools_removed: tuple[str, ...] = (),
    ) -> None:
        """An agent's instructions, tools, models or settings changed (``Agent.update_*`` calls it)."""
        if self._shell is None or self._directory is None:
            return
        self.tool_sets.open(agent.tools)
        self._directory.bind(agent)  # here, on the user's loop, its models are made
        self._shell.lane.run(self._shell.rebound)
        if instructions is not None or tools_added or tools_removed:
            self._shell.post(
                ev.AgentReconfigured(
                    agent=agent.id, instructions=instructions, tools_added=tools_added, tools_removed=tools_removed
                )
            )
        self._shell.post(ev.PolicyChanged(policy=self._directory.policy(agent), agent=agent.id))

    def agent_context_replaced(self, agent: Agent) -> None:
        """``Agent.update_chat_ctx`` calls it."""
        if self._directory is not None:
            self._directory.context_replaced(agent, self._ensure_side().conversation)
