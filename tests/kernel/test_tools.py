"""Tools: each call acts once, is on record first, and its result always arrives."""

from __future__ import annotations

from antiphon.kernel.conversation import IN_DOUBT, CallOutput
from antiphon.kernel.conversation import Call as CallItem
from antiphon.kernel.prompt import prompt_view
from tests.kernel.call import Call, agent, ev, ft, fx


def asked(call: Call, *calls: dict[str, object], text: str = "") -> fx.StartReply:
    """A typed turn whose reply says ``text`` and asks for tools."""
    call.send(ev.Typed(text="do it"))
    reply = call.last(fx.StartReply)
    if text:
        call.speaks(reply.op, text, done=False)
    for n, options in enumerate(calls):
        call.send(ev.ToolCall(op=reply.op, **{"call_id": f"c{n}", "name": "t", "arguments": "{}", **options}))  # type: ignore[arg-type]
    call.send(ev.Generated(op=reply.op), ev.AudioDone(op=reply.op, samples=len(text.split()) * 12_000))
    return reply


def test_a_write_is_on_record_before_it_acts_and_its_result_goes_to_the_model() -> None:
    call = Call()
    asked(call, {})
    run = call.one(fx.RunTool)
    intent = next(e for e in call.all(fx.Record) if isinstance(e.fact, ft.ToolIntent))
    assert run.after == intent.position and run.key == intent.fact.key  # type: ignore[union-attr]
    call.send(ev.ToolProgress(op=run.op, message="half"), ev.StepDone(op=run.op, name="pay", result="1"))
    assert call.state.conversation.steps == {"c0": {"pay": "1"}}
    call.send(ev.ToolReturned(op=run.op, output="done"))
    assert call.facts(ft.ToolResult)[0].output == "done"
    assert call.last(fx.StartReply).speech.endswith("#2")
    assert [n["status"] for n in call.notices("tool_execution_updated")] == ["started", "updated", "done"]
    assert call.notices("function_tools_executed") == [{"call_ids": ("c0",), "speech": "reply.1.1"}]


def test_a_result_is_durable_before_it_is_told() -> None:
    call = Call()
    asked(call, {})
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="done"))
    call.speaks(call.last(fx.StartReply).op, "It is done.")
    result = next(e.position for e in call.all(fx.Record) if isinstance(e.fact, ft.ToolResult))
    assert call.one(fx.Play).after >= result


def test_the_next_step_waits_for_the_whole_batch() -> None:
    call = Call()
    asked(call, {}, {})
    one, two = call.all(fx.RunTool)
    call.send(ev.ToolReturned(op=two.op, output="2"))
    assert len(call.all(fx.StartReply)) == 1
    call.send(ev.ToolReturned(op=one.op, output="1", reply=False))
    assert len(call.all(fx.StartReply)) == 2


def test_where_no_tool_wants_a_reply_the_silence_is_recorded() -> None:
    call = Call()
    asked(call, {})
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="1", reply=False))
    assert call.facts(ft.SilenceChosen) and len(call.all(fx.StartReply)) == 1


def test_bad_calls_become_failed_results_at_once() -> None:
    call = Call()
    asked(call, {"problem": "there is no tool named t"})
    assert not call.all(fx.RunTool)
    assert call.facts(ft.ToolResult)[0].is_error
    assert len(call.all(fx.StartReply)) == 2


def test_a_call_id_that_comes_twice_is_not_run_twice() -> None:
    call = Call()
    asked(call, {}, {"call_id": "c0"})
    assert len(call.all(fx.RunTool)) == 1
    assert call.facts(ft.ToolResult)[0].call_id == "c0~2"


def test_an_answer_that_numbers_its_calls_anew_makes_new_calls() -> None:
    call = Call()
    for _ in range(3):
        asked(call, {}, {"call_id": "c0"})
        for run in call.all(fx.RunTool)[-1:]:
            call.send(ev.ToolReturned(op=run.op, output="done"))
            call.speaks(call.last(fx.StartReply).op, "It is done.")
            call.hears(call.last(fx.StartReply).speech, 36_000, settle="end")
    assert [run.call_id for run in call.all(fx.RunTool)] == ["c0", "c0~3", "c0~5"]
    refused = [fact.call_id for fact in call.facts(ft.ToolResult) if fact.is_error]
    assert refused == ["c0~2", "c0~4", "c0~6"] and len({run.key for run in call.all(fx.RunTool)}) == 3


