"""The directory: from the ids that the kernel speaks of to the objects they stand for.

Written on the user's lane before an event names the id, read on the core lane afterwards; single dictionary
operations only, so that no lock is needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.agents.agent import Agent, overrides
from antiphon.agents.instructions import Modality
from antiphon.agents.restoring import path_of
from antiphon.audio.frames import AudioFrame
from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatItem, ConversationSummary
from antiphon.errors import ConfigurationError
from antiphon.kernel.conversation import Conversation, Message
from antiphon.kernel.effects import CallHook
from antiphon.kernel.policy import AgentRef, LadderPolicy, SessionPolicy
from antiphon.kernel.prompt import prompt_view
from antiphon.kernel.state import KernelState
from antiphon.models.llm import LLM, ToolChoice
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.models.turn_detector import StreamingTurnDetector, TurnDetector
from antiphon.session.bindings import Bound, choose, made
from antiphon.session.history import chat_items
from antiphon.session.options import TurnHandlingOptions, detection, ladder_texts, session_policy
from antiphon.session.prompt import build_prompt
from antiphon.session.tool_sets import ToolSets
from antiphon.tools.function_tool import FunctionTool
from antiphon.tools.toolset import Tool

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession


LOCAL_LADDER = LadderPolicy(filler=4.0, failover=12.0, apology=16.0, end=40.0)
"""A model on this machine is slower than a service, and asking it again while it works makes it slower still."""


WORDLESS_AFTER = 1.2
"""Seconds of the caller's voice that stop the agent where the recogniser gives no words before its final: longer than a
backchannel, and the agent must not go on over somebody who talks."""


@dataclass
class ReplyRequest:
    """What ``generate_reply`` asked for beyond the conversation itself."""

    instructions: str = ""
    tool_choice: ToolChoice = "auto"
    tools: tuple[str, ...] | None = None
    chat_ctx: ChatContext | None = None


@dataclass
class SaySource:
    """What ``say`` was given: text, or a stream of it; ready audio where there is some."""

    text: str | AsyncIterable[str]
    audio: AsyncIterable[AudioFrame] | Iterable[AudioFrame] | None = None

    def open_text(self) -> AsyncIterator[str]:
        assert not isinstance(self.text, str)
        return aiter(self.text)

    async def open_audio(self) -> AsyncIterator[AudioFrame]:
        if isinstance(self.audio, AsyncIterable):
            async for frame in self.audio:
                yield frame
        else:
            for frame in self.audio or ():
                yield frame


@dataclass
class Directory:
    """``models``: the session's own, resolved. ``tools``: the session's own. ``sets``: toolsets of session and agents. ``turn_handling``: the session's layer of settings."""

    session: AgentSession[Any]
    models: dict[str, Any]
    tools: list[Tool]
    sets: ToolSets
    turn_handling: TurnHandlingOptions
    base_policy: SessionPolicy
    agents: dict[str, Agent] = field(default_factory=dict)
    requests: dict[str, ReplyRequest] = field(default_factory=dict)
    sources: dict[str, SaySource] = field(default_factory=dict)
    detectors: dict[str, TurnDetector] = field(default_factory=dict)
    """Those that questions brought, by the name that the kernel's policy has for them."""
    edited: ChatContext | None = None
    """The context as ``on_user_turn_completed`` left it, for the replies to that one turn."""
    missing: dict[str, list[CallHook]] = field(default_factory=dict)
    """Sub-dialogues of a former process whose object is not here yet, and the hooks that wait for it."""
    unread: dict[str, frozenset[str]] = field(default_factory=dict)
    """Ids of conversation items that an agent does not read, because its own context stands for them."""

    def adopt(self, agent: Agent) -> AgentRef:
        """Make an agent known; returns the kernel's reference of it. Two objects may not share an id. Raises
        ``ConfigurationError`` where its settings cannot hold: it is not known then."""
        policy = self.policy(agent)
        known = self.agents.get(agent.id)
        if known is not None and known is not agent:
            number = 2
            while f"{agent.id}_{number}" in self.agents:
                number += 1
            agent.id = f"{agent.id}_{number}"
        self.agents[agent.id] = agent
        agent._session = self.session
        self.sets.open(agent.tools)
        return AgentRef(
            key=agent.id,
            policy=policy,
            has_on_enter=overrides(agent, "on_enter"),
            has_on_exit=overrides(agent, "on_exit"),
            has_turn_hook=overrides(agent, "on_user_turn_completed"),
            path=path_of(agent),
        )

    def language(self, agent: Agent) -> str:
        """BCP 47 tag of what is spoken with ``agent``."""
        return agent.language or agent._spoken or self.session.language

    def layers(self, agent: Agent) -> tuple[TurnHandlingOptions, TurnHandlingOptions]:
        return self.turn_handling, TurnHandlingOptions.of(agent.turn_handling)

    def clip_texts(self, agent: Agent) -> dict[str, str]:
        """What the clips say while ``agent`` is the current one, in its language."""
        return ladder_texts(self.policy(agent).turn.language, *self.layers(agent))

    def question(self, agent: Agent, given: TurnHandlingOptions | dict[str, Any] | None) -> SessionPolicy | None:
        """What holds for the answer to one speech of ``agent``; ``None`` where nothing special does."""
        if given is None:
            return None
        own = TurnHandlingOptions.of(given)
        detector = own.turn_detection
        if isinstance(detector, StreamingTurnDetector):
            raise ConfigurationError(
                "A question cannot bring a detector that listens all the time.",
                hint="Set it on the session or the agent; a detector that is asked at pauses works for a question.",
            )
        policy = self.policy(agent, own)
        if not isinstance(detector, TurnDetector):
            return policy
        name = next((known for known, one in self.detectors.items() if one is detector), f"{len(self.detectors) + 1}")
        self.detectors[name] = detector
        return msgspec.structs.replace(policy, turn=msgspec.structs.replace(policy.turn, detector=name))

    def policy(self, agent: Agent, *question: TurnHandlingOptions) -> SessionPolicy:
        """What holds while ``agent`` is the current one, ``question``: while its question is open."""
        bound = self.bind(agent)
        base = self.base_policy
        if bound.llm is not None and bound.llm.provider == "local":
            base = msgspec.structs.replace(base, ladder=LOCAL_LADDER)
        if bound.stt is not None and not bound.stt.capabilities.partials:
            barge_in = msgspec.structs.replace(base.barge_in, wordless_after=WORDLESS_AFTER)
            base = msgspec.structs.replace(base, barge_in=barge_in)
        made = session_policy(
            base,
            *self.layers(agent),
            *question,
            has_detector=bound.detector is not None
            or any(isinstance(q.turn_detection, TurnDetector) for q in question),
            language=self.language(agent),
        )
        own_ear = overrides(agent, "stt_node")
        if made.turn.mode == "provider" and not own_ear and bound.stt and not bound.stt.capabilities.end_of_turn:
            raise ConfigurationError(
                f"turn_detection='stt', and {bound.stt.provider or type(bound.stt).__name__} does not say when a turn ends.",
                hint="Use 'vad', or a recogniser with end-of-turn events.",
            )
        return made

    def bind(self, agent: Agent | str) -> Bound:
        """Models and tools of an agent, its own before the session's."""
        if isinstance(agent, str):
            agent = self.agents[agent]
        chosen = detection(*self.layers(agent))
        detector = self.models["turn_detector"] if chosen is None or isinstance(chosen, str) else chosen
        tools = {**self.sets.flat(self.tools), **self.sets.flat(agent.tools)}
        return Bound(
            agent=agent,
            stt=choose(agent, "stt", self.models["stt"]),
            llm=choose(agent, "llm", self.models["llm"]),
            tts=choose(agent, "tts", self.models["tts"]),
            detector=detector,
            tools=list(tools.values()),
        )

    def made_models(self) -> list[LLM | STT | TTS]:
        """Models that strings named, of the session and its agents: the session closes them."""
        agents = [choice for agent in self.agents.values() for choice in agent.model_choices.values()]
        return made([*self.models.values(), *agents])

    def secret_arguments(self, tool: str) -> bool | Sequence[str]:
        """What of a tool's arguments may not appear in logs, whoever has a tool of that name."""
        for agent in list(self.agents.values()):
            found = self.bind(agent).tool(tool)
            if found is not None and found.options.redact:
                return found.options.redact
        return False

    def request(self, speech: str) -> ReplyRequest:
        """The request behind a reply; a tool step has that of the reply it belongs to."""
        return self.requests.get(speech.partition("#")[0], _PLAIN)

    def tools_for(self, bound: Bound, request: ReplyRequest) -> list[FunctionTool]:
        if request.tools is None:
            return bound.tools
        missing = set(request.tools) - {tool.name for tool in bound.tools}
        if missing:
            raise ConfigurationError(f"generate_reply(tools=...) names unknown tools: {', '.join(sorted(missing))}.")
        return [tool for tool in bound.tools if tool.name in request.tools]

    def conversation(self, agent: Agent, state: KernelState) -> list[ChatItem]:
        """What ``agent`` reads of the conversation. The ladder's clips are not the model's words: it would repeat them."""
        unread = self.unread.get(agent.id, frozenset())
        items = self.read(agent.id, state.conversation, chat_items(prompt_view(state), self.session.media))
        waiting = {run.call_id for run in state.tools.runs.values() if state.agents.below(run.by)}
        waiting &= state.conversation.open_calls.keys()  # calls that wait for this agent's own dialogue
        return [
            item
            for item in items
            if item.id not in unread
            and not item.id.startswith("ladder.")
            and getattr(item, "call_id", "") not in waiting
        ]

    def read(self, agent: str, conversation: Conversation, items: Iterable[ChatItem]) -> list[ChatItem]:
        """What of ``items`` an agent reads, by what was handed over to it, with the notes that stand for the rest."""
        reading = conversation.readings.get(agent)
        if reading is None:
            return list(items)
        unread = set(reading.unread)
        read = [item for item in items if item.id not in unread]
        for note in reading.notes:
            place = next((n for n, item in enumerate(read) if item.created_at > note.at), len(read))
            read.insert(place, ConversationSummary(id=note.id, text=note.text, created_at=note.at))
        return read

    def context_replaced(self, agent: Agent, conversation: Conversation) -> None:
        """The agent reads its new context instead of what that was made of. What came since is still read, and so is a call
        that still runs, and its result when it comes."""
        known = agent._chat_ctx.covers or {item.id for item in conversation.items}
        self.unread[agent.id] = frozenset(known - {f"call.{call_id}" for call_id in conversation.open_calls})

    def context_of(self, agent: Agent, history: ChatContext) -> ChatContext:
        """An agent's own context with the conversation behind it."""
        hidden = self.unread.get(agent.id, frozenset()) | {item.id for item in agent._chat_ctx}
        made = ChatContext([*agent._chat_ctx, *(item for item in history if item.id not in hidden)])
        made.covers = hidden | {item.id for item in history}
        return made

    def prompt(self, bound: Bound, state: KernelState, turn_text: str, request: ReplyRequest) -> ChatContext:
        """What the model reads for this reply."""
        own = bound.agent._chat_ctx
        conversation = self.conversation(bound.agent, state)
        if request.chat_ctx is not None:
            own, conversation = request.chat_ctx, []
        elif self.edited is not None:
            own = _settled(self.edited, conversation)
            conversation = [item for item in conversation if item.id not in self.edited.covers]
        return build_prompt(
            instructions=bound.agent._instructions.head("audio" if turn_text else modality(state)),
            own=own,
            conversation=conversation,
            turn_text=turn_text,
            extra_instructions=request.instructions,
        )

    def turn_context(self, bound: Bound, state: KernelState) -> ChatContext:
        """The context that ``on_user_turn_completed`` may edit."""
        conversation = self.conversation(bound.agent, state)
        made = ChatContext([*bound.agent._chat_ctx, *conversation])
        made.covers = frozenset(item.id for item in conversation)
        return made


def modality(state: KernelState) -> Modality:
    """How the user put what is to be answered; before there is anything, by the lines that there are."""
    for item in reversed(state.conversation.items):
        if isinstance(item, Message) and item.role == "user":
            return item.modality
    media = {leg.medium for leg in state.legs.legs.values()}
    return "text" if media == {"text"} else "audio"


def _settled(context: ChatContext, conversation: Sequence[ChatItem]) -> ChatContext:
    """A context made a while ago, with what has become of what was provisional in it; it may have come to nothing."""
    now = {item.id: item for item in conversation}
    items = (now.get(item.id) if getattr(item, "volatile", False) else item for item in context)
    return ChatContext(item for item in items if item is not None)


_PLAIN = ReplyRequest()
