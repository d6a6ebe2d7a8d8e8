"""The turn policy in the kernel: scores that are asked for again, questions and what is expected, answers held back."""

from __future__ import annotations

import msgspec

from antiphon.kernel.kernel import Kernel
from antiphon.kernel.policy import BargeInPolicy, SessionPolicy, TurnPolicy
from antiphon.kernel.turn import evidence
from antiphon.turns.expectation import OPEN, Expectation
from tests.kernel.call import Call, agent, ev, ft, fx


def turns(call: Call) -> list[str]:
    return [f.text for f in call.facts(ft.TurnCommitted)]


def until_turn(call: Call, patience: float = 3.0) -> float:
    """Seconds until another turn is committed."""
    before, began = len(turns(call)), call.now
    while len(turns(call)) == before:
        assert call.now - began < patience, "no turn ended"
        call.wait(0.02)
    return call.now - began


def asks(call: Call, question: str, policy: SessionPolicy | None = None) -> None:
    """The agent asks, and is heard to the end."""
    speech = f"ask{call.seq}"
    call.send(ev.SayAsked(speech=speech, question=policy))
    samples = call.speaks(call.last(fx.StartSay).op, question)
    call.wait(samples / 24_000)
    call.hears(speech, samples, settle="end")
    call.wait(1.0)


# --- scores ------------------------------------------------------------------------------------------------------


def test_an_uncertain_pause_is_scored_again_and_a_sure_one_is_not() -> None:
    for probability, asked in ((0.5, 2), (0.95, 1), (0.02, 1)):
        call = Call()
        call.says("that works for me", scored=False)
        call.scores(probability)
        call.wait(0.3)
        assert len(call.all(fx.ScoreTurn)) == asked, probability


def test_a_pause_is_scored_three_times_at_most_200_ms_apart() -> None:
    call = Call(agent(turn=TurnPolicy(latency=0.0)))
    call.says("that works for me", scored=False)
    times = []
    for _ in range(5):
        call.scores(0.3)
        times.append(call.now)
        call.wait(0.2)
    assert len(call.all(fx.ScoreTurn)) == 3


def test_the_newest_score_counts_and_none_takes_nothing_back() -> None:
    call = Call()
    call.says("that works for me", scored=False)
    call.scores(0.4)
    call.wait(0.2)
    call.scores(0.9)
    assert until_turn(call) < 0.1
    assert call.facts(ft.TurnCommitted)[0].probability == 0.9
    call = Call()
    call.says("that works for me", scored=False)
    call.scores(0.4)
    call.wait(0.2)
    call.scores(None)
    until_turn(call)
    assert call.facts(ft.TurnCommitted)[0].probability == 0.4


def test_a_score_that_comes_after_the_turn_counts_as_none() -> None:
    call = Call()
    call.says("that works for me", scored=False)
    call.wait(0.0)
    late = call.one(fx.ScoreTurn).op
    until_turn(call)
    call.send(ev.EndScore(op=late, probability=0.0))
    assert call.state.stale == 1
    assert call.facts(ft.TurnCommitted)[0].probability is None


def test_a_reply_is_prepared_at_the_first_likely_pause() -> None:
    for probability, prepared in ((0.2, 0), (0.4, 1), (None, 1)):
        call = Call()
        call.says("i want a coffee", scored=False)
        assert not call.all(fx.StartReply), "the score is on its way"
        call.scores(probability)
        assert len(call.all(fx.StartReply)) == prepared
    call = Call(agent(turn=TurnPolicy(score=False)))
    call.says("i want a coffee")
    assert call.one(fx.StartReply).speculative, "nobody will ever say"
    call = Call(agent(turn=TurnPolicy(score=False)))
    call.says("i want a coffee and")
    assert not call.all(fx.StartReply), "the words go on"


# --- questions ---------------------------------------------------------------------------------------------------


def test_a_phone_number_is_heard_out() -> None:
    call = Call()
    asks(call, "What is your phone number?")
    call.says("five five five one two three", scored=False)
    call.scores(0.99)
    assert until_turn(call) > 1.0, "four digits are missing"
    assert call.state.turn.expects == Expectation("digits", 10)


def test_the_rest_of_the_number_joins_and_ends_it_at_once() -> None:
    call = Call()
    asks(call, "What is your phone number?")
    call.says("five five five one two three")
    until_turn(call)
    call.wait(0.05)
    call.says("four five six seven", segment="rest", scored=False)
    call.scores(0.5)
    assert until_turn(call) < 0.15
    assert turns(call)[-1] == "five five five one two three four five six seven"


