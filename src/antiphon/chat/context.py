"""ChatContext: an ordered list of items, with the few operations a conversation needs."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from antiphon.chat import shortening
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
from antiphon.chat.shortening import Tokens, tokens_of
from antiphon.errors import FormatError

FORMAT = 3
"""Version of the written form. 1 had no number and no media; 2 no summaries, no media of tools, nothing of vendors."""


def new_id(prefix: str) -> str:
    """A fresh item id."""
    return f"{prefix}_{uuid.uuid4().hex[:12]}"


class ChatContext:
    """A conversation. Items are in the order in which they happened."""

    def __init__(self, items: Iterable[ChatItem] = ()) -> None:
        self.items: list[ChatItem] = list(items)
        self.covers: frozenset[str] = frozenset()
        """Ids of a session's conversation that it was made of, whatever became of them since."""

    @classmethod
    def empty(cls) -> ChatContext:
        return cls()

    def __iter__(self) -> Iterator[ChatItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"ChatContext({len(self.items)} items)"

    # --- items ---------------------------------------------------------------------------------------------------

    def add_message(
        self,
        *,
        role: Role,
        content: str | Sequence[Content],
        id: str | None = None,
        created_at: float = 0.0,
        cache_breakpoint: bool = False,
    ) -> ChatMessage:
        """Append a message and return it. ``content``: text, or parts of text, pictures and sound, whose order is kept.
        ``cache_breakpoint``: all up to here is the same from request to request."""
        text, media, places = split([content] if isinstance(content, str) else content)
        message = ChatMessage(
            id=id or new_id("item"),
            role=role,
            text=text,
            media=media,
            media_at=places,
            created_at=created_at,
            cache_breakpoint=cache_breakpoint,
        )
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

    # --- the whole -----------------------------------------------------------------------------------------------

    def copy(
        self,
        *,
        exclude_function_call: bool = False,
        exclude_instructions: bool = False,
        exclude_handoff: bool = False,
        exclude_config_update: bool = False,
        exclude_empty_message: bool = False,
        tools: Iterable[Any] | None = None,
    ) -> ChatContext:
        """A new context with the same items (not copies of them), filtered. ``tools``: names, or tools, whose calls alone
        are kept. A summary is no instruction: it stays."""
        names = None if tools is None else {tool if isinstance(tool, str) else tool.name for tool in tools}

        def keep(item: ChatItem) -> bool:
            match item:
                case FunctionCall() | FunctionCallOutput():
                    return not exclude_function_call and (names is None or item.name in names)
                case AgentHandoff():
                    return not exclude_handoff
                case AgentConfigUpdate():
                    return not exclude_config_update
                case ChatMessage(role="system" | "developer") if exclude_instructions:
                    return False
                case ChatMessage():
                    return not exclude_empty_message or any(not isinstance(p, str) or p.strip() for p in item.content)
                case ConversationSummary():
                    return True

        return self._with(item for item in self.items if keep(item))

    def _with(self, items: Iterable[ChatItem]) -> ChatContext:
        made = ChatContext(items)
        made.covers = self.covers
        return made

    def truncate(
        self, max_items: int | None = None, *, max_tokens: int | None = None, count: Tokens = tokens_of
    ) -> ChatContext:
        """Keep the newest items within ``max_items`` and ``max_tokens``, in place. Instructions and a summary stay, and
        count as tokens only; a call and its output stay or go together; a call that still runs stays. ``count``: tokens
        of an item (default: an estimate, a token for each four bytes of text).

        Raises ``ValueError`` for a negative number."""
        self.items = shortening.newest(self.items, max_items, max_tokens, count)
        return self

    def merge(
        self, other: ChatContext, *, exclude_function_call: bool = False, exclude_instructions: bool = True
    ) -> ChatContext:
        """Add the items of ``other`` that are not here yet (by id), by time, in place. What was provisional here (a running
        call's placeholder, words on their way) gives way to what became of it."""
        have = {item.id: n for n, item in enumerate(self.items)}
        new = []
        for item in other.copy(exclude_function_call=exclude_function_call, exclude_instructions=exclude_instructions):
            at = have.get(item.id)
            if at is None:
                new.append(item)
            elif getattr(self.items[at], "volatile", False):
                self.items[at] = item
        self.insert(new)
        return self

    def is_equivalent(self, other: ChatContext) -> bool:
        """The same conversation: equal items but for ids, times, metrics and what vendors want back."""

        def plain(item: ChatItem) -> dict[str, Any]:
            data: dict[str, Any] = msgspec.to_builtins(item)
            for key in ("id", "created_at", "metrics", "extra", "group_id"):
                data.pop(key, None)
            return data

        return [plain(i) for i in self.items] == [plain(i) for i in other.items]

    def readable(self, *, images: bool = False, audio: bool = False) -> ChatContext:
        """The same conversation for a model that takes only some kinds of media, and those from the user and from tools:
        a note, or a recording's transcript, stands for what it cannot take."""

        def takes(part: ImageContent | AudioContent) -> bool:
            return images if isinstance(part, ImageContent) else audio

        def shown(item: ChatItem) -> ChatItem:
            if isinstance(item, FunctionCallOutput) and not all(map(takes, item.media)):
                notes = [in_words(part) for part in item.media if not takes(part)]
                output = "\n".join(line for line in (item.output, *notes) if line)
                return msgspec.structs.replace(item, output=output, media=[p for p in item.media if takes(p)])
            if not isinstance(item, ChatMessage):
                return item
            mine = item.role == "user"
            if all(mine and takes(part) for part in item.media):
                return item
            parts = [
                part if isinstance(part, str) or (mine and takes(part)) else in_words(part) for part in item.content
            ]
            text, media, places = split(parts)
            return msgspec.structs.replace(item, text=text, media=media, media_at=places)

        return self._with(shown(item) for item in self.items)

    # --- written -------------------------------------------------------------------------------------------------

    def to_dict(self, *, exclude_media: bool = False) -> dict[str, Any]:
        """Plain data that JSON can hold; bytes of media in base64. ``exclude_media``: notes stand for them."""
        return {"format": FORMAT, "items": msgspec.to_builtins((self.readable() if exclude_media else self).items)}

    @classmethod
    def from_dict(cls, data: dict[str, Any], *, skip_unknown: bool = False) -> ChatContext:
        """Reads what any earlier version wrote. ``skip_unknown``: leave out items of kinds that this version does not know,
        and read a later version's form as far as it is the same.

        Raises ``FormatError``, which names the place, for anything that is not a context."""
        version = data.get("format", 1) if isinstance(data, dict) else None
        known = isinstance(version, int) and version >= 1 and (version <= FORMAT or skip_unknown)
        if not known:
            raise FormatError(
                f"This conversation was written in format {version!r}; this version reads up to {FORMAT}.",
                hint="Read it with the version of Antiphon that wrote it, or a later one.",
            )
        items = data.get("items")
        if isinstance(items, list):
            odd = [n for n, item in enumerate(items) if isinstance(item, dict) and item.get("type") not in _KINDS]
            if odd and not skip_unknown:
                raise FormatError(
                    f"Item {odd[0]} of this conversation is of kind {items[odd[0]].get('type')!r}, which is not known.",
                    hint="A later version wrote it; skip_unknown=True leaves such items out.",
                )
            items = [item for n, item in enumerate(items) if n not in odd]
        try:
            return cls(msgspec.convert(items, list[ChatItem]))
        except (msgspec.ValidationError, ValueError) as exc:
            raise FormatError(f"This is not a conversation: {exc}") from exc


_KINDS = {"message", "function_call", "function_call_output", "agent_handoff", "agent_config_update", "summary"}
