"""The prompt view: what a language model reads, out of the kernel's conversation and the agent's own context.

What is the same from request to request comes first, what changes comes last: the services cache a prompt as far as it
begins like the one before. Items that will not stand like this in the next prompt are marked ``volatile``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from antiphon.chat.context import ChatContext
from antiphon.chat.items import AgentConfigUpdate, AgentHandoff, ChatItem, ChatMessage

DYNAMIC, EXTRA = "dynamic_instructions", "extra_instructions"


def build_prompt(
    *,
    instructions: Sequence[str],
    own: ChatContext,
    conversation: Sequence[ChatItem],
    turn_text: str = "",
    extra_instructions: str = "",
) -> ChatContext:
    """Instructions, the agent's own context, the conversation, the turn that is being answered ahead of its commit,
    and instructions for this one reply."""
    items: list[ChatItem] = [
        ChatMessage(id=f"instructions_{n}" if n else "instructions", role="system", text=text)
        for n, text in enumerate(instructions)
    ]
    have = set()
    for item in own:
        if isinstance(item, ChatMessage) and item.role == "system" and item.text in instructions:
            continue
        have.add(item.id)
        items.append(item)
    items.extend(
        item for item in conversation if item.id not in have and not isinstance(item, AgentHandoff | AgentConfigUpdate)
    )
    if turn_text:
        items.append(ChatMessage(id="turn", role="user", text=turn_text, volatile=True))
    if extra_instructions:
        items.append(ChatMessage(id=EXTRA, role="system", text=extra_instructions, volatile=True))
    return ChatContext(_named(items))


def _named(items: Iterable[ChatItem]) -> list[ChatItem]:
    """Where several people have spoken, each message begins with who did."""
    items = list(items)
    speakers = {item.speaker_id for item in items if isinstance(item, ChatMessage) and item.speaker_id}
    if len(speakers) < 2:
        return items
    return [
        msgspec.structs.replace(
            item, text=f"{item.speaker_id}: {item.text}", media_at=[n + len(item.speaker_id) + 2 for n in item.media_at]
        )
        if isinstance(item, ChatMessage) and item.speaker_id
        else item
        for item in items
    ]


def add_dynamic(prompt: ChatContext, text: str) -> None:
    """Instructions that were worked out for this request: last, but for those of the reply itself."""
    at = len(prompt.items)
    if at and prompt.items[-1].id == EXTRA:
        at -= 1
    prompt.items.insert(at, ChatMessage(id=DYNAMIC, role="system", text=text, volatile=True))
