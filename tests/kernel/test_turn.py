"""The caller's turn: stories about when it ends."""

from __future__ import annotations

from antiphon.kernel.policy import SessionPolicy, TurnPolicy
from tests.kernel.call import Call, agent, ev, ft, fx


def turns(call: Call) -> list[str]:
    return [f.text for f in call.facts(ft.TurnCommitted)]


def test_a_question_is_committed_after_its_pause_and_answered_once() -> None:
    call = Call()
    call.says("what time is it")
    call.wait(1.5)
    assert turns(call) == ["what time is it"]
    assert len(call.facts(ft.ReplyAdopted)) == 1
    assert call.one(fx.StartReply).speculative


def test_a_pause_is_scored_once_and_again_when_words_came() -> None:
    call = Call()
    call.says("i want", final=False, scored=False)
    call.wait(0.25)
    first = call.one(fx.ScoreTurn)
    call.send(ev.EndScore(op=first.op, probability=0.01))
    call.send(ev.Partial(segment="more", revision=1, text="a coffee please"))
    call.wait(0.05)
    assert len(call.all(fx.ScoreTurn)) == 2
    call.send(ev.EndScore(op=first.op, probability=1.0))
    assert call.state.stale == 1


def test_a_high_score_ends_it_sooner_than_a_low_one() -> None:
    waits = []
    for probability in (0.95, 0.05):
        call = Call()
        call.says("that works for me", scored=False)
        call.scores(probability)
        began = call.now
        while not turns(call):
            call.wait(0.05)
        waits.append(call.now - began)
    assert waits[0] < waits[1]


def test_a_late_final_ends_it_at_once() -> None:
    call = Call()
    call.says("hello there", segment="s", final=False)
    call.wait(1.7)
    assert not turns(call)
    call.send(ev.Final(segment="s", revision=2, text="hello there", at=1.0))
    assert turns(call) == ["hello there"]


def test_without_a_final_the_last_partial_must_do() -> None:
    call = Call()
    call.says("hello there", final=False)
    call.wait(3.5)
    assert turns(call) == ["hello there"]
    assert call.notices("user_transcription_timeout")


def test_noise_is_dropped_and_the_caller_waits_for_nothing() -> None:
    call = Call()
    call.send(ev.Vad(edge="start", at=0.0))
    call.wait(0.5)
    call.send(ev.Vad(edge="end", at=0.4))
    call.wait(1.5)
    assert [f.reason for f in call.facts(ft.TurnDropped)] == ["noise"]
    assert not call.all(fx.StartReply)


def test_text_without_voice_is_a_turn_too() -> None:
    call = Call()
    call.send(ev.Partial(segment="s", revision=1, text="are you there"))
    call.wait(1.5)
    assert turns(call) == ["are you there"]


def test_an_empty_final_resolves_at_once_when_the_delay_is_over() -> None:
    call = Call()
    call.says("", final=False)
    call.wait(1.3)
    call.send(ev.Final(segment="x", revision=1, text="", at=1.0))
    assert [f.reason for f in call.facts(ft.TurnDropped)] == ["noise"]


def test_duplicates_and_revisions_do_not_double_the_words() -> None:
    call = Call()
    call.says("two flat whites", segment="s")
    call.send(
        ev.Final(segment="s", revision=2, text="two flat whites", at=1.0),
        ev.Final(segment="s", revision=3, text="two flat whites please", at=1.0),
        ev.Final(segment="s", revision=1, text="too flat", at=1.0),
        ev.Partial(segment="s", revision=9, text="nonsense"),
    )
    call.wait(1.5)
    assert turns(call) == ["two flat whites please"]
    call.send(ev.Final(segment="s", revision=4, text="two flat whites please", at=1.0))
    call.wait(2.0)
    assert len(turns(call)) == 1


def test_words_beyond_a_used_segment_belong_to_the_next_turn() -> None:
    call = Call()
    call.says("two flat whites", segment="s")
    call.wait(1.5)
    call.answered("Sure.")
    call.says("two flat whites and a tea", segment="s")
    call.wait(2.0)
    assert turns(call) == ["two flat whites", "and a tea"]


def test_a_caller_who_goes_on_before_the_answer_sounds_is_still_in_the_same_turn() -> None:
    call = Call()
    call.asks("i would like a coffee")
    call.says("with milk")
    call.wait(1.5)
    assert turns(call) == ["i would like a coffee", "i would like a coffee with milk"]
    assert [m.text for m in call.state.conversation.items] == ["i would like a coffee with milk"]
    assert {f.turn for f in call.facts(ft.TurnCommitted)} == {1}
    assert call.facts(ft.ReplyDiscarded)[-1].reason == "superseded"


