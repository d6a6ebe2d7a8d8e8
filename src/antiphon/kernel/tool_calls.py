"""Tools, second part: calls, results, deadlines, the end, a new owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel.effects import CancelTool, DetachTool, RunTool
from antiphon.kernel.events import Effectfulness, Op, Resumed, Retry, ToolCall, ToolProgress, ToolReturned
from antiphon.kernel.policy import AgentRef
from antiphon.kernel.signals import (
    Adopted,
    BatchClosed,
    Closing,
    Discarded,
    Ending,
    HandoffAsked,
    Review,
    Timer,
    ToolBatchSettled,
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

CANCEL_WAIT = 2.0
"""Seconds a cancelled tool may take to end."""
TIMED_OUT = "This took too long and is reported as failed."
STILL_RUNNING = "This takes longer than expected. It goes on in the background; its outcome is not known yet."
ENDED = "The session ended while this was running."
CANCELLED = "This was cancelled before it took effect."
DUPLICATE = "A call with this id was made before: it is not made again."
UNHEARD = "What was said before this call did not reach the caller, so it was not carried out."

STATES = ("held", "waiting", "running", "detached", "settled", "dropped")
MOVES: dict[tuple[str, str], str] = {
    ("held", "run"): "running",
    ("held", "wait until heard"): "waiting",
    ("held", "refused"): "settled",
    ("held", "discarded"): "dropped",
    ("waiting", "run"): "running",
    ("waiting", "refused"): "settled",
    ("waiting", "discarded"): "dropped",
    ("running", "returned"): "settled",
    ("running", "deadline"): "settled",
    ("running", "write deadline"): "detached",
    ("running", "in doubt"): "settled",
    ("running", "session ended"): "settled",
    ("running", "discarded"): "dropped",
    ("detached", "returned"): "settled",
    ("detached", "session ended"): "settled",
}


class ToolRun(msgspec.Struct):
    """One call. ``logged``: its intent is recorded. ``output``: of a speculative read, until it is adopted."""

    number: int
    call_id: str
    name: str
    arguments: str
    effect: Effectfulness
    retry: Retry
    cancellable: bool
    problem: str
    speech: str
    phase: str = "held"
    op: Op | None = None
    key: str = ""
    after: int = 0
    logged: bool = False
    output: str = ""
    is_error: bool = False
    reply: bool = True
    agent: AgentRef | None = None


class ToolsState(msgspec.Struct):
    """``runs``: calls of open batches and detached ones. ``closed``: steps that ask for no more. ``seen``: how often each
    call id came."""

    runs: dict[int, ToolRun] = {}
    made: int = 0
    speculative: list[str] = []
    closed: list[str] = []
    seen: dict[str, int] = {}

    def of(self, speech: str) -> list[ToolRun]:
        return [r for r in self.runs.values() if r.speech == speech and r.phase != "detached"]

    def busy(self) -> bool:
        """Whether a call is open (a speculation must not guess its outcome)."""
        return any(r.phase in ("held", "waiting", "running") for r in self.runs.values())

    def acted(self, base: str) -> bool:
        """Whether a reply has done something beyond reading."""
        return any(r.speech.partition("#")[0] == base and r.logged and r.effect != "read" for r in self.runs.values())

    def running(self, op: Op) -> ToolRun | None:
        return next((r for r in self.runs.values() if r.op == op), None)


def move(run: ToolRun, cause: str) -> bool:
    phase = MOVES.get((run.phase, cause))
    if phase is None:
        return False
    run.phase = phase
    return True


# --- calls -------------------------------------------------------------------------------------------------------


def on_call(state: ToolsState, event: ToolCall, view: KernelState, out: Out) -> None:
    reply = view.reply.by_op(event.op)
    if reply is None:
        return
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
            _start(run, view, out)
    else:
        _proceed(state, run, view, out)


def _log(run: ToolRun, view: KernelState, out: Out) -> None:
    if run.logged:
        return
    run.logged = True
    run.key = run.key or f"{view.epoch}.{run.number}.{run.call_id}"
    run.after = out.fact(
        ft.ToolIntent(
            at=out.now, call_id=run.call_id, item=f"call.{run.call_id}", name=run.name, arguments=run.arguments,
            effect=run.effect, retry=run.retry, key=run.key, speech=run.speech,
        )
    )  # fmt: skip


def _start(run: ToolRun, view: KernelState, out: Out) -> None:
    if not move(run, "run"):
        return
    run.key = run.key or f"{view.epoch}.{run.number}.{run.call_id}"
    run.op = out.op("tool")
    out.effect(
        RunTool(
            op=run.op, speech=run.speech, call_id=run.call_id, name=run.name, arguments=run.arguments,
            effect=run.effect, retry=run.retry, key=run.key, after=run.after,
        )
    )  # fmt: skip
    out.notify("tool_execution_updated", call_id=run.call_id, name=run.name, status="started", message="")
    out.timer(f"tools.deadline:{run.number}", out.now + view.policy.tool_deadline)


def _proceed(state: ToolsState, run: ToolRun, view: KernelState, out: Out) -> None:
    """The call counts: let it act, now or when it may."""
    if run.problem:
        _log(run, view, out)
        move(run, "refused")
        _result(state, run, run.problem, True, out)
    elif run.effect == "terminal":
        move(run, "wait until heard")
        out.timer(f"tools.deadline:{run.number}", out.now + view.policy.tool_deadline)
    else:
        _log(run, view, out)
        _start(run, view, out)


def on_adopted(state: ToolsState, signal: Adopted, view: KernelState, out: Out) -> None:
    if signal.speech in state.speculative:
        state.speculative.remove(signal.speech)
    for run in state.of(signal.speech):
        if run.phase == "held":
            _proceed(state, run, view, out)
        else:
            _log(run, view, out)
            if run.phase == "settled":
                _result(state, run, run.output, run.is_error, out)
    _settle(state, signal.speech, view, out)


def on_discarded(state: ToolsState, signal: Discarded, view: KernelState, out: Out) -> None:
    """Its reply was interrupted or came to nothing. What has begun and is on record goes on; the rest does not happen."""
    for run in state.of(signal.speech):
        if not run.logged:
            if run.op is not None:
                out.effect(CancelTool(op=run.op))
            _forget(state, run, out)
        elif run.cancellable and run.phase == "running" and run.op is not None:
            out.effect(CancelTool(op=run.op))
            out.timer(f"tools.deadline:{run.number}", out.now + CANCEL_WAIT)
    if signal.speech in state.speculative:
        state.speculative.remove(signal.speech)
    elif state.of(signal.speech) and signal.speech not in state.closed:
        state.closed.append(signal.speech)
    _settle(state, signal.speech, view, out)


def _forget(state: ToolsState, run: ToolRun, out: Out) -> None:
    move(run, "discarded")
    out.close(run.op)
    out.cancel_timer(f"tools.deadline:{run.number}")
    state.runs.pop(run.number, None)


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
        _log(run, view, out)
        if view.speech.unheard == run.speech:
            move(run, "refused")
            out.cancel_timer(f"tools.deadline:{run.number}")
            _result(state, run, UNHEARD, True, out)
            _settle(state, run.speech, view, out)
        else:
            _start(run, view, out)


# --- results -----------------------------------------------------------------------------------------------------


def _result(state: ToolsState, run: ToolRun, output: str, is_error: bool, out: Out, *, detached: bool = False) -> None:
    out.fact(
        ft.ToolResult(
            at=out.now, call_id=run.call_id, item=f"output.{run.call_id}", name=run.name, output=output,
            is_error=is_error, detached=detached,
        )
    )  # fmt: skip
    out.notify(
        "tool_execution_updated", call_id=run.call_id, name=run.name, status="error" if is_error else "done", message=""
    )


def on_returned(state: ToolsState, event: ToolReturned, view: KernelState, out: Out) -> None:
    run = state.running(event.op)
    if run is None:
        return
    out.close(event.op)
    run.op = None
    out.cancel_timer(f"tools.deadline:{run.number}")
    output, is_error = event.output, event.is_error
    if event.cancelled:
        output, is_error = event.output or CANCELLED, True
    if run.phase == "detached":
        move(run, "returned")
        _result(state, run, output, is_error, out, detached=True)
        state.runs.pop(run.number, None)
        return
    move(run, "returned")
    run.output, run.is_error, run.reply, run.agent = output, is_error, event.reply, event.agent
    if run.logged:
        _result(state, run, output, is_error, out)
        _settle(state, run.speech, view, out)


def on_closed(state: ToolsState, signal: BatchClosed, view: KernelState, out: Out) -> None:
    if state.of(signal.speech) and signal.speech not in state.closed:
        state.closed.append(signal.speech)
    _settle(state, signal.speech, view, out)


def _settle(state: ToolsState, speech: str, view: KernelState, out: Out) -> None:
    """The batch is over when nothing more is asked for and every call has its result."""
    runs = state.of(speech)
    if speech not in state.closed or speech in state.speculative:
        return
    if any(r.phase != "settled" for r in runs):
        return
    state.closed.remove(speech)
    for run in runs:
        state.runs.pop(run.number, None)
    if not runs:
        return
    out.notify("function_tools_executed", call_ids=tuple(r.call_id for r in runs), speech=speech)
    agent = next((r.agent for r in runs if r.agent is not None), None)
    base = speech.partition("#")[0]
    out.signal(ToolBatchSettled(speech, base, any(r.reply for r in runs), agent is not None))
    if agent is not None:
        out.signal(HandoffAsked(agent, base))


def on_progress(state: ToolsState, event: ToolProgress, view: KernelState, out: Out) -> None:
    run = state.running(event.op)
    if run is not None:
        out.notify(
            "tool_execution_updated", call_id=run.call_id, name=run.name, status="updated", message=event.message
        )


# --- time, the end -----------------------------------------------------------------------------------------------


def on_timer(state: ToolsState, timer: Timer, view: KernelState, out: Out) -> None:
    run = state.runs.get(int(timer.key))
    if run is None:
        return
    if run.phase == "waiting":
        _log(run, view, out)
        move(run, "refused")
        _result(state, run, UNHEARD, True, out)
    elif run.phase != "running":
        return
    elif not run.logged:  # a speculative read: let it be as if it had never been asked for
        run.output, run.is_error = TIMED_OUT, True
        _cancel(run, "deadline", out)
        return
    elif run.effect == "read":
        _cancel(run, "deadline", out)
        _result(state, run, TIMED_OUT, True, out)
    else:
        twin = msgspec.structs.replace(run)  # the batch goes on with an error; the write itself goes on detached
        state.made += 1
        twin.number = state.made
        move(twin, "write deadline")
        state.runs[twin.number] = twin
        run.op = None
        move(run, "deadline")
        _result(state, run, STILL_RUNNING, True, out)
    _settle(state, run.speech, view, out)


def _cancel(run: ToolRun, cause: str, out: Out) -> None:
    if run.op is not None:
        out.effect(CancelTool(op=run.op))
        out.close(run.op)
        run.op = None
    move(run, cause)


def on_closing(state: ToolsState, signal: Closing, view: KernelState, out: Out) -> None:
    for run in [r for r in state.runs.values() if not r.logged]:
        if run.op is not None:
            out.effect(CancelTool(op=run.op))
        _forget(state, run, out)


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
            _result(state, run, ENDED, True, out)
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
            _start(run, view, out)
        else:
            move(run, "in doubt")
            out.fact(ft.ToolInDoubt(at=out.now, call_id=run.call_id, item=f"output.{run.call_id}", name=run.name))
            _settle(state, run.speech, view, out)


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


# --- calls -------------------------------------------------------------------------------------------------------


def on_call(state: ToolsState, event: ToolCall, view: KernelState, out: Out) -> None:
    reply = view.reply.by_op(event.op)
    if reply is None:
        return
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
    if run is None:
        return
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
    if state.of(signal.speech) and signal.speech not in state.closed:
        state.closed.append(signal.speech)
    settle(state, signal.speech, view, out)


def on_progress(state: ToolsState, event: ToolProgress, view: KernelState, out: Out) -> None:
    run = state.running(event.op)
    if run is not None:
        out.notify(
            "tool_execution_updated", call_id=run.call_id, name=run.name, status="updated", message=event.message
        )


# --- time, the end -----------------------------------------------------------------------------------------------


def on_timer(state: ToolsState, timer: Timer, view: KernelState, out: Out) -> None:
    run = state.runs.get(int(timer.key))
    if run is None:
        return
    if run.phase == "waiting":
        log(run, view, out)
        move(run, "refused")
        result(state, run, UNHEARD, True, out)
    elif run.phase != "running":
        return
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
    if run.op is not None:
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
