"""A customer at the coffee counter, over Deepgram, GPT-4o and Cartesia: a recorded voice, model strings, sockets on loopback.

The example's own agent takes the order. Each call meets another trouble; the order and what is said stay the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from antiphon import AgentSession, Budget, FallbackAdapter, JobContext, Price, TurnHandlingOptions
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.leg import LegEvent
from antiphon.audio.seam import LegSpec
from antiphon.chat.items import ChatMessage
from antiphon.testing.loop import virtual_loop
from antiphon.testing.simulators import Fault, FaultScript, serving
from antiphon.testing.simulators.cartesia import CartesiaSimulator
from antiphon.testing.simulators.deepgram import DeepgramSimulator
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault, SimulatedCall
from antiphon.testing.simulators.openai import OpenAISimulator
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.speaking import spoken
from antiphon.testing.vad import LoudnessVAD
from antiphon.transport import offer_leg, withdraw_leg
from antiphon.transport.memory import MemoryLeg

COFFEE = Path(__file__).parents[2] / "examples" / "coffee"
SAYS = "Hi! Could I get a large iced mocha with skim milk, please?"
GREETING = "Welcome to the coffee counter. What can I get you?"
ANSWER = "One large iced mocha with skim milk, coming right up."
GOODBYE = "I have to end our conversation here. Thank you for calling. Goodbye."
TALK = [("assistant", GREETING), ("user", SAYS), ("assistant", ANSWER)]
CALLER = Recording.wav(COFFEE / "callers" / "1-heart.wav", SAYS, lead=4.5, pause=6.0)
DEAD = "http://127.0.0.1:9"


class Call(msgspec.Struct):
    """What came of a call."""

    orders: list[Any]
    talk: list[tuple[str, str]]
    heard: str
    session: AgentSession[Any]
    lost: list[str]
    stt: DeepgramSimulator
    llm: OpenAISimulator
    tts: CartesiaSimulator


def barista(request: dict[str, Any]) -> Answer:
    """Orders what was heard, then says what the tool says."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        return Answer(text=last["content"])
    if last["content"] != SAYS:
        return Answer(text="I am sorry?")
    order = {"drink": "iced mocha", "size": "large", "milk": "skim milk"}
    return Answer(calls=(SimulatedCall("place_order", json.dumps(order)),))


def call(
    *,
    model: str = "nova-3",
    fallback: bool = False,
    ears: FaultScript | None = None,
    brain: dict[int, LLMServiceFault] | None = None,
    voice: FaultScript | None = None,
    **options: Any,
) -> Call:
    """The customer's call from the first word to the last."""
    listening = DeepgramSimulator([CALLER], faults=ears)
    thinking = OpenAISimulator(LLMScript(barista, brain))
    speaking = CartesiaSimulator(faults=voice)

    from agent import CoffeeCounter

    async def main() -> Call:
        async with serving(listening) as hear, serving(thinking) as think, serving(speaking) as say:
            models: dict[str, Any] = {
                "stt": f"deepgram/{model}@{hear}",
                "llm": f"openai/gpt-4o@{think}/v1",
                "tts": f"cartesia/sonic-3@{say}",
            }
            if fallback:
                first = {"stt": f"deepgram/nova-3@{DEAD}", "llm": f"openai/gpt-4o-mini@{DEAD}/v1"}
                first["tts"] = f"cartesia/sonic-3@{DEAD}"
                models = {kind: FallbackAdapter([first[kind], second]) for kind, second in models.items()}
            session = AgentSession[Any](userdata=[], turn_detector=None, **models, **options)
            lost: list[str] = []
            session.on("model_availability_changed", lambda event: lost.append(event.kind))
            leg = MemoryLeg(np.frombuffer(CALLER.pcm, dtype="<i2"), quality="peer")
            plane = InlinePlane(LoudnessVAD())
            offer_leg("counter", leg)
            try:
                context = JobContext(
                    leg=LegSpec("object", {"key": "counter"}), plane=plane, user_loop="shared", id="counter"
                )
                await session.start(CoffeeCounter(), context)
                await asyncio.sleep(CALLER.seconds)
                leg.happen(LegEvent("down"))
                await session.wait_closed()
            finally:
                await session.aclose()
                await plane.aclose()
                withdraw_leg("counter")
            talk = [
                (item.role, item.text)
                for item in session.history.items
                if isinstance(item, ChatMessage) and item.role in ("user", "assistant")
            ]
            heard = spoken(leg.sounded().tobytes(), " ".join((GREETING, ANSWER, GOODBYE)))
            return Call(session.userdata, talk, heard, session, lost, listening, thinking, speaking)

    with virtual_loop(0) as loop:
        done = loop.run_until_complete(main())
        assert asyncio.all_tasks(loop) == set()
    return done


