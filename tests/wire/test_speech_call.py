"""Whole calls over simulated services: the caller's PCM goes through the real plane, session and wire, on the virtual clock."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import numpy as np
import pytest

from antiphon import Agent, AgentSession, JobContext, TurnHandlingOptions
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.leg import LegEvent
from antiphon.audio.seam import LegSpec
from antiphon.chat.items import ChatMessage
from antiphon.providers import cartesia, deepgram
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import Fault, FaultScript, MemoryConnector
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.speaking import spoken
from antiphon.testing.vad import LoudnessVAD
from antiphon.transport import offer_leg, withdraw_leg
from antiphon.transport.memory import MemoryLeg

ORDERS = ("one large coffee please", "and a croissant to go")
ANSWERS = ("One large coffee. Anything else?", "Coming right up. Thank you!")
CALLER = Recording.of(*ORDERS, lead=0.5, pause=8.0)


class Call(msgspec.Struct):
    """What came of a call."""

    history: list[tuple[str, str]]
    heard: str
    report: Any
    ears: DeepgramSimulator
    voice: CartesiaSimulator
    errors: list[Any]
    sent: float
    """Seconds of audio that sockets of the recogniser took."""


def hold_a_call(
    *, model: str = "nova-3", ears: FaultScript | None = None, voice: FaultScript | None = None, **options: Any
) -> Call:
    listening = DeepgramSimulator([CALLER], faults=ears)
    speaking = CartesiaSimulator(faults=voice)

    async def main() -> Call:
        plane = InlinePlane(LoudnessVAD())
        leg = MemoryLeg(np.frombuffer(CALLER.pcm, dtype="<i2"), quality="peer")
        key = "speech-call"
        offer_leg(key, leg)
        hear, say = MemoryConnector(listening), MemoryConnector(speaking)
        stt = deepgram.STT(model, api_key="k", connector=hear)
        tts = cartesia.TTS(api_key="k", connector=say)
        context = JobContext(leg=LegSpec("object", {"key": key}), plane=plane, user_loop="shared", id="call")
        session = AgentSession[None](stt=stt, llm=ScriptedLLM(list(ANSWERS)), tts=tts, turn_detector=None, **options)
        errors: list[Any] = []
        session.on("error", errors.append)
        try:
            await session.start(Agent(instructions="Take the order."), context)
            await asyncio.sleep(CALLER.seconds + 2.0)
            leg.happen(LegEvent("down"))
            await session.wait_closed()
        finally:
            await session.aclose()
            await stt.aclose()
            await tts.aclose()
            await plane.aclose()
            withdraw_leg(key)
        assert (hear.open, say.open) == (0, 0), "sockets were left open"
        history = [(item.role, item.text) for item in session.history.items if isinstance(item, ChatMessage)]
        sounds = leg.sounded().tobytes()
        heard = spoken(sounds, " ".join(ANSWERS))
        return Call(history, heard, context.report(), listening, speaking, errors, stt.usage.seconds)

    with virtual_loop(0) as loop:
        call = loop.run_until_complete(main())
        assert asyncio.all_tasks(loop) == set()
    return call


WHOLE = [
    (role, text)
    for order, answer in zip(ORDERS, ANSWERS, strict=True)
    for role, text in (("user", order), ("assistant", answer))
]


def test_a_caller_orders_and_is_answered() -> None:
    call = hold_a_call()
    assert call.history == WHOLE and call.errors == []
    assert call.heard == " ".join(ANSWERS)


def test_a_service_that_rules_on_turns_is_followed() -> None:
    call = hold_a_call(model="flux-general-en", turn_handling=TurnHandlingOptions(turn_detection="stt"))
    assert call.history == WHOLE


@pytest.mark.parametrize("kind", ["abort", "silent", "refuse"])
@pytest.mark.parametrize("after", [2, 5, 9])
def test_a_service_that_rules_on_turns_and_is_lost_within_one_is_followed_on(kind: Any, after: int) -> None:
    options = {"model": "flux-general-en", "turn_handling": TurnHandlingOptions(turn_detection="stt")}
    call = hold_a_call(ears=FaultScript.of(Fault(kind, after=after)), **options)
    assert call.history == WHOLE


@pytest.mark.parametrize("model", ["nova-3", "flux-general-en"])
@pytest.mark.parametrize("kind", ["abort", "close", "silent", "vanish", "refuse"])
def test_a_recogniser_lost_in_the_middle_of_a_word_changes_nothing(kind: Any, model: str) -> None:
    call = hold_a_call(model=model, ears=FaultScript.of(Fault(kind, after=3)))
    assert call.history == WHOLE
    assert len(call.ears.clients) + len(call.ears.refused) == 2


@pytest.mark.parametrize("kind", ["abort", "close", "silent", "vanish", "refuse"])
@pytest.mark.parametrize("after", [0, 2, 12, 21])
def test_a_voice_lost_at_any_moment_still_says_everything(kind: Any, after: int) -> None:
    call = hold_a_call(voice=FaultScript.of(Fault(kind, after=after)))
    assert [role for role, _ in call.history if role == "user"] == ["user", "user"]
    words = call.heard.split()
    position = 0
    for word in " ".join(ANSWERS).split():  # each word, in order; a text that was cut may be said again
        assert word in words[position:], f"{word} was not heard: {call.heard}"
        position += words[position:].index(word) + 1


def test_what_was_used_is_in_the_report() -> None:
    call = hold_a_call(ears=FaultScript.of(Fault("abort", after=3)))
    usage = {(one.kind, one.provider): one for one in call.report.usage}
    assert usage["tts", "cartesia"].characters == sum(map(len, ANSWERS))
    assert CALLER.seconds + 2.0 < usage["stt", "deepgram"].audio_seconds < CALLER.seconds + 4.0, (
        "what was sent twice counts"
    )
    assert call.report.drops["stt_reconnects"] == 1


def _audio_counted(call: Call) -> float:
    return sum(one.audio_seconds for one in call.report.usage if one.kind == "stt")


def test_audio_that_no_connection_took_is_not_in_the_account() -> None:
    call = hold_a_call(ears=FaultScript.of(Fault("refuse", None, status=503)))
    assert call.ears.clients == [] and call.ears.refused
    assert _audio_counted(call) == 0.0


@pytest.mark.parametrize("fault", [Fault("close", None, code=1011), Fault("abort", None, after=1)])
def test_a_service_that_breaks_on_every_connection_is_neither_stormed_nor_overpaid(fault: Fault) -> None:
    call = hold_a_call(ears=FaultScript.of(fault))
    assert len(call.ears.clients) <= 5 * 8, (
        "a stream asks five times; a session makes six streams, and more once words have come"
    )
    assert _audio_counted(call) == pytest.approx(call.sent)
