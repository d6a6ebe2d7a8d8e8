"""Turn settings: layers, bad values, the policy they become."""

from __future__ import annotations

import pytest

from antiphon import ConfigurationError, TurnHandlingOptions
from antiphon.kernel.policy import SessionPolicy
from antiphon.session.options import ladder_texts, session_policy


def policy(*layers: dict[str, object], detector: bool = True) -> SessionPolicy:
    return session_policy(SessionPolicy(), *(TurnHandlingOptions.of(layer) for layer in layers), has_detector=detector)


def test_an_agents_layer_wins_key_by_key() -> None:
    made = policy(
        {"endpointing": {"min_delay": 0.2, "max_delay": 2.0}, "interruption": {"min_words": 2}},
        {"endpointing": {"max_delay": 3.0}, "interruption": {"enabled": False, "false_timeout": 0.9}},
    )
    assert (made.turn.min_delay, made.turn.max_delay) == (0.2, 3.0)
    assert (made.barge_in.min_words, made.barge_in.enabled, made.barge_in.false_timeout) == (2, False, 0.9)


def test_modes() -> None:
    assert policy({"turn_detection": "manual"}).turn.mode == "manual"
    assert policy({"turn_detection": "stt"}).turn.mode == "provider"
    assert policy({}).turn.score
    assert not policy({}, detector=False).turn.score
    assert not policy({"turn_detection": "manual"}).turn.score


@pytest.mark.parametrize(
    "bad",
    [
        {"endpoint": {}},
        {"endpointing": {"min_delay": "soon"}},
        {"endpointing": {"min_delay": 3.0, "max_delay": 1.0}},
    ],
)
def test_bad_settings_are_named(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        policy(bad)


def test_ladder_texts_by_language() -> None:
    assert ladder_texts("de-AT")["filler"].startswith("Einen")
    assert ladder_texts("xx")["filler"].startswith("One")
    layer = TurnHandlingOptions.of({"ladder": {"texts": {"filler": "Hm."}}})
    assert ladder_texts("en", layer)["filler"] == "Hm."


def test_the_language_of_session_or_agent_picks_the_word_lists() -> None:
    made = session_policy(SessionPolicy(), TurnHandlingOptions(), has_detector=True, language="de-AT")
    assert (made.turn.language, made.barge_in.language) == ("de-AT", "de-AT")
    made = session_policy(SessionPolicy(), TurnHandlingOptions(language="fr"), has_detector=True, language="de")
    assert made.barge_in.language == "fr"


def test_own_words_may_be_written_as_people_write_them() -> None:
    made = policy({"interruption": {"backchannels": ["Mm-hm!"]}, "endpointing": {"unfinished": ["And"]}})
    assert made.barge_in.backchannels == ("mm hm",)
    assert made.turn.unfinished == ("and",)
