"""Anthropic's Messages: ``system``, ``messages``, ``tools`` and ``tool_choice`` of a request.

Owns: roles that alternate, results right behind their calls, thinking in its place, where the cache's breakpoints are.
Never: the model's settings. Source: the API reference of ``POST /v1/messages``; the guides on prompt caching, extended
thinking and tool use.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from antiphon.chat.context import ChatContext
from antiphon.chat.media import Content, ImageContent, Media, in_words
from antiphon.models.llm import ToolChoice, ToolSpec
from antiphon.providers.formats.entries import (
    GO_ON,
    OPENING,
    Calls,
    Pair,
    Words,
    entries,
    leading,
    marked,
    text_of,
    unmarked,
)
from antiphon.providers.formats.names import fit

VENDOR = "anthropic"
MARKS = 4
"""Breakpoints that one request may have."""
PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})

_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def request_of(
    chat_ctx: ChatContext,
    tools: Sequence[ToolSpec] = (),
    tool_choice: ToolChoice = "auto",
    *,
    cache: bool = True,
    late_system: bool = False,
) -> dict[str, Any]:
    """``system``, ``messages``, ``tools``, ``tool_choice``.

    Instructions within the conversation go along as the user's, marked as what they are; ``late_system``: the model takes
    them as ``system`` where they are the last word. A step's ``extra["anthropic"]["thinking"]`` (a list of blocks) goes
    back in front of it. ``cache``: breakpoints behind tools and instructions, behind what somebody marked, and behind the
    last that will stand like this in the next request."""
    head, rest = leading(entries(chat_ctx))
    conversation = _Conversation()
    for n, entry in enumerate(rest):
        last = n == len(rest) - 1
        if isinstance(entry, Calls):
            conversation.step(entry)
        elif last and late_system and entry.role == "system" and conversation.role == "user":
            conversation.messages.append({"role": "system", "content": text_of(entry.parts)})
        else:
            conversation.say(entry)
    messages = conversation.finish()
    body: dict[str, Any] = {"messages": messages}
    if head:
        body["system"] = [{"type": "text", "text": text_of(words.parts)} for words in head]
    named = sorted({pair.name for entry in rest if isinstance(entry, Calls) for pair in entry.pairs})
    if tools:
        body["tools"] = tools_of(tools)
        body["tool_choice"] = {"type": _CHOICES[tool_choice]}
    elif named:  # a conversation with calls is refused without tools
        stubs = [ToolSpec(name, "Not to be used now.", {"type": "object", "properties": {}}) for name in named]
        body["tools"] = tools_of(stubs)
        body["tool_choice"] = {"type": "none"}
    if cache:
        _set_breakpoints(body, conversation.stable, conversation.wanted)
    return body


def tools_of(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Tools with their ``input_schema``, which is JSON Schema as it is."""
    return [
        {"name": fit(tool.name), "description": tool.description, "input_schema": {"type": "object", **tool.parameters}}
        for tool in tools
    ]


def may_think(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether extended thinking may be on for this request: the steps since the user last spoke have to begin with their
    thinking. They have none where another vendor's model made them, or none of a model's at all."""
    for message in reversed(messages):
        kinds = [block["type"] for block in message["content"] if isinstance(block, dict)]
        if message["role"] == "user" and any(kind != "tool_result" for kind in kinds):
            return True
        if message["role"] == "assistant" and "tool_use" in kinds and not kinds[0].endswith("thinking"):
            return False
    return True


class _Conversation:
    """Messages in the making. ``stable``: the last block that the next request will have too; ``wanted``: blocks that
    somebody marked."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.stable: dict[str, Any] | None = None
        self.wanted: list[dict[str, Any]] = []

    @property
    def role(self) -> str:
        return str(self.messages[-1]["role"]) if self.messages else ""

    def say(self, words: Words) -> None:
        role = "assistant" if words.role == "assistant" else "user"
        blocks = [_block(part, words.role) for part in words.parts]
        self._add(role, blocks)
        if not words.volatile:
            self.stable = blocks[-1]
        if words.breakpoint:
            self.wanted.append(blocks[-1])

    def step(self, calls: Calls) -> None:
        self._add("assistant", [_use(pair) for pair in calls.pairs])
        if thinking := calls.extra(VENDOR, "thinking"):
            self.messages[-1]["content"][:0] = thinking
        for pair in calls.pairs:
            result = _result(pair)
            self._add("user", [result])
            if not pair.volatile:
                self.stable = result

    def finish(self) -> list[dict[str, Any]]:
        if self.role in ("", "assistant"):
            self._add("user", [{"type": "text", "text": GO_ON if self.messages else OPENING}])
        return self.messages

    def _add(self, role: str, blocks: list[dict[str, Any]]) -> None:
        if not self.messages and role == "assistant":
            self._add("user", [{"type": "text", "text": OPENING}])
        if self.role == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})


def _set_breakpoints(body: dict[str, Any], stable: dict[str, Any] | None, wanted: list[dict[str, Any]]) -> None:
    """Tools come before the instructions in a prompt, the instructions before the messages: a breakpoint behind the
    instructions is one behind the tools."""
    head = body.get("system") or body.get("tools")
    chosen = [head[-1]] if head else []
    if stable is not None:
        chosen.append(stable)
    spare = [block for block in wanted if block is not stable]
    for block in [*chosen, *spare[len(chosen) - MARKS :]]:
        block["cache_control"] = {"type": "ephemeral"}


def _block(part: Content, role: str) -> dict[str, Any]:
    if isinstance(part, str):
        text = marked(part) if role == "system" else unmarked(part) if role == "user" else part.rstrip()
        return {"type": "text", "text": text}
    if role == "user" and isinstance(part, ImageContent) and (picture := _picture(part)):
        return picture
    return {"type": "text", "text": in_words(part)}


def _picture(part: Media) -> dict[str, Any] | None:
    if not isinstance(part, ImageContent):
        return None
    if part.url:
        return {"type": "image", "source": {"type": "url", "url": part.url}}
    if part.mime not in PICTURES:
        return None
    data = b64encode(part.data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": part.mime, "data": data}}


def _use(pair: Pair) -> dict[str, Any]:
    return {"type": "tool_use", "id": pair.id, "name": pair.name, "input": pair.arguments}


def _result(pair: Pair) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "tool_result", "tool_use_id": pair.id}
    shown = [_picture(part) or {"type": "text", "text": in_words(part)} for part in pair.media]
    text = [{"type": "text", "text": pair.output}] if pair.output.strip() else []
    made["content"] = [*text, *shown] if shown else pair.output
    if pair.is_error:
        made["is_error"] = True
    return made
