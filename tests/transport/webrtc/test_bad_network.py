"""What networks and strangers do to a call: loss, disorder, floods, silence, another address, and no network at all."""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from antiphon.audio.seam import LineDown, LineError, LineUp, Settled
from antiphon.transport.webrtc import dtls, peer_connection, signals
from tests.transport.webrtc.calls import EAR_RATE, PLAY_RATE, Line, likeness, plane_of, speech, until
from tests.transport.webrtc.lossy_relay import LossyRelay
from tests.transport.webrtc.wrtc_page import RATE, WrtcPage


class Relayed:
    """A page whose every packet goes through a relay."""

    def __init__(self, line: Line, relay: LossyRelay, sound: Any = None) -> None:
        self.line, self.relay = line, relay
        self.change: Callable[[str], str] = lambda text: text
        self.page = WrtcPage(lambda text: line.signal(self.change(relay.offer(text))), sound)
        line.on_signal = self._answered

    async def _answered(self, text: str) -> None:
        await self.page.take(self.relay.answer(text))

    async def up(self) -> None:
        await self.page.call()
        await until(lambda: self.line.of(LineUp))


@asynccontextmanager
async def relayed(sound: Any = None, options: dict[str, Any] | None = None) -> AsyncIterator[Relayed]:
    async with plane_of("thread") as plane:
        line, relay = Line(plane, options=options), LossyRelay()
        await relay.open()
        call = Relayed(line, relay, sound)
        try:
            yield call
        finally:
            await call.page.close()
            relay.close()
            await line.close()


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


def test_lost_doubled_late_and_swapped_packets_are_heard_through() -> None:
    async def story() -> None:
        async with relayed(speech("1-heart", RATE)) as call:
            relay, line = call.relay, call.line
            relay.lost, relay.doubled, relay.late = 0.03, 0.05, 0.05
            await call.up()
            line.say("hello", speech("3-emma", PLAY_RATE))
            await until(lambda: call.page.spoken >= speech("1-heart", RATE).size and line.of(Settled), 20)
            await asyncio.sleep(0.3)
            assert line.of(Settled)[0].reason == "end"
            assert likeness(speech("1-heart", EAR_RATE), line.heard(), EAR_RATE) >= 0.7
            assert likeness(speech("3-emma", RATE), call.page.sounded(), RATE) >= 0.5  # its buffer stretches time
            assert line.heard().size >= 0.95 * speech("1-heart", EAR_RATE).size
            assert line.of(LineDown) == []
            counts = (await line.close()).counts
            assert counts["lost"] > 0 and counts["refused"] > 0

    run(story)


def test_a_caller_who_vanishes_is_noticed_within_5_s_and_may_come_back() -> None:
    async def story() -> None:
        async with relayed() as call:
            await call.up()
            call.relay.dead = True
            gone = asyncio.get_running_loop().time()
            await until(lambda: call.line.of(LineDown), 6)
            assert asyncio.get_running_loop().time() - gone < 5.0
            assert not call.line.of(LineDown)[0].certain
            assert call.page.states[-1] == "lost"
            call.relay.dead = False
            await until(lambda: len(call.line.of(LineUp)) == 2, 5)
            assert call.page.states[-1] == "connected"
            agent = speech("3-emma", PLAY_RATE)
            call.line.say("back", agent)
            await until(lambda: call.line.of(Settled), 20)
            assert (call.line.of(Settled)[0].reason, call.line.of(Settled)[0].position) == ("end", agent.size)

    run(story)


def test_a_caller_whose_address_changes_goes_on_talking() -> None:
    async def story() -> None:
        async with relayed(np.tile(speech("1-heart", RATE), 3)) as call:
            await call.up()
            await until(lambda: call.line.heard().any())
            await call.relay.change_address()
            before = call.line.heard().size
            await until(lambda: call.line.heard()[before + EAR_RATE :].any(), 10)
            agent = speech("3-emma", PLAY_RATE)
            call.line.say("there", agent)
            await until(lambda: call.line.of(Settled), 20)
            await asyncio.sleep(0.3)
            assert likeness(speech("3-emma", RATE), call.page.sounded(), RATE) >= 0.6

    run(story)


