"""Tools, second part: calls and what comes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel.agent_switch import refusal
from antiphon.kernel.effects import CancelTool
from antiphon.kernel.events import ToolCall, ToolProgress, ToolReturned
from antiphon.kernel.signals import (
    Adopted,
    BatchClosed,
    Discarded,
    HandoffAsked,
    Review,
    ToolBatchSettled,
)
from antiphon.kernel.tools import (
    CANCEL_WAIT,
    CANCELLED,
    DUPLICATE,
    SAME_CALL,
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
    settle,
    settle_all,
    settled,
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
    run = state.runs[state.made] = ToolRun(
        state.made, event.call_id, event.name, event.arguments, event.effect, event.retry, event.cancellable,
        event.problem, reply.speech, event.timeout, event.on_duplicate, by=reply.agent, extra=event.extra,
    )  # fmt: skip
    before = state.seen.get(event.call_id)
    if before == event.op[1]:
        run.problem = DUPLICATE
    if before is not None:
        run.call_id = _another(event.call_id, state)
        state.seen[run.call_id] = event.op[1]
    state.seen[event.call_id] = event.op[1]
    if reply.phase == "speculating":
        if reply.speech not in state.speculative:
            state.speculative.append(reply.speech)
        if run.effect == "read" and not run.problem and (run.on_duplicate == "allow" or state.same(run) is None):
            start(run, view, out)
    else:
        _proceed(state, run, view, out)


def _another(call_id: str, state: ToolsState) -> str:
    """An id like this one that was not seen: some models number the calls of each answer anew."""
    count = 2
    while f"{call_id}~{count}" in state.seen:
        count += 1
    return f"{call_id}~{count}"


def _proceed(state: ToolsState, run: ToolRun, view: KernelState, out: Out) -> None:
    """The call counts: let it act, now or when it may."""
    first = None if run.problem or run.on_duplicate == "allow" else state.same(run)
    awaits_us = first is not None and view.agents.below(first.by)
    if first is not None and (run.on_duplicate == "reject" or first.phase == "detached" or awaits_us):
        run.problem = SAME_CALL
    if run.problem:
        log(run, view, out)
        move(run, "refused")
        settled(state, run, run.problem, True, out)
    elif first is not None:
        run.key, run.joins = first.key, first.number
        log(run, view, out)
        move(run, "joined")
        await_end(run, view, out)
    elif run.effect == "terminal":
        move(run, "wait until heard")
        await_end(run, view, out)
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
                settled(state, run, run.output, run.is_error, out)
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
            settled(state, run, UNHEARD, True, out)
            settle(state, run.speech, view, out)
        else:
            start(run, view, out)


# --- results -----------------------------------------------------------------------------------------------------


def on_returned(state: ToolsState, event: ToolReturned, view: KernelState, out: Out) -> None:
    run = state.running(event.op)
    out.close(event.op)
    run.op, run.media = None, event.media
    out.cancel_timer(f"tools.deadline:{run.number}")
    output, is_error, agent = event.output, event.is_error, event.agent
    reply, why = event.reply, refusal(run.by, run.speech, view) if agent is not None else ""
    if why:
        output, is_error, reply, agent = why, True, True, None
    if event.cancelled:
        output, is_error = event.output or CANCELLED, True
    if run.phase == "detached":
        result(state, run, output, is_error, out)
        over(run, is_error, out)
        move(run, "returned")
        state.runs.pop(run.number, None)
        _tell(run, reply and agent is None, out)
        if agent is not None:
            out.signal(HandoffAsked(agent, "", event.terms))
        return
    move(run, "returned")
    run.output, run.is_error, run.reply = output, is_error, reply
    run.agent, run.terms = agent, event.terms
    if run.logged:
        settled(state, run, output, is_error, out)
        settle_all(state, view, out)


def _tell(run: ToolRun, reply: bool, out: Out) -> None:
    """The caller is told of a further output, by the reply under way or one of its own."""
    out.signal(ToolBatchSettled(f"{run.speech}-{run.late}", run.speech.partition("#")[0], reply, False))


def on_closed(state: ToolsState, signal: BatchClosed, view: KernelState, out: Out) -> None:
    state.closed.append(signal.speech)
    settle(state, signal.speech, view, out)


def on_progress(state: ToolsState, event: ToolProgress, view: KernelState, out: Out) -> None:
    run = state.running(event.op)
    out.notify("tool_execution_updated", call_id=run.call_id, name=run.name, status="updated", message=event.message)
    if not event.tell or not run.logged:
        return
    if run.phase == "detached":
        result(state, run, event.message, False, out)
        _tell(run, True, out)
        return
    detach(state, run, out)
    move(run, "told")
    settled(state, run, event.message, False, out)
    settle_all(state, view, out)


HANDLERS: dict[type, Any] = {
    ToolCall: on_call,
    Adopted: on_adopted,
    Discarded: on_discarded,
    BatchClosed: on_closed,
    ToolReturned: on_returned,
    ToolProgress: on_progress,
    Review: on_review,
}
