"""Speech and barge-in: what sounds, what stops, and what history says was heard."""

from __future__ import annotations

from antiphon.kernel.policy import BargeInPolicy, TurnPolicy
from tests.kernel.call import Call, agent, ev, ft, fx

TEXT = "It is noon and the sun is shining."
STEP = 12_000


def speaking(call: Call, text: str = TEXT, **options: object) -> str:
    """A turn was answered and the answer is on air."""
    call.asks()
    reply = call.last(fx.StartReply)
    call.speaks(reply.op, text, **options)  # type: ignore[arg-type]
    assert call.last(fx.Play).speech == reply.speech
    call.wait(0.5)
    call.clear()
    return reply.speech


def over(call: Call, text: str, length: float = 0.6) -> None:
    """The caller's voice, with its words, over the agent's."""
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.4)
    call.send(ev.AutoPaused(speech=call.state.speech.current, position=20_000, at=call.now))
    if text:
        call.send(ev.Partial(segment=f"o{call.seq}", revision=1, text=text))
    call.wait(length - 0.4)


def test_the_play_waits_for_the_turn_to_be_durable() -> None:
    call = Call()
    call.asks()
    call.speaks(call.one(fx.StartReply).op)
    committed = next(e.position for e in call.all(fx.Record) if isinstance(e.fact, ft.TurnCommitted))
    assert call.one(fx.Play).after == committed


def test_an_interruption_stops_it_and_history_is_cut_at_the_word() -> None:
    call = Call()
    speech = speaking(call)
    call.hears(speech, 5 * STEP)
    over(call, "wait")
    assert call.one(fx.Stop).speech == speech
    call.send(ev.PlaySettled(speech=speech, position=5 * STEP + 7_000, quality="peer", reason="stopped"))
    heard = call.facts(ft.SpeechHeard)[0]
    assert heard.text == "It is noon and the sun" and heard.interrupted and not heard.estimated
    assert call.facts(ft.SpeechDone)[0].outcome == "interrupted"


def test_a_backchannel_resumes_it_at_the_word_and_is_no_turn() -> None:
    call = Call()
    speech = speaking(call)
    over(call, "mhm")
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(0.6)
    assert call.one(fx.Resume).at == 12_000
    assert call.notices("agent_false_interruption") == [{"speech": speech, "resumed": True}]
    assert call.notices("overlapping_speech")[0]["verdict"] == "backchannel"
    call.wait(3.0)
    assert not call.facts(ft.TurnCommitted)
    assert [f.reason for f in call.facts(ft.TurnDropped)] == ["backchannel"]


def test_resume_begins_at_the_word_where_it_stopped() -> None:
    call = Call()
    speech = speaking(call)
    call.hears(speech, 20_000)
    over(call, "")
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(0.6)
    assert call.one(fx.Resume).at == 12_000


def test_noise_without_words_loses_no_audio() -> None:
    call = Call()
    speaking(call)
    over(call, "", length=1.0)
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(0.6)
    assert call.one(fx.Resume) and not call.all(fx.Stop)


def test_a_long_voice_without_words_is_held_then_let_go() -> None:
    call = Call()
    speech = speaking(call)
    over(call, "", length=0.6)
    assert call.one(fx.Pause).speech == speech
    call.wait(3.0)
    assert call.one(fx.Resume)


def test_what_the_reflex_has_not_paused_nobody_pauses() -> None:
    """A hum of 300 ms is over before the end of voice is known, 500 ms after its start: the agent was only ducked."""
    call = Call()
    speaking(call)
    call.send(ev.Vad(edge="start", at=call.now))
    began = call.now
    call.wait(0.53)
    call.send(ev.Vad(edge="end", at=began + 0.3))
    call.wait(1.0)
    assert not call.all(fx.Pause) and not call.all(fx.Resume) and not call.all(fx.Stop)


def test_words_after_the_plane_went_on_by_itself_still_stop_it() -> None:
    call = Call()
    speech = speaking(call)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.4)
    call.send(ev.AutoPaused(speech=speech, position=9_000, at=call.now))
    call.wait(0.05)
    call.send(ev.AutoResumed(speech=speech, position=9_000))
    assert call.state.speech.on_air().phase == "on_air"
    call.send(ev.Partial(segment="o", revision=1, text="that is wrong"))
    assert call.one(fx.Stop).speech == speech


def test_words_without_voice_activity_interrupt_too() -> None:
    call = Call()
    speaking(call)
    call.send(ev.Partial(segment="o", revision=1, text="mhm"))
    call.send(ev.Partial(segment="o", revision=2, text="mhm but why"))
    assert call.one(fx.Stop)