def floods(seed: int) -> list[bytes]:
    """Nonsense of every kind that shares the port."""
    dice = random.Random(seed)

    def noise(size: int) -> bytes:
        return dice.randbytes(size)

    found = [b"", b"\x00", b"\xff" * 1500, noise(2000), noise(60_000)]
    for _ in range(200):
        size = dice.choice((1, 7, 8, 11, 12, 13, 20, 40, 200, 1400))
        body = noise(size)
        found += [
            bytes([0, 1]) + size.to_bytes(2, "big") + b"\x21\x12\xa4\x42" + noise(12) + body,
            bytes([0, 1, 0, 24]) + b"\x21\x12\xa4\x42" + noise(12) + b"\x00\x08\x00\x14" + noise(20),
            bytes([1, 1]) + noise(size),
            bytes([dice.randrange(20, 64), 254, 253]) + noise(8) + size.to_bytes(2, "big") + body,
            bytes([22, 254, 253]) + noise(8) + size.to_bytes(2, "big") + body,
            bytes([0x80, 111]) + body,
            bytes([0x9F, 111]) + body,
            bytes([0x81, dice.randrange(192, 224)]) + body,
            bytes([dice.randrange(256)]) + body,
        ]
    return found


def test_a_flood_from_a_strangers_port_is_dropped_and_counted_and_the_call_goes_on() -> None:
    async def story() -> None:
        async with relayed(np.tile(speech("1-heart", RATE), 2)) as call:
            await call.up()
            stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            assert call.relay.leg is not None
            for seed in range(3):
                for data in floods(seed):
                    stranger.sendto(data, call.relay.leg)
                await asyncio.sleep(0.1)
            stranger.close()
            await until(lambda: call.page.spoken >= speech("1-heart", RATE).size, 20)
            await asyncio.sleep(0.3)
            assert call.line.of(LineDown) == [] and call.line.of(LineError) == []
            assert likeness(speech("1-heart", EAR_RATE), call.line.heard(), EAR_RATE) >= 0.9
            counts = (await call.line.close()).counts
            assert counts["strangers"] > 500 and counts["malformed"] > 100

    run(story)


def test_nonsense_from_the_callers_own_address_does_no_harm() -> None:
    async def story() -> None:
        async with relayed(np.tile(speech("1-heart", RATE), 2)) as call:
            await call.up()
            for data in floods(4):
                call.relay.inject(data)
                await asyncio.sleep(0.001)
            await until(lambda: call.page.spoken >= speech("1-heart", RATE).size, 20)
            await asyncio.sleep(0.3)
            assert call.line.of(LineDown) == [] and call.line.of(LineError) == []
            assert likeness(speech("1-heart", EAR_RATE), call.line.heard(), EAR_RATE) >= 0.9
            assert (await call.line.close()).counts["refused"] > 300

    run(story)


def test_nonsense_during_the_handshake_does_not_stop_it() -> None:
    async def story() -> None:
        async with relayed() as call:
            call.relay.drop = {"dtls"}
            await call.page.call()
            await until(lambda: call.page.states)
            await asyncio.sleep(0.3)
            for data in floods(5):
                call.relay.inject(data)
            await asyncio.sleep(0.1)
            call.relay.drop = set()
            await until(lambda: call.line.of(LineUp), 8)

    run(story)


def test_a_wrong_fingerprint_is_refused_with_a_clear_word() -> None:
    async def story() -> None:
        async with relayed() as call:
            forged = "fingerprint:sha-256 " + ":".join(["AA"] * 32)
            call.change = lambda text: re.sub("fingerprint:sha-256 [0-9A-F:]+", forged, text)
            await call.page.call()
            await until(lambda: call.line.said(signals.Error))
            assert "certificate" in call.line.said(signals.Error)[0].error
            assert call.page.states[-1] == "closed" and call.line.of(LineUp) == []
            assert call.line.of(LineError)[0].error.startswith("The peer's certificate")

    run(story)


