"""Agents, legs, the end of a session, and whose move it is."""

from __future__ import annotations

import pytest

from antiphon.kernel.events import Op
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.liveness import at_rest, whose_move
from antiphon.kernel.out import KernelFault
from tests.kernel.call import PLAIN, Call, agent, ev, ft, fx


def hooks(call: Call) -> list[tuple[str, str]]:
    return [(h.agent, h.hook) for h in call.all(fx.CallHook)]


def returned(call: Call, name: str, **answer: object) -> None:
    hook = [h for h in call.all(fx.CallHook) if h.hook == name][-1]
    call.send(ev.HookReturned(op=hook.op, **answer))  # type: ignore[arg-type]


def handoff(call: Call, to: str = "b", *, enter: str = "enter exit turn") -> None:
    call.send(ev.Typed(text="billing please"))
    if call.all(fx.CallHook) and call.last(fx.CallHook).hook == "on_user_turn_completed":
        returned(call, "on_user_turn_completed")
    op = call.last(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id=f"h{call.seq}", name="billing", arguments="{}", effect="read"))
    call.send(ev.Generated(op=op), ev.AudioDone(op=op, samples=0))
    call.send(ev.ToolReturned(op=call.last(fx.RunTool).op, output="ok", agent=agent(to, hooks=enter)))


# --- agents ------------------------------------------------------------------------------------------------------


def test_a_hand_off_leaves_enters_and_greets_once() -> None:
    call = Call(agent("a", hooks="exit"))
    handoff(call)
    assert hooks(call) == [("a", "on_exit")]
    call.send(ev.Typed(text="are you there"))
    assert not call.facts(ft.TurnCommitted)[1:]
    returned(call, "on_exit")
    assert hooks(call)[1:] == [("b", "on_enter"), ("b", "on_user_turn_completed")]
    assert [f.agent for f in call.facts(ft.AgentEntered)] == ["a", "b"]
    assert len(call.all(fx.Rebind)) == 2


def test_a_silent_greeting_gets_a_reply_and_a_spoken_one_gets_none() -> None:
    for spoke in (False, True):
        call = Call(agent("a"))
        handoff(call)
        enter = call.last(fx.CallHook)
        if spoke:
            call.send(ev.SayAsked(speech="hi", hook=enter.op))
        call.send(ev.SayAsked(speech="other", hook=(9, 99)))
        returned(call, "on_enter")
        assert len(call.all(fx.StartReply)) == (1 if spoke else 2)
        assert call.last(fx.StartReply).speech == ("reply.1.1" if spoke else "reply.1.1#2")


def test_an_agent_without_a_greeting_goes_on_at_once() -> None:
    call = Call(agent("a"))
    handoff(call, enter="")
    assert call.last(fx.StartReply).speech == "reply.1.1#2"


def test_update_agent_switches_once_and_the_first_wish_of_several_counts() -> None:
    call = Call(agent("a", hooks="exit"))
    for key in ("b", "c", "d"):
        call.send(ev.AgentAsked(agent=agent(key), ask=key))
    returned(call, "on_exit")
    assert [f.agent for f in call.facts(ft.AgentEntered)] == ["a", "b"]
    assert [(n["ask"], n["done"]) for n in call.notices("handoff")] == [("b", True), ("c", False), ("d", False)]
    assert not call.all(fx.StartReply)


def test_hooks_that_hang_are_abandoned_and_the_call_goes_on() -> None:
    call = Call(agent("a", hooks="exit turn"))
    call.send(ev.Typed(text="hello"))
    call.wait(8.5)
    assert call.facts(ft.TurnCommitted)[0].text == "hello"
    assert len(call.all(fx.AbandonHook)) == 1
    call.send(ev.AgentAsked(agent=agent("b", hooks="enter")))
    call.wait(8.5)
    assert call.facts(ft.AgentEntered)[-1].agent == "b"
    call.wait(8.5)
    assert whose_move(call.state)[0] != "agent" or call.state.reply.replies
    returned(call, "on_enter")


