"""The browser's client when things go wrong: prompts that wait, sockets and offers that get lost. Real Chromium, real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.browser import HERE, Server, Tab, browser, chromium, need_models, recorded_context, silence


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    chromium()
    need_models()
    one = Server(tmp_path_factory.mktemp("calls"))
    yield one
    assert one.stop() == 0, "".join(one.said)
    assert not [line for line in one.said if "Traceback" in line], "".join(one.said)


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(silence(60.0), folder=tmp_path_factory.mktemp("microphone")) as one:
        yield one


@pytest.fixture
def tab(server: Server, chrome: Any) -> Iterator[Tab]:
    """A page of the playground with ``unlucky`` in it."""
    context = recorded_context(chrome)
    context.add_init_script(path=HERE / "unlucky.js")
    one = Tab(context, server.address)
    yield one
    assert not [text for text in one.problems if "127.0.0.1:9" not in text], one.problems
    context.close()


def microphones(tab: Tab) -> list[str]:
    found: list[str] = tab.page.evaluate("unlucky.streams.map((stream) => stream.getTracks()[0].readyState)")
    return found


def open_sockets(tab: Tab) -> int:
    found: int = tab.page.evaluate("unlucky.sockets.filter((socket) => socket.readyState < 2).length")
    return found


def test_hanging_up_while_the_microphone_is_asked_for_leaves_nothing_open(tab: Tab) -> None:
    tab.page.evaluate("unlucky.asks = true")
    tab.page.click("#talk")
    tab.page.wait_for_function("unlucky.prompts.length")
    tab.hang_up()
    tab.page.evaluate("unlucky.prompts.shift()()")
    tab.page.wait_for_function("unlucky.streams.length")
    tab.page.wait_for_function("unlucky.streams[0].getTracks()[0].readyState === 'ended'")
    assert tab.page.evaluate("unlucky.sockets.length") == 0
    assert tab.page.locator("#banner").is_hidden() and tab.page.evaluate("call.state") == "ended"

    first = "call.connect().catch((error) => { unlucky.first = error.code; })"
    tab.page.evaluate(f"{first}; call.disconnect(); void call.connect()")
    tab.page.wait_for_function("unlucky.prompts.length === 2")
    tab.page.evaluate("unlucky.prompts.forEach((allow) => allow())")
    tab.page.wait_for_function("unlucky.first === 'cancelled'")
    tab.state("connected")
    assert sorted(microphones(tab)) == ["ended", "ended", "live"]
    tab.hang_up()
    assert "live" not in microphones(tab)


def test_hanging_up_before_the_server_answers_closes_the_socket_at_once(tab: Tab) -> None:
    tab.page.evaluate(
        """async () => {
          call.connect({ microphone: false }).catch((error) => { unlucky.first = error.code; });
          while (!unlucky.sockets.length) await Promise.resolve();
          call.disconnect();
        }"""
    )
    tab.page.wait_for_function("unlucky.first === 'cancelled'")
    assert open_sockets(tab) == 0


def test_a_lost_socket_comes_back_to_its_call_by_one_way_only(tab: Tab) -> None:
    session = tab.talk()
    tab.page.evaluate("unlucky.refuse = 3; unlucky.sockets[0].close()")
    tab.state("reconnecting")
    tab.type("Do not lose me")
    tab.page.locator("#banner", has_text="stays in the box").wait_for()
    assert tab.page.input_value("#words") == "Do not lose me"
    tab.state("connected")
    tab.page.locator("#banner").wait_for(state="hidden")
    tab.page.press("#words", "Enter")
    tab.caption("user", "Do not lose me")
    assert tab.page.evaluate("call.session") == session
    assert tab.page.evaluate("unlucky.sockets.length") == 5 and open_sockets(tab) == 1
    tab.hang_up()


def test_a_socket_lost_while_the_call_is_being_set_up_comes_back(tab: Tab) -> None:
    tab.page.evaluate("unlucky.deaf = 1")
    tab.page.click("#talk")
    tab.page.wait_for_function("call.session")
    session = tab.page.evaluate("call.session")
    tab.page.evaluate("unlucky.sockets[0].close()")
    tab.state("connected")
    assert tab.page.evaluate("call.session") == session
    tab.hang_up()


def test_an_offer_that_is_not_answered_is_made_again_on_another_socket(tab: Tab) -> None:
    tab.page.evaluate("unlucky.deaf = 1")
    tab.talk()
    assert tab.page.evaluate("unlucky.sockets.length") == 2 and open_sockets(tab) == 1
    tab.hang_up()


def test_without_storage_a_call_still_outlives_its_socket(tab: Tab) -> None:
    tab.page.evaluate("call = new Antiphon.AntiphonClient({ url: '.', storage: null })")
    tab.page.evaluate("void call.connect({ microphone: false })")
    tab.page.wait_for_function("call.state === 'connected'")
    session = tab.page.evaluate("call.session")
    tab.page.evaluate("unlucky.sockets[0].close()")
    tab.page.wait_for_function("unlucky.sockets.length === 2 && call.state === 'connected'")
    assert tab.page.evaluate("[call.session, call.resumed]") == [session, True]
    tab.page.evaluate("call.disconnect()")
    assert not tab.page.evaluate("call.resumable")


def test_a_microphone_that_fails_at_a_reload_does_not_lose_the_call(tab: Tab) -> None:
    session = tab.talk()
    tab.page.evaluate("sessionStorage.setItem('unlucky.broken', '1')")
    tab.page.reload()
    tab.page.locator("#banner", has_text="no such microphone").wait_for()
    tab.page.click("#banner-action")
    assert tab.up() == session
    tab.hang_up()


def test_the_space_bar_mutes_right_after_talk_was_clicked(tab: Tab) -> None:
    tab.talk()
    tab.page.keyboard.press("Space")
    tab.page.locator("#mute[aria-pressed=true]").wait_for()
    assert tab.page.evaluate("call.state") == "connected"
    tab.page.keyboard.down("Space")
    tab.page.locator("#mute[aria-pressed=false]").wait_for()
    tab.page.evaluate("dispatchEvent(new Event('blur'))")
    tab.page.locator("#mute[aria-pressed=true]").wait_for()
    tab.page.keyboard.up("Space")
    assert tab.page.locator("#mute").get_attribute("aria-pressed") == "true"
    tab.hang_up()


def test_who_only_types_is_not_expected_to_sound(tab: Tab) -> None:
    tab.page.evaluate("void call.connect({ microphone: false })")
    tab.state("connected")
    line = "call._peer.localDescription.sdp.match(/a=(sendrecv|recvonly)/)[1]"
    assert tab.page.evaluate(line) == "recvonly"
    tab.type("A cappuccino then")
    tab.caption("agent", "A small")
    tab.hang_up()


def test_an_end_that_nobody_pressed_is_explained(tab: Tab) -> None:
    tab.talk()
    tab.page.evaluate("unlucky.sockets[0].send(JSON.stringify({ type: 'bye' }))")
    tab.page.locator("#banner", has_text="gone for too long").wait_for()