def test_a_handshake_that_is_never_answered_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "HANDSHAKE_WITHIN", 1.0)

    async def story() -> None:
        async with relayed() as call:
            call.relay.drop = {"dtls"}
            await call.page.call()
            await until(lambda: call.line.said(signals.Error), 5)
            assert "DTLS" in call.line.said(signals.Error)[0].error

    run(story)


@pytest.mark.parametrize("candidates", [True, False], ids=["unreachable", "none"])
def test_no_path_ends_in_time_with_a_word_on_why(monkeypatch: pytest.MonkeyPatch, candidates: bool) -> None:
    monkeypatch.setattr(peer_connection, "CONNECT_WITHIN", 1.0)

    async def story() -> None:
        async with relayed() as call:
            call.relay.dead = True
            if not candidates:
                call.change = lambda text: text.replace("a=candidate", "a=x-candidate")
            await call.page.call()
            await until(lambda: call.line.said(signals.Error), 5)
            error = call.line.said(signals.Error)[0]
            assert "No network path" in error.error and "TURN" in error.hint
            assert ("no ICE candidates" in error.error) == (not candidates)

    run(story)


def test_a_page_may_restart_ice_before_it_ever_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_connection, "CONNECT_WITHIN", 2.0)

    async def story() -> None:
        async with relayed() as call:
            call.relay.dead = True
            await call.page.call()
            await until(lambda: call.page.states)
            call.relay.dead = False
            await call.page.call(restart=True)
            await until(lambda: call.line.of(LineUp), 5)
            await asyncio.sleep(2.2)  # the first try's time is over
            assert call.line.said(signals.Error) == [] and call.line.of(LineDown) == []

    run(story)


def test_a_restart_that_finds_no_path_leaves_the_call_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_connection, "CONNECT_WITHIN", 1.0)

    async def story() -> None:
        async with relayed(np.tile(speech("1-heart", RATE), 3)) as call:
            await call.up()
            first = call.line.said(signals.Answer)[0].sdp
            call.change = lambda text: text.replace("a=candidate", "a=x-candidate")
            answered, call.line.on_signal = call.line.on_signal, None  # the page never gets the answer
            await call.page.call(restart=True)
            await until(lambda: call.line.said(signals.Error), 5)
            call.line.on_signal = answered
            assert call.line.said(signals.Answer)[1].sdp != first
            before = call.line.heard().size
            await until(lambda: call.line.heard()[before:].any())
            assert call.line.of(LineDown) == []

    run(story)


def test_a_turn_server_that_does_not_answer_is_named_when_no_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_connection, "CONNECT_WITHIN", 1.5)
    server = {"urls": "turn:127.0.0.1:9?transport=tcp", "username": "a", "credential": "b"}

    async def story() -> None:
        async with relayed(options={"ice": {"loopback": True, "servers": [server]}}) as call:
            call.relay.dead = True
            await call.page.call()
            await until(lambda: call.line.said(signals.Error), 5)
            assert "turn:127.0.0.1:9" in call.line.said(signals.Error)[0].hint

    run(story)


def test_50_calls_leave_nothing_behind() -> None:
    async def story() -> None:
        async with plane_of("process") as plane:

            async def calls(first: int, count: int) -> None:
                for number in range(first, first + count):
                    line = Line(plane, f"line {number}")
                    page = WrtcPage(line.signal)
                    line.on_signal = page.take
                    await page.call()
                    await until(lambda line=line: line.of(LineUp))  # type: ignore[misc]
                    await page.close()
                    await line.close()
                    plane.unsubscribe(line.name)

            alone = threads(plane.pid)
            await calls(0, 60)
            await until(lambda: threads(plane.pid) == alone, 5)
            before, memory = files(plane.pid), resident(plane.pid)
            await calls(60, 50)
            await until(lambda: threads(plane.pid) == alone, 5)
            assert files(plane.pid) == before
            assert resident(plane.pid) - memory < 3_000  # kB; the allocator itself takes about half of it

    run(story)


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid: int) -> int:
    """kB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
