"""A conversation as the ``messages`` of a chat completion.

Owns: the order and pairing that the format demands. Never: what the conversation says.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatMessage, FunctionCall, FunctionCallOutput
from antiphon.chat.media import Content, ImageContent


def messages_of(chat_ctx: ChatContext, *, developer_role: bool) -> list[dict[str, Any]]:
    """The messages. The format wants each tool call followed at once by its output, so outputs move up to their
    calls; calls without an output (still running) and outputs without a call are left out, as are hand-offs,
    configuration changes and empty messages."""
    outputs = {item.call_id: item for item in chat_ctx if isinstance(item, FunctionCallOutput)}
    messages: list[dict[str, Any]] = []
    said = False  # the last message is the assistant's: a call that follows belongs to it
    batch: list[FunctionCall] = []

    def close_batch() -> None:
        nonlocal said
        if batch:
            calls = [_call(call) for call in batch]
            if said:
                messages[-1]["tool_calls"] = calls
            else:
                messages.append({"role": "assistant", "content": None, "tool_calls": calls})
            for call in batch:
                output = outputs.pop(call.call_id)
                messages.append({"role": "tool", "tool_call_id": call.call_id, "content": output.output})
            batch.clear()
            said = False

    for item in chat_ctx:
        if isinstance(item, FunctionCall):
            if item.call_id in outputs and all(call.call_id != item.call_id for call in batch):
                batch.append(item)
            continue
        close_batch()
        if isinstance(item, ChatMessage) and item.content:
            role = "system" if item.role == "developer" and not developer_role else item.role
            content = [_part(part) for part in item.content] if item.media else item.text
            messages.append({"role": role, "content": content})
            said = item.role == "assistant"
    close_batch()
    return messages


def _part(part: Content) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, ImageContent):
        url = part.url or f"data:{part.mime};base64,{b64encode(part.data).decode()}"
        return {"type": "image_url", "image_url": {"url": url, "detail": part.detail}}
    form = "wav" if part.mime == "audio/wav" else "mp3"
    return {"type": "input_audio", "input_audio": {"data": b64encode(part.data).decode(), "format": form}}


def _call(call: FunctionCall) -> dict[str, Any]:
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments or "{}"},
    }