def test_the_answer_cut_in_its_first_moment_leaves_the_turn_open() -> None:
    call = Call()
    call.asks("i would like a coffee")
    reply = call.one(fx.StartReply)
    call.speaks(reply.op, "Certainly, one coffee coming up.")
    call.wait(0.1)
    call.says("with milk please")
    call.send(ev.PlaySettled(speech=reply.speech, position=4_000, quality="peer", reason="stopped"))
    call.wait(1.5)
    assert turns(call)[-1] == "i would like a coffee with milk please"


def test_push_to_talk_waits_for_its_final_and_no_longer_than_asked() -> None:
    manual = agent(turn=TurnPolicy(mode="manual"))
    call = Call(manual)
    call.says("only when i let go", final=False, segment="s")
    call.wait(5.0)
    assert not turns(call)
    call.send(ev.CommitTurn(ask="a", timeout=1.0))
    call.wait(0.3)
    call.send(ev.Final(segment="s", revision=2, text="only when I let go", at=1.0))
    assert turns(call) == ["only when I let go"]
    assert call.notices("turn_committed") == [{"ask": "a", "turn": 1, "text": "only when I let go"}]


def test_push_to_talk_released_in_mid_word_uses_what_there_is() -> None:
    call = Call(agent(turn=TurnPolicy(mode="manual")))
    call.send(ev.Vad(edge="start", at=0.0), ev.Partial(segment="s", revision=1, text="half a"))
    call.send(ev.CommitTurn(ask="a", timeout=0.5, reply=False))
    call.wait(0.6)
    assert turns(call) == ["half a"]
    assert [f.reason for f in call.facts(ft.SilenceChosen)] == ["not asked for"]


def test_push_to_talk_with_nothing_said_answers_the_ask() -> None:
    call = Call()
    call.send(ev.CommitTurn(ask="a"))
    call.send(ev.Vad(edge="start", at=0.0), ev.CommitTurn(ask="b", timeout=0.1))
    call.wait(0.2)
    assert [n["ask"] for n in call.notices("turn_committed")] == ["a", "b"]


def test_push_to_talk_with_everything_there_ends_at_once() -> None:
    call = Call()
    call.says("that is all")
    call.send(ev.CommitTurn(ask="a"))
    assert turns(call) == ["that is all"]


def test_a_service_that_rules_on_turns() -> None:
    call = Call(agent(turn=TurnPolicy(mode="provider")))
    call.send(ev.ProviderTurn(edge="start"), ev.Vad(edge="start", at=0.0))
    call.send(ev.Final(segment="s", revision=1, text="what is new", at=0.0))
    call.send(ev.Vad(edge="end", at=0.0), ev.ProviderTurn(edge="end"))
    call.send(ev.Tick())
    assert turns(call) == ["what is new"]
    call.send(ev.ProviderTurn(edge="end"))


def test_provider_turns_mean_nothing_in_local_mode() -> None:
    call = Call()
    call.send(ev.ProviderTurn(edge="start"))
    assert call.state.turn.phase == "idle"


def test_cleared_words_are_forgotten() -> None:
    call = Call()
    call.says("never mind", final=False)
    call.send(ev.ClearTurn())
    call.wait(3.0)
    assert [f.reason for f in call.facts(ft.TurnDropped)] == ["cleared"]
    call.send(ev.ClearTurn())
    assert len(call.all(fx.ResetStt)) == 2


def test_typed_text_is_a_turn_and_empty_text_is_none() -> None:
    call = Call()
    call.send(ev.Typed(text=" hi ", speech="mine"), ev.Typed(text="  "))
    assert turns(call) == ["hi"]
    assert call.one(fx.StartReply).speech == "mine"
    assert [f.reason for f in call.facts(ft.TurnDropped)] == ["empty"]


def test_turn_limits_call_their_hook_once() -> None:
    call = Call(agent(turn=TurnPolicy(max_words=3)))
    call.says("one two three four five")
    assert call.one(fx.CallHook).hook == "on_user_turn_exceeded"
    call = Call(agent(turn=TurnPolicy(max_duration=2.0)))
    call.send(ev.Vad(edge="start", at=0.0), ev.Partial(segment="s", revision=1, text="well"))
    call.wait(2.5)
    assert call.one(fx.CallHook).hook == "on_user_turn_exceeded"


def test_silence_of_both_means_away_and_a_voice_ends_it() -> None:
    call = Call()
    call.asks()
    call.answered()
    call.wait(16.0)
    assert call.notices("user_state_changed")[-1] == {"old": "listening", "new": "away"}
    assert call.notices("agent_state_changed")[-1]["new"] == "idle"
    call.send(ev.Vad(edge="start", at=call.now))
    assert call.notices("user_state_changed")[-1]["new"] == "speaking"


