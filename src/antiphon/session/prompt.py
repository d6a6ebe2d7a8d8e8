"""The prompt view: what a language model reads, out of the kernel's conversation and the agent's own context."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.chat.context import ChatContext
from antiphon.chat.items import AgentConfigUpdate, AgentHandoff, ChatItem, ChatMessage


def build_prompt(
    *,
    instructions: str,
    own: ChatContext,
    conversation: Sequence[ChatItem],
    turn_text: str = "",
    extra_instructions: str = "",
) -> ChatContext:
    """Instructions, the agent's own context, the conversation, the turn that is being answered ahead of its commit,
    and instructions for this one reply (last, so that the stable prefix stays cacheable)."""
    items: list[ChatItem] = []
    if instructions:
        items.append(ChatMessage(id="instructions", role="system", text=instructions))
    have = set()
    for item in own:
        if isinstance(item, ChatMessage) and item.role == "system" and item.text == instructions:
            continue
        have.add(item.id)
        items.append(item)
    items.extend(
        item for item in conversation if item.id not in have and not isinstance(item, AgentHandoff | AgentConfigUpdate)
    )
    if turn_text:
        items.append(ChatMessage(id="turn", role="user", text=turn_text))
    if extra_instructions:
        items.append(ChatMessage(id="extra_instructions", role="system", text=extra_instructions))
    return ChatContext(items)
