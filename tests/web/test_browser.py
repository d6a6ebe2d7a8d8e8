"""The playground in Chromium, end to end: the real page, the real server with its sound in a process of its own, the real
recogniser. What counts is the sound: what the page received, and what the server heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.web.app import LONG, OTHER, SHORT
from tests.web.browser import (
    Server,
    Tab,
    browser,
    chromium,
    half_rate,
    levels,
    likeness,
    need_models,
    place_of,
    recorded,
    recorded_context,
    silence,
    spoken,
)

ALIKE = 0.6


def whole(alike: list[float]) -> bool:
    """Whether the sound is all there. In its first second the browser still fills its buffer; of the others one may have a
    hole, where the machine had no time for the browser."""
    return sorted(alike[1:])[1] >= ALIKE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    chromium()
    need_models()
    one = Server(tmp_path_factory.mktemp("calls"))
    yield one
    assert one.stop() == 0, "".join(one.said)
    assert not [line for line in one.said if "Traceback" in line], "".join(one.said)


def test_talk_captions_and_barge_in(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The caller orders and is answered; then asks for the long story by typing, and talks over it."""
    order, protest = recorded("1-heart.wav"), recorded("4-fenrir.wav")
    pause = 17.0
    microphone = np.concatenate([silence(1.0), order, silence(pause), protest, silence(8.0)])
    with browser(microphone, folder=tmp_path) as chrome:
        tab = Tab(recorded_context(chrome), server.address)
        tab.plain_microphone()
        session = tab.talk()
        assert "mocha" in tab.caption("user", "mocha", kind=":not(.open)")
        partial = tab.caption("agent", SHORT.split()[0])
        assert SHORT.startswith(partial) and len(partial) < len(SHORT)
        assert tab.caption("agent", SHORT, kind=":not(.open)") == SHORT
        assert "s" in tab.page.locator("#turns b").first.inner_text()

        tab.type("Tell me a story")
        tab.caption("user", "Tell me a story")
        cut = tab.caption("agent", "cut off", kind=".cut").removesuffix("cut off").strip()
        assert LONG.startswith(cut) and len(cut) < len(LONG)
        assert "americano" in tab.caption("user", "americano").lower()
        caller, agent = tab.captured()
        tab.hang_up()
        assert tab.problems == []

    alike = likeness(spoken(SHORT), half_rate(agent))
    assert whole(alike), alike

    begin, end = _over(caller, pause)
    silent = _silent_from(levels(agent), begin, end)
    lower = _lower_from(agent, spoken(LONG), begin, silent)
    with capsys.disabled():
        print(
            f"\nbarge-in in the browser, from the caller's first sound to the agent's: lower {(lower - begin) * 10} ms, "
            f"silent {(silent - begin) * 10} ms; likeness of the answer heard {[round(x, 2) for x in alike]}"
        )
    assert (silent - begin) * 10 < 1500

    server_heard, _ = server.heard(session)
    heard = likeness(half_rate(order), server_heard)
    assert min(heard[1:]) >= ALIKE, heard


def _over(caller: Any, pause: float) -> tuple[int, int]:
    """When (10 ms steps) the protest begins in the microphone's sound, and when it ends."""
    loud = np.flatnonzero(levels(caller) > -40)
    gaps = np.flatnonzero(np.diff(loud) > (pause - 2) * 100)
    assert gaps.size == 1, "the microphone's file did not play as it was made"
    return int(loud[gaps[0] + 1]), int(loud[-1])


def _silent_from(loud: Any, begin: int, end: int) -> int:
    """The first step of half a second without a sound of the agent."""
    for step in range(begin, end):
        if np.all(loud[step : step + 50] < -50):
            return step
    raise AssertionError("the agent talked on")


