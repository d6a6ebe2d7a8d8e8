"""The floor: a tool that holds it is not talked into, and never holds it for longer than it runs."""

from __future__ import annotations

from antiphon.kernel import gates
from tests.kernel.call import Call, agent, ev, fx
from tests.kernel.test_tools import asked


def tool(call: Call, *calls: dict[str, object]) -> list[fx.RunTool]:
    """A turn whose silent reply runs tools."""
    asked(call, *(calls or ({},)))
    return call.all(fx.RunTool)


def got(call: Call, ask: str) -> bool | None:
    """Whether the floor was granted or refused to ``ask``; None: neither yet."""
    return next((n["granted"] for n in call.notices("floor") if n["ask"] == ask), None)


def played(call: Call) -> list[str]:
    return [play.speech for play in call.all(fx.Play)]


def say(call: Call, speech: str, *, floor: str = "", hook: ev.Op | None = None) -> int:
    """It is asked for and has all its audio. Returns its length."""
    call.send(ev.SayAsked(speech=speech, floor=floor, hook=hook))
    return call.speaks(call.last(fx.StartSay).op)


def test_the_floor_is_given_when_what_was_said_before_has_been_heard() -> None:
    call = Call()
    reply = asked(call, {}, text="let me see")
    run = call.one(fx.RunTool)
    call.send(ev.FloorAsked(op=run.op, ask="a"))
    assert got(call, "a") is None
    call.hears(reply.speech, 36_000, settle="end")
    assert got(call, "a")
    assert call.state.gates[gates.FOREGROUND].expires == call.state.timers["tools.deadline:1"]


def test_others_wait_until_the_holder_lets_go() -> None:
    call = Call()
    run = tool(call)[0]
    call.send(ev.FloorAsked(op=run.op, ask="a"))
    say(call, "other")
    mine = say(call, "mine", floor="a")
    assert played(call) == ["mine"]
    call.hears("mine", mine, settle="end")
    assert played(call) == ["mine"]
    call.send(ev.FloorReleased(op=run.op, ask="a"))
    assert played(call) == ["mine", "other"]


def test_the_caller_gets_an_answer_whoever_holds_the_floor() -> None:
    call = Call()
    run = tool(call)[0]
    call.send(ev.FloorAsked(op=run.op, ask="a"))
    say(call, "other")
    call.asks("are you there")
    call.answered("Yes I am.")
    assert played(call)[0].startswith("reply.") and "other" not in played(call)


def test_a_typed_wish_of_the_application_waits_and_the_holders_does_not() -> None:
    call = Call()
    run = tool(call)[0]
    call.send(ev.FloorAsked(op=run.op, ask="a"))
    for speech, floor in (("theirs", ""), ("mine", "a")):
        call.send(ev.ReplyAsked(speech=speech, user_text=f"{speech} please", floor=floor))
        call.speaks(call.last(fx.StartReply).op)
    assert played(call) == ["mine"]


def test_what_a_hook_says_is_part_of_what_the_holder_brought_about() -> None:
    call = Call()
    run = tool(call)[0]
    call.send(ev.FloorAsked(op=run.op, ask="a"), ev.AgentAsked(agent=agent("b", hooks="enter")))
    say(call, "welcome", hook=call.last(fx.CallHook).op)
    assert played(call) == ["welcome"]


def test_the_first_that_asked_comes_first_and_each_gets_its_turn() -> None:
    call = Call()
    one, two = tool(call, {}, {})
    call.send(ev.FloorAsked(op=one.op, ask="a"), ev.FloorAsked(op=two.op, ask="b"))
    assert got(call, "a") and got(call, "b") is None
    call.send(ev.ToolReturned(op=one.op, output="done"))
    assert got(call, "b")


def test_a_tool_that_asked_and_thought_better_of_it_gets_nothing() -> None:
    call = Call()
    one, two = tool(call, {}, {})
    call.send(ev.FloorAsked(op=one.op, ask="a"), ev.FloorAsked(op=two.op, ask="b"))
    call.send(ev.FloorReleased(op=two.op, ask="b"), ev.FloorReleased(op=one.op, ask="a"))
    assert got(call, "b") is None and gates.FOREGROUND not in call.state.gates


def test_a_tool_that_only_guesses_does_not_get_the_floor() -> None:
    """A read may run before its turn is over: it may not act on the conversation."""
    call = Call()
    call.says("is it free")
    reply = call.one(fx.StartReply)
    call.send(ev.ToolCall(op=reply.op, call_id="r", name="look", arguments="{}", effect="read"))
    call.send(ev.Generated(op=reply.op), ev.AudioDone(op=reply.op, samples=0))
    call.send(ev.FloorAsked(op=call.one(fx.RunTool).op, ask="a"))
    assert got(call, "a") is None
    call.wait(2.0)
    assert got(call, "a")


def test_the_floor_falls_at_the_tools_deadline_and_a_write_that_goes_on_cannot_have_it() -> None:
    call = Call(agent("a", tool_deadline=3.0))
    run = tool(call)[0]
    call.send(ev.FloorAsked(op=run.op, ask="a"))
    call.wait(3.1)
    assert gates.FOREGROUND not in call.state.gates and call.state.speech.floor.holder is None
    call.send(ev.FloorAsked(op=run.op, ask="again"))
    assert got(call, "again") is False


def test_nobody_waits_for_the_floor_of_a_session_that_ends() -> None:
    call = Call()
    one, two = tool(call, {}, {})
    call.send(ev.FloorAsked(op=one.op, ask="a"), ev.FloorAsked(op=two.op, ask="b"), ev.CloseAsked())
    assert got(call, "b") is False and not call.state.gates.keys() & {gates.FOREGROUND}


def test_a_new_owner_knows_nothing_of_floors() -> None:
    """Its tools begin anew, and ask again."""
    call = Call()
    run = tool(call, {"retry": "replay"})[0]
    call.send(ev.FloorAsked(op=run.op, ask="a"), ev.Resumed(epoch=2))
    assert gates.FOREGROUND not in call.state.gates
    call.send(ev.FloorAsked(op=call.last(fx.RunTool).op, ask="b"))
    assert got(call, "b")


def test_the_floor_waits_while_the_caller_speaks() -> None:
    call = Call()
    run = tool(call)[0]
    call.send(ev.Vad(edge="start", at=call.now), ev.FloorAsked(op=run.op, ask="a"))
    assert got(call, "a") is None
    call.wait(0.3)
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(2.0)
    assert got(call, "a")
