"""Sub-dialogues in the kernel: who speaks, whose time runs, and what a new owner finds."""

from __future__ import annotations

from antiphon.kernel.agent_switch import TOO_MANY
from antiphon.kernel.agent_tasks import MAX_DEPTH
from antiphon.kernel.conversation import Conversation
from antiphon.kernel.liveness import whose_move
from antiphon.kernel.policy import NOTHING, Terms, TurnPolicy
from tests.kernel.call import Call, agent, ev, ft, fx


def asked(call: Call, name: str = "t", op: ev.Op | None = None, number: int = 1) -> str:
    """A task is awaited; returns its ask."""
    ask = f"ask-{name}"
    call.send(ev.TaskAsked(ask=ask, agent=agent(name), op=op, number=number))
    return ask


def awaiting_tool(call: Call, *, retry: ev.Retry = "never") -> ev.Op:
    call.send(ev.Typed(text="my email"))
    op = call.last(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id="c", name="ask", arguments="{}", retry=retry, timeout=5.0))
    call.send(ev.Generated(op=op), ev.AudioDone(op=op, samples=0))
    return call.last(fx.RunTool).op


def notices(call: Call) -> list[tuple[str, str]]:
    return [(notice["ask"], notice["state"]) for notice in call.notices("task")]


def test_the_tools_own_time_stands_still_while_its_task_is_under_way() -> None:
    call = Call()
    op = awaiting_tool(call)
    call.wait(2.0)
    asked(call, op=op)
    samples = call.speaks(call.last(fx.StartReply).op, "What is your email?")
    call.hears(call.last(fx.StartReply).speech, samples, settle="end")
    call.clear()
    call.wait(12.0)
    assert whose_move(call.state)[0] == "caller"
    assert not call.all(fx.PlayCanned) and not call.facts(ft.ToolResult)
    call.send(ev.TaskDone(task="c/1", result='"a@b.c"'))
    assert call.state.agents.current.key == "plain"
    assert whose_move(call.state)[0] == "tool"
    call.wait(2.9)
    assert not call.facts(ft.ToolResult)
    call.wait(0.2)
    assert len(call.facts(ft.ToolResult)) == 1, "three seconds were left"


def test_tasks_are_nested_to_a_bound() -> None:
    call = Call()
    for depth in range(MAX_DEPTH + 1):
        asked(call, f"t{depth}")
    assert notices(call)[-1] == (f"ask-t{MAX_DEPTH}", "too deep")
    assert call.state.agents.current.key == f"t{MAX_DEPTH - 1}"


def test_what_is_over_below_takes_those_on_top_with_it() -> None:
    call = Call()
    for name in ("outer", "inner"):
        asked(call, name)
    call.send(ev.TaskDone(task="app/ask-outer", result="1"))
    assert notices(call)[-2:] == [("ask-inner", "cancelled"), ("ask-outer", "done")]
    assert [(f.task, f.is_error) for f in call.facts(ft.TaskResult)] == [
        ("app/ask-inner", True),
        ("app/ask-outer", False),
    ]
    assert call.facts(ft.AgentEntered)[-1].previous == "inner"


def test_a_hook_that_awaits_has_no_deadline_and_is_spoken_for_afterwards() -> None:
    call = Call(agent("a", hooks="enter"))
    hook = call.last(fx.CallHook)
    asked(call, op=hook.op)
    call.wait(30.0)
    assert not call.all(fx.AbandonHook)
    call.send(ev.TaskDone(task=f"{hook.op[0]}.{hook.op[1]}/1", result="1"))
    call.clear()
    call.send(ev.HookReturned(op=hook.op))
    assert len(call.all(fx.StartReply)) == 1, "the hook said nothing"


def test_a_hook_that_awaits_two_at_once_has_no_time_of_its_own_until_both_are_over() -> None:
    call = Call(agent("a", hooks="enter"))
    hook = call.last(fx.CallHook)
    for number in (1, 2):
        asked(call, f"t{number}", op=hook.op, number=number)
    timer = f"agents.hook:{hook.op[1]}"
    call.send(ev.TaskDone(task=f"{hook.op[0]}.{hook.op[1]}/1", result="1"))
    assert call.state.agents.current.key == "t2" and timer not in call.state.timers
    call.send(ev.TaskDone(task=f"{hook.op[0]}.{hook.op[1]}/2", result="1"))
    assert timer in call.state.timers


def test_a_new_owner_calls_the_hook_again_that_awaits_a_task() -> None:
    call = Call(agent("a", hooks="enter"))
    hook = call.last(fx.CallHook)
    call.send(ev.SayAsked(speech="hi", hook=hook.op))
    asked(call, op=hook.op)
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert [(again.agent, again.hook) for again in call.all(fx.CallHook)] == [("a", "on_enter")]
    again = call.one(fx.CallHook)
    call.send(ev.TaskAsked(ask="again", agent=agent("new"), op=again.op, number=1))
    assert notices(call)[-1] == ("again", "entered")


def test_new_settings_of_the_agent_below_hold_when_it_is_back() -> None:
    call = Call()
    asked(call)
    calm = call.state.policy.__class__(turn=TurnPolicy(max_delay=9.0))
    call.send(ev.PolicyChanged(policy=calm, agent="plain"))
    assert call.state.policy.turn.max_delay != 9.0
    call.send(ev.TaskDone(task="app/ask-t", result="1"))
    assert call.state.policy.turn.max_delay == 9.0


