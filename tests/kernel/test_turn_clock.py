"""A turn that is open has a clock, whoever rules on its end, and whatever becomes of those who do."""

from __future__ import annotations

from antiphon.kernel.policy import AgentRef, SessionPolicy, TurnPolicy
from tests.kernel.call import Call, agent, ev, ft, fx

MANUAL = TurnPolicy(mode="manual")
PROVIDER = TurnPolicy(mode="provider")


def turns(call: Call) -> list[str]:
    return [f.text for f in call.facts(ft.TurnCommitted)]


def changes(call: Call, policy: TurnPolicy) -> None:
    call.send(ev.PolicyChanged(policy=SessionPolicy(turn=policy)))


def test_the_settings_of_a_question_end_under_the_words_of_the_next_turn() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="ask", question=SessionPolicy(turn=MANUAL)))
    call.hears("ask", call.speaks(call.one(fx.StartSay).op, "Hold the key and speak."), settle="end")
    call.says("my name is ann")
    call.send(ev.CommitTurn(ask="a"))
    call.says("and i live here")
    call.wait(7.0)
    assert len(turns(call)) == 1
    call.answered("Thank you.")
    call.wait(2.0)
    assert turns(call)[-1].endswith("and i live here")


def test_push_to_talk_is_switched_off_while_words_are_there() -> None:
    call = Call(agent(turn=MANUAL))
    call.says("i want a coffee")
    call.wait(5.0)
    assert not turns(call)
    changes(call, TurnPolicy())
    call.wait(0.1)
    assert turns(call) == ["i want a coffee"]


def test_push_to_talk_is_switched_off_while_the_caller_speaks() -> None:
    call = Call(agent(turn=MANUAL))
    call.send(ev.Vad(edge="start", at=0.0), ev.Partial(segment="s", revision=1, text="i want a"))
    changes(call, TurnPolicy())
    call.wait(0.5)
    assert not turns(call)
    call.send(ev.Vad(edge="end", at=call.now), ev.Final(segment="s", revision=2, text="i want a coffee", at=call.now))
    call.wait(2.0)
    assert turns(call) == ["i want a coffee"]


def test_an_agent_that_listens_by_itself_takes_over_from_push_to_talk() -> None:
    call = Call(agent(turn=MANUAL))
    call.says("i want a coffee")
    call.send(ev.AgentAsked(agent=AgentRef(key="b", has_on_enter=False, has_on_exit=False, has_turn_hook=False)))
    call.wait(2.0)
    assert turns(call) == ["i want a coffee"]


def test_a_service_that_ruled_on_turns_is_replaced_while_the_caller_pauses() -> None:
    call = Call(agent(turn=PROVIDER))
    call.send(ev.ProviderTurn(edge="start"), ev.Final(segment="s", revision=1, text="what is new", at=0.0))
    changes(call, TurnPolicy())
    call.wait(2.0)
    assert turns(call) == ["what is new"]


def test_a_service_that_breaks_before_it_ends_the_turn() -> None:
    for final in (True, False):
        call = Call(agent(turn=PROVIDER))
        call.send(ev.ProviderTurn(edge="start"), ev.Vad(edge="start", at=0.0))
        call.send(ev.Partial(segment="s", revision=1, text="what is new"))
        if final:
            call.send(ev.Final(segment="s", revision=2, text="what is new", at=0.0))
        call.wait(1.0)
        call.send(ev.Vad(edge="end", at=call.now), ev.SttLost(error="gone", recovering=True))
        call.wait(4.0)
        assert not turns(call), "it may come back"
        call.wait(6.0)
        assert turns(call) == ["what is new"], final


def test_a_service_that_goes_on_is_not_cut_short() -> None:
    call = Call(agent(turn=PROVIDER))
    call.send(ev.ProviderTurn(edge="start"))
    for n in range(4):
        call.send(ev.Partial(segment="s", revision=n + 1, text=" ".join(["more"] * (n + 1))))
        call.wait(4.0)
    assert not turns(call)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(20.0)
    assert not turns(call), "the voice goes on"


def test_a_noise_while_a_service_rules_on_turns_holds_no_reply_back() -> None:
    call = Call(agent(turn=PROVIDER))
    call.send(ev.ProviderTurn(edge="start"), ev.Final(segment="s", revision=1, text="what is new", at=0.0))
    call.send(ev.ProviderTurn(edge="end"))
    call.wait(0.1)
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.3)
    call.send(ev.Vad(edge="end", at=call.now))
    call.speaks(call.one(fx.StartReply).op)
    call.wait(0.9)
    assert call.one(fx.Play)
