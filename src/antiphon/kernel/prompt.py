"""The prompt view: the conversation as a language model should read it right now.

The conversation holds what was heard. A model also has to know what is on its way to the caller, or it would say it
again: those words are here too, marked ``in_flight``. Calls that still run have a placeholder as their output, and
each output stands right behind its call, so that the request is always valid.
"""

from __future__ import annotations

from antiphon.kernel import ledger
from antiphon.kernel.conversation import Call, CallOutput, Item, Message
from antiphon.kernel.state import KernelState

PENDING = "Still running; the result will follow. Do not make this call again."


def prompt_view(state: KernelState) -> list[Item]:
    """The conversation, calls paired with outputs, and what is about to be heard."""
    outputs = {i.call_id: i for i in state.conversation.items if isinstance(i, CallOutput)}
    items: list[Item] = []
    for item in state.conversation.items:
        if isinstance(item, CallOutput):
            continue
        items.append(item)
        if isinstance(item, Call):
            items.append(outputs.get(item.call_id) or _pending(item))
    for speech in state.speech.speeches.values():
        if speech.phase == "queued" or not speech.in_history or speech.source == "ladder":
            continue
        settling = speech.phase == "settling"
        text = ledger.heard_text(speech.segments, speech.position)[0] if settling else ledger.full_text(speech.segments)
        if text:
            at = speech.began if speech.began >= 0 else state.now
            items.append(Message(id=speech.id, role="assistant", text=text, created_at=at, in_flight=True))
    return items


def _pending(call: Call) -> CallOutput:
    return CallOutput(
        id=f"output.{call.call_id}", call_id=call.call_id, name=call.name, output=PENDING,
        created_at=call.created_at, pending=True,
    )  # fmt: skip