def test_reads_may_run_in_a_guess_and_writes_may_not() -> None:
    call = Call()
    call.says("is it free")
    op = call.one(fx.StartReply).op
    call.send(
        ev.ToolCall(op=op, call_id="r", name="look", arguments="{}", effect="read"),
        ev.ToolCall(op=op, call_id="w", name="book", arguments="{}"),
    )
    run = call.one(fx.RunTool)
    assert run.call_id == "r" and not call.facts(ft.ToolIntent)
    call.send(ev.ToolReturned(op=run.op, output="yes"), ev.Generated(op=op), ev.AudioDone(op=op, samples=0))
    assert not call.facts(ft.ToolResult)
    call.wait(1.5)
    assert [i.call_id for i in call.facts(ft.ToolIntent)] == ["r", "w"]
    assert [i.output for i in call.facts(ft.ToolResult)] == ["yes"]
    assert [r.call_id for r in call.all(fx.RunTool)] == ["r", "w"]


def test_a_discarded_guess_takes_its_calls_along() -> None:
    call = Call()
    call.says("is it free")
    op = call.one(fx.StartReply).op
    call.send(
        ev.ToolCall(op=op, call_id="r", name="look", arguments="{}", effect="read"),
        ev.ToolCall(op=op, call_id="w", name="book", arguments="{}"),
    )
    call.send(ev.Vad(edge="start", at=call.now))
    assert call.one(fx.CancelTool).op == call.one(fx.RunTool).op
    assert call.facts(ft.ReplyDiscarded)[0].tool_calls == 2
    assert not call.state.tools.runs


def test_a_read_still_running_when_its_guess_is_adopted_goes_on() -> None:
    call = Call()
    call.says("is it free")
    op = call.one(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id="r", name="look", arguments="{}", effect="read"))
    call.wait(1.5)
    assert call.facts(ft.ToolIntent)
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="yes"))
    assert call.facts(ft.ToolResult)[0].output == "yes"


def test_hanging_up_waits_until_the_goodbye_was_heard() -> None:
    call = Call()
    reply = asked(call, {"effect": "terminal"}, text="Good bye.")
    assert not call.all(fx.RunTool)
    call.hears(reply.speech, 24_000, settle="end")
    assert call.one(fx.RunTool).effect == "terminal"


def test_hanging_up_does_not_happen_when_the_goodbye_was_not_heard_or_interrupted() -> None:
    call = Call()
    reply = asked(call, {"effect": "terminal"}, text="Good bye.")
    call.send(ev.PlaySettled(speech=reply.speech, position=0, quality="peer", reason="refused"))
    assert not call.all(fx.RunTool) and call.facts(ft.ToolResult)[0].is_error
    call = Call()
    asked(call, {"effect": "terminal"}, text="Good bye.")
    call.send(ev.InterruptAsked())
    call.wait(1.0)
    assert not call.all(fx.RunTool) and not call.facts(ft.ToolIntent)


def test_hanging_up_waits_for_words_that_are_still_made() -> None:
    call = Call()
    call.send(ev.Typed(text="bye"))
    reply = call.one(fx.StartReply)
    call.speaks(reply.op, "Good bye.", done=False)
    call.send(ev.ToolCall(op=reply.op, call_id="c", name="hang_up", arguments="{}", effect="terminal"))
    call.send(ev.Generated(op=reply.op))
    call.hears(reply.speech, 24_000, settle="end")
    assert not call.all(fx.RunTool)
    call.send(ev.AudioDone(op=reply.op, samples=24_000))
    assert call.one(fx.RunTool)


def test_hanging_up_that_can_never_happen_has_a_deadline() -> None:
    call = Call(agent(tool_deadline=2.0))
    asked(call, {"effect": "terminal"}, text="Good bye.")
    for n in range(6):
        call.hears("reply.1.1", 1_000 * n + 1)
        call.wait(0.5)
    assert call.facts(ft.ToolResult)[0].is_error and not call.all(fx.RunTool)


