"""Reply, fourth part: a new owner. What was being made is made again, behind what of it sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel.events import Resumed
from antiphon.kernel.reply import ReplyState, begin, move, reject
from antiphon.kernel.signals import BatchClosed, ReplyCut, ReplyDropped, SoundLost

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState


def on_resumed(state: ReplyState, event: Resumed, view: KernelState, out: Out) -> None:
    """Ops of the old shell are gone: what was being made is made again, behind what the plane still has of it."""
    for speech in state.rest.values():
        out.signal(ReplyCut(speech))
    state.rest = {}
    for reply in list(state.replies.values()):
        if reply.phase == "speculating":
            reply.op = None
            reject(state, "a new owner", out)
        elif reply.op is not None:
            reply.op = None
            sounded = view.speech.sounded(reply.speech)
            out.signal(ReplyCut(reply.speech) if sounded else ReplyDropped(reply.speech, "failed"))
            if reply.phase in ("generating", "rendering") and not (reply.calls and view.tools.of(reply.speech)):
                reply.phase = "generating"
                begin(state, reply, view, out)
            elif move(reply, "generated with tools"):
                reply.generated = True
                out.signal(BatchClosed(reply.speech))


def on_sound_lost(state: ReplyState, signal: SoundLost, view: KernelState, out: Out) -> None:
    """All of it was made, and the plane that had it is gone: the model goes on from what the caller has heard."""
    reply = state.replies.get(signal.base)
    if reply is not None and reply.op is None and reply.speech == signal.speech and move(reply, "sound lost"):
        begin(state, reply, view, out)


HANDLERS: dict[type, Any] = {Resumed: on_resumed, SoundLost: on_sound_lost}
