"""Replies: one for each turn, made again when they fail, taken over when they were guessed right."""

from __future__ import annotations

from antiphon.kernel.policy import BargeInPolicy, SessionPolicy
from tests.kernel.call import Call, agent, ev, ft, fx


def test_a_right_guess_is_adopted_and_nothing_is_generated_twice() -> None:
    call = Call()
    call.asks("What time is it?")
    assert len(call.all(fx.StartReply)) == 1
    assert call.one(fx.AdoptReply).op == call.one(fx.StartReply).op
    assert call.facts(ft.ReplyAdopted)[0].speculative


def test_the_hook_may_change_the_words_and_then_the_guess_is_wrong() -> None:
    for answer, kept in (
        ({"text": "what TIME is it!"}, True),
        ({"text": "what day is it"}, False),
        ({"text": "what time is it", "context_changed": True}, False),
        ({"error": "boom"}, True),
    ):
        call = Call(agent(hooks="turn"))
        call.asks("what time is it")
        call.send(ev.HookReturned(op=call.one(fx.CallHook).op, **answer))  # type: ignore[arg-type]
        assert bool(call.all(fx.AdoptReply)) is kept
        assert len(call.all(fx.StartReply)) == (1 if kept else 2)
        assert len(call.facts(ft.ReplyDiscarded)) == (0 if kept else 1)


def test_changed_settings_make_the_guess_wrong() -> None:
    call = Call()
    call.says("what time is it")
    call.send(ev.PolicyChanged(policy=SessionPolicy(max_tool_steps=9)))
    call.wait(1.5)
    assert not call.all(fx.AdoptReply) and len(call.all(fx.StartReply)) == 2


def test_a_stopped_turn_gets_a_recorded_silence() -> None:
    call = Call(agent(hooks="turn"))
    call.asks()
    call.send(ev.HookReturned(op=call.one(fx.CallHook).op, stop=True))
    assert [f.reason for f in call.facts(ft.TurnDropped)] == ["stopped"]
    assert [f.reason for f in call.facts(ft.SilenceChosen)] == ["stopped"]
    assert not call.all(fx.Play) and call.facts(ft.ReplyDiscarded)


def test_whoever_waits_for_the_answer_to_a_typed_turn_that_is_stopped_is_told() -> None:
    call = Call(agent(hooks="turn"))
    call.send(ev.Typed(text="hello", speech="mine"))
    call.send(ev.HookReturned(op=call.one(fx.CallHook).op, stop=True))
    assert call.notices("speech_completed") == [{"speech": "mine", "error": ""}]


def test_a_failure_is_tried_again_elsewhere_and_then_apologised_for() -> None:
    call = Call()
    call.asks()
    for _ in range(3):
        call.send(ev.ReplyFailed(op=call.last(fx.StartReply).op, stage="llm", error="429", retryable=True))
        call.wait(0.7)
    assert [s.attempt for s in call.all(fx.StartReply)] == [0, 1, 2]
    assert len(call.all(fx.Failover)) == 2
    assert call.facts(ft.LadderRung)[-1].action == "apology"
    assert [n["recoverable"] for n in call.notices("error")] == [True, True, False]


def test_what_cannot_be_tried_again_is_apologised_for_at_once() -> None:
    call = Call()
    call.asks()
    call.send(ev.ReplyFailed(op=call.one(fx.StartReply).op, stage="node", error="bug", retryable=False))
    assert call.one(fx.PlayCanned).key == "apology"


def test_a_failing_node_is_tried_again_without_failing_over() -> None:
    call = Call()
    call.asks()
    call.send(ev.ReplyFailed(op=call.one(fx.StartReply).op, stage="node", error="bug", retryable=True))
    call.wait(0.2)
    assert not call.all(fx.Failover) and len(call.all(fx.StartReply)) == 2


def test_an_empty_answer_is_a_failure() -> None:
    call = Call()
    call.asks()
    op = call.one(fx.StartReply).op
    call.send(ev.Generated(op=op), ev.AudioDone(op=op, samples=0))
    call.wait(0.2)
    assert call.last(fx.StartReply).attempt == 1