def test_turns_pass_the_hook_one_at_a_time() -> None:
    call = Call(agent("a", hooks="turn"))
    call.send(ev.Typed(text="one"), ev.Typed(text="two"))
    assert len(call.all(fx.CallHook)) == 1
    returned(call, "on_user_turn_completed", text="uno")
    returned(call, "on_user_turn_completed")
    assert [f.text for f in call.facts(ft.TurnCommitted)] == ["uno", "two"]


def test_what_is_kept_becomes_facts() -> None:
    call = Call()
    call.send(
        ev.AgentReconfigured(agent="a", instructions="new", tools_added=("t",)), ev.StateSaved(agent="a", state="{1}"), ev.StateSaved(agent="", state="{2}"),
        ev.Dtmf(leg="phone", digit="5"),
    )  # fmt: skip
    assert call.state.conversation.states == {"a": "{1}"} and call.state.conversation.userdata == "{2}"
    assert call.notices("dtmf") == [{"leg": "phone", "digit": "5"}]


def test_key_tones_go_to_every_leg_with_sound() -> None:
    call = Call()
    call.send(ev.LegUp(leg="chat", medium="text"), ev.DtmfAsked(digits="1#"))
    assert [(e.leg, e.digits) for e in call.all(fx.SendDtmf)] == [("phone", "1#")]
    call.send(ev.CloseAsked(), ev.DtmfAsked(digits="2"))
    assert len(call.all(fx.SendDtmf)) == 1


def test_key_tones_asked_for_before_the_leg_is_up_wait_for_it() -> None:
    call = Call(leg="")
    call.send(ev.DtmfAsked(digits="1"), ev.DtmfAsked(digits="2" * 100))
    call.send(ev.LegUp(leg="chat", medium="text"), ev.LegUp(leg="phone"))
    assert [(e.leg, len(e.digits)) for e in call.all(fx.SendDtmf)] == [("phone", 64)]


# --- legs --------------------------------------------------------------------------------------------------------


def test_a_hang_up_ends_the_session() -> None:
    call = Call()
    call.send(ev.LegDown(leg="nobody"), ev.LegDown(leg="phone"))
    assert call.one(fx.CloseAll)
    call.send(ev.Closed(op=call.one(fx.CloseAll).op))
    assert call.one(fx.Ended).reason == "participant_disconnected"


def test_a_lost_leg_may_come_back_within_its_grace() -> None:
    call = Call(agent(party_grace=5.0))
    call.send(ev.LegDown(leg="phone", certain=False), ev.LegDown(leg="phone", certain=False))
    call.send(ev.SayAsked(speech="s"))
    call.speaks(call.one(fx.StartSay).op)
    assert not call.all(fx.Play) and whose_move(call.state)[2] == "no leg"
    call.wait(1.0)
    call.send(ev.LegUp(leg="phone"), ev.LegUp(leg="phone"))
    assert call.one(fx.Play)
    call.send(ev.LegUp(leg="second"), ev.LegHeld(leg="second", held=True), ev.LegDown(leg="second"))
    assert "hold" not in call.state.gates
    call.send(ev.LegDown(leg="phone", certain=False))
    call.wait(6.0)
    assert call.facts(ft.LegLeft)[-1].reason == "lost" and call.state.lifecycle.reason == "participant_disconnected"


def test_one_of_two_lost_legs_keeps_nobody_back() -> None:
    call = Call(agent(party_grace=5.0))
    call.send(ev.LegUp(leg="two"), ev.LegDown(leg="two", certain=False))
    assert "legs" not in call.state.gates


def test_a_leg_may_be_up_before_the_start() -> None:
    kernel = Kernel()
    kernel.step(ev.LegUp(seq=1, leg="l"))
    assert whose_move(kernel.state) == ("application", float("inf"), "not started")
    kernel.step(ev.Start(seq=2, agent=PLAIN))
    assert not kernel.state.gates


# --- the end -----------------------------------------------------------------------------------------------------


