"""Agent: instructions, tools, models, hooks and nodes. What it does during a call is the session's business."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.agents.handoff import ContextPolicy, EntryMode, check_terms
from antiphon.agents.instructions import Dynamic, Instructions
from antiphon.agents.nodes import FlushSentinel, listen, speak, think
from antiphon.agents.saved_state import read_state
from antiphon.audio.frames import AudioFrame
from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage
from antiphon.errors import ConfigurationError, SessionClosedError
from antiphon.models.choice import ModelChoice
from antiphon.models.llm import LLM, ChatChunk, ToolChoice
from antiphon.models.stt import STT, STTEvent
from antiphon.models.tts import TTS
from antiphon.tools.function_tool import FunctionTool, find_function_tools
from antiphon.tools.mcp.servers import MCPServer, servers_of
from antiphon.tools.toolset import Tool, Toolset

if TYPE_CHECKING:
    from antiphon.session.options import TurnHandlingOptions
    from antiphon.session.session import AgentSession


class ModelSettings(msgspec.Struct, frozen=True):
    """What a node is told about this one request."""

    tool_choice: ToolChoice = "auto"


class _Unset:
    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Any = _Unset()
"""Left unset: the session's value holds. ``None`` means "none at all"."""


class Agent:
    """One role in a conversation.

    ``instructions``: what it is to do: text, ``Instructions``, or a function of the session that is asked for each request.
    ``tools``: functions and toolsets it may call, besides its ``@function_tool``
    methods. ``mcp_servers``: MCP servers whose tools it may call: http(s) URLs, ``MCPServerHTTP``, ``MCPServerStdio``.
    ``stt``, ``llm``, ``tts``: an object or a ``provider/model`` string; unset: the session's; ``None``: none.
    ``turn_handling``: options that hold while this agent is the current one. ``chat_ctx``: what it knows from the
    start. ``state``: plain data (dict, dataclass, msgspec struct) that outlives the process it runs in. ``language``: BCP 47 tag
    (unset: the language goes along with the conversation). ``context``, ``entry``: what it reads of the conversation before it and
    how it begins, where a hand-off to it does not say (``ContextPolicy``, ``Handoff``).
    """

    def __init__(
        self,
        *,
        instructions: str | Instructions | Dynamic,
        id: str = "",
        chat_ctx: ChatContext | None = None,
        tools: Sequence[Tool] = (),
        mcp_servers: Sequence[MCPServer | str] = (),
        stt: STT | ModelChoice | str | None = NOT_GIVEN,
        llm: LLM | ModelChoice | str | None = NOT_GIVEN,
        tts: TTS | ModelChoice | str | None = NOT_GIVEN,
        turn_handling: TurnHandlingOptions | dict[str, Any] | None = None,
        state: Any = None,
        language: str = "",
        context: ContextPolicy | None = None,
        entry: EntryMode | None = None,
    ) -> None:
        self._instructions = Instructions.of(instructions)
        self.id = id or _snake(type(self).__name__)
        self._tools: list[Tool] = [*tools, *find_function_tools(self), *servers_of(mcp_servers)]
        _check_names(self._tools)
        self._chat_ctx = chat_ctx.copy() if chat_ctx else ChatContext.empty()
        self.model_choices: dict[str, Any] = {"stt": stt, "llm": llm, "tts": tts}
        self._turn_handling = turn_handling
        self.state = state
        self.language = language
        check_terms(context, entry)
        self._context_policy, self._entry_mode = context, entry
        self._spoken = ""
        self._session: AgentSession[Any] | None = None

    @classmethod
    def restore(cls, state: Any) -> Agent:
        """Make it anew in a process that goes on with a call which another one began. ``state``: what ``Agent.state`` was, as plain
        data (a dict for a dataclass or a model), ``None`` where nothing was saved. Override it where the constructor takes arguments;
        by default it takes none, and the state is read as the type that the new agent's has."""
        agent = cls()  # type: ignore[call-arg]
        if state is not None:
            agent.state = read_state(agent.state, state)
        return agent

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def instructions(self) -> str:
        """What always holds of them."""
        return self._instructions.common

    @property
    def tools(self) -> list[Tool]:
        """Functions and toolsets (MCP servers among them). A copy: change it with ``update_tools``."""
        return list(self._tools)

    @property
    def chat_ctx(self) -> ChatContext:
        """A copy of what this agent reads: its own context and, while it runs, the conversation."""
        if self._session is not None:
            return self._session.context_of(self)
        return self._chat_ctx.copy()

    @property
    def turn_handling(self) -> TurnHandlingOptions | dict[str, Any] | None:
        return self._turn_handling

    @property
    def session(self) -> AgentSession[Any]:
        """The session this agent is part of. Raises ``SessionClosedError`` outside one."""
        if self._session is None:
            raise SessionClosedError(
                f"Agent {self.id!r} is not part of a session.", hint="Pass it to AgentSession.start() first."
            )
        return self._session

    # --- changes while it runs -----------------------------------------------------------------------------------

    async def update_instructions(self, instructions: str | Instructions | Dynamic) -> None:
        """New instructions, from the next request on."""
        self._instructions = Instructions.of(instructions)
        if self._session is not None:
            self._session.agent_changed(self, instructions=self.instructions)

    async def update_tools(self, tools: Sequence[Tool]) -> None:
        """The agent's whole list of tools and toolsets, from the next request on. A new toolset joins when it is set up."""
        _check_names(tools)
        before, after = [_name(tool) for tool in self._tools], [_name(tool) for tool in tools]
        self._tools = list(tools)
        if self._session is not None:
            added = tuple(name for name in after if name not in before)
            removed = tuple(name for name in before if name not in after)
            self._session.agent_changed(self, tools_added=added, tools_removed=removed)

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Replace what this agent reads of the past; the session's history stays as it was."""
        self._chat_ctx = chat_ctx.copy()
        if self._session is not None:
            self._session.agent_context_replaced(self)

    def update_options(
        self,
        *,
        stt: STT | ModelChoice | str | None = NOT_GIVEN,
        llm: LLM | ModelChoice | str | None = NOT_GIVEN,
        tts: TTS | ModelChoice | str | None = NOT_GIVEN,
        turn_handling: TurnHandlingOptions | dict[str, Any] | None = NOT_GIVEN,
    ) -> None:
        """Other models or turn settings, on a live call: from the next request (STT: from now) on. Raises
        ``ConfigurationError`` for settings that cannot hold: all is as it was then."""
        after = copy.copy(self)
        given = {"stt": stt, "llm": llm, "tts": tts}
        after.model_choices = self.model_choices | {k: model for k, model in given.items() if model is not NOT_GIVEN}
        if turn_handling is not NOT_GIVEN:
            after._turn_handling = turn_handling
        if self._session is not None:
            self._session.check_settings(after)
        self.model_choices, self._turn_handling = after.model_choices, after._turn_handling
        if self._session is not None:
            self._session.agent_changed(self)

    # --- hooks: override what you need ---------------------------------------------------------------------------

    async def on_enter(self) -> None:
        """This agent becomes the current one."""

    async def on_exit(self) -> None:
        """Another agent takes over, or the session ends."""

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """The caller's turn is over; edit ``new_message.text`` or ``turn_ctx``, or raise ``StopResponse``."""

    async def on_user_turn_exceeded(self) -> None:
        """The caller has talked longer than the user turn limit."""
        self.session.generate_reply(
            instructions="The caller has been talking for long: cut in kindly with one short sentence.",
            allow_interruptions=False,
        )

    # --- nodes: override to change the pipeline ------------------------------------------------------------------

    def stt_node(self, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings) -> AsyncIterator[STTEvent]:
        """Caller audio in, transcripts out."""
        return Agent.default.stt_node(self, audio, model_settings)

    def llm_node(
        self, chat_ctx: ChatContext, tools: list[FunctionTool], model_settings: ModelSettings
    ) -> AsyncIterator[ChatChunk | str | FlushSentinel]:
        """The prompt in, the answer out, piece by piece."""
        return Agent.default.llm_node(self, chat_ctx, tools, model_settings)

    def transcription_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterator[str]:
        """The text of one speakable segment, as transcripts and history are to show it."""
        return Agent.default.transcription_node(self, text, model_settings)

    def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterator[AudioFrame]:
        """Text segments in, audio out."""
        return Agent.default.tts_node(self, text, model_settings)

    class default:  # noqa: N801  (LiveKit's name: call it from an override)
        """The nodes as they are when nobody overrides them."""

        @staticmethod
        async def stt_node(
            agent: Agent, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
        ) -> AsyncIterator[STTEvent]:
            async for event in listen(agent.session.model_of(agent, "stt"), audio):
                yield event

        @staticmethod
        async def llm_node(
            agent: Agent, chat_ctx: ChatContext, tools: list[FunctionTool], model_settings: ModelSettings
        ) -> AsyncIterator[ChatChunk | str | FlushSentinel]:
            specs = [tool.spec for tool in tools]
            async for chunk in think(agent.session.model_of(agent, "llm"), chat_ctx, specs, model_settings.tool_choice):
                yield chunk

        @staticmethod
        async def transcription_node(
            agent: Agent, text: AsyncIterable[str], model_settings: ModelSettings
        ) -> AsyncIterator[str]:
            async for piece in text:
                yield piece

        @staticmethod
        async def tts_node(
            agent: Agent, text: AsyncIterable[str], model_settings: ModelSettings
        ) -> AsyncIterator[AudioFrame]:
            async for frame in speak(agent.session.model_of(agent, "tts"), text):
                yield frame


def overrides(agent: Agent, name: str) -> bool:
    """Whether the agent's class (or the object) has its own ``name``."""
    return name in vars(agent) or getattr(type(agent), name) is not getattr(Agent, name)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _name(tool: Tool) -> str:
    return tool.name if isinstance(tool, FunctionTool) else tool.id


def _check_names(tools: Sequence[Tool]) -> None:
    seen: set[str] = set()
    for tool in tools:
        if isinstance(tool, Toolset):
            continue
        if not isinstance(tool, FunctionTool):
            raise ConfigurationError(f"{tool!r} is not a tool.", hint="Decorate the function with @function_tool.")
        if tool.name in seen:
            raise ConfigurationError(f"Two tools are named {tool.name!r}.", hint="Pass name= to @function_tool.")
        seen.add(tool.name)
