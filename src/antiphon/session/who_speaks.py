"""Who speaks, and with what: the part of a session's interface by which agents, tasks, models and settings change on a live
call. Part of ``LiveSession``; what a change means the kernel decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from antiphon.agents.agent import NOT_GIVEN, Agent
from antiphon.agents.task import AgentTask
from antiphon.kernel import events as ev
from antiphon.models.choice import ModelChoice
from antiphon.models.llm import LLM
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.session.bindings import resolve
from antiphon.session.options import TurnHandlingOptions

if TYPE_CHECKING:
    from antiphon.session.directory import Directory
    from antiphon.session.shell import Shell
    from antiphon.session.tasks import Tasks
    from antiphon.session.tool_sets import ToolSets
    from antiphon.session.user_side import UserSide

R = TypeVar("R")


class WhoSpeaks:
    """Needs the parts of the session that carry it out."""

    turn_handling: TurnHandlingOptions
    tasks: Tasks
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

    def update_agent(self, agent: Agent) -> None:
        """Another agent takes over; the conversation goes along."""
        shell = self._running()
        assert self._directory is not None
        ref = self._directory.adopt(agent)
        shell.post(ev.AgentAsked(agent=ref))

    async def run_task(self, task: AgentTask[R]) -> R:
        """Let a task speak until it is done, on top of whoever speaks now; returns its result. For application code: tools,
        ``on_enter`` and ``on_exit`` await the task itself. Raises as the await of a task does."""
        result: R = await self.tasks.perform(task)
        return result

    def update_options(
        self,
        *,
        stt: STT | ModelChoice | str | None = NOT_GIVEN,
        llm: LLM | ModelChoice | str | None = NOT_GIVEN,
        tts: TTS | ModelChoice | str | None = NOT_GIVEN,
        turn_handling: TurnHandlingOptions | dict[str, Any] | None = NOT_GIVEN,
    ) -> None:
        """Other models or turn settings for the session, on a live call."""
        self._running()
        assert self._directory is not None
        for kind, model in (("stt", stt), ("llm", llm), ("tts", tts)):
            if model is not NOT_GIVEN:
                self._directory.models[kind] = resolve(kind, model)
        if turn_handling is not NOT_GIVEN:
            self.turn_handling = self._directory.turn_handling = TurnHandlingOptions.of(turn_handling)
        for agent in list(self._directory.agents.values()):
            self.agent_changed(agent)

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
