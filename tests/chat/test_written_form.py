"""What any version wrote is read for ever: one file of each, and the newest is written as it stands there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from antiphon import (
    AgentConfigUpdate,
    AgentHandoff,
    ChatContext,
    ChatMessage,
    ConversationSummary,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
)
from antiphon.errors import FormatError

GOLDEN = Path(__file__).parent / "golden"


def everything() -> ChatContext:
    picture = ImageContent(data=b"\x89PNG\r\n\x1a\n")
    return ChatContext(
        [
            ChatMessage(id="i", role="system", text="Be kind.", cache_breakpoint=True),
            ConversationSummary(id="s", text="They want a cake.", created_at=0.5),
            ChatMessage(id="u", role="user", text="This\none?", media=[picture], media_at=[4], confidence=0.9, created_at=1.0,
                        speaker_id="anna"),
            FunctionCall(
                id="f", call_id="c", name="look", arguments='{"a":1}', group_id="reply.1",
                extra={"google": {"thought_signature": "c2ln"}}, created_at=2.0,
            ),
            FunctionCallOutput(id="o", call_id="c", name="look", output="A cat.", media=[picture], created_at=3.0),
            AgentConfigUpdate(id="g", instructions="Be brief.", tools_added=("pay",), created_at=3.5),
            AgentHandoff(id="h", old_agent="a", new_agent="b", created_at=4.0),
            ChatMessage(id="a", role="assistant", text="It is a", interrupted=True, metrics={"ttft": 0.2}, created_at=5.0),
        ]
    )  # fmt: skip


def written(version: int) -> dict[str, Any]:
    return json.loads((GOLDEN / f"context_{version}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_the_newest_form_is_the_one_on_file() -> None:
    assert json.loads(json.dumps(everything().to_dict())) == written(3)
    assert ChatContext.from_dict(written(3)).items == everything().items


@pytest.mark.parametrize("version", [1, 2])
def test_earlier_forms_are_read(version: int) -> None:
    context = ChatContext.from_dict(written(version))
    assert [item.id for item in context] == ["i", "u", "f", "o", "g", "h", "a"]
    assert context.messages[1].text == "This\none?" and len(context.messages[1].media) == version - 1
    assert ChatContext.from_dict(json.loads(json.dumps(context.to_dict()))).items == context.items


def test_kinds_of_later_versions_are_refused_or_left_out() -> None:
    later = written(3)
    later["items"].insert(1, {"type": "hologram", "id": "x"})
    with pytest.raises(FormatError, match=r"Item 1 .* kind 'hologram'"):
        ChatContext.from_dict(later)
    assert ChatContext.from_dict(later, skip_unknown=True).items == everything().items
    with pytest.raises(FormatError, match="format 9"):
        ChatContext.from_dict({**later, "format": 9})
    assert len(ChatContext.from_dict({**later, "format": 9}, skip_unknown=True)) == 8


@pytest.mark.parametrize("data", [None, [], {}, {"items": None}, {"items": ["x"]}, {"format": "3", "items": []},
                                  {"items": [{"type": "message", "id": "a", "role": "king", "text": ""}]},
                                  {"items": [{"type": "message", "id": "a", "role": "user", "text": "", "media": [{"type": "image"}]}]}])  # fmt: skip
def test_what_is_no_conversation_is_a_typed_error(data: Any) -> None:
    with pytest.raises(FormatError):
        ChatContext.from_dict(data)


def test_media_may_stay_out() -> None:
    text = json.dumps(everything().to_dict(exclude_media=True))
    assert "iVBOR" not in text and text.count("Here was a picture") == 2
