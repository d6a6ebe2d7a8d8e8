"""Listening aloud: the agent's own backchannels ("mhm") in a long turn of the caller's. Part of the turn machine.

A short clip, ready before the call, at a pause of which something says that the caller goes on: the words do ("and then
I"), or the end-of-turn model's score. It waits for nothing and nothing waits for it; it cannot be interrupted, so it opens no
overlap; it is no turn and, unless asked, not in the history. Off unless the policy says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from antiphon.kernel.signals import ReplyQueued

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState
    from antiphon.kernel.turn import TurnState

CLIP = "backchannel."
"""Keys of the clips begin with it; a number follows."""


def nod(state: TurnState, view: KernelState, out: Out) -> None:
    """Say that the agent listens, if it is time."""
    policy = view.policy.backchannel
    if policy.clips == 0 or not any(leg.medium == "audio" for leg in view.legs.legs.values()):
        return
    if state.asks or state.waiting or view.speech.speeches or view.lifecycle.phase != "running":
        return
    if out.now - state.started < policy.after or (state.nods and out.now - state.nodded < policy.every):
        return
    speech = f"listening.{view.epoch}.{state.nods}"
    clip = f"{CLIP}{state.nods % policy.clips}"
    state.nods, state.nodded = state.nods + 1, out.now
    out.signal(
        ReplyQueued(
            speech, speech, "ladder", out.op("clip"), priority="ladder", interruptible=False,
            in_history=policy.in_history, clip=clip,
        )
    )  # fmt: skip
