"""Tools, second part: calls, results, deadlines, the end, a new owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel.effects import CancelTool, DetachTool
from antiphon.kernel.events import Resumed, ToolCall, ToolProgress, ToolReturned
from antiphon.kernel.signals import (
    Adopted,
    BatchClosed,
    Closing,
    Discarded,
    Ending,
    Review,
    Timer,
)
from antiphon.kernel.tools import (
    CANCEL_WAIT,
    CANCELLED,
    DUPLICATE,
    ENDED,
    STILL_RUNNING,
    TIMED_OUT,
    UNHEARD,
    ToolRun,
    ToolsState,
    forget,
    log,
    move,
    result,
    settle,
    start,
)

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


# --- calls -------------------------------------------------------------------------------------------------------


def on_call(state: ToolsState, event: ToolCall, view: KernelState, out: Out) -> None:
    reply = view.reply.by_op(event.op)
    if reply is None or reply.tool_steps >= view.policy.max_tool_steps:
        return  # a step that was offered no tools cannot call any
    state.made += 1
    count = state.seen[event.call_id] = state.seen.get(event.call_id, 0) + 1
    run = state.runs[state.made] = ToolRun(
        state.made, event.call_id, event.name, event.arguments, event.effect, event.retry, event.cancellable,
        event.problem, reply.speech,
    )  # fmt: skip
    if count > 1:
        run.call_id = f"{event.call_id}~{count}"
        run.problem = DUPLICATE
    if reply.phase == "speculating":
        if reply.speech not in state.speculative:
            state.speculative.append(reply.speech)
        if run.effect == "read" and not run.problem:
            start(run, view, out)
    else:
        _proceed(state, run, view, out)


def _proceed(state: ToolsState, run: ToolRun, view: KernelState, out: Out) -> None:
    """The call counts: let it act, now or when it may."""
    if run.problem:
        log(run, view, out)
        move(run, "refused")
        result(state, run, run.problem, True, out)
    elif run.effect == "terminal":
        move(run, "wait until heard")
        out.timer(f"tools.deadline:{run.number}", out.now + view.policy.tool_deadline)
    else:
        log(run, view, out)
        start(run, view, out)


def on_adopted(state: ToolsState, signal: Adopted, view: KernelState, out: Out) -> None:
    if signal.speech in state.speculative:
        state.speculative.remove(signal.speech)
    for run in state.of(signal.speech):
        if run.phase == "held":
            _proceed(state, run, view, out)
        else:
            log(run, view, out)
            if run.phase == "settled":
                result(state, run, run.output, run.is_error, out)
    settle(state, signal.speech, view, out)


def on_discarded(state: ToolsState, signal: Discarded, view: KernelState, out: Out) -> None:
    """Its reply was interrupted or came to nothing. What has begun and is on record goes on; the rest does not happen."""
    for run in state.of(signal.speech):
        if not run.logged:
            if run.op is not None:
                out.effect(CancelTool(op=run.op))
            forget(state, run, out)
        elif run.cancellable and run.phase == "running" and run.op is not None:
            out.effect(CancelTool(op=run.op))
            out.timer(f"tools.deadline:{run.number}", out.now + CANCEL_WAIT)
    if signal.speech in state.speculative:
        state.speculative.remove(signal.speech)
    elif state.of(signal.speech) and signal.speech not in state.closed:
        state.closed.append(signal.speech)
    settle(state, signal.speech, view, out)


def on_review(state: ToolsState, signal: Review, view: KernelState, out: Out) -> None:
    """Terminal calls act when everything said before them was heard."""
    for run in [r for r in state.runs.values() if r.phase == "waiting"]:
        if run.speech not in state.closed:
            continue
        base = run.speech.partition("#")[0]
        if any(s.phase != "queued" and s.source != "ladder" for s in view.speech.speeches.values()):
            continue
        reply = view.reply.replies.get(base)
        if reply is not None and reply.op is not None and (reply.segments and not reply.audio):
            continue  # its words are still being made
        log(run, view, out)
        if view.speech.unheard == run.speech:
            move(run, "refused")
            out.cancel_timer(f"tools.deadline:{run.number}")
            result(state, run, UNHEARD, True, out)
            settle(state, run.speech, view, out)
        else:
            start(run, view, out)


# --- results -----------------------------------------------------------------------------------------------------


def on_returned(state: ToolsState, event: ToolReturned, view: KernelState, out: Out) -> None:
    run = state.running(event.op)
    out.close(event.op)
    run.op = None
    out.cancel_timer(f"tools.deadline:{run.number}")
    output, is_error = event.output, event.is_error
    if event.cancelled:
        output, is_error = event.output or CANCELLED, True
    if run.phase == "detached":
        move(run, "returned")
        result(state, run, output, is_error, out, detached=True)
        state.runs.pop(run.number, None)
        return
    move(run, "returned")
    run.output, run.is_error, run.reply, run.agent = output, is_error, event.reply, event.agent
    if run.logged:
        result(state, run, output, is_error, out)
        settle(state, run.speech, view, out)


def on_closed(state: ToolsState, signal: BatchClosed, view: KernelState, out: Out) -> None:
    state.closed.append(signal.speech)
    settle(state, signal.speech, view, out)


def on_progress(state: ToolsState, event: ToolProgress, view: KernelState, out: Out) -> None:
    run = state.running(event.op)
    out.notify("tool_execution_updated", call_id=run.call_id, name=run.name, status="updated", message=event.message)


# --- time, the end -----------------------------------------------------------------------------------------------


def on_timer(state: ToolsState, timer: Timer, view: KernelState, out: Out) -> None:
    run = state.runs[int(timer.key)]
    if run.phase == "waiting":
        log(run, view, out)
        move(run, "refused")
        result(state, run, UNHEARD, True, out)
    elif not run.logged:  # a speculative read: let it be as if it had never been asked for
        run.output, run.is_error = TIMED_OUT, True
        _cancel(run, "deadline", out)
        return
    elif run.effect == "read":
        _cancel(run, "deadline", out)
        result(state, run, TIMED_OUT, True, out)
    else:
        twin = msgspec.structs.replace(run)  # the batch goes on with an error; the write itself goes on detached
        state.made += 1
        twin.number = state.made
        move(twin, "write deadline")
        state.runs[twin.number] = twin
        run.op = None
        move(run, "deadline")
        result(state, run, STILL_RUNNING, True, out)
    settle(state, run.speech, view, out)


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
    for run in list(state.runs.values()):
        out.cancel_timer(f"tools.deadline:{run.number}")
        open_ = run.phase == "running"
        if run.op is not None:
            if run.effect == "read":
                out.effect(CancelTool(op=run.op))
            else:
                out.effect(DetachTool(op=run.op))
            out.close(run.op)
        move(run, "session ended")
        if open_ and run.logged:
            result(state, run, ENDED, True, out)
    state.runs.clear()
    state.closed.clear()
    state.speculative.clear()


def on_resumed(state: ToolsState, event: Resumed, view: KernelState, out: Out) -> None:
    """Reads run again. A write whose fate is unknown runs again only where its retry rule allows it."""
    for run in list(state.runs.values()):
        if run.op is None:
            continue
        run.op = None
        out.cancel_timer(f"tools.deadline:{run.number}")
        if run.phase == "detached":
            state.runs.pop(run.number, None)
        elif run.effect == "read" or run.retry != "never":
            run.phase = "held"
            start(run, view, out)
        else:
            move(run, "in doubt")
            out.fact(ft.ToolInDoubt(at=out.now, call_id=run.call_id, item=f"output.{run.call_id}", name=run.name))
            settle(state, run.speech, view, out)


HANDLERS: dict[type, Any] = {
    ToolCall: on_call,
    Adopted: on_adopted,
    Discarded: on_discarded,
    BatchClosed: on_closed,
    ToolReturned: on_returned,
    ToolProgress: on_progress,
    Review: on_review,
    Timer: on_timer,
    Closing: on_closing,
    Ending: on_ending,
    Resumed: on_resumed,
}