def test_the_reflex_may_be_first_and_the_voice_already_over() -> None:
    call = Call()
    speech = speaking(call)
    call.send(ev.AutoPaused(speech=speech, position=3_000, at=call.now))
    call.send(ev.AutoPaused(speech="nobody", position=3_000, at=call.now))
    call.wait(0.6)
    assert call.one(fx.Resume)


def test_what_may_not_be_interrupted_goes_on() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="s", interruptible=False))
    call.speaks(call.one(fx.StartSay).op, TEXT)
    over(call, "stop stop")
    assert not call.all(fx.Stop) and call.one(fx.Resume)
    call.send(ev.InterruptAsked())
    assert not call.all(fx.Stop)
    call.send(ev.InterruptAsked(force=True))
    assert call.one(fx.Stop)


def test_barge_in_can_be_switched_off() -> None:
    call = Call(agent(barge_in=BargeInPolicy(enabled=False)))
    speaking(call)
    over(call, "stop")
    assert not call.all(fx.Stop)
    assert not call.all(fx.SetReflex)


def test_protection_during_a_pause_lets_it_go_on() -> None:
    call = Call()
    speech = speaking(call)
    over(call, "")
    call.send(ev.DisallowInterruptions(speech=speech))
    assert call.one(fx.Resume) and call.last(fx.SetReflex).armed is False


def test_fewer_words_than_needed_do_not_interrupt() -> None:
    call = Call(agent(barge_in=BargeInPolicy(min_words=3)))
    speaking(call)
    over(call, "two words")
    assert not call.all(fx.Stop)
    call.send(ev.Partial(segment="p", revision=1, text="and a third"))
    assert call.all(fx.Stop)


def test_while_the_echo_canceller_learns_voice_alone_is_nothing_and_words_are_heard() -> None:
    call = Call(agent(barge_in=BargeInPolicy(echo_warmup=2.0, wordless_after=0.5)))
    speaking(call)
    over(call, "", length=1.0)
    assert call.one(fx.Resume) and not call.all(fx.Stop)
    call.send(ev.Partial(segment="o", revision=1, text="stop"))
    assert call.all(fx.Stop)


def test_after_the_warm_up_the_reflex_is_armed() -> None:
    call = Call(agent(barge_in=BargeInPolicy(echo_warmup=2.0)))
    speaking(call)
    call.wait(2.0)
    assert call.last(fx.SetReflex).armed


def test_a_short_answer_near_the_end_is_an_answer() -> None:
    call = Call()
    speech = speaking(call, "Shall I book it")
    call.hears(speech, 4 * STEP - 6_000)
    call.says("yes")
    call.hears(speech, 4 * STEP, settle="end")
    call.wait(2.0)
    assert [f.text for f in call.facts(ft.TurnCommitted)] == ["yes"]


def test_a_reply_that_is_ready_waits_while_the_caller_speaks() -> None:
    call = Call()
    call.send(ev.ReplyAsked(speech="r"))
    call.send(ev.Vad(edge="start", at=call.now))
    call.speaks(call.one(fx.StartReply).op)
    assert not call.all(fx.Play)
    call.wait(0.3)
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(0.6)
    assert call.one(fx.Play).speech == "r"


def test_priorities_decide_and_fifo_inside_one() -> None:
    call = Call()
    for name, priority in (("bg", "background"), ("a", "app"), ("b", "app")):
        call.send(ev.SayAsked(speech=name, priority=priority))  # type: ignore[arg-type]
    bg, a, b = call.all(fx.StartSay)
    call.send(ev.Vad(edge="start", at=call.now))
    for say in (bg, b, a):
        call.speaks(say.op)
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(2.0)
    for name in ("a", "b", "bg"):
        assert call.last(fx.Play).speech == name
        call.hears(name, 36_000, settle="end")


def test_there_is_a_gap_between_two_speeches_where_the_policy_wants_one() -> None:
    call = Call(agent(speech_gap=0.5))
    call.send(ev.SayAsked(speech="a"), ev.SayAsked(speech="b"), ev.SayAsked(speech="b"))
    for say in call.all(fx.StartSay):
        call.speaks(say.op)
    call.hears("a", 36_000, settle="end")
    assert len(call.all(fx.Play)) == 1
    call.wait(0.5)
    assert len(call.all(fx.Play)) == 2