def test_an_interruption_never_drops_a_result() -> None:
    call = Call()
    asked(call, {}, {"cancellable": True}, text="Let me book that for you now.")
    one, two = call.all(fx.RunTool)
    call.send(ev.InterruptAsked())
    assert [c.op for c in call.all(fx.CancelTool)] == [two.op]
    call.send(ev.ToolReturned(op=two.op, output="", cancelled=True), ev.ToolReturned(op=one.op, output="booked"))
    assert [f.output for f in call.facts(ft.ToolResult)][1] == "booked"
    assert len(call.all(fx.StartReply)) == 2  # the caller is told, by a reply of its own


def test_a_result_that_comes_while_the_caller_speaks_is_told_after_it_was_nothing() -> None:
    call = Call()
    asked(call, {}, text="Let me book that.")
    call.send(ev.InterruptAsked(), ev.Vad(edge="start", at=call.now))
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="booked"))
    assert len(call.all(fx.StartReply)) == 1
    call.wait(0.2)
    call.send(ev.Vad(edge="end", at=call.now))
    call.wait(2.0)
    assert len(call.all(fx.StartReply)) == 2


def test_a_slow_read_is_failed_and_a_slow_write_goes_on_detached() -> None:
    call = Call(agent(tool_deadline=3.0))
    asked(call, {"effect": "read"}, {})
    read, write = call.all(fx.RunTool)
    call.wait(3.5)
    assert [f.is_error for f in call.facts(ft.ToolResult)] == [True, True]
    assert [c.op for c in call.all(fx.CancelTool)] == [read.op]
    items = len(call.state.conversation.items)
    call.send(ev.ToolReturned(op=write.op, output="late"))
    late = call.facts(ft.ToolResult)[-1]
    assert late.late == 1 and late.output == "late" and len(call.state.conversation.items) == items + 2
    assert len(call.all(fx.StartReply)) == 3, "the caller is told"


def test_a_call_that_tells_of_its_progress_lets_its_step_go_on() -> None:
    call = Call()
    asked(call, {})
    run = call.one(fx.RunTool)
    call.send(ev.ToolProgress(op=run.op, message="I am looking.", tell=True))
    assert [f.output for f in call.facts(ft.ToolResult)] == ["I am looking."]
    assert call.last(fx.StartReply).speech == "reply.1.1#2"
    call.send(ev.ToolProgress(op=run.op, message="nearly", tell=True))
    call.send(ev.ToolReturned(op=run.op, output="booked"))
    assert [(f.late, f.output) for f in call.facts(ft.ToolResult)][1:] == [(1, "nearly"), (2, "booked")]
    pairs = [(i.call_id, i.output) for i in prompt_view(call.state) if isinstance(i, CallOutput)]
    assert pairs == [("c0", "I am looking."), ("c0-1", "nearly"), ("c0-2", "booked")]
    assert call.last(fx.StartReply).speech.startswith("reply.1.") and not call.state.tools.runs


def test_a_detached_call_may_still_hand_over() -> None:
    call = Call()
    asked(call, {})
    run = call.one(fx.RunTool)
    call.send(ev.ToolProgress(op=run.op, message="I am looking.", tell=True))
    call.send(ev.ToolReturned(op=run.op, output="over to billing", agent=agent("billing")))
    assert call.last(fx.Rebind).agent.key == "billing"


def test_progress_in_a_guess_is_not_told_to_the_model() -> None:
    call = Call()
    call.says("is it free")
    op = call.one(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id="r", name="look", arguments="{}", effect="read"))
    call.send(ev.ToolProgress(op=call.one(fx.RunTool).op, message="half", tell=True))
    assert not call.facts(ft.ToolResult)


def test_the_same_call_while_it_runs_is_refused_or_joins_it() -> None:
    call = Call()
    asked(call, {"arguments": '{"a": 1, "b": 2}'})
    first = call.one(fx.RunTool)
    call.send(ev.InterruptAsked())
    again = {"call_id": "again", "arguments": '{"b": 2, "a": 1}'}
    asked(call, {**again, "on_duplicate": "reject"})
    assert call.one(fx.RunTool) == first and "under way" in call.facts(ft.ToolResult)[-1].output
    asked(call, {**again, "call_id": "joins", "on_duplicate": "join"}, {"call_id": "other", "on_duplicate": "join"})
    assert [r.call_id for r in call.all(fx.RunTool)] == ["c0", "other"], "other arguments are another call"
    call.send(ev.ToolReturned(op=first.op, output="booked"))
    call.send(ev.ToolReturned(op=call.last(fx.RunTool).op, output="too"))
    results = {f.call_id: f.output for f in call.facts(ft.ToolResult)}
    assert results["c0"] == results["joins"] == "booked" and results["other"] == "too"
    keys = {f.call_id: f.key for f in call.facts(ft.ToolIntent)}
    assert keys["c0"] == keys["joins"] and not call.state.tools.runs


