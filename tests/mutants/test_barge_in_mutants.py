"""Each rule of barge-in broken on purpose, in one place: a scenario must notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from antiphon.kernel import echo, kernel, overlap, speech_played, turn_evidence
from antiphon.turns import barge_in
from tests.kernel import test_listening, test_overlap, test_speech
from tests.scenarios import test_interruptions

Story = Callable[[], None]
Break = Callable[[pytest.MonkeyPatch], None]


def echoes_are_words(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(turn_evidence, "echoes", lambda *_: False)


def an_echo_is_whatever_was_ever_said(patch: pytest.MonkeyPatch) -> None:
    real = echo.saying
    patch.setattr(echo, "saying", lambda view, since, *, begun=False: real(view, since - 60.0, begun=begun))


def the_warm_up_deafens(patch: pytest.MonkeyPatch) -> None:
    real = overlap.target
    patch.setattr(overlap, "target", lambda view, voice=False: real(view, voice=True))


def the_warm_up_lets_voice_through(patch: pytest.MonkeyPatch) -> None:
    real = overlap.target
    for module in (overlap, speech_played):
        patch.setattr(module, "target", lambda view, voice=False: real(view))


def the_model_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(barge_in, "only_listens", lambda *_: False)


def commands_are_words_like_others(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(barge_in, "is_command", lambda *_: False)


def a_waved_word_is_a_turn(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(overlap, "same_words", lambda *_: False)


def the_core_pauses_what_the_reflex_did_not(patch: pytest.MonkeyPatch) -> None:
    def eager(state: Any, signal: Any, view: Any, out: Any) -> None:
        speech = state.on_air()
        if signal.verdict == "hold" and speech is not None:
            speech_played.move(speech, "pause")
        speech_played.on_overlap(state, signal, view, out)

    routes = kernel.ROUTES[overlap.Overlap]
    patch.setitem(
        kernel.ROUTES, overlap.Overlap, [(m, eager if h is speech_played.on_overlap else h) for m, h in routes]
    )


MUTANTS: tuple[tuple[Break, Story], ...] = (
    (echoes_are_words, test_overlap.test_the_agents_own_words_interrupt_nobody_and_are_no_turn),
    (echoes_are_words, test_interruptions.test_the_agents_own_words_coming_back_interrupt_nobody),
    (an_echo_is_whatever_was_ever_said, test_overlap.test_whoever_answers_with_the_agents_last_word_has_answered),
    (the_warm_up_deafens, test_interruptions.test_the_warm_up_of_the_echo_canceller_does_not_deafen),
    (
        the_warm_up_lets_voice_through,
        test_speech.test_while_the_echo_canceller_learns_voice_alone_is_nothing_and_words_are_heard,
    ),
    (the_model_is_not_asked, test_overlap.test_words_that_no_list_has_can_be_a_backchannel_and_no_turn),
    (commands_are_words_like_others, test_overlap.test_a_command_passes_at_once),
    (a_waved_word_is_a_turn, test_overlap.test_words_that_no_list_has_can_be_a_backchannel_and_no_turn),
    (the_core_pauses_what_the_reflex_did_not, test_speech.test_what_the_reflex_has_not_paused_nobody_pauses),
)


@pytest.mark.parametrize(("mutate", "story"), MUTANTS, ids=[f"{m.__name__}-{s.__name__[5:30]}" for m, s in MUTANTS])
def test_the_mutant_is_caught(mutate: Break, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story()
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        story()


def test_the_agent_that_always_nods_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_evidence.endpointing, "unfinished", lambda *_: True)
    with pytest.raises(AssertionError):
        test_listening.test_the_end_of_turn_model_can_say_so_too()