def test_late_acknowledgements_are_waited_for_and_then_estimated() -> None:
    call = Call()
    speech = speaking(call)
    call.hears(speech, 2 * STEP)
    call.send(ev.InterruptAsked(speech=speech))
    call.hears(speech, 3 * STEP)
    call.wait(0.4)
    heard = call.facts(ft.SpeechHeard)[0]
    assert (heard.text, heard.estimated, heard.quality) == ("It is noon", True, "estimated")


def test_where_the_voice_gives_no_words_the_cut_is_marked() -> None:
    call = Call()
    speech = speaking(call, words=False)
    call.send(ev.InterruptAsked())
    call.send(ev.PlaySettled(speech=speech, position=4 * STEP, quality="peer", reason="stopped"))
    heard = call.facts(ft.SpeechHeard)[0]
    assert heard.estimated and TEXT.startswith(heard.text) and heard.text


def test_nothing_heard_leaves_nothing_in_history() -> None:
    call = Call()
    speech = speaking(call)
    call.send(ev.PlaySettled(speech=speech, position=0, quality="peer", reason="refused"))
    assert not call.facts(ft.SpeechHeard)
    assert call.facts(ft.SpeechDone)[0].outcome == "failed"
    call.send(ev.PlaySettled(speech=speech, position=0, quality="peer", reason="end"))


def test_a_plane_that_stops_acknowledging_is_given_up() -> None:
    call = Call()
    speech = speaking(call)
    call.hears(speech, STEP)
    call.wait(4.0)
    assert call.all(fx.Stop)[0].speech == speech
    assert call.facts(ft.SpeechHeard)[0].text == "It"


def test_a_plane_that_never_says_it_is_over() -> None:
    call = Call()
    speech = speaking(call)
    call.hears(speech, 8 * STEP)
    call.wait(1.0)
    assert call.facts(ft.SpeechHeard)[0].text == TEXT
    assert call.facts(ft.SpeechDone)[0].outcome == "heard"


def test_text_sessions_hear_it_when_it_is_delivered() -> None:
    call = Call(leg="text")
    call.send(ev.Typed(text="hi"))
    reply = call.one(fx.StartReply)
    call.send(ev.Segment(op=reply.op, index=0, text="Hello "), ev.Segment(op=reply.op, index=1, text="you."))
    call.send(ev.Generated(op=reply.op), ev.AudioDone(op=reply.op, samples=0, text_only=True))
    heard = call.facts(ft.SpeechHeard)[0]
    assert (heard.text, heard.quality, heard.estimated) == ("Hello you.", "device", False)
    assert call.one(fx.Play) and call.notices("speech_completed") == [{"speech": reply.speech, "error": ""}]


def test_on_hold_nothing_sounds_and_afterwards_it_goes_on() -> None:
    call = Call()
    speech = speaking(call)
    call.send(ev.LegHeld(leg="phone", held=True))
    assert call.one(fx.Pause).speech == speech
    call.wait(60.0)
    assert not call.all(fx.Resume) and not call.all(fx.PlayCanned)
    call.send(ev.LegHeld(leg="phone", held=False))
    assert call.one(fx.Resume)
    call.hears(speech, 8 * STEP, settle="end")
    call.send(ev.LegHeld(leg="phone", held=True), ev.LegHeld(leg="phone", held=True), ev.LegHeld(leg="x", held=True))


def test_what_the_reflex_had_paused_does_not_go_on_into_the_music_on_hold() -> None:
    call = Call()
    speech = speaking(call)
    over(call, "")
    call.send(ev.Vad(edge="end", at=call.now), ev.LegHeld(leg="phone", held=True))
    assert call.last(fx.Pause).speech == speech
    call.send(ev.AutoResumed(speech=speech, position=20_000))  # it crossed the pause on its way
    call.wait(60.0)
    assert not call.all(fx.Stop)
    assert not call.all(fx.Resume)
    call.send(ev.LegHeld(leg="phone", held=False))
    assert call.one(fx.Resume).speech == speech


def test_what_gave_way_to_a_filler_waits_for_the_end_of_the_hold_as_well() -> None:
    call = Call()
    call.asks()
    reply = call.last(fx.StartReply)
    call.speaks(reply.op, "It is", done=False)
    call.wait(1.0)
    call.hears(reply.speech, 2 * STEP)
    call.wait(2.5)
    filler = call.one(fx.PlayCanned)
    call.send(
        ev.Segment(op=filler.op, index=0, text="One moment."),
        ev.Synthesised(op=filler.op, index=0, start=0, samples=24_000, done=True),
        ev.AudioDone(op=filler.op, samples=24_000),
    )
    call.wait(0.5)
    call.send(ev.LegHeld(leg="phone", held=True))
    call.hears(filler.speech, 24_000, settle="end")
    assert not call.all(fx.Resume)
    call.send(ev.LegHeld(leg="phone", held=False))
    assert call.one(fx.Resume).speech == reply.speech