def test_what_joins_a_call_is_settled_with_it_whatever_becomes_of_it() -> None:
    def joined(**policy: float) -> Call:
        call = Call(agent(**policy))
        asked(call, {})
        call.send(ev.InterruptAsked())
        call.wait(0.1)
        asked(call, {"call_id": "j", "on_duplicate": "join", "arguments": ""})
        return call

    call = joined()
    call.send(ev.Resumed(epoch=2))
    assert {f.call_id for f in call.facts(ft.ToolInDoubt)} == {"c0", "j"} and not call.state.tools.runs
    call = joined()
    call.send(ev.CloseAsked())
    call.wait(6.0)
    assert {f.call_id for f in call.facts(ft.ToolResult)} == {"c0", "j"}
    call = joined(tool_deadline=2.0)
    call.wait(3.0)
    assert {f.call_id for f in call.facts(ft.ToolResult)} == {"c0", "j"}
    asked(call, {"call_id": "k", "on_duplicate": "join"})
    assert "under way" in call.facts(ft.ToolResult)[-1].output, "a detached call is not waited for"


def test_a_call_that_joined_gives_up_at_its_own_deadline() -> None:
    call = Call()
    asked(call, {})
    call.send(ev.InterruptAsked())
    asked(call, {"call_id": "j", "on_duplicate": "join", "timeout": 1.0})
    call.wait(1.5)
    assert [f.call_id for f in call.facts(ft.ToolResult)] == ["j"]


def test_a_guess_does_not_repeat_a_read_that_runs() -> None:
    call = Call()
    look = {"name": "look", "effect": "read", "on_duplicate": "join", "arguments": "not json"}
    asked(call, look)
    call.send(ev.ToolProgress(op=call.one(fx.RunTool).op, message="looking", tell=True))
    call.speaks(call.last(fx.StartReply).op, "I am looking.")
    call.hears(call.last(fx.StartReply).speech, 36_000, settle="end")
    call.says("and now")
    op = call.last(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id="again", **look), ev.Generated(op=op))  # type: ignore[arg-type]
    call.wait(1.5)
    assert len(call.all(fx.RunTool)) == 1 and "under way" in call.facts(ft.ToolResult)[-1].output


def test_a_tool_has_its_own_time() -> None:
    call = Call()
    asked(call, {"effect": "read", "timeout": 1.0}, {"effect": "read"})
    call.wait(1.5)
    assert [f.call_id for f in call.facts(ft.ToolResult)] == ["c0"]


def test_what_a_write_comes_to_is_recorded_after_the_end() -> None:
    call = Call()
    asked(call, {}, {"effect": "read"})
    write, read = call.all(fx.RunTool)
    call.send(ev.CloseAsked())
    call.wait(3.0)
    assert call.one(fx.DetachTool).op == write.op and call.last(fx.CancelTool).op == read.op
    call.send(ev.Closed(op=call.one(fx.CloseAll).op))
    assert call.all(fx.Ended)
    call.send(ev.ToolReturned(op=read.op, output="never told"), ev.ToolReturned(op=write.op, output="booked"))
    assert [(f.late, f.output) for f in call.facts(ft.ToolResult) if f.call_id == "c0"][-1] == (1, "booked")
    assert isinstance(call.state.conversation.items[-1], CallOutput) and not call.state.ops


def test_a_detached_call_of_an_owner_that_died_is_in_doubt() -> None:
    call = Call()
    asked(call, {}, {"effect": "read"})
    for run in call.all(fx.RunTool):
        call.send(ev.ToolProgress(op=run.op, message="wait", tell=True))
    call.send(ev.Resumed(epoch=2))
    assert [f.output for f in call.facts(ft.ToolResult)][-2:] == [IN_DOUBT, IN_DOUBT]
    assert not call.state.tools.runs


def test_a_read_that_runs_by_itself_ends_with_the_session() -> None:
    call = Call()
    asked(call, {"effect": "read"})
    call.send(ev.ToolProgress(op=call.one(fx.RunTool).op, message="wait", tell=True), ev.CloseAsked())
    call.wait(6.0)
    assert call.one(fx.CancelTool) and not call.state.ops and not call.state.tools.runs