def test_a_voice_without_a_sound_is_a_failure() -> None:
    call = Call()
    call.asks()
    op = call.one(fx.StartReply).op
    call.send(ev.Segment(op=op, index=0, text="Hello."), ev.Generated(op=op), ev.AudioDone(op=op, samples=0))
    assert call.one(fx.Failover).stage == "tts"


def test_a_failure_amid_the_sound_keeps_what_was_heard_and_goes_on_behind_it() -> None:
    call = Call()
    call.asks()
    reply = call.one(fx.StartReply)
    call.speaks(reply.op, "It is", done=False)
    call.send(ev.ReplyFailed(op=reply.op, stage="llm", error="reset", retryable=True))
    call.wait(0.2)
    assert call.last(fx.StartReply).speech == reply.speech + "#2"
    call.hears(reply.speech, 24_000)
    call.wait(1.0)
    assert call.facts(ft.SpeechHeard)[0].text == "It is"


def test_a_guess_that_fails_is_only_thrown_away() -> None:
    call = Call()
    call.says("what time is it")
    call.send(ev.ReplyFailed(op=call.one(fx.StartReply).op, stage="llm", error="x", retryable=True))
    assert not call.notices("error")
    call.wait(1.5)
    assert len(call.all(fx.StartReply)) == 2


def test_the_ladder_fails_over_and_gives_up_by_time() -> None:
    call = Call()
    call.asks()
    call.wait(9.0)
    assert [s.attempt for s in call.all(fx.StartReply)] == [0, 1]
    assert [f.action for f in call.facts(ft.LadderRung)] == ["filler", "failover", "apology", "apology"]


def test_a_model_that_goes_on_for_ever_and_says_nothing_ends_the_session_with_a_goodbye() -> None:
    call = Call()
    call.asks()
    call.send(ev.AudioDone(op=call.last(fx.StartReply).op, samples=0))
    call.wait(30.0)
    assert [f.action for f in call.facts(ft.LadderRung)] == ["filler", "failover", "apology", "end"]
    assert call.all(fx.PlayCanned)[3].key == "goodbye"
    assert call.state.lifecycle.reason == "error"


def test_too_many_lost_replies_end_the_session_with_a_goodbye() -> None:
    call = Call(agent(max_model_errors=1))
    for _ in range(2):
        call.send(ev.Typed(text="hello"))
        call.send(ev.ReplyFailed(op=call.last(fx.StartReply).op, stage="llm", error="x", retryable=False))
        while call.state.speech.current:
            call.hears(call.state.speech.current, 9_000, settle="end")
    assert [c.key for c in call.all(fx.PlayCanned)] == ["apology", "goodbye"]
    assert call.state.lifecycle.reason == "error" and call.all(fx.CloseAll)


def test_generate_reply_with_and_without_a_user_text() -> None:
    call = Call()
    call.send(
        ev.ReplyAsked(speech="a"),
        ev.ReplyAsked(speech="a"),
        ev.ReplyAsked(speech="b", user_text="and you?", interruptible=False),
    )
    assert [s.speech for s in call.all(fx.StartReply)] == ["a", "b"]
    assert call.facts(ft.TurnCommitted)[0].modality == "text"
    call.send(ev.ReplyAsked(speech="b", user_text="again"))
    assert call.last(fx.StartReply).speech == "reply.1.1"


def test_interrupt_one_all_or_none() -> None:
    call = Call()
    call.send(ev.ReplyAsked(speech="a"), ev.ReplyAsked(speech="b"), ev.ReplyAsked(speech="c", interruptible=False))
    call.send(ev.InterruptAsked(speech="b"))
    assert [f.speech for f in call.facts(ft.SpeechDone)] == ["b"]
    call.send(ev.InterruptAsked())
    assert [f.speech for f in call.facts(ft.SpeechDone)] == ["b", "a"]
    call.says("guess")
    call.send(ev.InterruptAsked(force=True))
    assert call.facts(ft.ReplyDiscarded)[0].reason == "interrupted"


