"""A conversation as the prompt of a small language model, and the model's lines back as text and tool calls.

Small models do not follow the usual tool formats, but write one line well: ``say: ...`` or a tool call as in ``call_lines.py``. The prompt
is ChatML and only ever grows at its end while a conversation goes on, so that what has been read stays read.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import date

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatItem, ChatMessage, ConversationSummary, FunctionCall, FunctionCallOutput
from antiphon.local import call_lines, spoken_digits
from antiphon.local.grammar import Grammar
from antiphon.models.llm import ToolChoice, ToolSpec

SPOKEN = "You speak with the caller by voice: answer in one or two short plain sentences."
LINES = (
    "Answer with one line for each thing that the caller wants done, in one of these forms "
    "(leave out what stands in [ ] unless the caller said it):\n{tools}\n"
    "say: <one or two short spoken sentences>   (only for greeting, small talk, general questions, or to ask for what is missing)"
)
ANSWER = "<|im_start|>assistant\n"
"""What the model goes on from."""

MOST_CALLS = 4
"""Tool calls in one answer."""

EXAMPLES = (
    ("Hello!", "say: Hello! How can I help you?"),
    ("What is the capital of Japan?", "say: The capital of Japan is Tokyo."),
)
LONGEST_PROMPT = 5_000
"""Characters of conversation that are kept (about 1,400 tokens); older items are left out in blocks."""

DROP_BLOCK = 2_000
"""Characters left out at a time: each cut makes the model read everything after it again."""


def turn(role: str, text: str) -> str:
    """One ChatML turn."""
    return f"<|im_start|>{role}\n{plain(text)}<|im_end|>\n"


def plain(text: str) -> str:
    """Text that cannot be mistaken for a mark of the prompt."""
    return text.replace("<|im_", "<| im_")


def answer_grammar(tools: Sequence[ToolSpec], choice: ToolChoice) -> str:
    """What the model may answer: a line to say, or calls of these tools; empty where anything goes (no tools)."""
    grammar = Grammar()
    if not tools:
        return "" if choice == "auto" else grammar.text('"say: " text')
    grammar.rules["call"] = " | ".join([call_lines.rule(grammar, tool) for tool in tools])
    say = '"say: " text'
    several = f'call ("\\n" call){{0,{MOST_CALLS - 1}}}'
    return grammar.text({"auto": f"{say} | {several}", "none": say, "required": several}[choice])


def leading(context: ChatContext) -> list[ChatMessage]:
    """The instructions that stand before the conversation."""
    first = itertools.takewhile(
        lambda i: isinstance(i, ChatMessage) and i.role in ("system", "developer"), context.items
    )
    return [item for item in first if isinstance(item, ChatMessage)]


def system_text(context: ChatContext, tools: Sequence[ToolSpec]) -> str:
    """The instructions, and how to answer."""
    instructions = [message.text for message in leading(context) if message.text]
    how = LINES.format(tools="\n".join(call_lines.form(tool) for tool in tools)) if tools else SPOKEN
    return "\n".join([*instructions, how])


def opening(context: ChatContext, tools: Sequence[ToolSpec]) -> str:
    """The part of the prompt that stays the same for the whole conversation."""
    text = turn("system", system_text(context, tools))
    if tools:
        text += "".join(turn("user", asked) + turn("assistant", said) for asked, said in EXAMPLES)
    return text


def conversation(items: Iterable[ChatItem], *, tools: bool, today: date) -> list[str]:
    """One text per turn of the conversation. A reply that only repeats a tool's result is left out."""
    texts: list[str] = []
    results: list[str] = []
    calls: list[str] = []
    for item in items:
        if calls and not isinstance(item, FunctionCall):
            texts.append(turn("assistant", "\n".join(calls)))
            calls = []
        match item:
            case ChatMessage(role="system" | "developer") if item.text:
                texts.append(turn("system", item.text))
            case ChatMessage(role="user"):
                texts.append(turn("user", spoken_digits.joined(item.text)))
                results = []
            case ChatMessage(role="assistant") if item.text.strip():
                if not (results and same_words(item.text, " ".join(results))):
                    texts.append(turn("assistant", f"say: {item.text}" if tools else item.text))
                results = []
            case ConversationSummary():
                texts.append(turn("user", item.as_text))
            case FunctionCall():
                calls.append(call_lines.write(item.name, item.arguments, today))
            case FunctionCallOutput():
                results.append(item.output)
                texts.append(turn("tool", ("failed: " if item.is_error else "") + item.output[:600]))
            case _:
                pass
    return texts


def same_words(a: str, b: str) -> bool:
    """Whether ``a`` says the words of ``b``, or its beginning (a reply that was cut off)."""
    return " ".join(b.lower().split()).startswith(" ".join(a.lower().split()).rstrip(".,… "))


def render(context: ChatContext, tools: Sequence[ToolSpec], *, today: date, ahead: bool = False) -> str:
    """The whole prompt. ``ahead``: nothing is asked yet, and a user message at the end still grows."""
    rest = context.items[len(leading(context)) :]
    summed_up = 1 if rest and isinstance(rest[0], ConversationSummary) else 0
    start = opening(context, tools) + "".join(conversation(rest[:summed_up], tools=bool(tools), today=today))
    texts = conversation(rest[summed_up:], tools=bool(tools), today=today)
    over = sum(map(len, texts)) - LONGEST_PROMPT
    if over > 0:
        drop = (over // DROP_BLOCK + 1) * DROP_BLOCK
        while len(texts) > 1 and drop > 0:
            drop -= len(texts.pop(0))
        while len(texts) > 1 and not texts[0].startswith("<|im_start|>user"):
            texts.pop(0)
    prompt = start + "".join(texts)
    if not ahead:
        return prompt + ANSWER
    last = context.items[-1] if len(context) else None
    growing = isinstance(last, ChatMessage) and last.role == "user"
    return prompt.removesuffix("<|im_end|>\n").rstrip() if growing else prompt


class LineParser:
    """Reads the model's answer as it comes: text to say, or whole tool calls."""

    def __init__(self, *, tools: bool) -> None:
        self._buffer = ""
        self._saying = not tools
        self._started = False

    def feed(self, piece: str, *, last: bool = False) -> tuple[str, list[tuple[str, str]]]:
        """(text to say now, tool calls that are complete now, as name and JSON arguments)."""
        self._buffer += piece
        calls: list[tuple[str, str]] = []
        while not self._saying:
            if self._buffer.startswith("say:"):
                self._buffer = self._buffer[4:]
                self._saying = True
                break
            line, newline, rest = self._buffer.partition("\n")
            if not newline and not last:
                return "", calls
            self._buffer = rest
            if call := call_lines.read(line):
                calls.append(call)
            if not rest:
                return "", calls
        text, self._buffer = self._buffer, ""
        if not self._started:
            text = text.lstrip()
        self._started = self._started or bool(text)
        return text, calls