def test_close_is_bounded_whatever_hangs() -> None:
    call = Call(agent("a", hooks="enter exit turn"))
    call.send(ev.Typed(text="hello"), ev.Typed(text="again"), ev.SayAsked(speech="s", interruptible=False))
    call.speaks(call.one(fx.StartSay).op, "a b c d e f g h")
    call.send(ev.CloseAsked(deadline=2.0), ev.CloseAsked())
    assert whose_move(call.state)[0] == "closing"
    call.wait(2.5)
    assert call.one(fx.Ended) and call.notices("close")
    assert {f.reason for f in call.facts(ft.TurnDropped)} == {"closing"}
    assert call.facts(ft.SpeechDone)[0].outcome == "interrupted"
    assert call.send(ev.Tick(), ev.SayAsked(speech="late")) == []
    assert whose_move(call.state)[2] == "ended"


def test_the_agent_leaves_once_even_in_the_middle_of_a_switch() -> None:
    call = Call(agent("a", hooks="exit"))
    call.send(ev.AgentAsked(agent=agent("b")), ev.CloseAsked())
    returned(call, "on_exit")
    assert hooks(call) == [("a", "on_exit")] and call.one(fx.CloseAll)


def test_a_drain_lets_what_is_queued_be_said_and_takes_nothing_new() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="s"))
    op = call.one(fx.StartSay).op
    call.send(ev.Drain(), ev.Drain(), ev.Typed(text="too late"))
    call.says("too late as well")
    call.wait(1.5)
    assert not call.facts(ft.TurnCommitted) and call.facts(ft.TurnDropped)[-1].reason == "closing"
    call.speaks(op)
    while call.state.speech.current:
        call.hears(call.state.speech.current, 36_000, settle="end")
    assert call.one(fx.CloseAll)
    call.send(ev.Closed(op=call.one(fx.CloseAll).op, abandoned=("node",)))
    assert call.notices("close") == [{"reason": "drain", "abandoned": ["node"]}]


def test_a_drain_that_never_gets_empty_ends_by_time() -> None:
    call = Call()
    call.send(ev.Typed(text="do"))
    op = call.one(fx.StartReply).op
    call.send(
        ev.ToolCall(op=op, call_id="c", name="t", arguments="{}"), ev.Generated(op=op), ev.AudioDone(op=op, samples=0)
    )
    call.send(ev.Drain())
    call.wait(60.0)
    assert call.one(fx.Ended).reason == "drain"


def test_draining_or_closing_before_the_start() -> None:
    for event in (ev.Drain(), ev.CloseAsked(), ev.Fenced()):
        kernel = Kernel()
        kernel.step(event)
        assert kernel.state.lifecycle.phase in ("closing", "ended")


def test_a_fenced_session_falls_silent_without_another_fact() -> None:
    call = Call()
    call.asks()
    call.speaks(call.one(fx.StartReply).op, done=False)
    call.clear()
    call.send(ev.Fenced())
    assert call.one(fx.Stop) and call.one(fx.Cancel) and call.one(fx.Ended).reason == "fenced"
    assert not call.all(fx.Record) and not call.state.timers


def test_a_new_owner_goes_on_with_everything() -> None:
    call = Call(agent("a", hooks="enter exit turn"))
    returned(call, "on_enter")
    call.says("what time is it", scored=False)
    call.scores(0.5)
    call.wait(0.25)
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert call.one(fx.Rebind) and call.one(fx.ScoreTurn).op[0] == 2 and call.all(fx.WakeAt)
    assert call.facts(ft.ReplyDiscarded)[0].reason == "a new owner"
    call.wait(1.5)
    call.clear()
    call.send(ev.Resumed(epoch=3))
    assert call.one(fx.CallHook).text == "what time is it"
    returned(call, "on_user_turn_completed")
    call.clear()
    call.send(ev.Resumed(epoch=4))
    assert call.one(fx.StartReply).speech.endswith("#2")
    call.send(ev.CloseAsked())
    returned(call, "on_exit") if call.all(fx.CallHook) else None
    call.clear()
    call.send(ev.Resumed(epoch=5))
    assert call.one(fx.CloseAll).op[0] == 5


def test_a_new_owner_keeps_what_the_plane_has_and_makes_the_rest_again() -> None:
    call = Call()
    for name in ("on", "waiting"):
        call.send(ev.SayAsked(speech=name, text="one two"))
    on, _ = call.all(fx.StartSay)
    call.speaks(on.op, "one two", done=False)
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert call.one(fx.StartSay).speech == "waiting#2"
    call.hears("on", 24_000)
    call.wait(1.0)
    assert call.facts(ft.SpeechHeard)[0].text == "one two"


