"""Turn, last part: what the hook left of an ended turn becomes part of the conversation, or does not.

``turn.committed`` is written here and nowhere else; a turn that goes on after it was committed replaces its message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antiphon.kernel import facts as ft
from antiphon.kernel.events import ReplyAsked
from antiphon.kernel.floor import floor_of
from antiphon.kernel.signals import TurnCommitted, TurnDropped, TurnReady
from antiphon.kernel.speech_order import came_of

if TYPE_CHECKING:
    from antiphon.kernel.out import Out
    from antiphon.kernel.state import KernelState
    from antiphon.kernel.turn import TurnState


def on_ready(state: TurnState, signal: TurnReady, view: KernelState, out: Out) -> None:
    ended = signal.ended
    text = "" if signal.stop else signal.text
    for ask in ended.asks:
        out.notify("turn_committed", ask=ask, turn=ended.turn, text=text)
    if signal.stop:
        out.fact(ft.TurnDropped(at=out.now, turn=ended.turn, text=ended.text, reason="stopped"))
        out.fact(ft.SilenceChosen(at=out.now, turn=ended.turn, reason="stopped"))
        out.signal(TurnDropped(ended.turn, "stopped"))
        if ended.speech:
            out.notify("speech_completed", speech=ended.speech, error="")
        return
    version = view.conversation.version
    position = out.fact(
        ft.TurnCommitted(
            at=out.now,
            turn=ended.turn,
            item=ended.item,
            text=signal.text,
            modality=ended.modality,
            started=ended.started,
            ended=ended.ended,
            confidence=ended.confidence,
            language=ended.language,
            probability=ended.probability,
            media=ended.media + signal.media,
            speaker=ended.speaker,
        )
    )
    out.signal(
        TurnCommitted(
            ended.turn, signal.text, ended.text, position, version, ended.reply,
            speech=ended.speech, context_changed=signal.context_changed,
        )
    )  # fmt: skip


def on_reply_asked(state: TurnState, event: ReplyAsked, view: KernelState, out: Out) -> None:
    """``generate_reply(user_input=...)``: a whole turn that no hook looks at."""
    if not event.user_text and not event.media:
        return
    state.count += 1
    version = view.conversation.version
    position = out.fact(
        ft.TurnCommitted(
            at=out.now, turn=state.count, item=f"turn.{state.count}", text=event.user_text, modality="text",
            started=out.now, ended=out.now, media=event.media,
        )
    )  # fmt: skip
    out.signal(
        TurnCommitted(
            state.count, event.user_text, event.user_text, position, version, True,
            speech=event.speech, priority=event.priority, interruptible=event.interruptible, floor=floor_of(event),
            behind=came_of(event, view),
        )
    )  # fmt: skip


HANDLERS: dict[type, Any] = {TurnReady: on_ready, ReplyAsked: on_reply_asked}
