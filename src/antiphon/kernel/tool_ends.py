"""Tools, third part: deadlines, the end of the session, a new owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import facts as ft
from antiphon.kernel.conversation import IN_DOUBT
from antiphon.kernel.effects import CancelTool, DetachTool
from antiphon.kernel.events import Resumed
from antiphon.kernel.signals import Closing, Ending, TaskBegan, TaskOver, Timer
from antiphon.kernel.tools import (
    ENDED,
    STILL_RUNNING,
    TIMED_OUT,
    UNHEARD,
    ToolRun,
    ToolsState,
    await_end,
    detach,
    forget,
    log,
    move,
    over,
    result,
    settle_all,
    settled,
    start,
)

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


def on_timer(state: ToolsState, timer: Timer, view: KernelState, out: Out) -> None:
    run = state.runs[int(timer.key)]
    if run.phase == "waiting":
        log(run, view, out)
        move(run, "refused")
        settled(state, run, UNHEARD, True, out)
    elif run.phase == "joined" and state.runs[run.joins].tasks:
        await_end(run, view, out)
        return
    elif run.phase == "joined":
        move(run, "deadline")
        settled(state, run, STILL_RUNNING, True, out)
    elif not run.logged:  # a speculative read: let it be as if it had never been asked for
        run.output, run.is_error = TIMED_OUT, True
        _cancel(run, "deadline", out)
        return
    elif run.effect == "read":
        _cancel(run, "deadline", out)
        settled(state, run, TIMED_OUT, True, out)
    else:
        detach(state, run, out)  # the batch goes on with an error; the write itself goes on
        move(run, "deadline")
        settled(state, run, STILL_RUNNING, True, out)
    settle_all(state, view, out)


def on_task_began(state: ToolsState, signal: TaskBegan, view: KernelState, out: Out) -> None:
    """What the caller says takes the time that it takes: the call's own stands still."""
    run = next((run for run in state.runs.values() if run.op == signal.op), None)
    if run is None:
        return
    due = view.timers.get(f"tools.deadline:{run.number}")
    if not run.tasks and due is not None:
        run.left = due - out.now
        out.cancel_timer(f"tools.deadline:{run.number}")
    run.tasks += 1


def on_task_over(state: ToolsState, signal: TaskOver, view: KernelState, out: Out) -> None:
    run = next((run for run in state.runs.values() if run.op is not None and run.op == signal.op), None)
    if run is None:
        return
    run.tasks = max(0, run.tasks - 1)
    if not run.tasks and run.phase == "running":
        out.timer(f"tools.deadline:{run.number}", out.now + run.left)


def _cancel(run: ToolRun, cause: str, out: Out) -> None:
    assert run.op is not None
    out.effect(CancelTool(op=run.op))
    out.close(run.op)
    run.op = None
    move(run, cause)


def on_closing(state: ToolsState, signal: Closing, view: KernelState, out: Out) -> None:
    for run in [r for r in state.runs.values() if not r.logged]:
        if run.op is not None:
            out.effect(CancelTool(op=run.op))
        forget(state, run, out)


def on_ending(state: ToolsState, signal: Ending, view: KernelState, out: Out) -> None:
    """Nothing is waited for any more. What a write comes to is recorded even after the end."""
    for run in list(state.runs.values()):
        out.cancel_timer(f"tools.deadline:{run.number}")
        if run.op is not None and run.effect == "read":
            out.effect(CancelTool(op=run.op))
            out.close(run.op)
        elif run.op is not None:
            out.effect(DetachTool(op=run.op))
            if run.phase == "running":
                detach(state, run, out)
        open_ = run.phase in ("running", "joined")
        if run.phase != "detached" or run.effect == "read":
            move(run, "session ended")
            del state.runs[run.number]
        if open_:
            result(state, run, ENDED, True, out)
            over(run, True, out)
    state.closed.clear()
    state.speculative.clear()


def on_resumed(state: ToolsState, event: Resumed, view: KernelState, out: Out) -> None:
    """Reads run again. A write whose fate is unknown runs again only where its retry rule allows it."""
    for run in list(state.runs.values()):
        if run.op is None:
            continue
        run.op, run.tasks = None, 0
        out.cancel_timer(f"tools.deadline:{run.number}")
        if run.phase == "detached":
            result(state, run, IN_DOUBT, True, out)
            state.runs.pop(run.number, None)
        elif run.effect == "read" or run.retry != "never":
            run.phase = "held"
            start(run, view, out, again=True)
        else:
            joined = [r for r in state.runs.values() if r.phase == "joined" and r.joins == run.number]
            for one in (run, *joined):
                move(one, "in doubt")
                out.cancel_timer(f"tools.deadline:{one.number}")
                out.fact(ft.ToolInDoubt(at=out.now, call_id=one.call_id, item=f"output.{one.call_id}", name=one.name))
            settle_all(state, view, out)


HANDLERS: dict[type, Any] = {
    Timer: on_timer,
    TaskBegan: on_task_began,
    TaskOver: on_task_over,
    Closing: on_closing,
    Ending: on_ending,
    Resumed: on_resumed,
}