def test_a_new_owner_finds_the_task_under_way_and_the_tool_that_runs_again_joins_it() -> None:
    call = Call()
    op = awaiting_tool(call, retry="replay")
    asked(call, "first", op=op)
    call.send(ev.TaskDone(task="c/1", result='"Ann"'))
    asked(call, "second", op=op, number=2)
    call.clear()
    call.send(ev.Resumed(epoch=2))
    assert call.one(fx.Rebind).agent.key == "second"
    again = call.one(fx.RunTool)
    assert again.again
    call.send(ev.TaskAsked(ask="again-1", agent=agent("new1"), op=again.op, number=1))
    assert call.notices("task")[-1] == {
        "ask": "again-1", "task": "c/1", "state": "done", "result": '"Ann"', "is_error": False,
    }  # fmt: skip
    call.send(ev.TaskAsked(ask="again-2", agent=agent("new2"), op=again.op, number=2))
    assert notices(call)[-1] == ("again-2", "entered")
    assert not call.facts(ft.TaskEntered), "it was entered before"
    call.send(ev.TaskDone(task="c/2", result='"Smith"'))
    assert notices(call)[-1] == ("again-2", "done")


def test_a_task_whose_tool_is_in_doubt_ends_with_it() -> None:
    call = Call()
    asked(call, op=awaiting_tool(call))
    call.send(ev.Resumed(epoch=2))
    assert call.facts(ft.ToolInDoubt)
    assert [fact.result for fact in call.facts(ft.TaskResult)] == ["cancelled"]
    assert call.state.agents.current.key == "plain"


def test_a_result_of_a_task_that_nobody_began_changes_nothing() -> None:
    conversation = Conversation()
    conversation.apply(ft.TaskResult(task="ghost", result="1"))
    assert conversation == Conversation()


def test_what_is_not_read_and_what_stands_for_it_is_in_the_facts() -> None:
    call = Call()
    call.send(ev.Typed(text="my name is Ann"))
    call.answered()
    call.send(ev.AgentAsked(agent=agent("b"), terms=Terms(reads=NOTHING, note="Ann calls.", reason="bills")))
    fold = Conversation()
    for effect in call.new:
        if isinstance(effect, fx.Record):
            fold.apply(effect.fact)
    reading = fold.readings["b"]
    assert reading.unread == ["turn.1", "reply.1.1"]
    assert [note.text for note in reading.notes] == ["Ann calls."]
    assert fold == call.state.conversation


def test_the_application_too_may_not_pass_the_caller_on_for_ever() -> None:
    call = Call(agent("a"))
    for number in range(7):
        call.send(ev.AgentAsked(agent=agent(f"b{number}"), ask=str(number)))
    assert [notice["done"] for notice in call.notices("handoff")] == [True] * 5 + [False] * 2
    assert TOO_MANY in call.notices("error")[-1]["error"]
    call.send(ev.Typed(text="hello"), ev.AgentAsked(agent=agent("c"), ask="c"))
    assert call.notices("handoff")[-1]["done"]


def test_only_those_within_each_other_count_towards_the_bound() -> None:
    call = Call()
    op = awaiting_tool(call)
    for number in range(1, MAX_DEPTH + 4):
        asked(call, f"t{number}", op=op, number=number)
    for number in range(1, MAX_DEPTH + 4):
        call.send(ev.TaskDone(task=f"c/{number}", result="1"))
    assert {state for _, state in notices(call)} == {"entered", "done"}


def test_a_task_of_an_agent_that_has_left_does_not_come_about() -> None:
    call = Call()
    op = awaiting_tool(call)
    for number in (1, 2):
        asked(call, f"t{number}", op=op, number=number)
    call.send(ev.AgentAsked(agent=agent("other")))
    asked(call, "late", op=op, number=3)
    assert call.state.agents.current.key == "other"
    assert notices(call)[1:] == [("ask-t1", "cancelled"), ("ask-t2", "cancelled"), ("ask-late", "cancelled")]
    assert not call.state.agents.wishes
    assert call.state.timers.keys() >= {"tools.deadline:1"}, "its own time runs again"


def test_on_exit_of_a_task_that_is_over_may_await_one_for_the_agent_below() -> None:
    call = Call()
    call.send(ev.TaskAsked(ask="ask-t", agent=agent("t", hooks="exit")))
    call.send(ev.TaskDone(task="app/ask-t", result="1"))
    asked(call, "more", op=call.last(fx.CallHook).op)
    assert call.state.agents.current.key == "more"


def test_interrupting_everything_leaves_the_tool_that_waits_for_a_task() -> None:
    call = Call()
    op = awaiting_tool(call)
    asked(call, op=op)
    call.send(ev.InterruptAsked(), ev.TaskDone(task="c/1", result='"a@b.c"'))
    call.clear()
    call.send(ev.ToolReturned(op=op, output="fine"))
    assert len(call.all(fx.StartReply)) == 1, "its reply goes on"


def test_a_task_that_is_asked_for_again_while_it_waits_is_the_last_one_asks() -> None:
    call = Call()
    op = awaiting_tool(call)
    asked(call, "first")
    for name in ("once", "again"):
        asked(call, name, op=op)
    call.send(ev.TaskDone(task="app/ask-first", result="1"))
    assert notices(call) == [
        ("ask-first", "entered"), ("ask-once", "cancelled"), ("ask-first", "done"), ("ask-again", "entered"),
    ]  # fmt: skip


def test_a_read_that_was_only_guessed_has_no_task_until_the_guess_is_adopted() -> None:
    call = Call()
    call.says("my email")
    op = call.last(fx.StartReply).op
    call.send(ev.ToolCall(op=op, call_id="c", name="ask", arguments="{}", effect="read"))
    asked(call, op=call.last(fx.RunTool).op)
    assert not notices(call)
    call.wait(2.0)
    assert notices(call) == [("ask-t", "entered")]
