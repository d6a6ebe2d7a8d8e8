"""LiveSession: what a running conversation can be told and asked. Lives on the user's loop.

It owns no decision: what it is told becomes an event to the kernel, what it is asked the ``UserSide`` knows. How a
session is set up, begun and ended is ``AgentSession``.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from antiphon.agents.agent import Agent
from antiphon.audio.frames import AudioFrame
from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage
from antiphon.chat.media import Content, split
from antiphon.errors import ConfigurationError, SessionClosedError
from antiphon.kernel import events as ev
from antiphon.kernel.policy import ReplyOptions
from antiphon.models.llm import ToolChoice
from antiphon.session.directory import Directory, ReplyRequest, SaySource
from antiphon.session.handing_over import HandingOver
from antiphon.session.media_shelf import MediaShelf
from antiphon.session.options import TurnHandlingOptions
from antiphon.session.run_result import RunResult
from antiphon.session.saved_state import SavedState
from antiphon.session.shell import Shell
from antiphon.session.speech_handle import SpeechHandle
from antiphon.session.tasks import Tasks
from antiphon.session.tool_sets import ToolSets
from antiphon.session.user_code import current_floor, current_hook, current_tool
from antiphon.session.user_side import UserSide
from antiphon.session.who_speaks import WhoSpeaks
from antiphon.tools import stand_ins
from antiphon.tools.function_tool import FunctionTool
from antiphon.tools.toolset import Tool

UserInput = str | ChatMessage | Sequence[Content]
"""What the user says in writing: text, parts of text and media, or a message (its content counts)."""


class LiveSession(WhoSpeaks):
    """The part of a session that is the same whatever it was set up with."""

    userdata: Any

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = list(tools)
        self.tool_sets = ToolSets(self)
        self._shell: Shell | None = None
        self._directory: Directory | None = None
        self._side: UserSide | None = None
        self._saved = SavedState()
        self.media = MediaShelf()
        self.tasks = Tasks(self)
        self.handing_over = HandingOver(self)
        self.scope = stand_ins.scope()
        """Whose stand-ins for tools hold here, under test."""

    def _ensure_side(self) -> UserSide:
        if self._side is None:
            self._side = UserSide(self)
        return self._side

    def _running(self) -> Shell:
        if self._shell is None or self._ensure_side().closed.is_set():
            state = "has not been started" if self._shell is None else "has ended"
            raise SessionClosedError(f"This session {state}.", hint="Calls on a session need a running one.")
        return self._shell

    # --- speech --------------------------------------------------------------------------------------------------

    def say(
        self,
        text: str | AsyncIterable[str],
        *,
        audio: AsyncIterable[AudioFrame] | Iterable[AudioFrame] | None = None,
        allow_interruptions: bool = True,
        add_to_chat_ctx: bool = True,
        priority: ev.Priority = "app",
        turn_handling: TurnHandlingOptions | dict[str, Any] | None = None,
    ) -> SpeechHandle:
        """Say this text (a string or a stream). ``audio``: ready audio of it, int16 mono frames of any rate.
        ``priority``: ``app`` or ``background``. ``turn_handling``: holds for the answer, until the agent says something
        else. Returns at once."""
        shell = self._running()
        speech = _speech_id("say")
        assert self._directory is not None
        question = self._directory.question(self.current_agent, turn_handling)
        plain = text if isinstance(text, str) and audio is None else ""
        if not plain:
            self._directory.sources[speech] = SaySource(text, audio)
        handle = self._new_handle(speech, "say", allow_interruptions)
        shell.post(
            ev.SayAsked(
                speech=speech,
                text=plain,
                interruptible=allow_interruptions,
                in_history=add_to_chat_ctx,
                priority=priority,
                hook=current_hook.get(),
                tool=current_tool.get(),
                floor=current_floor.get(),
                question=question,
            )
        )
        return handle

    def generate_reply(
        self,
        *,
        user_input: UserInput = "",
        instructions: str = "",
        tool_choice: ToolChoice = "auto",
        tools: Sequence[str | FunctionTool] | None = None,
        chat_ctx: ChatContext | None = None,
        allow_interruptions: bool = True,
        priority: ev.Priority = "app",
        turn_handling: TurnHandlingOptions | dict[str, Any] | None = None,
    ) -> SpeechHandle:
        """Ask the model for a reply. ``user_input`` (text, parts, a message) joins the conversation first; ``instructions``
        hold for this reply alone; ``tools`` limits it to these; ``chat_ctx`` replaces the conversation for it;
        ``turn_handling`` holds for the answer to it, until the agent says something else. Returns at once."""
        shell = self._running()
        speech = _speech_id("reply")
        text, media = self._input(user_input)
        names = None if tools is None else tuple(t if isinstance(t, str) else t.name for t in tools)
        assert self._directory is not None
        question = self._directory.question(self.current_agent, turn_handling)
        self._directory.requests[speech] = ReplyRequest(instructions, tool_choice, names, chat_ctx)
        options = ReplyOptions(instructions, tool_choice, names, chat_ctx is not None)
        handle = self._new_handle(speech, "generate_reply", allow_interruptions)
        shell.post(
            ev.ReplyAsked(
                speech=speech,
                options=None if options == ReplyOptions() else options,
                user_text=text,
                media=media,
                interruptible=allow_interruptions,
                priority=priority,
                hook=current_hook.get(),
                tool=current_tool.get(),
                floor=current_floor.get(),
                question=question,
            )
        )
        return handle

    def _input(self, user_input: UserInput) -> tuple[str, tuple[str, ...]]:
        """The words of it, and the names under which the rest is kept."""
        if isinstance(user_input, ChatMessage):
            user_input = user_input.content
        text, media, places = split([user_input] if isinstance(user_input, str) else user_input)
        return text, self.media.put(media, text=text, places=places)

    def _new_handle(self, speech: str, source: str, allow: bool) -> SpeechHandle:
        handle = SpeechHandle(self, speech, source=source, allow_interruptions=allow)
        self._ensure_side().handles[speech] = handle
        self._ensure_side().quiet = False
        return handle

    def interrupt(self, *, force: bool = False) -> None:
        """Stop what is being said and generated. ``force``: also what does not allow interruptions."""
        self._running().post(ev.InterruptAsked(force=force))

    def interrupt_speech(self, id: str, *, force: bool = False) -> None:
        if self._shell is not None:
            self._shell.post(ev.InterruptAsked(speech=id, force=force))

    def protect_speech(self, id: str) -> None:
        if self._shell is not None:
            self._shell.post(ev.DisallowInterruptions(speech=id))

    # --- turns ---------------------------------------------------------------------------------------------------

    def run(self, *, user_input: UserInput) -> RunResult:
        """One typed turn (text, parts, a message), and what came of it: await the result, then look at its ``events``."""
        shell = self._running()
        side = self._ensure_side()
        text, media = self._input(user_input)
        speaker = user_input.speaker_id if isinstance(user_input, ChatMessage) else ""
        result = RunResult(user_input)
        side.runs.append((result, len(side.conversation.items)))
        side.quiet = False
        speech = _speech_id("run")
        side.handles[speech] = SpeechHandle(self, speech, source="reply")
        shell.post(ev.Typed(text=text, speech=speech, media=media, speaker=speaker))
        return result

    def commit_user_turn(self, *, transcript_timeout: float = 2.0, skip_reply: bool = False) -> asyncio.Future[str]:
        """Push-to-talk released: the caller's turn ends now. The future gives its text."""
        shell = self._running()
        ask = uuid.uuid4().hex
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._ensure_side().commits[ask] = future
        shell.post(ev.CommitTurn(ask=ask, timeout=transcript_timeout, reply=not skip_reply))
        return future

    def clear_user_turn(self) -> None:
        """Forget what was heard of the current turn."""
        self._running().post(ev.ClearTurn())

    async def wait_for_idle(self) -> None:
        """Wait until nobody speaks, nothing is queued and no tool runs."""
        self._running()
        side = self._ensure_side()
        await asyncio.sleep(0)
        if side.quiet and not side.handles:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        side.idle.add(future)
        await future

    # --- what there is -------------------------------------------------------------------------------------------

    @property
    def history(self) -> ChatContext:
        """The conversation: user turns, what the caller heard of the agent, calls and their results."""
        return self._ensure_side().history()

    def context_of(self, agent: Agent) -> ChatContext:
        """An agent's own context with the conversation behind it."""
        return agent._chat_ctx.copy() if self._directory is None else self._directory.context_of(agent, self.history)

    @property
    def current_agent(self) -> Agent:
        if self._directory is None:
            raise SessionClosedError("This session has no agent yet.", hint="Call start(agent) first.")
        return self._directory.agents[self._ensure_side().current_agent or next(iter(self._directory.agents))]

    @property
    def current_speech(self) -> SpeechHandle | None:
        return self._ensure_side().current

    @property
    def user_state(self) -> str:
        """``speaking``, ``listening`` or ``away``."""
        return self._ensure_side().user_state

    @property
    def agent_state(self) -> str:
        """``initializing``, ``idle``, ``listening``, ``thinking`` or ``speaking``."""
        return self._ensure_side().agent_state

    @property
    def levels(self) -> tuple[float, float]:
        """Loudness of caller and agent, dBFS."""
        return self._ensure_side().levels

    @property
    def tools(self) -> list[Tool]:
        """The session's own functions and toolsets. A copy: change it with ``update_tools``."""
        return list(self._tools)

    @property
    def usage(self) -> list[Any]:
        """Usage and cost so far, one entry a model, as in the session report."""
        if self._shell is None or self._shell.services.telemetry is None:
            return []
        return self._shell.services.telemetry.usage()

    def now(self) -> float:
        """Session time in seconds (0 before the start)."""
        return 0.0 if self._shell is None else self._shell.now()

    def model_of(self, agent: Agent, kind: str) -> Any:
        """The model of this kind that holds for the agent (default nodes ask for it)."""
        assert self._directory is not None
        model = getattr(self._directory.bind(agent), kind)
        if model is None:
            raise ConfigurationError(
                f"Agent {agent.id!r} has no {kind}.", hint=f"Pass {kind}= to it or to the session."
            )
        return model

    def step_of(self, call_id: str) -> str:
        """The speech of the step that made a tool call."""
        return "" if self._shell is None else self._shell.tool_steps.get(call_id, "")

    @asynccontextmanager
    async def hold_floor(self, call_id: str) -> AsyncIterator[None]:
        """``RunContext.foreground`` asks here. Raises ``SessionClosedError`` where the session ends, or the conversation
        has gone on without the tool, before the floor was free."""
        shell, side = self._running(), self._ensure_side()
        op, ask = shell.tool_ops[call_id], uuid.uuid4().hex
        granted = side.floors[ask] = asyncio.get_running_loop().create_future()
        shell.post(ev.FloorAsked(op=op, ask=ask))
        try:
            if not await granted:
                raise SessionClosedError(
                    "The floor is not to be had: the session ends, or this tool ran past its deadline.",
                    hint="Give long tools more time with tool_timeout= of the session.",
                )
            token = current_floor.set(ask)
            try:
                yield
            finally:
                current_floor.reset(token)
        finally:
            side.floors.pop(ask, None)
            shell.post(ev.FloorReleased(op=op, ask=ask))

    def report_error(self, source: str, error: str) -> None:
        """Something outside the conversation failed; the call goes on."""
        self._ensure_side().error(source, error, True)

    def account_failure(self, source: str, error: str) -> None:
        """Keep it for the report."""
        if self._shell is not None and self._shell.services.telemetry is not None:
            self._shell.lane.post(self._shell.services.telemetry.failed, source, error)

    def save_state(self) -> None:
        """Record ``Agent.state`` and ``userdata`` where they changed (at each turn's end, and when a tool has its result)."""
        if self._shell is None or self._directory is None:
            return
        states = [(key, agent.state) for key, agent in list(self._directory.agents.items())]
        for key, value in (*states, ("", self.userdata)):
            text = self._saved.changed(key, value)
            if text is not None:
                self._shell.post(ev.StateSaved(agent=key, state=text))

    def call_user(self, callback: Callable[..., Any], *args: Any) -> None:
        """Run a callback of the user's; what it raises is reported, not passed on."""
        self._ensure_side().emitter.call(callback, *args)

    @property
    def close_reason(self) -> str:
        return self._ensure_side().close_reason

    # --- sound besides speech ------------------------------------------------------------------------------------

    def play_background(self, frames: Iterable[AudioFrame], *, gain: float = 0.1) -> None:
        """Loop a sound under everything that is said (``gain`` as a factor). A new one replaces the old, an empty one
        ends it."""
        shell = self._running()
        shell.lane.run(shell.ambience.set, "background", tuple(frames), gain)

    def play_thinking(self, frames: Iterable[AudioFrame], *, gain: float = 0.1) -> None:
        """Loop a sound (keys of a keyboard) while the agent thinks, instead of the background; an empty one ends it."""
        shell = self._running()
        shell.lane.run(shell.ambience.set, "thinking", tuple(frames), gain)

    def send_dtmf(self, digits: str) -> None:
        """Send key tones to the far end, where the leg can."""
        self._running().post(ev.DtmfAsked(digits=digits))


def _speech_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:10]}"