def _lower_from(agent: Any, sent: Any, begin: int, silent: int) -> int:
    """The first step from which the agent is quieter than what was sent by half or more."""
    heard, sent = half_rate(agent).astype(float), sent.astype(float)
    before = heard[(begin - 200) * 240 : begin * 240]
    place = place_of(before, sent)
    loud, asked = levels(heard[(begin - 200) * 240 : silent * 240], 24_000), levels(sent[place:], 24_000)
    for step in range(200, loud.size):
        if asked[step] > -40 and np.mean(loud[step : step + 6] - asked[step : step + 6]) < -6:
            return begin + step - 200
    return silent


def test_a_reload_two_tabs_typing_and_mute(server: Server, tmp_path: Path) -> None:
    microphone = np.concatenate([silence(4.0), recorded("1-heart.wav"), silence(20.0)])
    with browser(microphone, folder=tmp_path) as chrome:
        context = recorded_context(chrome)
        one, two = Tab(context, server.address), Tab(context, server.address)
        one.page.click("#talk")
        one.state("connected")
        one.page.click("#mute")
        assert one.page.locator("#mute").get_attribute("aria-pressed") == "true"
        session = one.page.evaluate("call.session")
        one.type("Hello there")
        one.caption("agent", "Here is")

        one.page.reload()
        again = one.up()
        assert again == session, "the reload began another call"
        assert "Hello there" in one.caption("user", "Hello there")
        one.page.keyboard.press("Escape")
        one.page.locator("#captions").focus()
        one.page.keyboard.press("Space")
        one.page.locator("#mute[aria-pressed=true]").wait_for()

        other = two.talk()
        two.page.click("#mute")
        assert other != session
        one.type("What do I get")
        two.type("And my cappuccino")
        one.caption("agent", SHORT, kind=":not(.open):not(.cut)")
        assert two.caption("agent", OTHER, kind=":not(.open)") == OTHER
        assert one.page.locator(".line", has_text="cappuccino").count() == 0
        sounds = [half_rate(tab.captured()[1]) for tab in (one, two)]
        for tab in (one, two):
            assert tab.page.locator(".line.user", has_text="mocha").count() == 0, "a muted microphone was heard"
            tab.hang_up()
            assert tab.problems == []

    for sound, text, wrong in ((sounds[0], SHORT, OTHER), (sounds[1], OTHER, SHORT)):
        alike = likeness(spoken(text), sound)
        assert whole(alike), (text, alike)
        assert np.mean(likeness(spoken(wrong), sound)) < 0.3
    caller, _ = server.heard(other)
    assert np.max(levels(caller[24_000:], 24_000)) < -55, "the server heard a muted microphone"


def test_a_denied_microphone_and_an_insecure_address_are_explained(server: Server, tmp_path: Path) -> None:
    words = ("--use-fake-ui-for-media-stream=deny", "--host-resolver-rules=MAP voice.test 127.0.0.1")
    with browser(folder=tmp_path, words=words) as chrome:
        context = recorded_context(chrome)
        denied = Tab(context, server.address)
        denied.page.click("#talk")
        banner = denied.page.locator("#banner")
        banner.wait_for()
        assert "microphone is not allowed" in banner.inner_text()
        denied.page.click("#banner-action")
        denied.up()
        denied.type("A cappuccino then")
        denied.caption("agent", OTHER, kind=":not(.open)")
        alike = likeness(spoken(OTHER), half_rate(denied.captured()[1]))
        assert whole(alike), alike
        denied.hang_up()

        insecure = Tab(context, f"http://voice.test:{server.port}/")
        assert "https://" in insecure.page.locator("#banner").inner_text()
        insecure.page.click("#banner-action")
        insecure.page.locator("#banner", has_text="Only this machine may call").wait_for()


def test_a_server_that_stops_says_so(tmp_path: Path) -> None:
    chromium()
    need_models()
    server = Server(tmp_path)
    with browser(silence(30.0), folder=tmp_path) as chrome:
        tab = Tab(chrome.new_context(), server.address)
        tab.page.click("#talk")
        tab.state("connected")
        assert tab.problems == [], "the page does what its own policy forbids"
        assert server.stop() == 0
        tab.page.locator("#banner", has_text="shutting down").wait_for()
        tab.page.click("#talk")
        tab.page.locator("#banner", has_text="cannot be reached").wait_for()
