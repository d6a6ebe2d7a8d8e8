"""A conversation that has to be shorter keeps its instructions, its newest items, and no halves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antiphon import (
    AgentHandoff,
    ChatContext,
    ChatMessage,
    ConversationSummary,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
)
from antiphon.chat.items import ChatItem
from antiphon.chat.shortening import lasting, running, tokens_of


def built(kinds: str) -> ChatContext:
    """``s`` instructions, ``u`` user, ``a`` agent, ``c``/``d`` calls, ``C``/``D`` their outputs, ``P`` a placeholder for
    ``c``, ``m`` a summary, ``h`` a hand-off."""
    context = ChatContext()
    for n, kind in enumerate(kinds):
        id = f"{kind}{n}"
        item: ChatItem
        if kind in "sua":
            roles = {"s": "system", "u": "user", "a": "assistant"}
            item = ChatMessage(id=id, role=roles[kind], text="four words of text", created_at=n)  # type: ignore[arg-type]
        elif kind in "cd":
            item = FunctionCall(id=id, call_id=kind, name="look", arguments="{}", created_at=n)
        elif kind in "CDP":
            call = "c" if kind == "P" else kind.lower()
            item = FunctionCallOutput(id=id, call_id=call, name="look", output="x", volatile=kind == "P", created_at=n)
        elif kind == "m":
            item = ConversationSummary(id=id, text="They said hello.", created_at=n)
        else:
            item = AgentHandoff(id=id, old_agent="a", new_agent="b", created_at=n)
        context.items.append(item)
    return context


def shape(context: ChatContext) -> str:
    return "".join(item.id[0] for item in context)


def test_a_call_and_its_output_go_together() -> None:
    assert shape(built("sucCua").truncate(3)) == "sua"
    assert shape(built("sucCua").truncate(4)) == "scCua"
    assert shape(built("ucdCua").truncate(2)) == "dua", "d still runs"


def test_a_running_call_stays_however_old_it_is() -> None:
    assert shape(built("ucPuauauaua").truncate(2)) == "cPua"
    assert shape(built("ucPuauaua").truncate(0)) == "cP"


def test_a_summary_stays() -> None:
    assert shape(built("smuaua").truncate(1)) == "sma"


def test_a_budget_of_tokens() -> None:
    context = built("suauaua")
    one = tokens_of(context.items[0])
    assert shape(built("suauaua").truncate(max_tokens=3 * one)) == "sua"
    assert shape(built("suauaua").truncate(max_tokens=3 * one - 1)) == "sa"
    assert shape(built("suauaua").truncate(max_tokens=0)) == "s", "instructions are not for cutting"
    assert shape(built("suauaua").truncate(5, max_tokens=3 * one)) == "sua"
    assert shape(built("suhua").truncate(max_tokens=3, count=lambda item: 1)) == "sua"


def test_a_picture_counts_for_what_it_is() -> None:
    picture = ImageContent(data=b"\x89PNG")
    message = ChatMessage(id="m", role="user", text="", media=[picture])
    output = FunctionCallOutput(id="o", call_id="c", name="look", output="", media=[picture])
    assert tokens_of(message) > 1000 < tokens_of(output)
    assert tokens_of(FunctionCall(id="f", call_id="c", name="look", arguments="{}")) < 10


KINDS = st.text("suuaacCdDPmh", max_size=14)


@given(KINDS, st.integers(0, 8), st.integers(0, 60))
def test_nothing_is_torn_apart_and_instructions_stay(kinds: str, items: int, tokens: int) -> None:
    whole = built(kinds)
    cut = built(kinds).truncate(items, max_tokens=tokens)
    ids = {item.id for item in cut}
    assert [item.id for item in whole if lasting(item)] == [item.id for item in cut if lasting(item)]
    open_calls = running(whole.items)
    calls = [item.call_id for item in cut if isinstance(item, FunctionCall)]
    outputs = [item.call_id for item in cut if isinstance(item, FunctionCallOutput)]
    assert set(outputs) <= set(calls) and set(calls) - set(outputs) <= open_calls
    kept = {item.call_id for item in whole if isinstance(item, FunctionCall)} & open_calls
    assert kept <= set(calls)
    assert [item.id for item in whole if item.id in ids] == [item.id for item in cut]
    free = [item for item in cut if not lasting(item) and getattr(item, "call_id", None) not in open_calls]
    assert len(free) <= items


@given(KINDS, KINDS)
def test_merging_loses_nothing_and_keeps_the_order_of_time(first: str, second: str) -> None:
    one, two = built(first), built(second)
    merged = built(first).merge(two)
    assert {item.id for item in one} <= {item.id for item in merged}
    wanted = {item.id for item in two if not (isinstance(item, ChatMessage) and item.role == "system")}
    assert wanted <= {item.id for item in merged}
    times = [item.created_at for item in merged]
    assert times == sorted(times)
    assert len({item.id for item in merged}) == len(merged)


def test_merging_replaces_what_was_provisional() -> None:
    before = ChatContext([FunctionCallOutput(id="o", call_id="c", name="look", output="Still running.", volatile=True)])
    after = ChatContext([FunctionCallOutput(id="o", call_id="c", name="look", output="Found it.")])
    assert before.merge(after).items == after.items
    assert after.merge(ChatContext([before.items[0]])).items[0] is after.items[0]
