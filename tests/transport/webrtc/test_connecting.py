"""How a page and its leg find each other: trickled candidates, names for addresses, ports, servers, and bad offers."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from typing import Any

import pytest

from antiphon.audio.seam import LineDown, LineError, LineUp, MicAudio, Settled
from antiphon.errors import AudioError, ConfigurationError
from antiphon.transport.webrtc import leg, peer_connection, signals
from antiphon.transport.webrtc.ice_servers import IceServer, StunServer, TurnServer, server_addresses
from antiphon.transport.webrtc.leg import make_leg
from tests.transport.webrtc import turn_server
from tests.transport.webrtc.calls import PLAY_RATE, Line, likeness, plane_of, speech, until
from tests.transport.webrtc.lossy_relay import LossyRelay
from tests.transport.webrtc.test_sdp import text as offer_of
from tests.transport.webrtc.wrtc_page import RATE, WrtcPage

_LINE = re.compile(r"a=(candidate:[^\r\n]*)\r\n")


def run(story: Any) -> None:
    asyncio.run(story())


def pages_of(line: Line, sound: Any = None) -> WrtcPage:
    page = WrtcPage(line.signal, sound)
    line.on_signal = page.take
    return page


def changed(line: Line, change: Any) -> WrtcPage:
    """A page whose offers go through ``change(offer) -> offers and other signals``."""

    def send(text: str) -> None:
        signal = signals.read(text)
        for each in change(signal) if isinstance(signal, signals.Offer) else [signal]:
            line.signal(signals.write(each))

    page = WrtcPage(send)
    line.on_signal = page.take
    return page


def test_an_offer_is_answered_at_once_where_no_servers_are_configured() -> None:
    async def story() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            begin = time.monotonic()
            line.signal(signals.write(signals.Offer(1, offer_of("chromium"))))
            await until(lambda: line.said(signals.Answer))
            assert time.monotonic() - begin < 0.5
            assert "a=end-of-candidates" in line.said(signals.Answer)[0].sdp
            await line.close()

    run(story)


def test_candidates_may_be_trickled_after_the_offer() -> None:
    def trickle(offer: signals.Offer) -> list[Any]:
        candidates = _LINE.findall(offer.sdp)
        bare = _LINE.sub("", offer.sdp).replace("a=end-of-candidates\r\n", "")
        more = [signals.Candidate(offer.id, each) for each in candidates]
        stray = [
            signals.Candidate(offer.id + 7, "candidate:1 1 udp 1 192.0.2.99 9 typ host"),
            signals.Candidate(1, "?"),
        ]
        return [signals.Offer(offer.id, bare), *more, *stray, signals.Candidate(offer.id, None)]

    async def story() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = changed(line, trickle)
            await page.call()
            await until(lambda: line.of(LineUp))
            await page.close()
            await line.close()

    run(story)


def test_a_browser_that_hides_its_addresses_behind_names_is_found_by_its_own_checks() -> None:
    def hide(offer: signals.Offer) -> list[Any]:
        name = "3c3b2a19-6d20-4d6b-8e0a-2f5e6d0a7e11.local"
        return [signals.Offer(offer.id, re.sub(r"(udp \d+ )\S+", rf"\g<1>{name}", offer.sdp))]

    async def story() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = changed(line, hide)
            await page.call()
            await until(lambda: line.of(LineUp))
            await page.close()
            assert "malformed" not in {what for what, count in (await line.close()).counts.items() if count}

    run(story)


def test_only_the_ports_and_addresses_that_are_configured_are_offered() -> None:
    async def story() -> None:
        async with plane_of("thread") as plane:
            ice = {"ports": [40_100, 40_120], "public_address": "203.0.113.5", "ipv6": False}
            line = Line(plane, options={"ice": ice})
            line.signal(signals.write(signals.Offer(1, offer_of("chromium"))))
            await until(lambda: line.said(signals.Answer))
            candidates = [each.split() for each in _LINE.findall(line.said(signals.Answer)[0].sdp)]
            assert candidates and all(40_100 <= int(each[5]) <= 40_120 for each in candidates)
            assert not any(each[4].startswith("127.") or ":" in each[4] for each in candidates)
            assert {each[4] for each in candidates if each[7] == "srflx"} == {"203.0.113.5"}
            await line.close()

    run(story)


def test_a_call_through_a_turn_server_alone() -> None:
    async def story() -> None:
        server = turn_server.TurnServer()
        url = await server.open()
        servers = [{"urls": [url], "username": "user", "credential": "secret"}]
        async with plane_of("thread") as plane:
            line = Line(plane, options={"ice": {"servers": servers, "relay_only": True}})
            relay = LossyRelay()  # the page is on this machine: let it have an address the relay may send to
            await relay.open()
            page = WrtcPage(lambda text: line.signal(relay.offer(text)), speech("1-heart", RATE))
            line.on_signal = page.take
            relay.leg = ("127.0.0.1", 9)
            await page.call()
            await until(lambda: [each for each in line.said(signals.LocalCandidate) if each.candidate])
            candidate = line.said(signals.LocalCandidate)[0].candidate
            assert candidate.split()[7] == "relay"
            relay.leg = (candidate.split()[4], int(candidate.split()[5]))
            await page.trickle(f"candidate:1 1 udp 1 127.0.0.1 {relay.page_port} typ host")
            await until(lambda: line.of(LineUp))
            line.say("hello", speech("3-emma", PLAY_RATE))
            await until(lambda: line.of(Settled), 20)
            assert likeness(speech("3-emma", RATE), page.sounded(), RATE) >= 0.8
            assert server.relayed > 400 and len(server.allocations) == 1
            await page.close()
            relay.close()
            await line.close()
            await until(lambda: not server.allocations, 2)
        server.close()

    run(story)


def test_a_turn_server_that_refuses_is_named_when_no_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_connection, "CONNECT_WITHIN", 1.0)

    async def story() -> None:
        server = turn_server.TurnServer()
        url = await server.open()
        servers = [{"urls": url, "username": "user", "credential": "wrong"}]
        async with plane_of("thread") as plane:
            line = Line(plane, options={"ice": {"servers": servers, "relay_only": True}})
            line.signal(signals.write(signals.Offer(1, offer_of("safari"))))
            await until(lambda: line.said(signals.Error), 5)
            error = line.said(signals.Error)[0]
            assert "No network path" in error.error and url in error.hint and "401" in error.hint
            assert server.refused == 1
            assert line.said(signals.LocalCandidate)[-1].candidate is None
            await line.close()
        server.close()

    run(story)


@pytest.mark.parametrize(
    ("sdp", "why"),
    [
        ("garbled", "no SDP"),
        (offer_of("safari").replace("opus/48000/2", "opus/16000"), "no Opus"),
        (offer_of("safari").replace("m=audio", "m=video"), "no audio"),
    ],
)
def test_an_offer_that_cannot_be_answered_is_told_so_and_the_next_one_can(sdp: str, why: str) -> None:
    async def story() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            line.signal(signals.write(signals.Offer(4, sdp)))
            await until(lambda: line.said(signals.Error))
            error = line.said(signals.Error)[0]
            assert error.id == 4 and why in error.error and error.hint
            page = pages_of(line)
            await page.call()
            await until(lambda: line.of(LineUp))
            await page.close()
            await line.close()

    run(story)


def test_a_bad_offer_does_not_disturb_the_call() -> None:
    async def story() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = pages_of(line)
            await page.call()
            await until(lambda: line.of(LineUp))
            line.signal(signals.write(signals.Offer(2, "garbled")))
            await until(lambda: line.said(signals.Error))
            before = len(line.of(MicAudio))
            await until(lambda: len(line.of(MicAudio)) > before + 10)
            assert line.of(LineDown) == []
            await page.close()
            await line.close()

    run(story)


def test_a_flood_of_offers_is_refused_and_leaves_the_last_good_one() -> None:
    async def story() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            for number in range(30):
                sdp = offer_of("safari").replace("3893110221475937216", str(number))
                line.signal(signals.write(signals.Offer(number, sdp)))
            await until(lambda: len(line.said(signals.Error)) >= 20)
            assert {error.error for error in line.said(signals.Error)} == {"There are too many offers."}
            await until(lambda: line.said(signals.Answer))
            await until(lambda: line.said(signals.Answer)[-1].id == 9)
            await line.close()

    run(story)


def test_a_page_that_sends_no_sound_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leg, "MEDIA_WITHIN", 1.0)

    async def story() -> None:
        async with plane_of("thread") as plane:
            line, relay = Line(plane), LossyRelay()
            await relay.open()
            page = WrtcPage(lambda text: line.signal(relay.offer(text)))

            async def answered(text: str) -> None:
                await page.take(relay.answer(text))

            line.on_signal = answered
            relay.drop = {"rtp"}
            await page.call()
            await until(lambda: line.said(signals.Error), 5)
            assert "No sound" in line.said(signals.Error)[0].error
            assert line.of(LineDown) == [] and line.of(LineError) == []
            await page.close()
            relay.close()
            await line.close()

    run(story)


def test_ice_servers_are_named_as_browsers_name_them() -> None:
    servers = (
        IceServer("stun:stun.example.com"),
        IceServer(("turn:turn.example.com:5000", "turns:turn.example.com"), "u", "c"),
        IceServer("turn:[2001:db8::1]:3478?transport=tcp", "u", "c"),
    )
    assert server_addresses(servers) == [
        StunServer("stun.example.com", 3478, "stun:stun.example.com"),
        TurnServer("turn.example.com", 5000, "turn:turn.example.com:5000", "u", "c", "udp", False),
        TurnServer("turn.example.com", 5349, "turns:turn.example.com", "u", "c", "tcp", True),
        TurnServer("2001:db8::1", 3478, "turn:[2001:db8::1]:3478?transport=tcp", "u", "c", "tcp", False),
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"ice": {"servers": [{"urls": "http://x"}]}}, "no ICE server"),
        ({"ice": {"servers": [{"urls": "turn:x"}]}}, "username and a credential"),
        ({"ice": {"servers": [{"urls": "stun:x:99999"}]}}, "port"),
        ({"ice": {"servers": [{"urls": [f"stun:x{n}" for n in range(9)]}]}}, "more than 8"),
        ({"ice": {"ports": [5000, 4000]}}, "UDP ports"),
        ({"ice": {"public_address": "here"}}, "public address"),
        ({"codec": "x"}, "does not know"),
        ({"bitrate": "high"}, "does not know"),
    ],
)
def test_a_wrong_setting_is_said_before_any_call(options: dict[str, Any], why: str) -> None:
    with pytest.raises((ConfigurationError, AudioError), match=why):
        make_leg(options)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leg, "_PACKAGES", ("aioice", "no_such_package"))
    with pytest.raises(ConfigurationError, match=r"no_such_package.*antiphon\[webrtc\]"):
        make_leg({})


def test_opening_a_line_imports_nothing_that_takes_long() -> None:
    script = "import sys, antiphon.transport.webrtc.leg as leg; leg.make_leg({}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {"aioice", "cryptography", "OpenSSL", "pylibsrtp"} & set(done.stdout.split()) == set()