def test_a_slow_read_of_a_guess_is_settled_quietly() -> None:
    from antiphon.kernel.policy import TurnPolicy

    call = Call(agent(tool_deadline=0.3, turn=TurnPolicy(min_delay=2.0, max_delay=2.0)))
    call.says("is it free")
    op = call.one(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id="r", name="look", arguments="{}", effect="read"))
    call.wait(0.5)
    assert call.all(fx.CancelTool) and not call.facts(ft.ToolResult)
    call.wait(2.5)
    assert call.facts(ft.ToolResult)[0].is_error


def test_the_last_step_has_no_tools() -> None:
    call = Call(agent(max_tool_steps=1))
    asked(call, {})
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="1"))
    assert [s.tools for s in call.all(fx.StartReply)] == [True, False]


def test_a_failure_after_a_call_leaves_the_call_standing() -> None:
    call = Call()
    call.send(ev.Typed(text="do it"))
    op = call.one(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id="c", name="t", arguments="{}"))
    call.send(ev.ReplyFailed(op=op, stage="llm", error="reset", retryable=True))
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="ok"))
    assert call.last(fx.StartReply).speech == "reply.1.1#2" and len(call.all(fx.StartReply)) == 2


def test_words_of_a_former_step_may_still_be_made_while_the_next_one_thinks() -> None:
    for last in ("done", "failed", "slow", "closed"):
        call = Call()
        call.send(ev.Typed(text="do it"))
        op = call.one(fx.StartReply).op
        call.send(ev.Segment(op=op, index=0, text="One moment please."))
        call.send(ev.ToolCall(op=op, call_id="c", name="t", arguments="{}"), ev.Generated(op=op))
        call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="ok"))
        assert len(call.all(fx.StartReply)) == 2
        if last == "done":
            call.send(
                ev.Synthesised(op=op, index=0, start=0, samples=36_000, done=True), ev.AudioDone(op=op, samples=36_000)
            )
            assert call.one(fx.Play).speech == "reply.1.1"
        elif last == "failed":
            call.send(ev.ReplyFailed(op=op, stage="tts", error="no", retryable=True))
            assert call.facts(ft.SpeechDone)[0].outcome == "failed"
        elif last == "slow":
            call.wait(4.0)
            assert op in [c.op for c in call.all(fx.Cancel)]
        else:
            call.send(ev.CloseAsked())
            assert op in [c.op for c in call.all(fx.Cancel)]


def test_the_prompt_pairs_calls_with_outputs_and_marks_what_is_in_flight() -> None:
    call = Call()
    asked(call, {}, {}, text="Let me see about that.")
    call.send(ev.ToolReturned(op=call.all(fx.RunTool)[1].op, output="2"))
    items = prompt_view(call.state)
    kinds = [type(i) for i in items]
    assert kinds.count(CallItem) == kinds.count(CallOutput) == 2
    assert [i.pending for i in items if isinstance(i, CallOutput)] == [True, False]
    flight = items[-1]
    assert flight.in_flight and flight.text == "Let me see about that."  # type: ignore[union-attr]
    call.hears("reply.1.1", 24_000)
    call.send(ev.InterruptAsked())
    assert prompt_view(call.state)[-1].text == "Let me"  # type: ignore[union-attr]


def test_a_closing_session_detaches_writes_and_completes_history() -> None:
    call = Call()
    asked(call, {}, {"effect": "read"})
    write, read = call.all(fx.RunTool)
    call.send(ev.CloseAsked())
    assert call.one(fx.DetachTool).op == write.op and call.one(fx.CancelTool).op == read.op
    assert all(f.is_error for f in call.facts(ft.ToolResult)) and not call.state.conversation.open_calls
    call.send(ev.ToolReturned(op=read.op, output="late"))
    assert call.state.stale == 1


def test_a_new_owner_runs_reads_again_and_never_an_unsafe_write() -> None:
    call = Call(agent(tool_deadline=5.0))
    asked(call, {"effect": "read"}, {}, {"retry": "key"})
    before = {r.call_id: r.key for r in call.all(fx.RunTool)}
    call.clear()
    call.send(ev.Resumed(epoch=2))
    again = {r.call_id: r.key for r in call.all(fx.RunTool)}
    assert again == {k: v for k, v in before.items() if k != "c1"}
    assert call.facts(ft.ToolInDoubt)[0].call_id == "c1"
    for run in call.all(fx.RunTool):
        call.send(ev.ToolReturned(op=run.op, output="ok"))
    assert len(call.all(fx.StartReply)) == 1
    call.wait(0.1)
    call = Call(agent(tool_deadline=1.0))
    asked(call, {})
    call.wait(1.5)
    call.send(ev.Resumed(epoch=2))
    assert not call.state.tools.runs