def test_who_leaves_while_on_hold_keeps_nobody_else_on_hold() -> None:
    call = Call()
    call.send(ev.LegUp(leg="second"))
    speech = speaking(call)
    call.send(ev.LegHeld(leg="second", held=True))
    assert call.one(fx.Pause).speech == speech
    call.send(ev.LegDown(leg="second", certain=True))
    assert call.one(fx.Resume).speech == speech


def test_a_say_whose_voice_fails_is_made_again_then_apologised_for() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="s"))
    for _ in range(3):
        op = call.last(fx.StartSay).op
        call.send(ev.Synthesised(op=op, index=0, start=0, samples=0, done=False))
        call.send(ev.ReplyFailed(op=op, stage="tts", error="no", retryable=True))
    assert [s.attempt for s in call.all(fx.StartSay)] == [0, 1, 2]
    assert call.one(fx.PlayCanned).key == "apology"
    assert call.notices("speech_completed") == [{"speech": "s", "error": "no"}]


def test_a_say_that_dies_while_it_sounds_ends_with_what_is_there() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="s"))
    op = call.one(fx.StartSay).op
    call.speaks(op, "One two three", done=False)
    call.send(ev.Segment(op=op, index=1, text="never made"))
    call.send(ev.ReplyFailed(op=op, stage="tts", error="no", retryable=True))
    call.hears("s", 36_000)
    call.wait(1.0)
    assert call.facts(ft.SpeechHeard)[0].text == "One two three"


def test_an_empty_say_is_over_at_once() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="s"))
    call.send(ev.AudioDone(op=call.one(fx.StartSay).op, samples=0))
    assert call.notices("speech_completed") == [{"speech": "s", "error": ""}]


def test_a_slow_say_falls_over_and_is_given_up() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="s"))
    call.wait(9.0)
    assert [s.attempt for s in call.all(fx.StartSay)] == [0, 1]
    assert "apology" in [c.key for c in call.all(fx.PlayCanned)]


def test_typed_text_takes_the_floor_from_what_may_be_interrupted() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="kept", interruptible=False), ev.SayAsked(speech="queued"))
    call.speaks(call.all(fx.StartSay)[0].op, done=False)
    call.send(ev.Typed(text="stop"))
    assert [f.speech for f in call.facts(ft.SpeechDone)] == ["queued"]
    assert call.all(fx.StartSay)[1].op in [c.op for c in call.all(fx.Cancel)]


def test_policy_changes_reach_the_reflex() -> None:
    from antiphon.kernel.policy import SessionPolicy

    call = Call()
    speaking(call)
    call.send(ev.PolicyChanged(policy=SessionPolicy(barge_in=BargeInPolicy(enabled=False))))
    assert call.one(fx.SetReflex).armed is False


def test_media_must_be_confirmed_or_the_wait_for_it_ends() -> None:
    call = Call(agent(media_confirm=1.0), leg="")
    call.send(ev.SayAsked(speech="s"))
    call.speaks(call.one(fx.StartSay).op)
    call.send(ev.LegUp(leg="phone"))
    assert not call.all(fx.Play)
    call.wait(1.0)
    assert call.one(fx.Play)


def test_two_overlaps_in_a_row_are_one() -> None:
    call = Call(agent(turn=TurnPolicy(score=False)))
    speech = speaking(call)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.1)
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(0.2)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.2)
    assert call.state.turn.overlap is not None
    call.hears(speech, 8 * STEP, settle="end")
    assert call.state.turn.overlap is None


def test_a_pause_that_nobody_rules_on_ends_by_itself() -> None:
    call = Call(agent(barge_in=BargeInPolicy(wordless_after=10.0)))
    call.asks()
    reply = call.one(fx.StartReply)
    call.speaks(reply.op, "one two three four five six seven eight nine ten")
    call.hears(reply.speech, 24_000)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.4)
    call.send(ev.AutoPaused(speech=reply.speech, position=30_000, at=call.now))
    call.wait(1.0)
    assert not call.all(fx.Resume)
    call.wait(3.0)
    assert call.one(fx.Resume).speech == reply.speech
