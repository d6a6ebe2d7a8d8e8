"""The session on the user's lane: what the core tells it becomes handles, history, events and results.

Everything here runs on the user's loop, posted there by the shell; if that loop is blocked, it happens late and
nothing else waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage
from antiphon.kernel import facts as ft
from antiphon.kernel.conversation import Call, CallOutput, Conversation
from antiphon.models.availability import AvailabilityChanged
from antiphon.session import events as se
from antiphon.session.closing import HANDED_OVER
from antiphon.session.emitter import Emitter
from antiphon.session.history import chat_items
from antiphon.session.run_result import RunResult
from antiphon.session.speech_handle import SpeechHandle

if TYPE_CHECKING:
    from antiphon.kernel.state import KernelState
    from antiphon.session.live_session import LiveSession

logger = logging.getLogger("antiphon")

_EVENTS: dict[str, type[se.SessionEvent]] = {
    "user_state_changed": se.UserStateChangedEvent,
    "agent_state_changed": se.AgentStateChangedEvent,
    "user_transcription_timeout": se.UserTranscriptionTimeoutEvent,
    "tool_execution_updated": se.ToolExecutionUpdatedEvent,
    "function_tools_executed": se.FunctionToolsExecutedEvent,
    "overlapping_speech": se.OverlappingSpeechEvent,
    "agent_false_interruption": se.AgentFalseInterruptionEvent,
}


def base_of(speech: str) -> str:
    """The reply a tool step's speech belongs to."""
    return speech.partition("#")[0]