def test_an_interruption_of_another_reply_leaves_words_that_are_still_made() -> None:
    call = Call()
    call.send(ev.Typed(text="do it"))
    op = call.one(fx.StartReply).op
    call.send(ev.Segment(op=op, index=0, text="One moment."), ev.ToolCall(op=op, call_id="c", name="t", arguments="{}"))
    call.send(ev.Generated(op=op), ev.ReplyAsked(speech="other"))
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="ok"), ev.InterruptAsked(speech="other"))
    assert op not in [c.op for c in call.all(fx.Cancel)]
    call.send(ev.ToolCall(op=op, call_id="late", name="t", arguments="{}"))
    assert len(call.all(fx.RunTool)) == 1


def test_a_voice_that_fails_while_the_tools_run_costs_only_its_words() -> None:
    call = Call()
    call.send(ev.Typed(text="do it"))
    op = call.one(fx.StartReply).op
    call.send(ev.Segment(op=op, index=0, text="One moment."), ev.ToolCall(op=op, call_id="c", name="t", arguments="{}"))
    call.send(ev.Generated(op=op), ev.ReplyFailed(op=op, stage="tts", error="no", retryable=True))
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="ok"))
    assert [f.output for f in call.facts(ft.ToolResult)] == ["ok"] and len(call.all(fx.StartReply)) == 2


def test_a_session_that_closes_during_a_guess_stops_its_reads() -> None:
    call = Call()
    call.says("is it free")
    op = call.one(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id="r", name="look", arguments="{}", effect="read"), ev.CloseAsked())
    assert call.one(fx.CancelTool) and not call.facts(ft.ToolIntent)


def test_what_is_not_for_history_is_not_in_the_prompt_either() -> None:
    call = Call()
    call.send(ev.SayAsked(speech="aside", in_history=False), ev.ReplyAsked(speech="empty"))
    call.speaks(call.one(fx.StartSay).op, "between us")
    assert prompt_view(call.state) == []
    call.hears("aside", 24_000, settle="end")
    assert call.facts(ft.SpeechHeard)[0].in_history is False and not call.state.conversation.items


def test_calls_of_a_step_that_was_offered_no_tools_do_not_happen() -> None:
    call = Call(agent(max_tool_steps=0))
    asked(call, {})
    assert not call.all(fx.RunTool) and not call.facts(ft.ToolIntent)
    call.wait(0.2)
    assert call.last(fx.StartReply).attempt == 1


def test_what_a_models_service_wants_back_stays_with_its_call() -> None:
    call = Call()
    asked(call, {"extra": '{"google":{}}'}, {})
    assert [fact.extra for fact in call.facts(ft.ToolIntent)] == ['{"google":{}}', ""]
    items = [item for item in prompt_view(call.state) if isinstance(item, CallItem)]
    assert [(item.extra, item.speech) for item in items] == [('{"google":{}}', "reply.1.1"), ("", "reply.1.1")]


def test_pictures_of_a_result_stay_with_it_also_when_it_is_late_or_shared() -> None:
    call = Call()
    asked(call, {}, {"on_duplicate": "join"})
    call.send(ev.ToolReturned(op=call.one(fx.RunTool).op, output="a chart", media=("image/png#1",)))
    assert [(fact.call_id, fact.media) for fact in call.facts(ft.ToolResult)] == [
        ("c0", ("image/png#1",)),
        ("c1", ("image/png#1",)),
    ]
    call = Call()
    asked(call, {})
    run = call.one(fx.RunTool)
    call.send(ev.ToolProgress(op=run.op, message="drawing", tell=True))
    call.send(ev.ToolReturned(op=run.op, output="a chart", media=("image/png#2",)))
    outputs = [item for item in call.state.conversation.items if isinstance(item, CallOutput)]
    assert [(item.output, item.media) for item in outputs] == [("drawing", ()), ("a chart", ("image/png#2",))]