def test_who_begins_before_the_question_is_over_has_still_been_asked() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="ask"))
    call.speaks(call.one(fx.StartSay).op, "What is your e-mail address?")
    call.wait(1.0)
    call.hears("ask", 24_000)
    call.send(ev.Vad(edge="start", at=call.now))
    assert call.state.turn.expects == Expectation("email")


def test_a_cough_before_the_question_does_not_hide_it() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="ask", interruptible=False))
    op = call.one(fx.StartSay).op
    call.speaks(op, "Thank you.", done=False)
    call.hears("ask", 12_000)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.2)
    call.send(ev.Vad(edge="end", at=call.now))
    call.hears("ask", call.speaks(op, "Phone number?", index=1), settle="end")
    call.wait(0.1)
    assert call.state.turn.phase == "pause" and call.state.turn.expects == OPEN
    call.send(ev.Vad(edge="start", at=call.now))
    assert call.state.turn.expects == Expectation("digits", 10)


def test_a_question_that_was_answered_is_asked_no_more() -> None:
    call = Call()
    asks(call, "What is your phone number?")
    call.asks("please spell it for me")
    call.wait(3.0)
    call.send(ev.InterruptAsked(force=True))
    call.says("what now")
    assert call.state.turn.expects == OPEN


def test_settings_of_a_question_hold_for_its_answer_alone() -> None:
    patient = SessionPolicy(turn=TurnPolicy(min_delay=1.0, expect=Expectation("yes_no")))
    call = Call()
    asks(call, "Take your time.", patient)
    assert call.state.policy == patient
    call.says("well no", scored=False)
    call.scores(0.99)
    assert 0.75 < until_turn(call) < 0.9
    assert call.state.turn.expects == Expectation("yes_no")
    call.answered()
    assert call.state.policy == call.state.agents.current.policy


def test_a_filler_does_not_end_a_question() -> None:
    patient = SessionPolicy(turn=TurnPolicy(min_delay=1.0))
    call = Call()
    asks(call, "Take your time.", patient)
    call.asks("well no")
    call.wait(3.0)
    assert call.one(fx.PlayCanned).key == "filler" and call.state.policy == patient


def test_settings_of_a_question_leave_with_its_agent_and_survive_a_new_owner() -> None:
    patient = SessionPolicy(turn=TurnPolicy(min_delay=1.0))
    call = Call()
    asks(call, "Take your time.", patient)
    call.kernel = Kernel.load(call.kernel.dump())
    call.send(ev.Resumed(epoch=2))
    assert call.state.policy == patient
    call.send(ev.AgentAsked(agent=agent("other")))
    assert call.state.policy == SessionPolicy()


def test_a_question_that_may_not_be_interrupted_disarms_the_reflex() -> None:
    call = Call()
    deaf = SessionPolicy(barge_in=BargeInPolicy(enabled=False))
    call.send(ev.SayAsked(speech="ask", question=deaf))
    call.speaks(call.one(fx.StartSay).op, "Listen to this.")
    assert not call.state.speech.armed


def test_generated_questions_bring_their_settings_too() -> None:
    patient = SessionPolicy(turn=TurnPolicy(min_delay=1.0))
    call = Call()
    call.send(ev.ReplyAsked(speech="mine", question=patient))
    call.speaks(call.one(fx.StartReply).op, "And you?")
    assert call.state.policy == patient


def test_a_language_the_recogniser_names_decides_over_the_words() -> None:
    call = Call(agent(turn=TurnPolicy(score=False)))
    call.says("ich möchte einen kaffee und", segment="s", final=False)
    call.send(ev.Final(segment="s", revision=2, text="ich möchte einen Kaffee und", at=1.0, language="de"))
    assert until_turn(call) > 1.0


# --- pauses of this caller ---------------------------------------------------------------------------------------


def test_the_callers_pauses_are_remembered_from_turn_to_turn() -> None:
    call = Call()
    call.says("i want", final=False)
    call.wait(0.3)
    call.says("a coffee", segment="t")
    assert round(call.state.turn.usual_pause, 2) == 0.5
    until_turn(call)
    call.answered()
    assert round(call.state.turn.usual_pause, 2) == 0.5


def test_pauses_inside_numbers_are_another_matter() -> None:
    call = Call()
    asks(call, "What is your phone number?")
    call.says("five five five", segment="a")
    call.wait(0.6)
    call.says("one two three", segment="b")
    assert call.state.turn.usual_pause == 0.0
    assert round(call.state.turn.reading_pause, 2) == 0.8
    assert evidence(call.state.turn, call.state).usual_pause == call.state.turn.reading_pause


