"""Overlap: backchannels by the model, and the agent's own words come back."""

from __future__ import annotations

from itertools import product

from antiphon.kernel import gates
from antiphon.kernel.policy import BargeInPolicy
from tests.kernel.call import Call, agent, ev, ft, fx
from tests.kernel.test_speech import STEP, over, speaking

STORY = "Our shop opens at nine and closes at six on every day but Sunday when it is closed."


def quiet(call: Call, after: float = 0.0) -> None:
    """The voice ended 200 ms ago: so long it takes to be sure."""
    call.send(ev.Vad(edge="end", at=call.now - 0.2))
    call.wait(after)


def test_a_backchannel_lets_the_agent_go_on_as_soon_as_the_voice_has_ended() -> None:
    call = Call()
    speaking(call)
    over(call, "mhm", length=0.6)
    quiet(call)
    assert call.one(fx.Resume)


def test_one_hum_is_told_once() -> None:
    call = Call()
    speaking(call, STORY)
    over(call, "mhm", length=0.6)
    quiet(call, 0.2)
    call.send(ev.Final(segment=next(iter(call.state.turn.heard)), revision=2, text="Mhm.", at=call.now))
    call.wait(1.0)
    assert len(call.notices("overlapping_speech")) == 1


def test_words_that_no_list_has_can_be_a_backchannel_and_no_turn() -> None:
    call = Call()
    speech = speaking(call, STORY)
    over(call, "", length=0.55)
    quiet(call, 0.1)
    call.send(ev.Final(segment="o", revision=1, text="That's good.", at=call.now))
    assert call.one(fx.Resume).speech == speech
    call.hears(speech, 6 * STEP)
    call.wait(2.0)
    assert not call.all(fx.Stop)
    assert [f.reason for f in call.facts(ft.TurnDropped)] == ["backchannel"]


def test_without_the_model_the_same_words_interrupt() -> None:
    call = Call(agent(barge_in=BargeInPolicy(min_chance=0.0)))
    speaking(call, STORY)
    over(call, "that's good")
    assert call.all(fx.Stop)


def test_a_backchannel_that_becomes_a_question_stops_the_agent() -> None:
    call = Call()
    speech = speaking(call, STORY)
    over(call, "yeah", length=0.6)
    assert call.one(fx.Pause) and not call.all(fx.Stop)
    call.send(ev.Partial(segment="p", revision=1, text="but what about monday"))
    assert call.one(fx.Stop).speech == speech


def test_a_voice_that_only_says_yeah_is_not_waited_for_for_ever() -> None:
    call = Call()
    speaking(call, STORY)
    over(call, "yeah", length=3.2)
    assert call.one(fx.Resume) and not call.all(fx.Stop)


def test_two_hums_are_two_stretches_of_one_overlap() -> None:
    call = Call()
    speaking(call, STORY)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.25)
    quiet(call, 0.1)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.1)
    lap = call.state.turn.overlap
    assert lap.bursts == 2 and lap.burst > lap.began


def echo(call: Call, speech: str, first: int, last: int) -> str:
    """The words from ``first`` to ``last`` sound, and the microphone hears them a little later."""
    call.hears(speech, first * STEP)
    call.wait(0.1)
    call.send(ev.Vad(edge="start", at=call.now))
    for word in range(first + 1, last + 1):
        call.wait(0.5)
        call.hears(speech, word * STEP)
    return " ".join(STORY.split()[first:last])


def test_the_agents_own_words_interrupt_nobody_and_are_no_turn() -> None:
    call = Call()
    speech = speaking(call, STORY)
    text = echo(call, speech, 1, 5)
    call.send(ev.AutoPaused(speech=speech, position=5 * STEP, at=call.now))
    call.send(ev.Partial(segment="o", revision=1, text=text))
    assert call.one(fx.Resume) and not call.all(fx.Stop)
    assert gates.ECHO in call.state.gates
    call.send(ev.Final(segment="o", revision=2, text=text.title(), at=call.now))
    quiet(call, 1.5)
    assert not call.facts(ft.TurnCommitted)


