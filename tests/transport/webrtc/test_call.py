"""A page calls: libwebrtc on one side, the leg in a real plane on the other, over this machine's own addresses."""

from __future__ import annotations

import asyncio
import itertools
import re
from typing import Any

import numpy as np
import pytest

from antiphon.audio.seam import Digit, LegText, LineDown, LineUp, MicAudio, Progress, Settled, VadEdge
from antiphon.transport.webrtc import signals
from tests.transport.webrtc.calls import EAR_RATE, FORMS, PLAY_RATE, Line, likeness, plane_of, speech, until
from tests.transport.webrtc.wrtc_page import RATE, WrtcPage


async def connected(line: Line, sound: Any = None) -> WrtcPage:
    page = WrtcPage(line.signal, sound)
    line.on_signal = page.take
    ups = len(line.of(LineUp))
    await page.call()
    await until(lambda: len(line.of(LineUp)) > ups)
    return page


@pytest.mark.parametrize("form", FORMS)
def test_a_page_calls_and_both_sides_hear_each_other(form: str) -> None:
    async def call() -> None:
        async with plane_of(form) as plane:
            line = Line(plane)
            caller, agent = speech("1-heart", RATE), speech("1-heart", PLAY_RATE)
            page = await connected(line, caller)
            line.say("hello", agent)
            await until(lambda: line.of(Settled), 20)
            await until(lambda: page.spoken >= caller.size, 20)
            await asyncio.sleep(0.3)
            settled = line.of(Settled)[0]
            assert (settled.reason, settled.quality, settled.position) == ("end", "paced", agent.size)
            assert likeness(speech("1-heart", EAR_RATE), line.heard(), EAR_RATE) >= 0.9
            assert likeness(speech("1-heart", RATE), page.sounded(), RATE) >= 0.9
            assert page.states == ["connecting", "connected"]
            stats = line.said(signals.Stats)[-1]
            assert stats.rtt is not None and stats.rtt < 0.1 and stats.loss == 0.0
            frames = [message.frame for message in line.of(MicAudio)]
            assert all(abs(b.at - a.at - a.duration) < 0.1 for a, b in itertools.pairwise(frames))
            await page.close()
            await line.close()

    asyncio.run(call())


def test_a_page_that_reloads_goes_on_with_the_same_line() -> None:
    async def call() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            first = await connected(line)
            line.say("long", np.tile(speech("3-emma", PLAY_RATE), 3))
            await until(lambda: line.of(Progress))
            second = await connected(line, speech("1-heart", RATE))
            await first.close()
            down = line.of(LineDown)[0]
            assert not down.certain
            lost = line.of(Settled)[0]
            assert lost.reason == "lost" and 0 < lost.position < 3 * speech("3-emma", PLAY_RATE).size
            line.say("again", speech("3-emma", PLAY_RATE))
            await until(lambda: len(line.of(Settled)) == 2, 20)
            again = line.of(Settled)[1]
            assert (again.reason, again.position) == ("end", speech("3-emma", PLAY_RATE).size)
            assert likeness(speech("3-emma", RATE), second.sounded(), RATE) >= 0.8
            assert likeness(speech("1-heart", EAR_RATE), line.heard(), EAR_RATE) >= 0.9
            await second.close()
            await line.close()

    asyncio.run(call())


def test_bye_ends_the_call_at_once_and_for_certain() -> None:
    async def call() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = await connected(line)
            page.send(signals.write(signals.Bye()))
            await until(lambda: line.of(LineDown), 0.5)
            down = line.of(LineDown)[0]
            assert (down.certain, down.reason) == (True, "hangup")
            await page.close()
            await line.close()

    asyncio.run(call())


def test_a_page_that_closes_its_connection_without_a_word_is_noticed() -> None:
    async def call() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = await connected(line)
            await page.close()
            await until(lambda: line.of(LineDown), 5)
            assert not line.of(LineDown)[0].certain
            await line.close()

    asyncio.run(call())


def test_ice_restarts_in_mid_call_and_nothing_of_the_agents_speech_is_lost() -> None:
    async def call() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = await connected(line, np.tile(speech("1-heart", RATE), 2))
            agent = speech("3-emma", PLAY_RATE)
            line.say("hello", agent)
            await until(lambda: line.of(Progress))
            await page.call(restart=True)
            await until(lambda: len(line.said(signals.Answer)) == 2)
            await until(lambda: line.of(Settled), 20)
            assert (line.of(Settled)[0].reason, line.of(Settled)[0].position) == ("end", agent.size)
            assert line.of(LineDown) == [] and len(line.of(LineUp)) == 1
            assert likeness(speech("3-emma", RATE), page.sounded(), RATE) >= 0.8
            ufrags = {re.search("ice-ufrag:(.*)", answer.sdp).group(1) for answer in line.said(signals.Answer)}  # type: ignore[union-attr]
            assert len(ufrags) == 2
            await page.close()
            await line.close()

    asyncio.run(call())


def test_a_muted_page_is_silent_and_time_goes_on() -> None:
    async def call() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = await connected(line, np.tile(speech("1-heart", RATE), 2))
            await until(lambda: line.of(VadEdge))
            page.send(signals.write(signals.Mute(True)))
            await until(lambda: line.of(VadEdge)[-1].edge == "end")
            before = line.heard().size
            await asyncio.sleep(0.6)
            muted = line.heard()[before + EAR_RATE // 10 :]
            assert muted.size > 0.4 * EAR_RATE and not muted.any()
            page.send(signals.write(signals.Mute(False)))
            await until(lambda: line.heard()[before:].any())
            await page.close()
            await line.close()

    asyncio.run(call())


def test_text_digits_and_nonsense_come_by_signal() -> None:
    async def call() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            line.signal(signals.write(signals.Text("hello")))
            line.signal(signals.write(signals.Dtmf("1#")))
            line.signal("{")
            await until(lambda: line.of(LegText) and len(line.of(Digit)) == 2 and line.said(signals.Error))
            assert line.of(LegText)[0].text == "hello"
            assert [message.digit for message in line.of(Digit)] == ["1", "#"]
            assert line.said(signals.Error)[0].id is None and line.said(signals.Error)[0].hint
            await line.close()

    asyncio.run(call())


def test_a_page_that_reports_its_playout_is_what_the_ledger_follows() -> None:
    async def call() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = await connected(line)
            agent = speech("3-emma", PLAY_RATE)
            line.say("hello", agent)
            played = 0.0
            while not line.of(Settled):
                page.send(signals.write(signals.Playout(played, 0.1)))
                await asyncio.sleep(0.2)
                played += 0.2
            settled = line.of(Settled)[0]
            assert (settled.reason, settled.quality, settled.position) == ("end", "peer", agent.size)
            positions = [message.position for message in line.of(Progress)]
            assert positions == sorted(positions) and {message.quality for message in line.of(Progress)} == {"peer"}
            await page.close()
            await line.close()

    asyncio.run(call())


def test_a_page_whose_output_stands_still_has_heard_nothing() -> None:
    async def call() -> None:
        async with plane_of("thread") as plane:
            line = Line(plane)
            page = await connected(line)
            page.send(signals.write(signals.Playout(0.0, 0.1)))
            await asyncio.sleep(0.1)
            line.say("hello", speech("3-emma", PLAY_RATE))
            for _ in range(6):
                page.send(signals.write(signals.Playout(0.0, 0.1)))
                await asyncio.sleep(0.2)
            assert max(message.position for message in line.of(Progress)) <= 7 * 0.02 * PLAY_RATE
            await page.close()
            await line.close()

    asyncio.run(call())
