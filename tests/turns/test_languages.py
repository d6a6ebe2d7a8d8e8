"""The data of each language: in the form that is compared with, and picked by its tag."""

from __future__ import annotations

import pytest

from antiphon.kernel.policy import BargeInPolicy, TurnPolicy
from antiphon.turns.barge_in import is_backchannel, is_command
from antiphon.turns.endpointing import unfinished
from antiphon.turns.languages import ANY, LANGUAGES, language
from antiphon.turns.words import words_of


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_every_entry_is_written_as_words_are_compared(tag: str) -> None:
    data = LANGUAGES[tag]
    for entries in (data.backchannels, data.commands, data.unfinished):
        assert entries, tag
        assert len(set(entries)) == len(entries)
        for entry in entries:
            assert entry == " ".join(words_of(entry))
    assert all(len(entry.split()) == 1 for entry in data.unfinished)
    assert not set(data.backchannels) & set(data.commands)


def test_a_region_has_the_words_of_its_language_and_an_unknown_one_those_of_all() -> None:
    assert language("de-AT") is language("DE") is language("de_CH") is LANGUAGES["de"]
    assert language("ja") is language("") is ANY


@pytest.mark.parametrize(
    ("tag", "hum", "stop", "open_end"),
    [
        ("en", "Uh-huh.", "Wait, wait!", "I would like a coffee and"),
        ("de", "Ach so.", "Moment mal, bitte.", "Ich hätte gern einen Kaffee und"),
        ("es", "Claro que sí.", "Espere, por favor.", "Quiero un café con"),
        ("fr", "D\u2019accord.", "Attendez, s'il vous plaît.", "Je voudrais un café et"),
    ],
)
def test_the_policies_speak_the_callers_language(tag: str, hum: str, stop: str, open_end: str) -> None:
    barge_in, turn = BargeInPolicy(language=tag), TurnPolicy(language=tag)
    assert is_backchannel(hum, barge_in) and not is_command(hum, barge_in)
    assert is_command(stop, barge_in)
    assert unfinished(open_end, turn, tag)
    assert not unfinished(open_end, turn, "en" if tag != "en" else "de")


def test_own_words_take_the_place_of_the_languages() -> None:
    assert unfinished("a coffee plus", TurnPolicy(unfinished=("plus",)), "en")
    assert not unfinished("a coffee and", TurnPolicy(unfinished=("plus",)), "en")
