"""A new owner: what it knows exactly, what it has from the conversation alone, and what the plane had."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel import facts as ft
from antiphon.kernel import ledger
from antiphon.kernel.conversation import IN_DOUBT, Message
from antiphon.kernel.folding import folded, goes_on
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.liveness import whose_move
from antiphon.kernel.policy import ReplyOptions
from antiphon.kernel.prompt import prompt_view
from antiphon.kernel.turn import unheard_since
from tests.kernel.call import Call, agent

TEXT = "one two three four five six"


def said(call: Call) -> list[tuple[str, str]]:
    return [(say.speech, say.text) for say in call.all(fx.StartSay)]


def on_the_air(call: Call, text: str = TEXT, *, known: str = "one two three", heard: int = 0) -> None:
    """``text`` is being said: of it ``known`` is in the plane, ``heard`` samples were acknowledged."""
    call.send(ev.SayAsked(speech="say", text=text))
    call.speaks(call.all(fx.StartSay)[-1].op, known, done=False)
    if heard:
        call.hears("say", heard)
    call.clear()


# --- sound -------------------------------------------------------------------------------------------------------


def test_the_rest_of_a_text_is_said_behind_what_the_plane_has() -> None:
    call = Call()
    on_the_air(call)
    call.send(ev.SayAsked(speech="next", text="and then"))
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert said(call) == [("say#2", "four five six"), ("next#2", "and then")]
    call.send(ev.Acked(speech="say", position=call.state.speech.speeches["say"].total, quality="peer"))
    for start in call.all(fx.StartSay):
        call.speaks(start.op, start.text)
    call.send(ev.PlaySettled(speech="say", position=10**6, quality="peer", reason="end"))
    assert [play.speech for play in call.all(fx.Play)] == ["say#2"]  # in its place, before what waited behind it


def test_where_all_of_it_is_in_the_plane_nothing_is_said_again() -> None:
    call = Call()
    on_the_air(call, known=TEXT)
    call.send(ev.Resumed(epoch=2))
    assert not said(call)


def test_a_text_that_is_interrupted_has_no_rest() -> None:
    call = Call()
    on_the_air(call, heard=9_000)
    call.send(ev.Resumed(epoch=2))
    call.clear()
    call.send(ev.Vad(edge="start", at=call.now))
    call.wait(0.4)
    call.send(ev.AutoPaused(speech="say", position=12_000, at=call.now))
    call.send(ev.Partial(segment="s", revision=1, text="no stop that please"))
    done = [fact.speech for fact in call.facts(ft.SpeechDone)]
    assert "say#2" in done and not [speech for speech in call.state.speech.speeches if speech == "say#2"]


def test_a_stream_that_was_being_said_is_cut_and_told() -> None:
    call = Call()
    on_the_air(call, text="")
    call.send(ev.Resumed(epoch=2))
    assert not said(call) and call.notices("error")
    call.send(ev.Acked(speech="say", position=10**6, quality="peer"))
    call.wait(2.0)
    assert [fact.text for fact in call.facts(ft.SpeechHeard)] == ["one two three"]


def test_a_stream_that_had_not_begun_is_given_up_and_told() -> None:
    call = Call()
    call.send(ev.LegHeld(leg="phone", held=True), ev.SayAsked(speech="say"))
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert not said(call) and len(call.notices("error")) == 1
    assert [fact.outcome for fact in call.facts(ft.SpeechDone)] == ["failed"]


def test_a_speech_that_was_stopped_stays_so() -> None:
    call = Call()
    on_the_air(call, heard=9_000)
    call.send(ev.InterruptAsked(speech="say", force=True))
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert not said(call)
    call.wait(2.0)
    assert [fact.outcome for fact in call.facts(ft.SpeechDone)] == ["interrupted"]


# --- the plane is gone too ---------------------------------------------------------------------------------------


def test_where_the_plane_is_gone_what_was_not_heard_is_said_on_a_new_line() -> None:
    call = Call()
    on_the_air(call, known=TEXT, heard=9_000)
    words = ledger.heard_text(call.state.speech.speeches["say"].segments, 9_000)[0].split()
    call.send(ev.SayAsked(speech="next", text="and then"))
    call.speaks(call.all(fx.StartSay)[-1].op, "and then")
    call.clear()
    call.send(ev.Resumed(epoch=2, lost=True))
    assert [fact.text for fact in call.facts(ft.SpeechHeard)] == [" ".join(words)]
    assert said(call) == [("say#2", " ".join(TEXT.split()[len(words) :])), ("next#2", "and then")]
    for start in call.all(fx.StartSay):
        call.speaks(start.op, start.text)
    assert not call.all(fx.Play)  # nobody is there to hear it
    call.send(ev.LegUp(leg="phone", medium="audio"))
    assert [play.speech for play in call.all(fx.Play)] == ["say#2"] and not call.facts(ft.LegJoined)


def test_who_spoke_when_the_line_was_lost_is_answered() -> None:
    """No edge ends a voice that was heard on a line that is gone."""
    call = Call()
    call.send(ev.Vad(edge="start", at=call.now), ev.Partial(segment="1", revision=1, text="when do you open"))
    call.wait(0.4)
    call.send(ev.Resumed(epoch=2, lost=True), ev.LegUp(leg="phone", medium="audio"))
    call.wait(10.0)
    assert [fact.text for fact in call.facts(ft.TurnCommitted)] == ["when do you open"]
    assert call.all(fx.StartReply)


def test_who_does_not_come_back_within_the_time_is_gone() -> None:
    call = Call()
    call.send(ev.Resumed(epoch=2, lost=True))
    call.wait(29.0)
    assert not call.facts(ft.LegLeft)
    call.wait(2.0)
    assert call.facts(ft.LegLeft) and call.state.lifecycle.phase != "running"


def test_a_line_that_was_on_hold_is_not_when_it_comes_back() -> None:
    call = Call()
    call.send(ev.LegHeld(leg="phone", held=True))
    call.send(ev.Resumed(epoch=2, lost=True), ev.LegUp(leg="phone", medium="audio"))
    assert not call.state.gates


def reply_on_the_air(*, done: bool) -> Call:
    call = Call()
    call.send(ev.ReplyAsked(speech="r", options=ReplyOptions(instructions="Be brief.")))
    start = call.one(fx.StartReply)
    call.speaks(start.op, TEXT, done=done)
    if done:
        call.send(ev.Generated(op=start.op))
    call.hears("r", 9_000)
    call.clear()
    return call


def test_an_answer_whose_sound_is_lost_is_made_again_from_what_was_heard() -> None:
    for done in (True, False):
        call = reply_on_the_air(done=done)
        call.send(ev.Resumed(epoch=2, lost=True))
        assert [start.speech for start in call.all(fx.StartReply)] == ["r#2"]
        assert len(call.facts(ft.SpeechHeard)) == 1
        assert call.state.reply.options == {"r": ReplyOptions(instructions="Be brief.")}


@pytest.mark.parametrize("words", [True, False])
def test_the_model_that_goes_on_reads_no_words_that_have_no_sound(words: bool) -> None:
    """Of a sentence that was half made it would leave out the other half."""
    call = Call()
    call.send(ev.ReplyAsked(speech="r"))
    start = call.one(fx.StartReply)
    timed = tuple((word, i * 12_000, (i + 1) * 12_000) for i, word in enumerate(TEXT.split()[:3])) if words else ()
    call.send(
        ev.Segment(op=start.op, index=0, text=TEXT),
        ev.Synthesised(op=start.op, index=0, start=0, samples=36_000, done=False, words=timed),
    )
    call.hears("r", 9_000)
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert call.one(fx.StartReply).speech == "r#2"
    (read,) = [item.text for item in prompt_view(call.state) if isinstance(item, Message) and item.in_flight]
    call.hears("r", 36_000, settle="end")
    (heard,) = [fact.text for fact in call.facts(ft.SpeechHeard)]
    assert read == heard and TEXT.startswith(read) and len(read) < len(TEXT)
    if words:
        assert read == "one two three"


def test_an_answer_that_was_heard_to_its_end_is_not() -> None:
    call = reply_on_the_air(done=True)
    call.hears("r", call.state.speech.speeches["r"].total)
    call.send(ev.Resumed(epoch=2, lost=True))
    assert not call.all(fx.StartReply)
    assert call.facts(ft.SpeechHeard)[0].text == TEXT and not call.state.reply.options


def test_a_guess_at_an_answer_is_dropped_with_its_sound() -> None:
    call = Call()
    call.says("what time is it")
    guess = call.one(fx.StartReply)
    assert guess.speculative
    call.speaks(guess.op, "noon")
    call.send(ev.Resumed(epoch=2, lost=True))
    assert guess.speech not in call.state.speech.speeches
    assert [fact.reason for fact in call.facts(ft.ReplyDiscarded)] == ["a new owner"]


def test_who_writes_has_not_left_where_a_line_is_lost() -> None:
    call = Call(leg="text")
    call.send(ev.Resumed(epoch=2, lost=True))
    assert call.state.legs.legs["phone"].phase == "up" and not call.state.gates


def test_an_answer_that_waits_behind_another_speech_is_made_again() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="say", text=TEXT, interruptible=False))
    call.speaks(call.one(fx.StartSay).op, TEXT)
    call.send(ev.ReplyAsked(speech="r"))
    start = call.one(fx.StartReply)
    call.speaks(start.op, "well then")
    call.send(ev.Generated(op=start.op))
    call.clear()
    call.send(ev.Resumed(epoch=2, lost=True))
    assert [one.speech for one in call.all(fx.StartReply)] == ["r#2"]
    assert ("r", "failed") in [(fact.speech, fact.outcome) for fact in call.facts(ft.SpeechDone)]


def test_a_clip_of_the_ladder_is_not_said_again() -> None:
    call = Call()
    call.send(ev.ReplyAsked(speech="r"))
    call.wait(2.1)
    clip = call.one(fx.PlayCanned)
    call.clear()
    call.send(ev.Resumed(epoch=2, lost=True))
    assert not said(call) and clip.speech not in call.state.speech.speeches
    waiting = Call()
    waiting.send(ev.LegHeld(leg="phone", held=True), ev.SayAsked(speech="say", text=TEXT))
    waiting.send(ev.Resumed(epoch=2, lost=True))
    assert said(waiting)[-1] == ("say#2", TEXT)


# --- time --------------------------------------------------------------------------------------------------------


def test_deadlines_that_nobody_kept_are_due_later() -> None:
    call = Call()
    on_the_air(call)
    call.send(ev.ReplyAsked(speech="r"))
    before = dict(call.state.timers)
    call.now += 60.0
    call.send(ev.Resumed(epoch=2))
    assert call.state.speech.speeches["say"].sounding
    assert not call.facts(ft.LadderRung) and all(due > call.now for due in call.state.timers.values()), before
    assert whose_move(call.state)[1] > call.now


def test_what_was_not_due_yet_is_due_when_it_was() -> None:
    call = Call()
    call.send(ev.LegHeld(leg="phone", held=True))
    before = dict(call.state.timers)
    call.now += 1.0
    call.send(ev.Resumed(epoch=2))
    assert call.state.timers == before


def test_a_session_that_was_closing_has_its_time_again() -> None:
    call = Call(agent(hooks="exit"))
    call.send(ev.CloseAsked())
    call.now += 60.0
    call.send(ev.Resumed(epoch=2))
    assert call.state.lifecycle.deadline > call.now and call.state.lifecycle.phase == "leaving"


def test_from_when_on_an_open_turn_wants_to_be_heard_again() -> None:
    call = Call()
    assert unheard_since(call.state.turn, 3.0) == 3.0
    call.now = 5.0
    call.send(ev.Vad(edge="start", at=5.0), ev.Partial(segment="a", revision=1, text="one"))
    assert unheard_since(call.state.turn, 9.0) == 4.5
    call.send(
        ev.Final(segment="a", revision=2, text="one tea", at=6.2), ev.Partial(segment="b", revision=1, text="and")
    )
    assert unheard_since(call.state.turn, 9.0) == 6.2


# --- the conversation alone --------------------------------------------------------------------------------------


class Kept(Call):
    """Remembers all facts; knows how a model calls a tool."""

    def __init__(self, *args: Any) -> None:
        self.kept: list[ft.AnyFact] = []
        super().__init__(*args)

    def send(self, *events: ev.Event) -> list[fx.AnyEffect]:
        effects = super().send(*events)
        self.kept += [effect.fact for effect in effects if isinstance(effect, fx.Record)]
        return effects

    def calls(self, op: ev.Op, name: str, *, effect: Any, retry: Any) -> None:
        call_id = f"c{self.seq}"
        self.send(ev.ToolCall(op=op, call_id=call_id, name=name, arguments="{}", effect=effect, retry=retry))


class Alone(Call):
    """A call that goes on from the facts of another."""

    def __init__(self, before: Kept, *, goes_on_with: str = "") -> None:
        self.kernel = Kernel.load(Kernel(folded(before.kept)).dump())
        self.now, self.seq, self.new = before.now, 0, []
        key = goes_on_with or goes_on(self.kernel.state.conversation)
        self.send(ev.Resumed(epoch=2, agent=agent(key)))


def test_it_has_the_conversation_and_nobody_is_greeted_again() -> None:
    call = Kept(agent("a", hooks="enter"))
    call.says("hello you")
    call.wait(2.0)
    alone = Alone(call)
    assert msgspec.to_builtins(alone.state.conversation) == msgspec.to_builtins(call.state.conversation)
    assert not alone.all(fx.CallHook) and alone.one(fx.Rebind).agent.key == "a"
    assert alone.state.turn.count == call.state.turn.count and alone.state.position > call.state.position


def test_an_open_turn_is_answered_once_there_is_nobody_else_to_do_it() -> None:
    call = Kept()
    call.says("what is new")
    call.wait(2.0)
    alone = Alone(call)
    assert len(alone.all(fx.StartReply)) == 1
    call.send(ev.Typed(text="no answer please", reply=False))
    assert not Alone(call).all(fx.StartReply)


def test_an_open_call_runs_again_where_its_rule_allows_it_and_is_in_doubt_where_not() -> None:
    call = Kept()
    call.says("please do")
    call.wait(2.0)
    op = call.all(fx.StartReply)[-1].op
    for name, effect, retry in (
        ("look", "read", "never"), ("book", "write", "key"), ("pay", "write", "never"), ("book", "write", "key"),
    ):  # fmt: skip
        call.calls(op, name, effect=effect, retry=retry)
    call.send(ev.Generated(op=op))
    ran = {run.call_id: run for run in call.all(fx.RunTool)}
    assert len(ran) == 4
    alone = Alone(call)
    again = alone.all(fx.RunTool)
    assert [run.name for run in again] == ["look", "book"]
    assert all(run.again and run.key == ran[run.call_id].key and run.after > 0 for run in again)
    assert [fact.name for fact in alone.facts(ft.ToolInDoubt)] == ["pay", "book"]
    assert not alone.all(fx.StartReply)
    alone.send(*(ev.ToolReturned(op=run.op, output="done") for run in again))
    assert len(alone.all(fx.StartReply)) == 1
    assert [item.output for item in alone.state.conversation.items if hasattr(item, "output")].count(IN_DOUBT) == 2


def test_a_task_under_way_ends_with_the_call_that_awaited_it() -> None:
    call = Kept(agent("desk"))
    call.says("please book")
    call.wait(2.0)
    op = call.all(fx.StartReply)[-1].op
    call.calls(op, "book", effect="write", retry="replay")
    call.send(ev.Generated(op=op))
    run = call.one(fx.RunTool)
    call.send(ev.TaskAsked(ask="x", agent=agent("city"), op=run.op))
    assert call.state.agents.current.key == "city"
    alone = Alone(call)
    assert alone.state.agents.current.key == "desk" and not alone.all(fx.RunTool)
    assert [fact.result for fact in alone.facts(ft.TaskResult)] == ["cancelled"]
    assert [fact.agent for fact in alone.facts(ft.AgentEntered)] == ["desk"]
    assert [fact.name for fact in alone.facts(ft.ToolInDoubt)] == ["book"]


def test_another_agent_may_go_on_and_an_ended_conversation_stays_ended() -> None:
    call = Kept(agent("a"))
    alone = Alone(call, goes_on_with="b")
    assert alone.facts(ft.AgentEntered)[0].agent == "b" and alone.state.agents.entered == ["a", "b"]
    call.send(ev.CloseAsked())
    call.wait(6.0)
    over = Alone(call)
    assert over.state.lifecycle.phase == "ended" and not over.all(fx.Rebind)


def test_a_new_line_is_waited_for() -> None:
    alone = Alone(Kept())
    assert "legs" in alone.state.gates
    alone.send(ev.LegUp(leg="phone", medium="audio"))
    assert "legs" not in alone.state.gates


def test_a_filler_of_the_ladder_answers_nothing() -> None:
    call = Kept()
    call.says("what is new")
    call.wait(4.5)
    clip = call.all(fx.PlayCanned)[0]
    call.speaks(clip.op, "One moment")
    call.send(ev.PlaySettled(speech=clip.speech, position=24_000, quality="peer", reason="end"))
    assert [fact.speech for fact in call.kept if isinstance(fact, ft.SpeechHeard)] == [clip.speech]
    assert len(Alone(call).all(fx.StartReply)) == 1


def test_a_task_that_is_over_is_not_ended_again() -> None:
    call = Kept(agent("desk"))
    call.send(ev.TaskAsked(ask="x", agent=agent("city")), ev.TaskDone(task="app/x", result="1"))
    assert not Alone(call).facts(ft.TaskResult)


def test_who_asks_for_a_task_by_its_old_name_has_it() -> None:
    call = Call(agent("desk"))
    call.send(ev.TaskAsked(ask="x", agent=agent("city")), ev.Resumed(epoch=2))
    call.clear()
    call.send(ev.TaskAsked(ask="x", agent=agent("city_2")))
    assert [body["state"] for body in call.notices("task")] == ["entered"]
    call.send(ev.TaskDone(task="app/x", result="1"))
    assert [body["state"] for body in call.notices("task")] == ["entered", "done"]
