"""Tools: what the model asked for, from the call to its one result. Owns the journal's open part.

Theory. A call is recorded (``tool.intent``) before it acts, once per call id, and its result reaches the conversation
once. A ``read`` may run while its reply is a speculation (and is recorded if that is adopted); a ``write`` runs when
its turn is committed and survives interruption; a ``terminal`` call runs when everything said before it was heard. A
call that outlives its deadline gets an error as its result; a write goes on, detached. A call that tells of its
progress is detached as well: its step goes on with what it told. What comes of a detached call is a further output, of
which the caller is told. The same call while the first one runs is refused or joins it, where its tool says so. When
every call of a step has its result, the step's reply goes on, or another agent takes over: once, after the whole batch.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from antiphon.kernel import facts as ft
from antiphon.kernel.effects import RunTool
from antiphon.kernel.events import Effectfulness, OnDuplicate, Op, Retry
from antiphon.kernel.policy import AgentRef, Terms
from antiphon.kernel.signals import (
    HandoffAsked,
    ToolBatchSettled,
)

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState

CANCEL_WAIT = 2.0
"""Seconds a cancelled tool may take to end."""
TIMED_OUT = "This took too long and is reported as failed."
STILL_RUNNING = (
    "This takes longer than expected. It goes on in the background; its outcome is not known yet and will follow. "
    "Do not make this call again."
)
ENDED = "The session ended while this was running."
CANCELLED = "This was cancelled before it took effect."
DUPLICATE = "A call with this id was made before: it is not made again."
SAME_CALL = "The same call is under way already, so it was not made again. Its result will follow."
UNHEARD = "What was said before this call did not reach the caller, so it was not carried out."

STATES = ("held", "waiting", "joined", "running", "detached", "settled", "dropped")
MOVES: dict[tuple[str, str], str] = {
    ("held", "run"): "running",
    ("held", "wait until heard"): "waiting",
    ("held", "joined"): "joined",
    ("held", "refused"): "settled",
    ("held", "discarded"): "dropped",
    ("waiting", "run"): "running",
    ("waiting", "refused"): "settled",
    ("waiting", "discarded"): "dropped",
    ("joined", "returned"): "settled",
    ("joined", "deadline"): "settled",
    ("joined", "in doubt"): "settled",
    ("joined", "session ended"): "settled",
    ("running", "returned"): "settled",
    ("running", "deadline"): "settled",
    ("running", "told"): "settled",
    ("running", "goes on"): "detached",
    ("running", "in doubt"): "settled",
    ("running", "session ended"): "settled",
    ("running", "discarded"): "dropped",
    ("detached", "returned"): "settled",
    ("detached", "session ended"): "settled",
}


class ToolRun(msgspec.Struct):
    """One call. ``logged``: its intent is recorded. ``output``: of a speculative read, until it is adopted. ``late``:
    further outputs so far. ``joins``: the number of the call whose result it gets. ``by``: the agent whose model asked for it.
    ``tasks``: sub-dialogues that it awaits, ``left``: the time that it has after them."""

    number: int
    call_id: str
    name: str
    arguments: str
    effect: Effectfulness
    retry: Retry
    cancellable: bool
    problem: str
    speech: str
    timeout: float = 0.0
    on_duplicate: OnDuplicate = "allow"
    phase: str = "held"
    op: Op | None = None
    key: str = ""
    after: int = 0
    logged: bool = False
    output: str = ""
    is_error: bool = False
    reply: bool = True
    agent: AgentRef | None = None
    terms: Terms = Terms()
    late: int = 0
    joins: int = 0
    extra: str = ""
    media: tuple[str, ...] = ()
    by: str = ""
    tasks: int = 0
    left: float = 0.0


class ToolsState(msgspec.Struct):
    """``runs``: calls of open batches and detached ones. ``closed``: steps that ask for no more. ``seen``: call ids, and the number
    of the op that each came from."""

    runs: dict[int, ToolRun] = {}
    made: int = 0
    speculative: list[str] = []
    closed: list[str] = []
    seen: dict[str, int] = {}

    def of(self, speech: str) -> list[ToolRun]:
        return [r for r in self.runs.values() if r.speech == speech and r.phase != "detached"]

    def busy(self, view: KernelState) -> bool:
        """Whether a call is open (a speculation must not guess its outcome), other than below a sub-dialogue."""
        return any(
            r.phase in ("held", "waiting", "joined", "running") and not r.tasks and not view.agents.below(r.by)
            for r in self.runs.values()
        )

    def acted(self, base: str) -> bool:
        """Whether a reply has done something beyond reading."""
        return any(r.speech.partition("#")[0] == base and r.logged and r.effect != "read" for r in self.runs.values())

    def same(self, run: ToolRun) -> ToolRun | None:
        """The same call, on record and under way."""
        return next(
            (
                r for r in self.runs.values()
                if r.number != run.number and r.logged and r.phase in ("running", "waiting", "detached")
                and r.name == run.name and _plain(r.arguments) == _plain(run.arguments)
            ),
            None,
        )  # fmt: skip

    def detached(self) -> set[Op]:
        """Ops of calls that nobody waits for."""
        return {r.op for r in self.runs.values() if r.phase == "detached" and r.op is not None}

    def running(self, op: Op) -> ToolRun:
        """The call behind an open op."""
        return next(r for r in self.runs.values() if r.op == op)


def _plain(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def move(run: ToolRun, cause: str) -> bool:
    phase = MOVES.get((run.phase, cause))
    if phase is None:
        return False
    run.phase = phase
    return True


def log(run: ToolRun, view: KernelState, out: Out) -> None:
    run.logged = True
    run.key = run.key or f"{view.epoch}.{run.number}.{run.call_id}"
    run.after = out.fact(
        ft.ToolIntent(
            at=out.now, call_id=run.call_id, item=f"call.{run.call_id}", name=run.name, arguments=run.arguments,
            effect=run.effect, retry=run.retry, key=run.key, speech=run.speech, extra=run.extra,
        )
    )  # fmt: skip


def start(run: ToolRun, view: KernelState, out: Out, *, again: bool = False) -> None:
    move(run, "run")
    run.key = run.key or f"{view.epoch}.{run.number}.{run.call_id}"
    run.op = out.op("tool")
    out.effect(
        RunTool(
            op=run.op, speech=run.speech, call_id=run.call_id, name=run.name, arguments=run.arguments,
            effect=run.effect, retry=run.retry, key=run.key, after=run.after,
            agent=run.by, again=again,
        )
    )  # fmt: skip
    out.notify("tool_execution_updated", call_id=run.call_id, name=run.name, status="started", message="")
    await_end(run, view, out)


def await_end(run: ToolRun, view: KernelState, out: Out) -> None:
    """However this goes on, its step goes on by then."""
    out.timer(f"tools.deadline:{run.number}", out.now + (run.timeout or view.policy.tool_deadline))


def forget(state: ToolsState, run: ToolRun, out: Out) -> None:
    move(run, "discarded")
    out.close(run.op)
    out.cancel_timer(f"tools.deadline:{run.number}")
    state.runs.pop(run.number, None)


def result(state: ToolsState, run: ToolRun, output: str, is_error: bool, out: Out) -> None:
    """The call's output is on record; a detached call's is one more."""
    item = f"output.{run.call_id}"
    if run.phase == "detached":
        run.late += 1
        item = f"{item}-{run.late}"
    out.fact(
        ft.ToolResult(
            at=out.now, call_id=run.call_id, item=item, name=run.name, output=output, is_error=is_error, late=run.late,
            media=run.media,
        )
    )  # fmt: skip


def over(run: ToolRun, is_error: bool, out: Out) -> None:
    out.notify(
        "tool_execution_updated", call_id=run.call_id, name=run.name, status="error" if is_error else "done", message=""
    )


def detach(state: ToolsState, run: ToolRun, out: Out) -> ToolRun:
    """The call goes on by itself, as a run of no batch; ``run`` is what its batch keeps of it."""
    state.made += 1
    twin = state.runs[state.made] = msgspec.structs.replace(run, number=state.made)
    move(twin, "goes on")
    out.cancel_timer(f"tools.deadline:{run.number}")
    run.op = None
    return twin


def settle(state: ToolsState, speech: str, view: KernelState, out: Out) -> None:
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
    handed = next((r for r in runs if r.agent is not None), None)
    base = speech.partition("#")[0]
    out.signal(ToolBatchSettled(speech, base, any(r.reply for r in runs), handed is not None))
    if handed is not None and handed.agent is not None:
        out.signal(HandoffAsked(handed.agent, base, handed.terms))


def settled(state: ToolsState, run: ToolRun, output: str, is_error: bool, out: Out) -> None:
    """A call has its output, and so have those that joined it."""
    result(state, run, output, is_error, out)
    over(run, is_error, out)
    for other in [r for r in state.runs.values() if r.phase == "joined" and r.joins == run.number]:
        move(other, "returned")
        out.cancel_timer(f"tools.deadline:{other.number}")
        other.reply, other.media = run.reply, run.media
        result(state, other, output, is_error, out)
        over(other, is_error, out)


def settle_all(state: ToolsState, view: KernelState, out: Out) -> None:
    for speech in list(state.closed):
        settle(state, speech, view, out)
