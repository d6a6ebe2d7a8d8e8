"""Whose turn it was, where several people speak."""

from __future__ import annotations

from antiphon.kernel import facts as ft
from antiphon.kernel.conversation import Conversation, Message
from antiphon.kernel.turn import Heard, TurnState, speaker_of


def test_a_turn_is_of_the_one_who_said_most_of_its_words() -> None:
    heard = {
        "1": Heard("two teas", True, 1, speaker="anna"),
        "2": Heard("no, three of them", True, 1, speaker="ben"),
        "3": Heard("please", True, 1, speaker="anna"),
    }
    assert speaker_of(TurnState(heard=heard)) == "ben"
    assert speaker_of(TurnState(heard={"1": Heard("tea", True, 1)})) == "" == speaker_of(TurnState())


def test_a_turn_that_goes_on_stays_whose_it_was_and_old_logs_name_nobody() -> None:
    made = Conversation()
    made.apply(ft.TurnCommitted(at=1.0, turn=1, item="u", text="a", speaker="anna"))
    made.apply(ft.TurnCommitted(at=2.0, turn=1, item="u", text="a b", speaker="ben"))
    made.apply(ft.TurnCommitted(at=3.0, turn=2, item="v", text="c"))
    assert [(i.text, i.speaker) for i in made.items if isinstance(i, Message)] == [("a b", "anna"), ("c", "")]