def test_a_greeting_that_was_begun_is_not_begun_again() -> None:
    call = Call(agent("a", hooks="enter"))
    call.send(ev.SayAsked(speech="hi", hook=call.one(fx.CallHook).op))
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert not call.all(fx.CallHook)


def test_a_new_owner_before_the_start_has_nothing_to_do() -> None:
    kernel = Kernel()
    assert [type(e) for e in kernel.step(ev.Resumed(epoch=2))] == [fx.WakeAt]


# --- whose move --------------------------------------------------------------------------------------------------


def test_it_is_always_somebodys_move() -> None:
    call = Call(agent("a", hooks="exit"))
    assert whose_move(call.state)[0] == "caller"
    call.send(ev.Vad(edge="start", at=0.0))
    assert whose_move(call.state)[2] == "speaking"
    call.send(ev.Vad(edge="end", at=0.0))
    assert whose_move(call.state)[0] == "turn"
    call.wait(2.0)
    call.send(ev.Typed(text="hi"))
    assert whose_move(call.state)[2] == "model"
    call.send(ev.LegHeld(leg="phone", held=True))
    assert whose_move(call.state)[2] == "on hold"
    call.send(ev.LegHeld(leg="phone", held=False), ev.InterruptAsked(), ev.Drain())
    assert whose_move(call.state)[0] == "closing"


def test_a_draining_session_with_an_open_pause() -> None:
    from antiphon.kernel.policy import TurnPolicy

    call = Call(agent(turn=TurnPolicy(mode="manual")))
    call.says("held")
    assert whose_move(call.state)[0] == "caller"


def test_a_running_tool_is_filled_again_and_again() -> None:
    call = Call()
    call.send(ev.Typed(text="do"))
    op = call.one(fx.StartReply).op
    call.send(
        ev.ToolCall(op=op, call_id="c", name="t", arguments="{}"), ev.Generated(op=op), ev.AudioDone(op=op, samples=0)
    )
    for _ in range(12):
        call.wait(1.0)
        if call.state.speech.current:
            call.hears(call.state.speech.current, 24_000, settle="end")
    assert [c.key for c in call.all(fx.PlayCanned)] == ["filler"] * 3
    assert not call.all(fx.Ended)


def test_a_filler_sounds_while_the_reply_has_run_dry_and_the_reply_goes_on() -> None:
    call = Call()
    call.send(ev.Typed(text="tell me"))
    reply = call.one(fx.StartReply)
    call.speaks(reply.op, "Well now", done=False)
    call.hears(reply.speech, 24_000)
    call.wait(3.1)
    assert call.one(fx.Pause).speech == reply.speech
    clip = call.one(fx.PlayCanned)
    call.send(ev.Segment(op=clip.op, index=0, text="One moment."))
    call.send(
        ev.Synthesised(op=clip.op, index=0, start=0, samples=24_000, done=True),
        ev.AudioDone(op=clip.op, samples=24_000),
    )
    call.hears(clip.speech, 24_000, settle="end")
    assert call.one(fx.Resume).at == 24_000
    call.send(ev.Synthesised(op=reply.op, index=1, start=24_000, samples=12_000, done=True))
    assert call.facts(ft.SpeechHeard)[0].text == "One moment."


def test_who_reads_gets_no_fillers_and_the_apology_in_writing() -> None:
    call = Call(leg="text")
    call.send(ev.Typed(text="hi"))
    call.wait(9.0)
    clip = call.one(fx.PlayCanned)
    assert clip.key == "apology"
    call.send(ev.Segment(op=clip.op, index=0, text="Sorry."), ev.AudioDone(op=clip.op, samples=0, text_only=True))
    assert call.facts(ft.SpeechHeard)[0].text == "Sorry."


