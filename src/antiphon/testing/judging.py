"""A language model as the judge of what an agent said or did: yes or no, with a reason.

Any ``LLM`` judges: a provider's, the local one, a scripted one. It answers by a tool call, which every model can be held
to; JSON in its text counts as well. An answer that cannot be read is asked for once more, and never guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import aclosing

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from antiphon.errors import AntiphonError, FormatError
from antiphon.models.llm import LLM, ToolSpec
from antiphon.testing.event_checks import describe
from antiphon.tools.schema import from_json

TRIES = 2
"""Answers that are asked for before the judge is given up."""

INSTRUCTIONS = """\
You check the answers of an agent against a requirement. Judge only whether the agent's words or deeds do what the \
requirement says, not style or length. Call verdict with passed=True where they do it and passed=False where they do not, \
and with the reason in one short sentence."""

EXAMPLES = (
    ("says when the shop opens", "When can I come?", "We open at nine.", True, "It names the hour, nine."),
    ("asks for the name", "I want a table.", "We are full tonight.", False, "It asks for nothing."),
    ("asks for the name", "I want a table.", "Who shall I book it for?", True, "It asks for whom."),
    ("says when the shop opens", "When can I come?", "We sell shoes.", False, "It names no hour."),
)
"""Intent, what was asked and said, and the verdict: small models follow examples better than rules."""


class JudgeError(AntiphonError):
    """The judge gave no answer that can be read as yes or no."""


class Judgement(msgspec.Struct, frozen=True):
    """What the judge found."""

    reason: str
    passed: bool


VERDICT = ToolSpec(
    "verdict",
    "The verdict.",
    {
        "type": "object",
        "properties": {
            "passed": {"type": "boolean", "description": "True if the requirement is met"},
            "reason": {"type": "string", "description": "why, in one short sentence"},
        },
        "required": ["passed", "reason"],
        "additionalProperties": False,
    },
)


async def judge(
    llm: LLM, events: Sequence[ChatItem], *, intent: str, asked: str = "", before: Sequence[ChatItem] = ()
) -> Judgement:
    """Ask ``llm`` whether ``events`` do what ``intent`` says.

    ``asked``: what the user said; ``before``: what the agent did first, for the judge to understand the rest. Raises
    ``JudgeError`` where two answers cannot be read, ``ModelError`` where the model fails."""
    context = ChatContext()
    context.add_message(role="system", content=INSTRUCTIONS)
    for number, (wanted, question, said, passed, reason) in enumerate(EXAMPLES):
        shown = ChatMessage(id=f"said{number}", role="assistant", text=said)
        context.add_message(role="user", content=_case([shown], wanted, question, ()))
        call, arguments = f"example_{number}", json.dumps({"passed": passed, "reason": reason})
        context.items += [
            FunctionCall(id=f"{call}_call", call_id=call, name=VERDICT.name, arguments=arguments),
            FunctionCallOutput(id=f"{call}_output", call_id=call, name=VERDICT.name, output="noted"),
        ]
    context.add_message(role="user", content=_case(events, intent, asked, before))
    problem = ""
    for _ in range(TRIES):
        try:
            return _read(*await _answer(llm, context))
        except FormatError as exc:
            problem = str(exc)
            context.add_message(role="user", content=f"That was no verdict ({problem}) Call verdict with both values.")
    raise JudgeError(
        f"The judge gave no verdict that can be read. {problem}",
        hint="Use a larger model as the judge, or a plainer intent.",
    )


def _case(events: Sequence[ChatItem], intent: str, asked: str, before: Sequence[ChatItem]) -> str:
    parts = [f"The user said: {asked}"] if asked else []
    if before:
        parts.append("Before that, the agent did this:\n" + "\n".join(describe(event) for event in before))
    parts.append(f"Requirement for the agent: {intent}")
    parts.append("\n".join(_told(event) for event in events) or "The agent did nothing.")
    return "\n\n".join(parts)


def _told(event: ChatItem) -> str:
    if isinstance(event, ChatMessage) and event.role == "assistant":
        return f'The agent said: "{event.text}"'
    return f"The agent did: {describe(event)}"


async def _answer(llm: LLM, context: ChatContext) -> tuple[str, list[str]]:
    """The model's text and the arguments of its verdicts."""
    text, verdicts = "", []
    stream = llm.chat(chat_ctx=context, tools=[VERDICT], tool_choice="required")
    async with aclosing(stream):
        async for chunk in stream:
            text += chunk.text
            verdicts += [call.arguments for call in chunk.tool_calls if call.name == VERDICT.name]
    return text, verdicts


def _read(text: str, verdicts: list[str]) -> Judgement:
    found = verdicts or re.findall(r"\{[^{}]*\}", text)
    if not found:
        raise FormatError(f"It said {text.strip()[:200]!r}." if text.strip() else "It said nothing.")
    read = [from_json(Judgement, one) for one in found]
    if len({one.passed for one in read}) > 1:
        raise FormatError("It said both yes and no.")
    return read[0]
