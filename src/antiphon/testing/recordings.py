"""A recorded conversation read back from its event log, to look at and to hold again.

``recorded("call.jsonl")`` gives its history, expectations on it, and the caller's turns, which ``session.run`` takes: so a call
that went wrong becomes a test of the agent as it is now.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatItem
from antiphon.kernel.conversation import Conversation
from antiphon.session.history import chat_items
from antiphon.session.media_shelf import MediaShelf
from antiphon.store.log_reader import read_log
from antiphon.testing.expect import RunAssert


@dataclass(frozen=True)
class RecordedSession:
    """``history``: the conversation as the log has it. Pictures and sounds are not in a log: a note stands for them."""

    history: ChatContext
    user_input: str = "a recorded session"

    @property
    def events(self) -> list[ChatItem]:
        return self.history.items

    @property
    def turns(self) -> list[str]:
        """What the caller said, turn by turn."""
        return [message.text for message in self.history.messages if message.role == "user"]

    @property
    def expect(self) -> RunAssert:
        """Expectations on the whole conversation, the caller's messages among its events. A new cursor each time."""
        return RunAssert(self, whole=True)


def recorded(path: str | os.PathLike[str]) -> RecordedSession:
    """Read the event log of a call. Raises ``FormatError`` for what is none."""
    conversation = Conversation()
    for fact in read_log(path).facts():
        conversation.apply(fact)
    return RecordedSession(ChatContext(chat_items(conversation.items, MediaShelf())))
