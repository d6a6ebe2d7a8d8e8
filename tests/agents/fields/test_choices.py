"""Yes or no, and a choice from a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.agents.fields.answer import UNREAD, Found, Refused, Unclear
from antiphon.agents.fields.choice import ChoiceReader
from antiphon.agents.fields.yes_no import NO, YES, YesNoReader, split
from antiphon.turns.languages import LANGUAGES

DRINKS = ChoiceReader(
    {"tea": ["tea"], "green": ["green tea"], "latte": ["latte", "café latte"], "cappuccino": ["cappuccino"]}
)


@pytest.mark.parametrize(
    "said",
    [
        "yes",
        "Yes, please.",
        "yeah that's right thanks",
        "um yes",
        "no problem",
        "sounds good, thank you",
        "sure, go ahead",
        "correct, yes",
        "right",
        "yes yes yes",
        "Yes, please book it.",
        "mm hmm",
        "Mm-hmm.",
    ],
)
def test_yes(said: str) -> None:
    assert YesNoReader().read(said, "en") == Found(True)


@pytest.mark.parametrize(
    "said", ["no", "No, thank you.", "nope that's wrong", "no, it's not right", "not really", "I'd rather not"]
)
def test_no(said: str) -> None:
    assert YesNoReader().read(said, "en") == Found(False)


@pytest.mark.parametrize(
    "said",
    [
        "yes but what does it cost",
        "yes, no, wait",
        "I'm not sure",
        "",
        "what",
        "okay what is it for",
        "I don't mind",
        "I don't care either way",
        "I do mind",
        "I would like to cancel",
        "it's not a problem",
        "I wouldn't mind",
        "don't worry",
        "good morning",
        "never mind",
    ],
)
def test_neither(said: str) -> None:
    assert YesNoReader().read(said, "en") == UNREAD


def test_what_goes_on_behind_a_no_is_kept() -> None:
    assert split("no, with a k", "en") == (False, "with a k")
    assert split("nein, mit k", "de") == (False, "mit k")


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_each_language_agrees_and_disagrees(tag: str) -> None:
    reader = YesNoReader()
    for said in (*LANGUAGES[tag].yes, *YES[tag]):
        assert reader.read(said, tag) == Found(True), said
    for said in (*LANGUAGES[tag].no, *NO[tag]):
        assert reader.read(said, tag) == Found(False), said


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("a green tea please", "green"),
        ("tea", "tea"),
        ("the second one", "green"),
        ("number four", "cappuccino"),
        ("the last one", "cappuccino"),
        ("not the tea, the latte", "latte"),
        ("two", "green"),
        ("a capuchino", "cappuccino"),
        ("Café Latte!", "latte"),
    ],
)
def test_a_choice_is_read(said: str, chosen: str) -> None:
    assert DRINKS.read(said, "en") == Found(chosen)


@pytest.mark.parametrize(
    "said",
    [
        "I don't like cappuccino",
        "anything but tea",
        "everything except the latte",
        "not the cappuccino",
        "no tea",
        "not the second one",
        "not the capuchino",
        "neither tea",
        "I would not mind a latte",
    ],
)
def test_what_is_denied_is_not_chosen(said: str) -> None:
    assert DRINKS.read(said, "en") == UNREAD


@pytest.mark.parametrize(
    "said", ["latte, no, cappuccino", "latte no wait cappuccino", "I don't want latte, cappuccino"]
)
def test_a_choice_that_is_taken_back_is_asked_about(said: str) -> None:
    assert DRINKS.read(said, "en") == Unclear(("latte", "cappuccino"))


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("not the tea but the latte", "latte"),
        ("cappuccino please, not latte", "cappuccino"),
        ("not latte cappuccino", "cappuccino"),
        ("nicht den tea sondern den latte", "latte"),
    ],
)
def test_a_denial_leaves_the_other_one(said: str, chosen: str) -> None:
    assert DRINKS.read(said, "en") == Found(chosen)


def test_a_denial_in_the_name_of_an_option_is_none() -> None:
    milk = ChoiceReader({"with": ["milk"], "without": ["no milk", "without milk"]})
    assert milk.read("no milk please", "en") == Found("without")
    assert milk.read("milk please", "en") == Found("with")


def test_two_choices_and_none() -> None:
    assert DRINKS.read("a latte or a cappuccino", "en") == Unclear(("latte", "cappuccino"))
    assert DRINKS.read("the second", "en", ("latte", "cappuccino")) == Found("cappuccino")
    for said in ("whatever", "", "what is cheaper"):
        assert DRINKS.read(said, "en") == UNREAD
    assert DRINKS.accept("green") == Found("green")
    assert DRINKS.accept("gin") == Refused("no_such_option", ("tea", "green", "latte", "cappuccino"))


@given(
    st.lists(st.from_regex(r"[a-z]{5,9}( [a-z]{5,9})?", fullmatch=True), min_size=2, max_size=6, unique=True), st.data()
)
def test_a_name_chooses_its_option(names: list[str], data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(names))
    others = [name for name in names if name != chosen]
    if any(set(name.split()) & set(chosen.split()) for name in others):
        return
    reader = ChoiceReader({name: [name] for name in names})
    form = data.draw(st.sampled_from(["{}", "the {} please", "I would like {}", "{}, thanks"]))
    assert reader.read(form.format(chosen), "en") == Found(chosen)


@given(st.text(max_size=60))
def test_no_words_break_the_readers(said: str) -> None:
    for tag in ("en", "de", "ja"):
        DRINKS.read(said, tag)
        DRINKS.accept(said)
        YesNoReader().read(said, tag)