def test_after_an_echo_voice_alone_is_nothing_and_words_are_heard() -> None:
    call = Call(agent(barge_in=BargeInPolicy(wordless_after=2.5)))
    speech = speaking(call, STORY)
    call.send(ev.Partial(segment="e", revision=1, text=echo(call, speech, 1, 4)))
    call.wait(1.5)
    assert not call.all(fx.Stop) and not call.last(fx.SetReflex).armed
    call.send(ev.Partial(segment="c", revision=1, text="no stop"))
    assert call.all(fx.Stop)


def test_an_echo_does_not_shorten_the_warm_up() -> None:
    call = Call(agent(barge_in=BargeInPolicy(echo_warmup=30.0)))
    speech = speaking(call, STORY)
    warm = call.state.gates[gates.ECHO].expires
    call.send(ev.Partial(segment="e", revision=1, text=echo(call, speech, 1, 4)))
    assert call.state.gates[gates.ECHO].expires == warm


def test_an_echo_beside_the_callers_words_does_not_excuse_them() -> None:
    call = Call()
    speech = speaking(call, STORY)
    text = echo(call, speech, 1, 4)
    call.send(ev.Partial(segment="c", revision=1, text="yeah"))
    call.send(ev.Partial(segment="e", revision=1, text=text))
    assert call.state.turn.overlap is not None
    call.send(ev.Partial(segment="c", revision=2, text="yeah and on monday"))
    assert call.all(fx.Stop)


def test_the_callers_own_words_are_never_an_echo() -> None:
    call = Call()
    speech = speaking(call, STORY)
    call.hears(speech, 5 * STEP)
    over(call, "and what about the holidays")
    assert call.all(fx.Stop)


def test_words_the_agent_said_long_ago_are_the_callers() -> None:
    call = Call()
    speech = speaking(call, STORY)
    call.hears(speech, 15 * STEP)
    over(call, "our shop opens")
    assert call.all(fx.Stop)


def test_an_echo_that_comes_after_the_end_is_no_turn() -> None:
    call = Call()
    speech = speaking(call, STORY)
    text = echo(call, speech, 13, 17)
    call.hears(speech, 17 * STEP, settle="end")
    quiet(call)
    call.send(ev.Final(segment="e", revision=1, text=text, at=call.now))
    call.wait(3.0)
    assert not call.facts(ft.TurnCommitted)


def test_whoever_answers_with_the_agents_last_word_has_answered() -> None:
    for after, words in product((0.0, 0.02, 0.1, 0.24, 0.4), (True, False)):
        call = Call()
        call.send(ev.SayAsked(speech="ask"))
        samples = call.speaks(call.one(fx.StartSay).op, "Would you like tea or coffee", words=words)
        call.hears("ask", samples, settle="end")
        call.wait(after)
        call.says("coffee", length=0.4)
        call.wait(2.0)
        assert [f.text for f in call.facts(ft.TurnCommitted)] == ["coffee"], (after, words)


def test_the_echo_of_one_word_begins_right_after_the_word_does() -> None:
    call = Call()
    speech = speaking(call, STORY)
    call.send(ev.Partial(segment="e", revision=1, text=echo(call, speech, 1, 2)))
    call.wait(1.0)
    assert not call.all(fx.Stop) and gates.ECHO in call.state.gates


def test_words_without_a_voice_are_never_an_echo() -> None:
    call = Call()
    call.send(ev.Partial(segment="s", revision=1, text="hello there"))
    call.wait(1.5)
    assert [f.text for f in call.facts(ft.TurnCommitted)] == ["hello there"]


def test_a_command_passes_at_once() -> None:
    call = Call(agent(barge_in=BargeInPolicy(min_words=3)))
    speaking(call, STORY)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.15)
    call.send(ev.Partial(segment="o", revision=1, text="stop"))
    assert call.all(fx.Stop)