def test_nobody_is_away_where_the_policy_says_never() -> None:
    call = Call(agent(away_after=0.0))
    call.asks()
    call.answered()
    call.wait(60.0)
    assert not [n for n in call.notices("user_state_changed") if n["new"] == "away"]


def test_a_lost_recogniser_is_told() -> None:
    call = Call()
    call.send(ev.SttLost(error="deaf", recovering=True))
    assert call.notices("error") == [{"stage": "stt", "error": "deaf", "recoverable": True}]


def test_going_on_after_a_pause_throws_the_speculation_away() -> None:
    call = Call()
    call.says("i want a coffee")
    guess = call.one(fx.StartReply)
    call.says("and a cake", segment="t")
    assert guess.op in [c.op for c in call.all(fx.Cancel)]
    assert call.facts(ft.ReplyDiscarded)[0].reason == "the caller went on"
    assert call.state.turn.usual_pause > 0


def test_not_more_speculations_than_allowed_and_none_where_off() -> None:
    call = Call(agent(turn=TurnPolicy(max_speculations=1, max_delay=5.0, min_delay=5.0)))
    call.says("one", segment="a")
    call.send(ev.Final(segment="b", revision=1, text="two", at=call.now))
    assert len(call.all(fx.StartReply)) == 1
    call = Call(agent(turn=TurnPolicy(speculate=False)))
    call.says("one")
    assert not call.all(fx.StartReply)


def test_an_unfinished_sentence_waits_the_longest() -> None:
    call = Call(agent(turn=TurnPolicy(score=False)))
    call.says("i would like a coffee and")
    call.wait(1.0)
    assert not turns(call)
    call.wait(1.0)
    assert turns(call)


def test_used_segments_are_remembered_only_for_a_while() -> None:
    call = Call()
    for n in range(70):
        call.send(ev.Final(segment=f"s{n}", revision=1, text="word", at=call.now))
    call.send(ev.ClearTurn())
    assert len(call.state.turn.used) == 64


def test_policy_is_the_default_before_the_start() -> None:
    from antiphon.kernel.kernel import Kernel

    assert Kernel().state.policy == SessionPolicy()


def test_a_sentence_nobody_could_read_is_asked_for_again() -> None:
    call = Call()
    call.says("", length=1.5, final=False)
    call.wait(2.0)
    assert call.one(fx.PlayCanned).key == "apology"
    call = Call()
    call.send(ev.Vad(edge="start", at=0.0), ev.Drain())
    call.wait(2.0)
    call.send(ev.Vad(edge="end", at=1.8))
    call.wait(2.0)
    assert not call.all(fx.PlayCanned)


def test_what_sounds_after_push_to_talk_was_released_does_not_hold_the_turn() -> None:
    call = Call(agent(turn=TurnPolicy(mode="manual")))
    call.says("only when i let go", final=False, segment="s")
    call.send(ev.CommitTurn(ask="a", timeout=1.0))
    call.wait(0.2)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.3)
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(0.6)
    assert turns(call) == ["only when i let go"]
    assert [n["turn"] for n in call.notices("turn_committed")] == [1]


def test_a_voice_that_begins_after_the_release_is_heard_by_the_next_turn() -> None:
    call = Call(agent(turn=TurnPolicy(mode="manual")))
    call.says("first this", final=False, segment="s")
    call.send(ev.CommitTurn(ask="a", timeout=1.0))
    call.send(ev.Vad(edge="start", at=call.now))
    call.send(ev.Final(segment="s", revision=3, text="first this", at=call.now))
    assert turns(call) == ["first this"]
    call.send(ev.Partial(segment="t", revision=1, text="then that"))
    call.wait(0.5)
    call.send(ev.Vad(edge="end", at=call.now), ev.Final(segment="t", revision=2, text="then that", at=call.now))
    call.send(ev.CommitTurn(ask="b"))
    assert turns(call)[-1].endswith("then that")


def test_words_that_a_broken_recogniser_took_back_are_not_waited_for() -> None:
    call = Call()
    call.send(ev.Vad(edge="start", at=0.0))
    call.wait(0.5)
    call.send(ev.Partial(segment="old", revision=1, text="i want"), ev.Partial(segment="old", revision=2, text=""))
    call.wait(0.5)
    call.wait(0.2)
    call.send(ev.Vad(edge="end", at=1.0))
    call.send(ev.Final(segment="new", revision=1, text="i want a coffee please", at=1.0))
    call.scores(0.95)
    call.wait(0.4)
    assert turns(call) == ["i want a coffee please"]
