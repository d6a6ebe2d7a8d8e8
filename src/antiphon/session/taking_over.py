"""Taking over: objects of the user's for a conversation that another process began, out of the kernel's state and the facts.

Makes its agents anew and fills their state and ``userdata``, before the session's first event; what cannot be made is told, and
somebody stands in for it. Lives on the user's loop.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from antiphon.agents.agent import Agent
from antiphon.agents.instructions import Instructions
from antiphon.agents.restoring import path_of, restored
from antiphon.agents.saved_state import read_into
from antiphon.agents.task import AgentTask
from antiphon.errors import ConfigurationError
from antiphon.kernel import facts as ft
from antiphon.kernel.agents import AgentsState
from antiphon.kernel.folding import goes_on
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.policy import AgentRef
from antiphon.session.directory import Directory, ReplyRequest
from antiphon.session.resumption import Resumption

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession


class TakingOver:
    """One conversation. ``given``: the agent that ``start`` was given: it is used where it is the one that is wanted, and stands in
    for one that cannot be made. ``troubles``: what could not be had back, to be told when the session runs. ``given_up``: tasks that the
    application awaited and nobody can speak."""

    def __init__(self, session: AgentSession[Any], directory: Directory, resumption: Resumption, given: Agent) -> None:
        self._session, self._directory, self._given = session, directory, given
        self.resumption = resumption
        self.kernel = Kernel.load(resumption.kernel)
        self.conversation = self.kernel.state.conversation
        self.troubles: list[str] = []
        self.given_up: list[str] = []
        self._instructions = {
            fact.agent: fact.instructions
            for fact in resumption.facts
            if isinstance(fact, ft.AgentConfigured) and fact.instructions is not None
        }

    @property
    def begun(self) -> bool:
        """Whether anything had happened; else the session just begins."""
        return self.kernel.state.lifecycle.phase != "new" or bool(self.conversation.agent)

    def restore(self) -> tuple[Agent, AgentRef | None]:
        """Everything. Returns the agent that goes on, and its reference where only the conversation is known."""
        paths = {fact.agent: fact.path for fact in self.resumption.facts if isinstance(fact, ft.AgentEntered)}
        agents = self.kernel.state.agents
        paths |= {ref.key: ref.path for ref in _references(self.kernel)}
        current = agents.current.key if agents.current is not None else goes_on(self.conversation)
        tasks = {frame.wish.agent.key: frame.wish.id for frame in agents.tasks}
        wanted = _wanted(self.kernel) if self.resumption.exact else {current}
        for key in sorted(wanted, key=lambda one: one != self._given.id):
            self._agent(key, paths.get(key, ""), task=key in tasks)
        self._userdata()
        self._requests()
        self._tasks(agents)
        agent = self._directory.agents[current]
        return agent, None if self.resumption.exact else self._directory.adopt(agent)

    def _agent(self, key: str, path: str, *, task: bool) -> None:
        given, state = self._given, self.conversation.states.get(key, "")
        try:
            if key == given.id and path in ("", path_of(given)):
                given.state = read_into(given.state, json.loads(state)) if state else given.state
                agent = given
            else:
                agent = restored(path, state)
                agent.id = key
            if key in self._instructions:
                agent._instructions = Instructions.of(self._instructions[key])
            if self._directory.agents.get(key) is not agent:
                self._directory.agents.pop(key, None)  # the given one, which is another that has the same id
            self._directory.adopt(agent)
        except (ConfigurationError, ValueError) as exc:
            hint = getattr(exc, "hint", "")
            self.troubles.append(f"Agent {key!r} is not as it was: {getattr(exc, 'message', exc)} {hint}".strip())
            self._stand_in(key, task=task)

    def _stand_in(self, key: str, *, task: bool) -> None:
        """``given`` speaks for an agent; for a sub-dialogue nobody does, until the code that awaits it comes with it again."""
        given = self._given
        if task:
            agent = Agent(instructions=given._instructions, id=key)
            self._directory.missing[key] = []
        else:
            agent = given if key == given.id else copy.copy(given)
            agent.id = key
            agent.state = given.state if agent is given else None  # what was saved of the other stays in the log
        self._directory.agents.pop(key, None)
        self._directory.adopt(agent)

    def _userdata(self) -> None:
        if self.conversation.userdata:
            try:
                self._session.userdata = read_into(self._session.userdata, json.loads(self.conversation.userdata))
            except ValueError as exc:
                self.troubles.append(f"userdata is not as it was: {exc}.")

    def _requests(self) -> None:
        for base, options in self.kernel.state.reply.options.items():
            self._directory.requests[base] = ReplyRequest(options.instructions, options.tool_choice, options.tools)
            if options.own_context:
                self.troubles.append("generate_reply(chat_ctx=...): its context is gone; it reads the conversation.")

    def _tasks(self, agents: AgentsState) -> None:
        for frame in agents.tasks:
            task = self._directory.agents[frame.wish.agent.key]
            by_application = not frame.wish.call_id and not frame.wish.hook
            if isinstance(task, AgentTask):
                self._session.tasks.goes_on(frame.wish.id, task, frame.wish.ask if by_application else "")
            elif by_application:
                self.given_up.append(frame.wish.ask)


def _references(kernel: Kernel) -> Iterator[AgentRef]:
    """All agents that the kernel may have speak."""
    agents = kernel.state.agents
    coming = [agents.to, *(frame.to for frame in agents.tasks)]
    for ref in (
        agents.current,
        *(frame.left for frame in agents.tasks),
        *(wish.agent for wish in (*agents.wishes, *(frame.wish for frame in agents.tasks))),
        *(to.agent for to in coming if to is not None),
        *(run.agent for run in kernel.state.tools.runs.values()),
    ):
        if ref is not None:
            yield ref


def _wanted(kernel: Kernel) -> set[str]:
    """Their keys, and those of agents whose hooks and tools are under way."""
    state = kernel.state
    hooks = {hook.agent for hook in state.agents.hooks.values()}
    tools = {run.by for run in state.tools.runs.values() if run.by}
    return {ref.key for ref in _references(kernel)} | hooks | tools