def test_a_pause_in_which_we_cut_in_is_learned_when_the_turns_merge() -> None:
    call = Call()
    call.says("i want a coffee")
    until_turn(call)
    call.wait(0.05)
    call.says("with milk", segment="t")
    until_turn(call)
    assert turns(call)[-1] == "i want a coffee with milk"
    assert call.state.turn.usual_pause > 0.7


# --- answers held back -------------------------------------------------------------------------------------------


def test_an_answer_is_not_made_any_further_when_the_caller_goes_on() -> None:
    call = Call()
    call.asks("i want a coffee")
    answer = call.one(fx.StartReply)
    call.send(ev.Vad(edge="start", at=call.now), ev.Partial(segment="t", revision=1, text="and"))
    assert call.one(fx.Cancel).op == answer.op
    call.wait(1.0)
    call.send(ev.Partial(segment="t", revision=2, text="and a cake"), ev.Vad(edge="end", at=call.now))
    call.send(ev.Final(segment="t", revision=3, text="and a cake", at=call.now))
    call.wait(1.5)
    assert turns(call)[-1] == "i want a coffee and a cake"
    assert len([r for r in call.facts(ft.ReplyAdopted) if r.turn == 1]) == 2
    assert call.answered("Coming.").startswith("reply.1.")


def test_voice_alone_holds_an_answer_after_a_quarter_second_and_a_click_does_not() -> None:
    call = Call()
    call.asks("i want a coffee")
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.1)
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(1.0)
    assert not call.all(fx.Cancel)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.3)
    assert call.one(fx.Cancel)


def test_a_held_answer_is_made_again_when_the_voice_was_a_noise() -> None:
    call = Call()
    call.asks("i want a coffee")
    handle = call.one(fx.StartReply).speech
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.6)
    assert call.notices("agent_state_changed")[-1]["new"] == "listening"
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(0.6)
    again = call.last(fx.StartReply)
    assert again.speech == f"{handle}#2" and not again.speculative
    call.answered("Coming.")
    assert call.notices("speech_completed") == [{"speech": handle, "error": ""}]
    assert call.history() == ["i want a coffee", "Coming."]


def test_a_voice_that_never_stops_holds_an_answer_only_for_a_while() -> None:
    call = Call()
    call.asks("i want a coffee")
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(5.9)
    assert len(call.all(fx.StartReply)) == 1
    call.wait(0.2)
    assert len(call.all(fx.StartReply)) == 2


def test_an_answer_that_is_there_already_waits_and_is_not_made_twice() -> None:
    call = Call()
    call.asks("i want a coffee")
    call.send(ev.Vad(edge="start", at=call.now))
    reply = call.one(fx.StartReply)
    samples = call.speaks(reply.op, "Coming.")
    call.wait(0.4)
    call.send(ev.Vad(edge="end", at=call.now))
    assert not call.all(fx.Play) and not call.all(fx.Cancel)
    call.wait(1.5)
    assert call.one(fx.Play).speech == reply.speech
    call.hears(reply.speech, samples, settle="end")
    assert len(call.all(fx.StartReply)) == 1


def test_an_answer_that_looks_something_up_already_is_not_held() -> None:
    call = Call()
    call.asks("is it free")
    reply = call.one(fx.StartReply)
    call.send(ev.ToolCall(op=reply.op, call_id="c", name="look", arguments="{}", effect="read"))
    call.send(ev.Vad(edge="start", at=call.now), ev.Partial(segment="t", revision=1, text="on monday"))
    assert call.one(fx.RunTool) and not call.all(fx.Cancel)


def test_a_retry_waits_for_the_caller_as_well() -> None:
    call = Call()
    call.asks("i want a coffee")
    reply = call.one(fx.StartReply)
    call.send(ev.Vad(edge="start", at=call.now))
    call.send(ev.ReplyFailed(op=reply.op, stage="llm", error="429", retryable=True))
    call.send(ev.Partial(segment="t", revision=1, text="and"))
    call.wait(2.0)
    assert len(call.all(fx.StartReply)) == 1


def test_a_turn_whose_hook_returns_while_the_caller_goes_on_is_answered_later() -> None:
    call = Call(agent(hooks="turn", turn=TurnPolicy(speculate=False)))
    call.says("i want a coffee")
    call.wait(1.0)
    hook = call.one(fx.CallHook)
    call.send(ev.Vad(edge="start", at=call.now), ev.Partial(segment="t", revision=1, text="listen"))
    call.send(ev.HookReturned(op=hook.op))
    assert turns(call) == ["i want a coffee"] and not call.all(fx.StartReply)
    call.send(ev.ClearTurn())
    assert call.one(fx.StartReply)