def test_an_interruption_takes_waiting_answers_along_and_leaves_the_applications_words() -> None:
    call = Call()
    call.send(ev.ReplyAsked(speech="bg", priority="background"), ev.ReplyAsked(speech="app"))
    call.speaks(call.all(fx.StartReply)[1].op, "a b c d e f g", done=False)
    call.send(ev.Partial(segment="o", revision=1, text="wait"))
    ended = {f.speech for f in call.facts(ft.SpeechDone)}
    assert "bg" in ended


def test_no_guess_while_a_tool_is_open() -> None:
    call = Call()
    call.asks()
    op = call.one(fx.StartReply).op
    call.send(
        ev.ToolCall(op=op, call_id="c", name="t", arguments="{}"), ev.Generated(op=op), ev.AudioDone(op=op, samples=0)
    )
    call.clear()
    call.says("are you there")
    assert not call.all(fx.StartReply)


def test_a_turn_nobody_wants_answered() -> None:
    call = Call()
    call.send(ev.Typed(text="note this", reply=False))
    assert not call.all(fx.StartReply)
    assert [f.reason for f in call.facts(ft.SilenceChosen)] == ["not asked for"]


def test_an_interruption_between_two_attempts_ends_the_wait_for_the_next() -> None:
    call = Call()
    call.asks()
    call.send(ev.ReplyFailed(op=call.one(fx.StartReply).op, stage="llm", error="429", retryable=True))
    call.send(ev.InterruptAsked())
    call.wait(1.0)
    assert len(call.all(fx.StartReply)) == 1


def test_a_retry_whose_time_is_up_is_not_made() -> None:
    call = Call()
    call.send(ev.Typed(text="hello"))
    op = call.one(fx.StartReply).op
    call.wait(3.6)
    call.wait(4.35)
    call.send(ev.ReplyFailed(op=call.last(fx.StartReply).op, stage="llm", error="429", retryable=True))
    call.wait(1.0)
    assert call.facts(ft.LadderRung)[-1].action == "apology" and op in [c.op for c in call.all(fx.Cancel)]
    assert len(call.all(fx.StartReply)) == 2


def test_two_replies_given_up_for_time_are_enough() -> None:
    call = Call()
    for _ in range(2):
        call.send(ev.Typed(text="hello"))
        for _ in range(30):
            call.wait(0.5)
            if call.state.speech.current:
                call.hears(call.state.speech.current, 9_000, settle="end")
    assert call.all(fx.PlayCanned)[-1].key == "goodbye" and call.state.lifecycle.reason == "error"


def test_an_answer_that_the_plane_refused_does_not_come_after_the_next_turns() -> None:
    """It was on air when the caller's next turn ended; then the plane says that nothing of it sounded."""
    call = Call(agent(barge_in=BargeInPolicy(enabled=False)))
    call.asks("is it open")
    first = call.last(fx.StartReply)
    call.speaks(first.op, "Let me look.", done=False)
    call.send(ev.ToolCall(op=first.op, call_id="c", name="look", arguments="{}", effect="read"))
    call.send(ev.Generated(op=first.op), ev.AudioDone(op=first.op, samples=36_000))
    assert call.last(fx.Play).speech == first.speech
    call.asks("and what does it cost")
    tool, second = call.last(fx.RunTool), call.last(fx.StartReply)
    assert second.speech != first.speech
    call.send(ev.PlaySettled(speech=first.speech, position=0, quality="estimated", reason="refused"))
    assert [(f.speech, f.reason) for f in call.facts(ft.ReplyDiscarded)] == [(first.speech, "superseded")]
    call.clear()
    call.send(ev.ToolReturned(op=tool.op, output="yes"))
    told = call.one(fx.StartReply).speech  # the tool's result is told after the newer answer, not before it
    assert told not in (first.speech, second.speech) and not told.startswith(f"{first.speech}#")
