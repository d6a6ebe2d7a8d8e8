"""Handing over: what goes along with a hand-off or into a task, and what comes back, as terms that the kernel takes.

Runs on the user's lane. Owns no switch: whether and when it happens the kernel decides. Owns the tasks that ask a model
for a summary, which end with the session.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from antiphon.agents.handoff import ContextPolicy, Handoff
from antiphon.agents.summary import summarise
from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatItem, ChatMessage
from antiphon.errors import ConfigurationError, ModelError, SessionClosedError
from antiphon.kernel.policy import NOTHING, AgentRef, Terms
from antiphon.session.lanes import across
from antiphon.session.saved_state import as_json

if TYPE_CHECKING:
    from antiphon.models.llm import LLM
    from antiphon.session.live_session import LiveSession

BRIEF = "You take over this conversation. What you are told about it:"


class HandingOver:
    """What is asked for, as the kernel takes it."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self._asking: set[asyncio.Task[None]] = set()

    def begin(self, ask: Callable[[], Coroutine[Any, Any, None]], *, otherwise: Callable[[], object]) -> None:
        """Run ``ask``, which waits for a model, from any lane; ``otherwise`` where it fails, which is reported."""
        shell, _ = self._session.running()
        shell.user_lane.run(self._begin, ask, otherwise)

    def _begin(self, ask: Callable[[], Coroutine[Any, Any, None]], otherwise: Callable[[], object]) -> None:
        if self._session._ensure_side().closed.is_set():
            return
        task = asyncio.get_running_loop().create_task(self._ask(ask, otherwise), name="hand-off summary")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, ask: Callable[[], Coroutine[Any, Any, None]], otherwise: Callable[[], object]) -> None:
        try:
            await ask()
        except SessionClosedError:
            return
        except Exception:
            self._session.report_error("hand-off", traceback.format_exc())
            otherwise()

    def close(self) -> None:
        """The session has ended: nobody waits for a summary."""
        for task in self._asking:
            task.cancel()

    def needs_model(self, handoff: Handoff) -> bool:
        return self._policy(handoff).kind == "summary"

    def at_once(self, handoff: Handoff) -> tuple[AgentRef, Terms]:
        """Reference and terms, where no model has to be asked. Raises ``ConfigurationError`` for a brief that is no data."""
        policy = self._policy(handoff)
        return self._with(handoff, *self._carried(policy, self._session.history.items))

    async def terms(self, handoff: Handoff) -> tuple[AgentRef, Terms]:
        """As ``at_once``, also with a summary."""
        if not self.needs_model(handoff):
            return self.at_once(handoff)
        policy, leaving = self._policy(handoff), self._session.current_agent
        context = self._session.context_of(leaving)
        note = await self.summed_up(context, policy)
        first = _first_of_last(self._session.history.items, policy.turns)
        if note:
            return self._with(handoff, first or NOTHING, note)
        return self._with(handoff, first, "")

    async def summed_up(self, context: ChatContext, policy: ContextPolicy) -> str:
        """The summary; empty where there is nothing to sum up or the model fails, which is reported."""
        shell, directory = self._session.running()
        llm = policy.llm or directory.bind(self._session.current_agent).llm
        if llm is None:
            self._session.report_error("hand-off", "There is no model to sum the conversation up with.")
            return ""
        home = shell.lane if llm.on_core else shell.user_lane
        text = ""
        try:
            async for one in across(lambda: _summary(context, llm, policy), home=home):
                text = one
        except ModelError as exc:
            self._session.report_error("hand-off", str(exc))
        return text

    def returned(self, policy: ContextPolicy, result: Any) -> tuple[bool, str]:
        """Whether the agent below reads something else than a task's dialogue, and what, where no model has to be asked."""
        if policy.kind == "all":
            return False, ""
        return True, _brief(result if policy.data is None else policy.data, "") if policy.kind == "brief" else ""

    def _policy(self, handoff: Handoff) -> ContextPolicy:
        agent = handoff.agent
        if handoff.context is not None:
            return handoff.context
        _, directory = self._session.running()
        spoke = directory.agents.get(agent.id) is agent and agent.id in self._session.conversation_agents()
        return ContextPolicy.all() if spoke or agent._context_policy is None else agent._context_policy

    def _carried(self, policy: ContextPolicy, items: Sequence[ChatItem]) -> tuple[str, str]:
        if policy.kind == "last":
            return _first_of_last(items, policy.turns), ""
        if policy.kind == "brief":
            return NOTHING, _brief(policy.data, BRIEF)
        return (NOTHING if policy.kind == "none" else ""), ""

    def _with(self, handoff: Handoff, reads: str, note: str) -> tuple[AgentRef, Terms]:
        _, directory = self._session.running()
        agent = handoff.agent
        if agent.id not in directory.agents and not agent.language:
            agent._spoken = directory.language(self._session.current_agent)
        ref = directory.adopt(agent)
        entry = handoff.entry or (agent._entry_mode if agent.id not in self._session.conversation_agents() else None)
        return ref, Terms(entry=entry or "", reason=handoff.reason, reads=reads, note=note)


async def _summary(context: ChatContext, llm: LLM, policy: ContextPolicy) -> AsyncIterator[str]:
    made = await summarise(context, llm, keep_last_turns=policy.turns, timeout=policy.timeout)
    yield made.text if made is not None else ""


def _first_of_last(items: Sequence[ChatItem], turns: int) -> str:
    """Id of the item with which the last ``turns`` turns begin; empty where there are no more than that."""
    said = [item.id for item in items if isinstance(item, ChatMessage) and item.role == "user"]
    return said[-turns] if 0 < turns < len(said) else ""


def _brief(data: Any, heading: str) -> str:
    text = data if isinstance(data, str) else as_json(data)
    if text is None:
        raise ConfigurationError(
            f"A brief of type {type(data).__name__} cannot be written down.",
            hint="Pass text, a dict, a dataclass, a msgspec struct or a pydantic model.",
        )
    return f"{heading}\n{text}".strip()