def test_push_to_talk_holds_nothing_for_words_that_are_not_committed() -> None:
    call = Call(agent(turn=TurnPolicy(mode="manual")))
    call.says("i want a coffee")
    call.send(ev.CommitTurn(ask="a"))
    call.send(ev.Vad(edge="start", at=call.now), ev.Partial(segment="t", revision=1, text="hm"))
    call.wait(1.0)
    assert not call.all(fx.Cancel)


# --- who rules on turns ------------------------------------------------------------------------------------------


def test_a_service_that_says_likely_has_a_reply_prepared() -> None:
    call = Call(agent(turn=TurnPolicy(mode="provider")))
    call.send(ev.ProviderTurn(edge="start"), ev.Partial(segment="s", revision=1, text="what is new"))
    call.send(ev.ProviderTurn(edge="likely"))
    guess = call.one(fx.StartReply)
    assert guess.speculative and guess.turn_text == "what is new"
    call.send(ev.Partial(segment="s", revision=2, text="what is new today"))
    assert call.one(fx.Cancel).op == guess.op
    call.send(ev.ProviderTurn(edge="likely"), ev.Final(segment="s", revision=3, text="what is new today", at=0.0))
    call.send(ev.ProviderTurn(edge="end"), ev.Tick())
    assert turns(call) == ["what is new today"]
    assert call.facts(ft.ReplyAdopted)[0].speculative


def test_where_a_model_answers_by_itself_turns_are_recorded_and_nobody_is_interrupted() -> None:
    call = Call(agent(turn=TurnPolicy(mode="none")))
    call.send(ev.SayAsked(speech="mine", text="Good morning."))
    call.speaks(call.one(fx.StartSay).op, "Good morning.")
    call.says("good morning to you")
    assert turns(call) == ["good morning to you"]
    assert [f.reason for f in call.facts(ft.SilenceChosen)] == ["not asked for"]
    assert not call.all(fx.StartReply) and not call.all(fx.Stop)


def test_a_half_made_speech_is_made_again_from_its_beginning_by_a_new_owner() -> None:
    call = Call()
    call.send(ev.LegHeld(leg="phone", held=True), ev.SayAsked(speech="mine", text="Good morning."))
    call.speaks(call.one(fx.StartSay).op, "Good morning.", done=False)
    call.send(ev.Resumed(epoch=2))
    assert call.one(fx.Stop).speech == "mine"
    assert [(say.speech, say.text) for say in call.all(fx.StartSay)] == [
        ("mine", "Good morning."), ("mine#2", "Good morning."),
    ]  # fmt: skip


def test_who_goes_on_while_the_hook_looks_at_the_turn_is_still_in_it() -> None:
    call = Call(agent(hooks="turn", turn=TurnPolicy(speculate=False)))
    call.says("i want a coffee")
    call.wait(1.0)
    first = call.one(fx.CallHook)
    call.says("and a cake", segment="t")
    call.wait(1.5)
    call.send(ev.HookReturned(op=first.op))
    second = call.last(fx.CallHook)
    assert second.text == "i want a coffee and a cake" and not call.all(fx.StartReply)
    call.send(ev.HookReturned(op=second.op))
    assert call.history() == ["i want a coffee and a cake"]
    assert len(call.all(fx.StartReply)) == 1


def test_nothing_joins_a_turn_that_the_hook_stopped() -> None:
    call = Call(agent(hooks="turn", turn=TurnPolicy(speculate=False)))
    call.says("i want a coffee")
    call.wait(1.0)
    first = call.one(fx.CallHook)
    call.says("and a cake", segment="t")
    call.send(ev.HookReturned(op=first.op, stop=True))
    call.wait(1.5)
    assert call.last(fx.CallHook).text == "and a cake"


def test_a_state_written_by_an_earlier_build_is_read() -> None:
    call = Call()
    call.asks("i want a coffee")
    call.send(ev.Vad(edge="start", at=call.now))
    state = msgspec.msgpack.decode(call.kernel.dump())
    for name in ("asked", "asked_at", "scored_at", "reading_pause", "expects", "question"):
        del state["turn"][name]
    del state["turn"]["last"]["ended"], state["turn"]["joins"]["ended"]
    for reply in state["reply"]["replies"].values():
        del reply["question"]
    for speech in state["speech"]["speeches"].values():
        del speech["question"]
    for name in ("expect", "language", "unfinished"):
        del state["agents"]["current"]["policy"]["turn"][name]
    call.kernel = Kernel.load(msgspec.msgpack.encode(state))
    call.send(ev.Resumed(epoch=2))
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(1.0)
    call.answered("Coming.")
    assert call.history() == ["i want a coffee", "Coming."]
