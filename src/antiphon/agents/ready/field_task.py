"""FieldTask: the sub-dialogue that gets one value out of a caller. Base of the ready tasks.

Owns how rules and model share the work. The rules come first: where the caller's words can be read surely, the task
answers by itself, at once, whatever the model is. Where they cannot, the model answers, with tools to record, confirm
and decline; what it records passes the same validation and the same read-back. The rules speak through the same
tools as the model: what they decide is a tool call like any other, made once its turn is committed, and on record.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from antiphon.agents.agent import NOT_GIVEN, Agent, ModelSettings
from antiphon.agents.fields import dialogue as dl
from antiphon.agents.fields.answer import Found
from antiphon.agents.nodes import FlushSentinel
from antiphon.agents.ready.field_words import FieldWords
from antiphon.chat.context import ChatContext, new_id
from antiphon.chat.items import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from antiphon.errors import ConfigurationError, TaskDeclinedError, ToolError
from antiphon.models.llm import LLM, ChatChunk, ToolCallDelta
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.tools.function_tool import FunctionTool, function_tool
from antiphon.tools.toolset import Tool
from antiphon.turns.expectation import Expectation

if TYPE_CHECKING:
    from antiphon.session.options import TurnHandlingOptions

T = TypeVar("T")

WayOut = Callable[[str, str], tuple[str, dict[str, str]] | None]
"""(the caller's words, the field) -> a tool call (name, arguments) that leads out of the task, ``None`` where none is meant."""

INSTRUCTIONS = """You are getting one thing from the caller: {wanted}. {extra}
- When the caller gives it, call {record} with it at once{form}. Never make it up.
- When the caller agrees to what was read back to them, call {confirm}.
{decline}- Answer another question in one short sentence, then ask for {wanted} again.
Speak the caller's language. Say nothing about tools."""

FOR_ONE_REPLY = "extra_instructions"
"""The id of the message that ``generate_reply(instructions=...)`` puts behind a prompt."""


class FieldState(msgspec.Struct):
    """Where the task's own part of the conversation begins: behind the item ``after``. ``now``: when that was (ISO 8601),
    which "tomorrow" is relative to."""

    after: str = ""
    now: str = ""
    entered: bool = False


class FieldTask(FieldWords[T]):
    """Base of the ready tasks: await one and get its value.

    ``ask``: the question (unset: the language's own). ``confirm``: read the value back and wait for the caller's yes.
    ``max_attempts``: answers that may come to nothing before the task is given up. ``required``: the caller may not
    decline. ``said``: words of the caller's that may hold the answer already: it is taken from them, and asked for only
    where it is not in them. ``extra_instructions``: for the model, of what you want it to know about the field.
    The rest is as for ``Agent``. Raises ``TaskDeclinedError`` where the caller will not say, or the attempts are used up.
    """

    package = ""
    """What has to be installed for the task; missing, it is said when the task is made."""

    def __init__(
        self,
        *,
        ask: str = "",
        confirm: bool = True,
        max_attempts: int = 4,
        required: bool = False,
        said: str = "",
        extra_instructions: str = "",
        id: str = "",
        chat_ctx: ChatContext | None = None,
        tools: Sequence[Tool] = (),
        stt: STT | str | None = NOT_GIVEN,
        llm: LLM | str | None = NOT_GIVEN,
        tts: TTS | str | None = NOT_GIVEN,
        turn_handling: TurnHandlingOptions | dict[str, Any] | None = None,
        language: str = "",
    ) -> None:
        if self.package and find_spec(self.package) is None:
            raise ConfigurationError(
                f"{type(self).__name__} needs {self.package}, which is not installed.",
                hint="Run: pip install 'antiphon[tasks]'.",
            )
        if max_attempts < 1:
            raise ConfigurationError("max_attempts has to be 1 or more.", hint="Leave it out for the default.")
        self._ask, self._confirms, self._attempts, self._required = ask, confirm, max_attempts, required
        self._said = said
        self._way_out: WayOut | None = None
        self._given_turns = turn_handling
        names = {kind: f"{kind}_{self.field}" for kind in ("record", "confirm", "decline")}
        self._record_name, self._confirm_name, self._decline_name = names.values()
        decline = f"- When the caller does not want to give it, call {names['decline']}.\n"
        super().__init__(
            instructions=INSTRUCTIONS.format(
                wanted=self.wanted,
                extra=extra_instructions,
                form=f", written as {self.form}" if self.form else "",
                record=names["record"],
                confirm=names["confirm"] if confirm else names["record"],
                decline="" if required else decline,
            ),
            id=id or f"get_{self.field}",
            chat_ctx=chat_ctx,
            tools=[*tools, *self._own_tools()],
            stt=stt,
            llm=llm,
            tts=tts,
            language=language,
            turn_handling=self._turns(self.expects()),
            state=FieldState(),
        )

    def begin_with(self, said: str, way_out: WayOut) -> None:
        """A group's say before it awaits the task: words that may hold the answer, and how callers leave."""
        self._said = self._said or said
        self._way_out = way_out

    # --- the agent -----------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """When the task began, which relative days count from."""
        state: FieldState = self.state
        return datetime.fromisoformat(state.now) if state.now else self._clock()

    def _clock(self) -> datetime:
        return datetime.now().astimezone()

    async def on_enter(self) -> None:
        if not self.state.entered:
            read = [item for item in self.session.history if isinstance(item, ChatMessage | FunctionCall)]
            before = [item.id for item in read if not item.id.startswith("ladder.")]  # what a prompt has, too
            self.state = FieldState(before[-1] if before else "", self._clock().isoformat(), entered=True)
        known = self._dialogue(ChatContext.empty())
        if self._said and not isinstance(known.move, dl.AskModel | dl.GoAhead | dl.Repeat | dl.Decline | dl.Insist):
            self._expect(known)
            if isinstance(known.move, dl.Record):
                self.complete(known.move.value)
            else:
                await self._say(self.words(known))
            return
        await self._say(self._ask or (self.question(self.texts) if self.texts else ""))

    async def _say(self, text: str) -> None:
        if text:
            self.session.say(text, turn_handling=self.turn_handling)
        else:
            self.session.generate_reply(instructions=f"Ask the caller for {self.wanted}, in one short sentence.")

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        """The next question's kind of answer becomes the turn policy."""
        self._expect(self._dialogue(ChatContext([*self._own(self.session.history), new_message])))

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[FunctionTool], model_settings: ModelSettings
    ) -> AsyncIterator[ChatChunk | str | FlushSentinel]:
        own = self._own(chat_ctx)
        talk = self._dialogue(ChatContext(own))
        asked_for = bool(own) and own[-1].id == FOR_ONE_REPLY
        call = None if asked_for else self._leaving(own, tools) or self._call(talk.move)
        if call is not None:
            if own and isinstance(own[-1], FunctionCallOutput):  # it was made already, and did not end the task
                yield self.come_back(talk, sorry=True)
            else:
                yield ChatChunk(tool_calls=(call,))
            return
        text = "" if asked_for else self.words(talk)
        if text:
            yield text
            return
        if hint := self.hint(talk):
            chat_ctx.add_message(role="system", content=hint)
        if not self._has_model():
            yield self.come_back(talk, sorry=True)
            return
        if self._required:
            tools = [tool for tool in tools if tool.name != self._decline_name]
        heard, called = "", False
        async for piece in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            if isinstance(piece, ChatChunk):
                heard += piece.text
                called = called or bool(piece.tool_calls)
            elif isinstance(piece, str):
                heard += piece
            yield piece
        if not called and not asked_for and not heard.rstrip().endswith("?"):
            yield " " + self.come_back(talk, sorry=not heard.strip())

    # --- tools ---------------------------------------------------------------------------------------------------

    def _own_tools(self) -> list[FunctionTool]:
        form = f", written as {self.form}" if self.form else ""
        made = [
            function_tool(retry="replay", name=self._record_name, description=f"Record {self.wanted}{form}.")(
                self._record
            )
        ]
        if self._confirms:
            description = f"The caller has agreed to {self.wanted} that was read back."
            made.append(function_tool(retry="replay", name=self._confirm_name, description=description)(self._confirm))
        description = f"The caller does not want to give {self.wanted}."
        made.append(function_tool(retry="replay", name=self._decline_name, description=description)(self._decline))
        return made

    async def _record(self, value: str) -> str | None:
        answer = self.reader().accept(value)
        if not isinstance(answer, Found):
            raise ToolError(f"{value!r} is not {self.wanted}: {self.why_not(answer)}")
        if self._confirms:
            talk = self._dialogue(self.session.history)
            talk.recorded(answer.value)
            self._expect(talk)
            return "Recorded. It is being read back to the caller."
        self.complete(answer.value)
        return None

    async def _confirm(self) -> None:
        talk = self._dialogue(self.session.history)
        if talk.value is None or not talk.answered:
            raise ToolError("Nothing was read back yet.", hint=f"Call {self._record_name} with what the caller said.")
        self.complete(talk.value)

    async def _decline(self, reason: str = "the caller would rather not say") -> None:
        self.complete(TaskDeclinedError(f"{self.wanted} was not given: {reason}."))

    # --- what was said so far ------------------------------------------------------------------------------------

    def _own(self, context: ChatContext) -> list[ChatItem]:
        """The items of this task: those behind the one that was the last when it began. What it was given to read from
        the start is none of them."""
        at = context.index_by_id(self.state.after) if self.state.after else None
        given = {item.id for item in self._chat_ctx}
        return [item for item in context.items[0 if at is None else at + 1 :] if item.id not in given]

    def _dialogue(self, context: ChatContext) -> dl.Dialogue[T]:
        rules: dl.Rules[T] = dl.Rules(
            reader=self.reader(),
            tag=self.tag,
            confirm=self._confirms,
            attempts=self._attempts,
            required=self._required,
            agrees=self.answers_itself,
            spoken=self.spoken,
            texts=self.texts,
        )
        talk = dl.Dialogue(rules)
        if self._said:
            talk.caller_said(self._said)
        items = self._own(context)
        good = {item.call_id for item in items if isinstance(item, FunctionCallOutput) and not item.is_error}
        for item in items:
            if isinstance(item, ChatMessage) and item.role == "user":
                talk.caller_said(item.text)
            elif isinstance(item, ChatMessage) and item.role == "assistant":
                talk.agent_said(item.text, interrupted=item.interrupted)
            elif isinstance(item, FunctionCall) and item.name == self._record_name and item.call_id in good:
                answer = rules.reader.accept(json.loads(item.arguments)["value"])
                if isinstance(answer, Found):
                    talk.recorded(answer.value)
        return talk

    def _leaving(self, own: list[ChatItem], tools: list[FunctionTool]) -> ToolCallDelta | None:
        """The way out of the task that the caller's last words ask for."""
        last = next((item for item in reversed(own) if not _is_heard(item)), None)
        if self._way_out is None or not isinstance(last, ChatMessage) or last.role != "user":
            return None
        wanted = self._way_out(last.text, self.field)
        if wanted is None or wanted[0] not in {tool.name for tool in tools}:
            return None
        return ToolCallDelta(call_id=new_id("call"), name=wanted[0], arguments=json.dumps(wanted[1]))

    # --- words ---------------------------------------------------------------------------------------------------

    def _call(self, move: dl.Move) -> ToolCallDelta | None:
        """The tool call that the move is."""
        arguments: dict[str, str] = {}
        if isinstance(move, dl.Record):
            name, arguments = self._record_name, {"value": self.written(move.value)}
        elif isinstance(move, dl.Confirm):
            name = self._confirm_name
        elif isinstance(move, dl.Decline):
            name, arguments = self._decline_name, {"reason": move.reason}
        else:
            return None
        return ToolCallDelta(call_id=new_id("call"), name=name, arguments=json.dumps(arguments))

    def _has_model(self) -> bool:
        try:
            self.session.model_of(self, "llm")
        except ConfigurationError:
            return False
        return True

    # --- turn policy ---------------------------------------------------------------------------------------------

    def _expect(self, talk: dl.Dialogue[T]) -> None:
        """The answer that comes next: to a read-back a yes or no, else the field's own."""
        wanted = self._turns({"expect": "yes_no"} if talk.value is not None and self._confirms else self.expects())
        if wanted != self.turn_handling:
            self.update_options(turn_handling=wanted)

    def _turns(self, policy: dict[str, Any]) -> TurnHandlingOptions | dict[str, Any]:
        """The user's settings, and the field's where those say nothing."""
        given = self._given_turns
        if isinstance(given, msgspec.Struct):
            expect = policy.get("expect", Expectation())
            return msgspec.structs.replace(given, expect=expect) if given.expect is None else given
        return {**policy, **(given or {})}


def _is_heard(item: ChatItem) -> bool:
    return isinstance(item, ChatMessage) and item.role == "assistant"