@pytest.fixture(autouse=True, scope="module")
def world() -> Iterator[None]:
    """The example can be imported, and there are keys."""
    with pytest.MonkeyPatch.context() as environment:
        environment.syspath_prepend(COFFEE)
        for name in ("DEEPGRAM_API_KEY", "CARTESIA_API_KEY", "OPENAI_COMPATIBLE_API_KEY"):
            environment.setenv(name, "not-a-real-key")
        yield


@pytest.fixture(scope="module")
def calm() -> Call:
    """A call without any trouble."""
    return call()


def served(done: Call) -> bool:
    (order,) = done.orders
    return (order.drink, order.size, order.milk) == ("iced mocha", "large", "skim milk") and done.talk == TALK


def test_the_order_is_taken_and_read_back(calm: Call) -> None:
    done = calm
    assert served(done) and done.lost == []
    assert done.heard == f"{GREETING} {ANSWER}"
    used = {use.provider: use for use in done.session.usage}
    assert set(used) == {"deepgram", "openai", "cartesia"} and all(use.cost for use in used.values())
    assert done.session.cost.unpriced == ()
    assert used["cartesia"].characters >= len(GREETING + ANSWER)


@pytest.mark.parametrize(
    "trouble",
    [
        {"ears": FaultScript.of(Fault("abort", clients=(0, 1), after=3))},
        {"voice": FaultScript.of(Fault("abort", after=2))},
        {"voice": FaultScript.of(Fault("abort", after=90))},
        {"brain": {0: LLMServiceFault(status=503)}},
        {"brain": {1: LLMServiceFault(mishap="cut", after=4)}},
    ],
    ids=["recogniser lost", "voice lost", "voice lost in a word", "model unavailable", "model cut short"],
)
def test_a_service_in_trouble_costs_nobody_their_coffee(trouble: dict[str, Any], calm: Call) -> None:
    done = call(**trouble)
    assert served(done)
    if "brain" in trouble:
        assert len(done.llm.script.requests) == len(calm.llm.script.requests) + 1, "it is asked once more"
    else:
        service = done.stt if "ears" in trouble else done.tts
        assert [peer.closed[0] for peer in service.clients if peer.closed].count(1006) == 1, (
            "the trouble did not happen"
        )


def test_flux_rules_on_the_turn() -> None:
    done = call(model="flux-general-en", turn_handling=TurnHandlingOptions(turn_detection="stt"))
    assert served(done) and done.session.cost.unpriced == ()


def test_the_second_of_each_kind_takes_over_from_one_that_is_dead() -> None:
    done = call(fallback=True)
    assert served(done)
    assert sorted(done.lost) == ["llm", "stt", "tts"]


def test_a_voice_counts_for_the_budget() -> None:
    """The greeting alone costs more than the call may: the voice is what costs."""
    price = Price(model="cartesia/sonic-3", kind="tts", thousand_characters=1.0)
    done = call(prices=[price], budget=Budget(per_call=0.03, on_exceeded="end"))
    assert done.orders == [] and done.talk[-1] == ("assistant", GOODBYE)
    assert done.heard.endswith(GOODBYE)
    (voice,) = (use for use in done.session.usage if use.kind == "tts")
    assert voice.cost == pytest.approx(voice.characters / 1000)
