"""Calls from pages: they begin, are captioned, survive their pages, and end; strangers and floods are kept out."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import aiohttp
import pytest

from antiphon import AgentSession, JobContext, WebRTCLimits
from antiphon.session.shell import Shell
from antiphon.testing import loop as virtual
from antiphon.testing.llm import LLMFaults, ScriptedLLM
from antiphon.web.call import Call
from antiphon.web.calls import Calls
from tests.web.site import AiohttpSite, Shop, Site


def story(make: Any, shop: Any = None, **settings: Any) -> Site:
    """Run ``make(site, http)`` on the virtual clock."""
    site: list[Site] = []

    async def run() -> None:
        one = Site(shop or Shop(), **settings)
        site.append(one)
        async with one.aiohttp() as http:
            await make(one, http)

    virtual.run(run())
    return site[0]


def test_a_page_calls_reads_what_it_hears_types_and_hangs_up() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        welcome = await page.call()
        assert not welcome["resumed"] and welcome["captions"] == [] and welcome["resume_window"] == 60
        first = await page.expect("caption", role="agent")
        assert first["text"] in "Welcome to the counter of this shop." and not first["final"]
        done = await page.expect("caption", role="agent", final=True)
        assert done["text"] == "Welcome to the counter of this shop." and not done["interrupted"]
        await page.send("text", text="One tea please")
        said = await page.expect("caption", role="user", final=True)
        assert said["text"] == "One tea please"
        answer = await page.expect("caption", role="agent", final=True)
        assert answer["text"] == "Here you are."
        assert {"thinking", "speaking", "listening"} <= {m["state"] for m in page.seen if m["type"] == "agent_state"}
        timing = await page.expect("timing")
        assert 0.2 < timing["total"] < 2 and timing["stages"]["llm"] > 0.1
        began = asyncio.get_running_loop().time()
        await page.send("bye")
        assert (await page.expect("ended"))["reason"] == "participant_disconnected"
        assert asyncio.get_running_loop().time() - began < 2
        assert await page.over() == 1000
        await site.until(lambda: site.webrtc.sessions == 0)

    site = story(call)
    assert site.shop.closed == ["participant_disconnected"]
    assert site.legs[0].closed and site.legs[0].options["ice"]["loopback"]


def test_a_reload_comes_back_to_the_same_call_with_its_captions() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        welcome = await page.call()
        await page.expect("caption", role="agent", final=True)
        await page.close()
        site.legs[0].vanish()
        await asyncio.sleep(30)
        again = await http.connect()
        back = await again.call(resume=welcome["resume"])
        assert back["resumed"] and back["session"] == welcome["session"]
        assert [caption["text"] for caption in back["captions"]] == ["Welcome to the counter of this shop."]
        await again.send("text", text="Still there?")
        assert (await again.expect("caption", role="agent", final=True))["text"] == "Here you are."
        assert site.webrtc.sessions == 1

    site = story(call)
    assert len(site.shop.jobs) == len(site.legs) == 1


def test_a_page_that_stays_away_ends_its_call_after_the_resume_window() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        welcome = await page.call()
        await page.close()
        await asyncio.sleep(9)
        assert site.webrtc.sessions == 1
        await site.until(lambda: site.webrtc.sessions == 0, 3)
        late = await http.connect()
        await late.send("hello", resume=welcome["resume"])
        ended = await late.expect("ended")
        assert ended["reason"] == "unknown_call" and "restarted" in ended["message"]
        assert await late.over() == 1000

    site = story(call, resume_window=10.0)
    assert site.shop.closed == ["participant_disconnected"]


def test_a_call_that_is_opened_in_another_tab_goes_on_there() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        first = await http.connect()
        welcome = await first.call()
        over = asyncio.ensure_future(first.over())
        second = await http.connect()
        await second.call(resume=welcome["resume"])
        assert await over == 4409
        await second.send("text", text="Here now")
        await second.expect("caption", role="agent", final=True)
        assert site.webrtc.sessions == 1

    story(call)


def test_what_was_cut_off_is_marked_and_only_what_was_heard_is_shown() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.call()
        while len((await page.expect("caption", role="agent"))["text"].split()) < 3:
            pass
        site.shop.jobs[0].session.interrupt()
        cut = await page.expect("caption", role="agent", final=True)
        assert cut["interrupted"]
        assert "Welcome to the counter of this shop.".startswith(cut["text"]) and len(cut["text"].split()) < 7

    story(call)


def test_who_says_goodbye_and_closes_the_page_is_not_waited_for() -> None:
    """Even where the goodbye does not reach the leg."""

    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.call()
        site.legs[0].deaf = True
        await page.send("bye")
        await page.close()
        await site.until(lambda: site.webrtc.sessions == 0, 3)

    assert story(call).shop.closed == ["participant_disconnected"]


def test_two_calls_at_once_do_not_hear_of_each_other() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        pages = [await http.connect() for _ in range(2)]
        welcomes = [await page.call() for page in pages]
        assert welcomes[0]["session"] != welcomes[1]["session"]
        await pages[0].send("text", text="Only from the first")
        await pages[0].expect("caption", text="Only from the first")
        await pages[1].send("bye")
        await pages[1].expect("ended")
        assert not any("Only" in str(message) for message in pages[1].seen)
        await site.until(lambda: site.webrtc.sessions == 1)

    story(call)


def test_the_server_that_ends_lets_the_agent_finish_and_tells_its_pages() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.call()
        await page.expect("agent_state", state="speaking")
        closing = asyncio.ensure_future(site.webrtc.aclose())
        heard = await page.expect("caption", role="agent", final=True)
        assert heard["text"] == "Welcome to the counter of this shop."
        ended = await page.expect("ended")
        assert ended["reason"] == "job_shutdown" and "shutting down" in ended["message"]
        await closing
        assert site.webrtc.sessions == 0
        assert (await http.get("check")).status == 503

    story(call)


def test_an_entrypoint_that_raises_ends_the_call_with_a_reason() -> None:
    async def broken(ctx: JobContext) -> None:
        raise RuntimeError("no database")

    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.hello()
        problem = await page.expect("error")
        assert not problem["recoverable"] and "database" not in problem["error"]
        assert (await page.expect("ended"))["reason"] == "error"
        await site.until(lambda: site.webrtc.sessions == 0)
        assert site.legs[0].closed

    story(call, broken)


def test_a_failing_model_is_told_without_its_secrets() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.call()
        await page.send("text", text="Hello?")
        problem = await page.expect("error")
        assert problem["source"] == "llm" and problem["error"] == "Something went wrong on the server."

    story(call, Shop(llm=ScriptedLLM("x", faults=LLMFaults(status=500))))


# --- the door ----------------------------------------------------------------------------------------------------


async def refusal(http: AiohttpSite, **headers: str) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.connect(**headers)
    return refused.value.status


def test_without_auth_only_this_machine_may_call() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        assert await refusal(http, Host="voice.example.com") == 401
        assert await refusal(http, **{"X-Forwarded-For": "203.0.113.7"}) == 401
        response = await http.get("check", Host="voice.example.com")
        assert response.status == 401 and "auth" in (await response.json())["hint"]
        await (await http.connect()).call()

    site = story(call)
    assert site.webrtc.refused == {"refused_401": 2}


def test_a_token_is_asked_for() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect(Host="voice.example.com")
        await page.send("hello", token="guess")
        assert "token" in (await page.expect("error"))["error"]
        assert await page.over() == 4401
        await (await http.connect(Host="voice.example.com")).call(token="let me in")
        assert site.webrtc.sessions == 1

    story(call, auth="let me in")


def test_a_programs_own_check_names_the_caller() -> None:
    async def check(token: str) -> str | None:
        return "customer 12" if token == "good" else None

    async def call(site: Site, http: AiohttpSite) -> None:
        bad = await http.connect()
        await bad.send("hello", token="bad")
        assert await bad.over() == 4401
        await (await http.connect()).call(token="good")
        assert site.shop.jobs[0].metadata == "customer 12"

    story(call, auth=check)


def test_a_check_that_raises_lets_nobody_in() -> None:
    def check(token: str) -> bool:
        raise RuntimeError("the user table is gone")

    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.send("hello", token="good")
        assert "table" not in (await page.expect("error"))["error"]
        assert await page.over() == 4401

    story(call, auth=check)


def test_pages_of_other_origins_are_kept_out_unless_they_are_listed() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        assert await refusal(http, Origin="https://evil.example") == 403
        await (await http.connect(Origin="https://shop.example")).call()
        client = await http.get("antiphon.js", Origin="https://shop.example")
        assert client.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        stranger = await http.get("antiphon.js", Origin="https://evil.example")
        assert "Access-Control-Allow-Origin" not in stranger.headers

    story(call, origins=["https://shop.example"])


def test_a_flood_of_pages_is_told_to_wait() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        for _ in range(5):
            await (await http.connect()).close()
        assert await refusal(http) == 429
        response = await http.get("check")
        assert response.status == 429 and 50 < int(response.headers["Retry-After"]) <= 61
        await asyncio.sleep(61)
        await http.connect()

    story(call, limits=WebRTCLimits(pages_per_minute=5))


def test_a_flood_of_offers_is_told_to_wait() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.hello()
        for number in range(8):
            await page.send("offer", id=number, sdp="v=0")
        problem = await page.expect("error")
        assert "offers" in problem["error"] and problem["retry_after"] > 50
        await page.expect("agent_state")
        assert len(site.legs[0].took) == 3

    site = story(call, limits=WebRTCLimits(offers_per_minute=3))
    assert site.webrtc.refused == {"refused_429": 5}


def test_hellos_that_are_followed_by_nothing_do_not_take_every_line() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        for _ in range(3):
            await (await http.connect()).hello()
        fourth = await http.connect()
        await fourth.send("hello")
        problem = await fourth.expect("error")
        assert "Too many calls" in problem["error"] and problem["retry_after"] > 50
        assert await fourth.over() == 4429
        assert site.webrtc.sessions == 3

    story(call, limits=WebRTCLimits(offers_per_minute=3))


def test_the_reason_of_a_close_is_cut_between_characters() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.call()
        (served,) = site.webrtc._calls[0]._pages
        served.close(4400, "x" + "€" * 100)
        assert await page.over() == 4400

    story(call)


def test_no_more_sessions_than_there_are_lines() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        await (await http.connect()).call()
        second = await http.connect()
        await second.send("hello")
        problem = await second.expect("error")
        assert "busy" in problem["error"] and problem["retry_after"] > 0
        assert await second.over() == 1013

    story(call, limits=WebRTCLimits(sessions=1))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", 4400),
        ('{"type": "offer", "id": 1, "sdp": ""}', 4400),
        ("[" * 100_000, 4400),
        ('{"type": "hello", "token": "' + "x" * 200_000 + '"}', 4400),
    ],
)
def test_who_does_not_say_hello_is_let_go(text: str, code: int) -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.send_text(text)
        assert await page.over() == code
        assert site.webrtc.sessions == 0

    story(call)


def test_who_says_nothing_is_let_go_after_ten_seconds() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        assert await page.over() == 4408

    assert story(call).webrtc.refused == {"hello_late": 1}


def test_nonsense_is_answered_and_too_much_of_it_ends_the_socket_not_the_call() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        page = await http.connect()
        await page.call()
        for text in ("{", '{"type": "fly"}', '{"type": 7}', "null", '"' + "\\ud800" + '"'):
            await page.send_text(text)
            assert "no message" in (await page.expect("error"))["error"]
        for _ in range(6):
            await page.send_text("{")
        assert await page.over() == 4400
        assert site.webrtc.sessions == 1 and len(site.legs[0].took) == 1

    assert story(call).webrtc.refused["messages_malformed"] == 11


def test_oversize_messages_and_floods_of_messages_end_the_socket() -> None:
    async def call(site: Site, http: AiohttpSite) -> None:
        big = await http.connect()
        await big.call()
        await big.send("text", text="x" * 140_000)
        assert await big.over() == 1009
        loud = await http.connect()
        await loud.call()
        for _ in range(600):
            await loud.send("playout", played=1.0, delay=0.1)
        assert await loud.over() == 4429

    refused = story(call).webrtc.refused
    assert refused["messages_too_big"] == 1 and refused["messages_too_many"] >= 1


def test_a_page_that_reloads_every_second_leaves_nothing_behind() -> None:
    """Thirty pages that never say goodbye: after the window no call, leg, page or task of theirs is left."""

    async def call(site: Site, http: AiohttpSite) -> None:
        async def reload() -> None:
            page = await http.connect()
            await page.call()
            await page.close()
            await asyncio.sleep(1)

        await reload()
        await site.until(lambda: site.webrtc.sessions == 0)
        gc.collect()
        tasks = len(asyncio.all_tasks())
        for _ in range(30):
            await reload()
        assert 1 < site.webrtc.sessions < 12
        await site.until(lambda: site.webrtc.sessions == 0)
        await asyncio.sleep(1)
        gc.collect()
        assert len(asyncio.all_tasks()) <= tasks
        assert all(leg.closed for leg in site.legs) and len(site.legs) == 31
        calls: Calls = site.webrtc._calls[0]
        assert not calls._pages and not site.plane._deliver and not site.plane.plane._lines
        alive = [one for one in gc.get_objects() if isinstance(one, Call | JobContext | AgentSession | Shell)]
        assert len(alive) <= 8, [type(one).__name__ for one in alive]

    shop = Shop()
    shop.jobs = Forgetful()
    story(call, shop, resume_window=5.0)


class Forgetful(list[Any]):
    """Keeps nothing."""

    def append(self, item: Any) -> None: ...
