"""The agent shows that it listens, when it may."""

from __future__ import annotations

from antiphon.kernel import question
from antiphon.kernel.policy import BackchannelPolicy, TurnPolicy
from tests.kernel.call import Call, agent, ev, ft, fx

LISTENS = BackchannelPolicy(clips=2, after=3.0, every=5.0)


def pause(call: Call, text: str, length: float = 4.0) -> None:
    call.says(text, length=length, final=False, segment="long")


def told(call: Call, clip: fx.PlayCanned, text: str = "Mhm.") -> None:
    samples = 9_000
    call.send(
        ev.Segment(op=clip.op, index=0, text=text),
        ev.Synthesised(op=clip.op, index=0, start=0, samples=samples, done=True),
        ev.AudioDone(op=clip.op, samples=samples),
    )
    call.hears(clip.speech, samples, settle="end")


def test_it_says_mhm_where_the_caller_surely_goes_on_and_it_is_no_turn() -> None:
    call = Call(agent(backchannel=LISTENS))
    pause(call, "i was at the station and")
    clip = call.one(fx.PlayCanned)
    assert clip.key == "backchannel.0"
    told(call, clip)
    assert not call.facts(ft.TurnCommitted) and not call.history()
    assert {n["new"] for n in call.notices("agent_state_changed")} == {"listening"}
    call.send(ev.Vad(edge="start", at=call.now))
    assert not call.all(fx.Stop) and call.state.turn.overlap is None


def test_not_again_too_soon_and_then_the_next_clip() -> None:
    call = Call(agent(backchannel=LISTENS))
    pause(call, "i was at the station and")
    told(call, call.one(fx.PlayCanned))
    pause(call, "i was at the station and there was my", length=2.0)
    assert len(call.all(fx.PlayCanned)) == 1
    pause(call, "i was at the station and there was my aunt with", length=4.0)
    assert [clip.key for clip in call.all(fx.PlayCanned)] == ["backchannel.0", "backchannel.1"]


def test_the_end_of_turn_model_can_say_so_too() -> None:
    call = Call(agent(backchannel=LISTENS))
    call.says("i was at the station", length=4.0, final=False, segment="long", scored=False)
    call.wait(0.1)
    assert not call.all(fx.PlayCanned)
    call.scores(0.1)
    assert call.one(fx.PlayCanned).key == "backchannel.0"


def test_in_history_if_asked() -> None:
    call = Call(agent(backchannel=BackchannelPolicy(clips=1, after=3.0, in_history=True)))
    pause(call, "i was at the station and")
    told(call, call.one(fx.PlayCanned))
    assert call.history() == ["Mhm."]


def test_off_by_default_never_early_never_in_writing_and_not_for_push_to_talk() -> None:
    off, early = Call(), Call(agent(backchannel=LISTENS))
    written, manual = (
        Call(agent(backchannel=LISTENS), leg="text"),
        Call(agent(backchannel=LISTENS, turn=TurnPolicy(mode="manual"))),
    )
    for call, length in ((off, 4.0), (early, 1.0), (written, 4.0), (manual, 4.0)):
        pause(call, "i was at the station and", length=length)
        assert not call.all(fx.PlayCanned)


def test_it_does_not_talk_into_its_own_speech() -> None:
    call = Call(agent(backchannel=LISTENS))
    call.send(ev.SayAsked(speech="notice", interruptible=False))
    pause(call, "i was at the station and")
    assert not call.all(fx.PlayCanned)


def test_a_nod_in_the_history_hides_no_question() -> None:
    call = Call(agent(backchannel=BackchannelPolicy(clips=1, after=3.0, in_history=True)))
    call.send(ev.SayAsked(speech="ask"))
    samples = call.speaks(call.one(fx.StartSay).op, "What is your phone number?")
    call.hears("ask", samples, settle="end")
    call.wait(1.0)
    pause(call, "it is and")
    told(call, call.one(fx.PlayCanned))
    assert call.history()[-1] == "Mhm."
    assert question.expects(call.state).kind == "digits"
