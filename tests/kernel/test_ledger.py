"""From samples to words, and the fold of facts."""

from __future__ import annotations

from antiphon.kernel import facts as ft
from antiphon.kernel.conversation import IN_DOUBT, CallOutput, Conversation, Handoff, Message
from antiphon.kernel.conversation import Call as CallItem
from antiphon.kernel.ledger import Segment, full_text, heard_text, join, word_start, words_between

WORDS = (("Hello,", 0, 100), ("dear", 100, 200), ("caller", 200, 300))


def test_a_word_counts_when_its_middle_was_heard() -> None:
    segments = {0: Segment("Hello, dear caller.", 0, 300, True, WORDS)}
    assert [heard_text(segments, n)[0] for n in (0, 49, 50, 149, 151, 251, 300)] == [
        "", "", "Hello,", "Hello,", "Hello, dear", "Hello, dear caller.", "Hello, dear caller.",
    ]  # fmt: skip


def test_words_that_the_text_does_not_have_are_passed_over() -> None:
    segments = {0: Segment("10 dear", 0, 300, False, (("ten", 0, 100), ("dear", 100, 200)))}
    assert heard_text(segments, 250) == ("10 dear", False)


def test_without_words_the_cut_is_an_estimate_at_a_word() -> None:
    segments = {0: Segment("one two three four", 0, 1800, True)}
    assert heard_text(segments, 900) == ("one two", True)
    assert heard_text({0: Segment("one two", 0, 100)}, 90_000) == ("one two", True)


def test_segments_join_with_one_space() -> None:
    assert join(["Hi", "you ", "all", ""]) == "Hi you all"
    segments = {1: Segment("b", 100, 100, True), 0: Segment("a", 0, 100, True), 2: Segment("c")}
    assert full_text(segments) == "a b c" and heard_text(segments, 200) == ("a b", False)


def test_a_word_start_is_known_only_where_words_are() -> None:
    segments = {0: Segment("Hello, dear caller.", 50, 300, True, WORDS)}
    assert word_start(segments, 160) == 150 and word_start(segments, 900) == 900


def test_messages_stand_where_they_began_to_sound() -> None:
    fold = Conversation()
    fold.apply(ft.TurnCommitted(at=5.0, turn=1, item="u", text="wait"))
    fold.apply(
        ft.SpeechHeard(
            at=6.0,
            speech="s",
            item="s",
            text="It is",
            samples=1,
            quality="peer",
            estimated=False,
            interrupted=True,
            order=4.0,
        )
    )
    fold.apply(
        ft.SpeechHeard(
            at=6.5, speech="x", item="x", text="secret", samples=1, quality="peer", estimated=False, interrupted=False,
            order=4.0, in_history=False,
        )
    )  # fmt: skip
    assert [i.id for i in fold.items] == ["s", "u"]


def test_one_output_a_call_and_a_doubt_is_one() -> None:
    fold = Conversation()
    fold.apply(
        ft.ToolIntent(
            call_id="c", item="i", name="t", arguments="{}", effect="write", retry="never", key="k", speech="s"
        )
    )
    fold.apply(ft.StepResult(call_id="c", name="pay", result="1"))
    fold.apply(ft.ToolInDoubt(call_id="c", item="o", name="t"))
    fold.apply(ft.StepResult(call_id="c", name="late", result="1"))
    fold.apply(ft.ToolResult(call_id="c", item="o2", name="t", output="again"))
    outputs = [i for i in fold.items if isinstance(i, CallOutput)]
    assert [o.output for o in outputs] == [IN_DOUBT] and not fold.steps


def test_what_comes_after_the_first_output_is_a_pair_of_its_own() -> None:
    fold = Conversation()
    fold.apply(
        ft.ToolIntent(
            call_id="c", item="i", name="t", arguments='{"a": 1}', effect="write", retry="never", key="k", speech="s"
        )
    )
    fold.apply(ft.ToolResult(call_id="c", item="o", name="t", output="one moment"))
    fold.apply(ft.ToolResult(call_id="c", item="o-1", name="t", output="done", late=1))
    ids = [(type(i).__name__, i.call_id) for i in fold.items if isinstance(i, CallItem | CallOutput)]
    assert ids == [("Call", "c"), ("CallOutput", "c"), ("Call", "c-1"), ("CallOutput", "c-1")]
    assert {i.arguments for i in fold.items if isinstance(i, CallItem)} == {'{"a": 1}'}


def test_agents_ends_and_facts_that_change_nothing() -> None:
    fold = Conversation()
    fold.apply(ft.AgentEntered(item="a", agent="one"))
    fold.apply(ft.AgentEntered(item="b", agent="two", previous="one"))
    fold.apply(ft.LadderRung(n=1, action="filler", waiting_for="model"))
    fold.apply(ft.SessionEnded(reason="done"))
    assert [type(i) for i in fold.items] == [Handoff] and fold.agent == "two" and fold.ended == "done"
    fold.apply(ft.TurnCommitted(at=1.0, turn=1, item="u", text="a"))
    fold.apply(ft.TurnCommitted(at=2.0, turn=1, item="u", text="a b"))
    assert [i.text for i in fold.items if isinstance(i, Message)] == ["a b"]


def test_what_a_step_said_stands_before_what_it_called() -> None:
    def heard(speech: str, order: float) -> ft.SpeechHeard:
        return ft.SpeechHeard(
            at=9.0, speech=speech, item=speech, text=speech, samples=1, quality="peer", estimated=False, interrupted=False,
            order=order,
        )  # fmt: skip

    intent = ft.ToolIntent(
        at=1.0, call_id="c", item="i", name="t", arguments="{}", effect="write", retry="never", key="k", speech="s"
    )
    for earlier, expected in ((False, ["s", "i"]), (True, ["i", "e", "s"])):
        fold = Conversation()
        fold.apply(intent)
        if earlier:
            fold.apply(heard("e", 1.5))
        fold.apply(heard("s", 2.0))
        assert [i.id for i in fold.items] == expected


def test_words_that_begin_from_a_sample_on() -> None:
    timed = {0: Segment("tea or coffee", 0, 300, True, (("tea", 0, 100), ("or", 100, 200), ("coffee", 200, 300)))}
    counted = {0: Segment("tea or coffee", 0, 300, True)}
    for segments in (timed, counted):
        assert words_between(segments, 120, 300) == "or coffee"
        assert words_between(segments, 120, 300, begun=True) == "coffee"
        assert words_between(segments, 290, 300, begun=True) == ""
        assert words_between(segments, 0, 300, begun=True) == "tea or coffee"
