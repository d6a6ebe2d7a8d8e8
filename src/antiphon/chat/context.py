"""ChatContext: an ordered list of items, with the few operations a conversation needs."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from antiphon.chat.items import (
    AgentConfigUpdate,
    AgentHandoff,
    ChatItem,
    ChatMessage,
    ConversationSummary,
    FunctionCall,
    FunctionCallOutput,
    Role,
)
from antiphon.chat.media import AudioContent, Content, ImageContent, in_words, split
from antiphon.errors import FormatError

FORMAT = 2
"""Version of the written form. 1 had no number and no media."""


def new_id(prefix: str) -> str:
    """A fresh item id."""
    return f"{prefix}_{uuid.uuid4().hex[:12]}"


class ChatContext:
    """A conversation. Items are in the order in which they happened."""

    def __init__(self, items: Iterable[ChatItem] = ()) -> None:
        self.items: list[ChatItem] = list(items)

    @classmethod
    def empty(cls) -> ChatContext:
        return cls()

    def __iter__(self) -> Iterator[ChatItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"ChatContext({len(self.items)} items)"

    def add_message(
        self, *, role: Role, content: str | Sequence[Content], id: str | None = None, created_at: float = 0.0
    ) -> ChatMessage:
        """Append a message and return it. ``content``: text, or parts of text, pictures and sound."""
        text, media = split([content] if isinstance(content, str) else content)
        message = ChatMessage(id=id or new_id("item"), role=role, text=text, media=media, created_at=created_at)
        self.items.append(message)
        return message

    def insert(self, item: ChatItem | Iterable[ChatItem]) -> None:
        """Insert by ``created_at``, after items of the same time."""
        for one in [item] if isinstance(item, msgspec.Struct) else list(item):
            at = len(self.items)
            while at > 0 and self.items[at - 1].created_at > one.created_at:
                at -= 1
            self.items.insert(at, one)

    def get_by_id(self, id: str) -> ChatItem | None:
        return next((item for item in self.items if item.id == id), None)

    def index_by_id(self, id: str) -> int | None:
        return next((n for n, item in enumerate(self.items) if item.id == id), None)

    def remove(self, id: str) -> None:
        """Drop the item with this id, if there is one."""
        self.items = [item for item in self.items if item.id != id]

    @property
    def messages(self) -> list[ChatMessage]:
        return [item for item in self.items if isinstance(item, ChatMessage)]

    def copy(
        self,
        *,
        exclude_function_call: bool = False,
        exclude_instructions: bool = False,
        exclude_handoff: bool = False,
        exclude_config_update: bool = False,
        exclude_empty_message: bool = False,
        tools: Iterable[str] | None = None,
    ) -> ChatContext:
        """A new context with the same items (not copies of them), filtered. ``tools``: keep only calls of these."""
        names = None if tools is None else set(tools)

        def keep(item: ChatItem) -> bool:
            if isinstance(item, FunctionCall | FunctionCallOutput):
                return not exclude_function_call and (names is None or item.name in names)
            if isinstance(item, AgentHandoff):
                return not exclude_handoff
            if isinstance(item, AgentConfigUpdate):
                return not exclude_config_update
            if isinstance(item, ConversationSummary):
                return True
            if exclude_instructions and item.role in ("system", "developer"):
                return False
            return not (exclude_empty_message and not item.content)

        return ChatContext(item for item in self.items if keep(item))

    def truncate(self, max_items: int) -> ChatContext:
        """Keep the instructions and the newest ``max_items`` others, in place; never begin with an orphaned tool result."""
        if max_items < 0:
            raise ValueError("max_items must not be negative")
        system = [i for i in self.items if isinstance(i, ChatMessage) and i.role in ("system", "developer")]
        rest = [i for i in self.items if i not in system]
        rest = rest[len(rest) - min(max_items, len(rest)) :]
        while rest and isinstance(rest[0], FunctionCall | FunctionCallOutput):
            rest.pop(0)
        self.items = system + rest
        return self

    def merge(self, other: ChatContext, *, exclude_function_call: bool = False) -> ChatContext:
        """Add the items of ``other`` that are not here yet, by time, in place."""
        have = {item.id for item in self.items}
        for item in other.copy(exclude_function_call=exclude_function_call, exclude_instructions=True):
            if item.id not in have:
                self.insert(item)
        return self

    def is_equivalent(self, other: ChatContext) -> bool:
        """The same conversation: equal items but for ids, times and metrics."""

        def plain(item: ChatItem) -> dict[str, Any]:
            data: dict[str, Any] = msgspec.to_builtins(item)
            for key in ("id", "created_at", "metrics", "extra"):
                data.pop(key, None)
            return data

        return [plain(i) for i in self.items] == [plain(i) for i in other.items]

    def readable(self, *, images: bool = False, audio: bool = False) -> ChatContext:
        """The same conversation for a model that takes only some kinds of media, and those from the user alone: a note, or
        a recording's transcript, stands for what it cannot take."""

        def takes(message: ChatMessage, part: ImageContent | AudioContent) -> bool:
            return message.role == "user" and (images if isinstance(part, ImageContent) else audio)

        def shown(item: ChatItem) -> ChatItem:
            if not isinstance(item, ChatMessage) or all(takes(item, part) for part in item.media):
                return item
            notes = [in_words(part) for part in item.media if not takes(item, part)]
            kept = [part for part in item.media if takes(item, part)]
            text = "\n".join(line for line in (item.text, *notes) if line)
            return msgspec.structs.replace(item, text=text, media=kept)

        return ChatContext(shown(item) for item in self.items)

    def to_dict(self, *, exclude_media: bool = False) -> dict[str, Any]:
        """Plain data that JSON can hold; bytes of media in base64. ``exclude_media``: notes stand for them."""
        return {"format": FORMAT, "items": msgspec.to_builtins((self.readable() if exclude_media else self).items)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ChatContext:
        """Reads what any earlier version wrote. Raises ``FormatError`` for a later version's, and
        ``msgspec.ValidationError`` naming the place where ``data`` is not a context."""
        version = data.get("format", 1)
        if version not in (1, FORMAT):
            raise FormatError(
                f"This conversation was written in format {version!r}; this version reads up to {FORMAT}.",
                hint="Read it with the version of Antiphon that wrote it, or a later one.",
            )
        return cls(msgspec.convert(data.get("items"), list[ChatItem]))
