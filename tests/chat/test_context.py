"""ChatContext: order, filters, serialisation."""

from __future__ import annotations

import pytest

from antiphon import AgentHandoff, ChatContext, ChatMessage, ConversationSummary, FunctionCall, FunctionCallOutput
from antiphon.errors import FormatError


def talk() -> ChatContext:
    context = ChatContext.empty()
    context.add_message(role="system", content="Be kind.", id="s")
    context.add_message(role="user", content="Hello", id="u1", created_at=1.0)
    context.insert(
        [
            FunctionCall(id="f", call_id="c", name="look", arguments="{}", created_at=2.0),
            FunctionCallOutput(id="o", call_id="c", name="look", output="done", created_at=3.0),
            AgentHandoff(id="h", old_agent="a", new_agent="b", created_at=3.5),
        ]
    )
    context.add_message(role="assistant", content="Done.", id="a1", created_at=4.0)
    return context


def ids(context: ChatContext) -> list[str]:
    return [item.id for item in context]


def test_insert_keeps_time_order() -> None:
    context = talk()
    context.insert(ChatMessage(id="late", role="user", text="x", created_at=2.5))
    assert ids(context) == ["s", "u1", "f", "late", "o", "h", "a1"]


def test_copy_filters() -> None:
    assert ids(talk().copy(exclude_function_call=True, exclude_handoff=True)) == ["s", "u1", "a1"]
    assert ids(talk().copy(exclude_instructions=True, tools=["other"])) == ["u1", "h", "a1"]
    assert ids(talk().copy(tools=["look"])) == ids(talk())
    odd = ChatContext([ConversationSummary(id="x", text="Hello."), ChatMessage(id="e", role="user", text=" \n")])
    assert ids(odd.copy(exclude_instructions=True, exclude_empty_message=True)) == ["x"]


def test_truncate_keeps_instructions_and_no_orphan_results() -> None:
    assert ids(talk().truncate(3)) == ["s", "h", "a1"]
    assert ids(talk().truncate(4)) == ["s", "f", "o", "h", "a1"]
    assert ids(talk().truncate(0)) == ["s"]
    assert ids(talk().truncate()) == ids(talk())
    with pytest.raises(ValueError, match="negative"):
        talk().truncate(-1)


def test_merge_adds_only_what_is_new() -> None:
    base = talk()
    other = talk()
    other.add_message(role="user", content="More", id="u2", created_at=5.0)
    assert ids(base.merge(other, exclude_function_call=True)) == ["s", "u1", "f", "o", "h", "a1", "u2"]


def test_round_trip_and_equivalence() -> None:
    context = talk()
    again = ChatContext.from_dict(context.to_dict())
    assert again.is_equivalent(context)
    again.messages[1].text = "Other"
    assert not again.is_equivalent(context)
    with pytest.raises(FormatError, match=r"at `\$\[0\].id`"):
        ChatContext.from_dict({"items": [{"type": "message", "id": 1}]})


def test_find_and_remove() -> None:
    context = talk()
    assert context.index_by_id("o") == 3
    context.remove("o")
    assert context.get_by_id("o") is None
    assert context.index_by_id("o") is None
