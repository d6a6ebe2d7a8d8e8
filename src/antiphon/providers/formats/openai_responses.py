"""OpenAI's Responses: ``instructions``, ``input`` and ``tools`` of a request, and what of it is new to the service.

Owns: how a conversation is written, and what the service has of it already. Never: the socket.
Source: the API reference of ``POST /responses`` and of its WebSocket mode.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.chat.media import Content, ImageContent, in_words
from antiphon.models.llm import ToolSpec
from antiphon.providers.formats.entries import Calls, Pair, Words, entries, leading, text_of
from antiphon.providers.formats.openai_chat import function_of, url_of

VENDOR = "openai"
_NOTE = re.compile(r"^\[[^\]]*\] ")


def request_of(
    chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), *, strict: bool = False, breakpoints: bool = False
) -> dict[str, Any]:
    """``instructions``, ``input``, ``tools`` and ``prompt_cache_key``; ``tool_choice`` is the caller's own word.
    ``breakpoints``: mark the ends of stable prefixes, which only the latest models take."""
    head, rest = leading(entries(chat_ctx))
    body: dict[str, Any] = {"input": _input(rest, breakpoints)}
    instructions = "\n\n".join(text_of(words.parts) for words in head)
    if instructions:
        body["instructions"] = instructions
    if tools:
        body["tools"] = tools_of(tools, strict=strict)
    body["prompt_cache_key"] = cache_key(instructions, tools)
    return body


def tools_of(tools: Sequence[ToolSpec], *, strict: bool = False) -> list[dict[str, Any]]:
    """Here the function's definition stands in the tool itself, and ``strict`` is on unless it is said to be off."""
    return [{"type": "function", "strict": False, **function_of(tool, strict=strict)} for tool in tools]


def cache_key(instructions: str, tools: Sequence[ToolSpec]) -> str:
    """One key for all requests that begin alike: it leads them to the machine that has their prefix."""
    return sha256(msgspec.json.encode((instructions, list(tools)))).hexdigest()[:32]


def new_input(full: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """What of ``full`` is new to a service that has ``known`` of the conversation, what it was sent and what it answered: only
    this goes along with ``previous_response_id``. ``None`` where the conversation is not what the service has (the caller cut
    the answer short, something was edited): then ``full`` is to be sent, without the id.

    Answers in ``known`` are messages as ``{"role": "assistant", "content": text}``, and calls as they stand in an input; the
    service keeps its reasoning itself. Within a step the order may differ, for words are spoken while their calls run; what the
    caller says divides the steps."""
    items = [dict(item) for item in full if item.get("type") != "reasoning"]
    shapes = [_shape(item) for item in items]
    new = set(range(len(items)))
    last = last_of_user = -1
    for item in known:
        if item.get("type") == "reasoning":
            continue
        shape = _shape(item)
        at = next((n for n in sorted(new) if shapes[n] == shape), None)
        if at is None:
            return None
        new.remove(at)
        last = max(last, at)
        if item.get("role") == "user":
            last_of_user = max(last_of_user, at)
    in_order = all(n > (last if items[n].get("role") == "user" else last_of_user) for n in new)
    return [items[n] for n in sorted(new)] if in_order else None


def _shape(item: Mapping[str, Any]) -> Any:
    """An item without what differs between what was made and what we wrote of it: blanks, the service's own ids, a note in
    front of words that are being said."""
    if item.get("type") == "function_call":
        return ("call", item.get("call_id"), item.get("name"), item.get("arguments"))
    if item.get("role") == "assistant":
        return ("said", " ".join(_NOTE.sub("", str(item.get("content", ""))).split()))
    return dict(item)


def _input(found: Sequence[Words | Calls], breakpoints: bool) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for entry in found:
        if isinstance(entry, Words):
            items.append(_message(entry, breakpoints))
            continue
        items += entry.extra(VENDOR, "reasoning") or []
        items += [_call(pair) for pair in entry.pairs]
        items += [{"type": "function_call_output", "call_id": p.id, "output": _output(p)} for p in entry.pairs]
    return items


def _message(words: Words, breakpoints: bool) -> dict[str, Any]:
    role = "developer" if words.role == "system" else words.role
    mark = breakpoints and words.breakpoint and role != "assistant"
    if role != "user" or (not mark and all(isinstance(part, str) for part in words.parts)):
        text = text_of(words.parts)
        return {"role": role, "content": [_marked({"type": "input_text", "text": text})] if mark else text}
    parts = [_part(part) for part in words.parts]
    if mark:
        parts[-1] = _marked(parts[-1])
    return {"role": role, "content": parts}


def _marked(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "prompt_cache_breakpoint": {"mode": "explicit"}}


def _part(part: Content) -> dict[str, Any]:
    if isinstance(part, ImageContent):
        return {"type": "input_image", "image_url": url_of(part), "detail": part.detail}
    return {"type": "input_text", "text": part if isinstance(part, str) else in_words(part)}


def _call(pair: Pair) -> dict[str, Any]:
    return {"type": "function_call", "call_id": pair.id, "name": pair.name, "arguments": pair.written}


def _output(pair: Pair) -> str | list[dict[str, Any]]:
    pictures = [_part(part) for part in pair.media if isinstance(part, ImageContent)]
    if not pictures:
        return pair.output
    return [*([{"type": "input_text", "text": pair.output}] if pair.output else []), *pictures]