class UserSide:
    """``levels``: dBFS of caller and agent, newest, for a console."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        self.emitter = Emitter(self.report)
        self.handles: dict[str, SpeechHandle] = {}
        self.current: SpeechHandle | None = None
        self.conversation = Conversation()
        self.metrics: dict[str, dict[str, float]] = {}
        self.user_state = "listening"
        self.agent_state = "initializing"
        self.close_reason = ""
        self.closed = asyncio.Event()
        self.started = asyncio.Event()
        self.handed_over = asyncio.Event()
        self.written = asyncio.Event()
        self.runs: list[tuple[RunResult, int]] = []
        self.commits: dict[str, asyncio.Future[str]] = {}
        self.idle: set[asyncio.Future[None]] = set()
        self.floors: dict[str, asyncio.Future[bool]] = {}
        self.handoffs: dict[str, asyncio.Future[bool]] = {}
        self.spoke: set[str] = set()
        self.quiet = False
        self.levels = (-100.0, -100.0)
        self.current_agent = ""
        self._said: set[str] = set()

    def goes_on(self, facts: Iterable[ft.AnyFact], state: KernelState) -> None:
        """A former process had the conversation so far; what is under way gets handles to be awaited."""
        for fact in facts:
            self.conversation.apply(fact)
            if isinstance(fact, ft.AgentEntered):
                self.spoke.add(fact.agent)
        self.current_agent = self.conversation.agent
        self.user_state, self.agent_state = state.turn.user_state, state.liveness.agent_state
        self.quiet = state.liveness.idle
        for base in {*state.speech.open_bases, *state.reply.options}:
            said = state.speech.speeches.get(base)
            source = said.source if said is not None else "reply"
            self.handles[base] = SpeechHandle(self._session, base, source=source)

    def tell_state(self) -> None:
        """Of a session that goes on: whoever shows the agent's state here has not seen it yet."""
        event = se.AgentStateChangedEvent(old_state="initializing", new_state=self.agent_state, at=self._session.now())
        self.emitter.emit("agent_state_changed", event)

    # --- errors --------------------------------------------------------------------------------------------------

    def report(self, source: str, text: str) -> None:
        """Something of the user's raised: say it once, with its traceback; the call goes on."""
        logger.error("%s raised; the call goes on.\n%s", source, text)
        self._said.add(text.strip().rpartition("\n")[2])
        kind = source.partition(" ")[0]
        if kind == "hook":
            return  # the kernel was told, and tells
        self._emit_error(kind, text.strip().rpartition("\n")[2], True)

    def error(self, source: str, text: str, recoverable: bool) -> None:
        if "\n" in text:
            self.report(source, text)
            return
        self._say(source, text, recoverable)
        self._emit_error(source, text, recoverable)

    def _say(self, source: str, text: str, recoverable: bool) -> None:
        """Each failure once, however often it is met: a service that is down fails on every try."""
        if text not in self._said:
            self._said.add(text)
            logger.log(logging.WARNING if recoverable else logging.ERROR, "%s: %s", source, text)

    def _emit_error(self, source: str, text: str, recoverable: bool) -> None:
        self._session.account_failure(source, text)
        event = se.ErrorEvent(source=source, error=text, recoverable=recoverable, at=self._session.now())
        if source.startswith("callback"):
            return  # a failing error handler must not call itself
        self.emitter.emit("error", event)

    def availability(self, change: AvailabilityChanged) -> None:
        """One of several models failed, or is back. The call goes on with the others."""
        if not change.available:
            self._session.account_failure(change.kind, f"{change.model}: {change.error}")
        event = se.ModelAvailabilityChangedEvent(
            kind=change.kind,
            model=change.model,
            available=change.available,
            error=change.error,
            at=self._session.now(),
        )
        self.emitter.emit("model_availability_changed", event)

    # --- notices of the kernel -----------------------------------------------------------------------------------

    def notice(self, name: str, body: dict[str, Any], at: float) -> None:
        special = _SPECIAL.get(name)
        if special is not None:
            special(self, body, at)
            return
        kind = _EVENTS.get(name)
        if kind is None:
            return
        if name == "user_state_changed":
            self.user_state = body["new"]
            body = {"old_state": body["old"], "new_state": body["new"]}
        elif name == "agent_state_changed":
            self.agent_state = body["new"]
            body = {"old_state": body["old"], "new_state": body["new"]}
        fields = {key: value for key, value in body.items() if key in kind.__struct_fields__}
        self.emitter.emit(name, msgspec.convert({**fields, "at": at}, kind))

    def _transcribed(self, body: dict[str, Any], at: float) -> None:
        self.transcribed(
            body["text"], bool(body.get("final", True)), body.get("language", ""), at, body.get("speaker", "")
        )

    def _model_error(self, body: dict[str, Any], at: float) -> None:
        self.error(body.get("stage", "model"), str(body.get("error", "")), bool(body.get("recoverable", True)))

    def _committed(self, body: dict[str, Any], at: float) -> None:
        future = self.commits.pop(body.get("ask", ""), None)
        if future is not None and not future.done():
            future.set_result(body.get("text", ""))

    def _floor(self, body: dict[str, Any], at: float) -> None:
        future = self.floors.get(body["ask"])
        if future is not None and not future.done():
            future.set_result(body["granted"])

    def _handoff(self, body: dict[str, Any], at: float) -> None:
        self.handoff_answered(body["ask"], done=body["done"])

    def handoff_answered(self, ask: str, *, done: bool) -> None:
        """Whether what ``update_agent`` asked for was done."""
        future = self.handoffs.pop(ask, None)
        if future is not None and not future.done():
            future.set_result(done)

    def _task(self, body: dict[str, Any], at: float) -> None:
        self._session.tasks.notice(body, at)

    def _created(self, body: dict[str, Any], at: float) -> None:
        speech = base_of(body["speech"])
        handle = self.handles.get(speech)
        if handle is None:
            handle = self.handles[speech] = SpeechHandle(self._session, speech, source=body.get("source", "reply"))
        elif body["speech"] != speech:
            return
        self.emitter.emit("speech_created", se.SpeechCreatedEvent(speech_handle=handle, source=handle.source, at=at))

    def _completed(self, body: dict[str, Any], at: float) -> None:
        handle = self.handles.pop(base_of(body["speech"]), None)
        if handle is not None:
            handle.error = body.get("error", "")
            handle._finish()
            if self.current is handle:
                self.current = None
            self.emitter.emit("usage_updated", se.UsageUpdatedEvent(usage=self._session.usage, at=at))
        self._check_runs()

    def _idle(self, body: dict[str, Any], at: float) -> None:
        self.quiet = bool(body["idle"])
        if self.quiet:
            for future in self.idle:
                if not future.done():
                    future.set_result(None)
            self.idle.clear()
            self._check_runs()

    def _close(self, body: dict[str, Any], at: float) -> None:
        """The event itself is emitted when everything is freed; here is said what could not be."""
        left = ", ".join(body.get("abandoned", ()))
        if left:
            self.error("close", f"did not end in time and was left behind: {left}", True)

    # --- facts ---------------------------------------------------------------------------------------------------

    def fact(self, position: int, fact: ft.AnyFact, metrics: dict[str, float]) -> None:
        before = len(self.conversation.items)
        self.conversation.apply(fact)
        item = getattr(fact, "item", "")
        if item and metrics:
            self.metrics[item] = metrics
        if isinstance(fact, ft.SpeechHeard):
            handle = self.handles.get(base_of(fact.speech))
            if handle is not None:
                handle._heard_so_far(fact.speech, fact.text)
            self._caption(fact.speech, fact.text, fact.at, final=True, interrupted=fact.interrupted)
        elif isinstance(fact, ft.SpeechDone):
            handle = self.handles.get(base_of(fact.speech))
            if handle is not None:
                handle._step_done(fact.speech, fact.outcome)
            self._session.save_state()
        elif isinstance(fact, ft.ToolResult):
            self._session.save_state()
        if len(self.conversation.items) > before:
            self._added(item, fact.at)

    def _added(self, id: str, at: float) -> None:
        for item in reversed(self.history().items):
            if item.id == id:
                self.emitter.emit("conversation_item_added", se.ConversationItemAddedEvent(item=item, at=at))
                for handle in list(self.handles.values()):
                    if handle is self.current or len(self.handles) == 1:
                        handle.chat_items.append(item)
                        break
                return

    def history(self) -> ChatContext:
        """The conversation so far, metrics on its messages."""
        context = ChatContext(chat_items(self.conversation.items, self._session.media))
        for message in context.messages:
            message.metrics.update(self.metrics.get(message.id, {}))
        return context

    # --- progress ------------------------------------------------------------------------------------------------

    def transcribed(self, text: str, final: bool, language: str, at: float, speaker: str = "") -> None:
        event = se.UserInputTranscribedEvent(
            transcript=text, is_final=final, language=language, speaker_id=speaker, at=at
        )
        self.emitter.emit("user_input_transcribed", event)

    def segment(self, speech: str, index: int, text: str) -> None:
        handle = self.handles.get(base_of(speech))
        if handle is not None:
            handle._segment(speech, index, text)

    def synthesised(self, speech: str, index: int) -> None:
        handle = self.handles.get(base_of(speech))
        if handle is not None:
            handle._synthesised(speech, index)

    def handle_of(self, speech: str) -> SpeechHandle | None:
        """The handle that a tool step's speech belongs to."""
        return self.handles.get(base_of(speech))

    def typed(self, text: str) -> None:
        """The caller wrote something on a leg that carries text."""
        self._session.run(user_input=text)

    def on_air(self, speech: str) -> None:
        self.current = self.handles.get(base_of(speech))

    def heard_so_far(self, speech: str, text: str, at: float) -> None:
        handle = self.handles.get(base_of(speech))
        if handle is not None:
            handle._heard_so_far(speech, text)
        self._caption(speech, text, at)

    def _caption(self, speech: str, heard: str, at: float, *, final: bool = False, interrupted: bool = False) -> None:
        event = se.AgentTranscriptEvent(
            speech_id=base_of(speech), step_id=speech, heard=heard, is_final=final, interrupted=interrupted, at=at
        )
        self.emitter.emit("agent_transcript", event)

    def level(self, caller: float, agent: float) -> None:
        self.levels = (caller, agent)

    def entered(self, agent: str) -> None:
        self.current_agent = agent
        self.spoke.add(agent)
        self.started.set()

    # --- runs and the end ----------------------------------------------------------------------------------------

    def _check_runs(self) -> None:
        """A text run is over when the session waits for the caller again: nothing is said or under way, or the call of a
        tool that stays open waits for the caller itself, as one does that awaits a task."""
        if not self.runs or not self.quiet or (self.handles and not self._call_is_open()):
            return
        for run, start in self.runs:
            new = self.history().items[start:]
            run.events = [i for i in new if not (isinstance(i, ChatMessage) and i.role == "user")]
            run._finish()
        self.runs.clear()

    def _call_is_open(self) -> bool:
        answered = {item.call_id for item in self.conversation.items if isinstance(item, CallOutput)}
        return any(isinstance(item, Call) and item.call_id not in answered for item in self.conversation.items)

    def ended(self, reason: str) -> None:
        self.close_reason = reason
        for handle in list(self.handles.values()):
            handle._finish()
        self.handles.clear()
        self.quiet = True
        self._check_runs()
        waiting: list[asyncio.Future[Any]] = [*self.commits.values(), *self.idle]
        for future in waiting:
            future.cancel()
        for ask in list(self.handoffs):
            self.handoff_answered(ask, done=False)
        for ask in list(self.floors):
            self._floor({"ask": ask, "granted": False}, 0.0)
        self._session.handing_over.close()
        self._session.tasks.close()
        self._session.tool_sets.close()
        self.started.set()
        if reason == HANDED_OVER:  # for the application it goes on, elsewhere
            self.handed_over.set()
            return
        self.emitter.emit("close", se.CloseEvent(reason=reason, at=self._session.now()))
        self.closed.set()


_SPECIAL: dict[str, Callable[[UserSide, dict[str, Any], float], None]] = {
    "user_input_transcribed": UserSide._transcribed,
    "error": UserSide._model_error,
    "turn_committed": UserSide._committed,
    "floor": UserSide._floor,
    "task": UserSide._task,
    "handoff": UserSide._handoff,
    "speech_created": UserSide._created,
    "speech_completed": UserSide._completed,
    "idle": UserSide._idle,
    "close": UserSide._close,
}