def test_the_end_of_the_ladder_is_a_goodbye() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="s"))
    call.send(ev.Synthesised(op=call.one(fx.StartSay).op, index=0, start=0, samples=9_000, done=False))
    for _ in range(60):
        call.wait(0.5)
        call.send(ev.Acked(speech="s", position=9_000, quality="peer"))
    assert call.all(fx.PlayCanned)


def test_a_step_out_of_order_is_a_fault_and_time_never_runs_backwards() -> None:
    kernel = Kernel()
    kernel.step(ev.Tick(seq=1, now=5.0))
    kernel.step(ev.Tick(seq=2, now=4.0))
    assert kernel.state.now == 5.0
    with pytest.raises(KernelFault):
        kernel.step(ev.Tick(seq=2))


def test_answers_to_strangers_are_counted_and_dropped() -> None:
    call = Call()
    stranger: Op = (1, 999)
    for event in (ev.EndScore(op=stranger, probability=1.0), ev.Generated(op=stranger), ev.HookReturned(op=(7, 1))):
        assert call.send(event) == []
    assert call.state.stale == 3
    call.send(ev.SayAsked(speech="s"))
    assert call.send(ev.HookReturned(op=call.one(fx.StartSay).op)) == []


def test_endless_signals_and_timers_are_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    from antiphon.kernel import kernel as router
    from antiphon.kernel.signals import GateChanged

    def again(state: object, cause: object, view: object, out: object) -> None:
        out.signal(GateChanged("x"))  # type: ignore[attr-defined]

    def rearm(state: object, cause: object, view: object, out: object) -> None:
        out.timer("turn.delay", 0.0)  # type: ignore[attr-defined]

    call = Call()
    monkeypatch.setitem(router.TIMER_ROUTES, "turn", rearm)
    call.state.timers["turn.delay"] = 0.0
    with pytest.raises(KernelFault, match="without end"):
        call.send(ev.Tick())
    call = Call()
    monkeypatch.setitem(router.ROUTES, GateChanged, (("legs", again),))
    with pytest.raises(KernelFault, match="signals without end"):
        call.send(ev.LegHeld(leg="phone", held=True))


def test_a_turn_that_waits_for_a_hand_off_is_the_agents_business() -> None:
    call = Call(agent("a", hooks="exit"))
    call.send(ev.AgentAsked(agent=agent("b")))
    leaving = call.one(fx.CallHook)
    call.send(ev.SayAsked(speech="bye", hook=leaving.op))
    call.send(ev.AudioDone(op=call.one(fx.StartSay).op, samples=0))
    call.send(ev.Typed(text="hello"))
    assert whose_move(call.state)[2] == "hand-off"
    call.wait(9.5)
    assert call.facts(ft.TurnCommitted)[0].text == "hello"


def test_a_voice_that_fails_while_the_session_closes_is_not_apologised_for() -> None:
    call = Call(agent("a", hooks="exit"))
    call.send(ev.SayAsked(speech="s", interruptible=False))
    op = call.one(fx.StartSay).op
    call.speaks(op, "good bye all", done=False)
    call.send(ev.CloseAsked(), ev.ReplyFailed(op=op, stage="tts", error="no", retryable=False))
    call.wait(6.0)
    assert not call.all(fx.PlayCanned) and call.one(fx.Ended)


def test_a_model_has_its_own_time_after_a_tool_that_took_long() -> None:
    call = Call(agent(tool_deadline=15.0))
    call.send(ev.Typed(text="do"))
    op = call.one(fx.StartReply).op
    call.send(
        ev.ToolCall(op=op, call_id="c", name="t", arguments="{}"), ev.Generated(op=op), ev.AudioDone(op=op, samples=0)
    )
    call.wait(16.0)
    assert call.facts(ft.ToolResult) and not call.all(fx.Failover)
    call.wait(1.0)
    assert len(call.all(fx.StartReply)) == 2


def test_a_call_is_at_rest_when_nobody_speaks_and_nothing_is_under_way() -> None:
    assert not at_rest(Kernel().state)
    call = Call()
    assert at_rest(call.state)
    call.send(ev.Vad(edge="start", at=0.0))
    assert not at_rest(call.state), "the caller speaks"
    call = Call()
    call.send(ev.Typed(text="hello"))
    assert not at_rest(call.state), "the agent has to answer"
