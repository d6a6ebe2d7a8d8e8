"""The same routes as an ASGI application, mounted in Starlette: pages, refusals, the end of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount

from antiphon import WebRTCLimits
from antiphon.testing import loop as virtual
from tests.web.site import Page, Shop, Site


class AsgiSite:
    """Drives an ASGI application as a server does."""

    def __init__(self, site: Site) -> None:
        self.app = Starlette(routes=[Mount("/voice", app=site.webrtc.asgi(site.shop))])
        self.tasks: list[asyncio.Task[Any]] = []

    def _scope(self, type: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
        found = {"host": "localhost:8000", **headers}
        return {
            "type": type,
            "asgi": {"version": "3.0"},
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "scheme": "ws" if type == "websocket" else "http",
            "headers": [(name.encode(), value.encode()) for name, value in found.items()],
            "client": ("127.0.0.1", 50_000),
            "extensions": {"websocket.http.response": {}},
            "subprotocols": [],
        }

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(self._scope("http", path, headers), receive, send)  # type: ignore[arg-type]
        names = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], names, b"".join(message.get("body", b"") for message in sent[1:])

    async def connect(self, path: str = "/voice/socket", **headers: str) -> Page | int:
        """A page, or the status of the refusal."""
        to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        to_app.put_nowait({"type": "websocket.connect"})
        scope = self._scope("websocket", path, headers)
        self.tasks.append(asyncio.create_task(self.app(scope, to_app.get, from_app.put)))  # type: ignore[arg-type]
        first = await from_app.get()
        if first["type"] != "websocket.accept":
            return int(first["status"])

        async def send(text: str) -> None:
            to_app.put_nowait({"type": "websocket.receive", "text": text})

        async def receive() -> str | None:
            message = await from_app.get()
            if message["type"] == "websocket.send":
                return str(message["text"])
            page.code = message["code"]
            return None

        async def close() -> None:
            to_app.put_nowait({"type": "websocket.disconnect", "code": 1001})

        page = Page(send, receive, close)
        return page


def story(make: Callable[[Site, AsgiSite], Awaitable[None]], **settings: Any) -> Site:
    found: list[Site] = []

    @asynccontextmanager
    async def served(site: Site) -> Any:
        http = AsgiSite(site)
        try:
            yield http
        finally:
            await site.webrtc.aclose()
            await asyncio.wait_for(asyncio.gather(*http.tasks), 5)
            await site.plane.aclose()

    async def run() -> None:
        site = Site(Shop(), **settings)
        found.append(site)
        async with served(site) as http:
            await make(site, http)

    virtual.run(run())
    return found[0]


def test_a_page_calls_through_a_mounted_application() -> None:
    async def call(site: Site, http: AsgiSite) -> None:
        page = await http.connect()
        assert isinstance(page, Page)
        welcome = await page.call()
        await page.expect("caption", role="agent", final=True)
        await page.close()
        again = await http.connect()
        assert isinstance(again, Page)
        back = await again.call(resume=welcome["resume"])
        assert back["resumed"] and len(back["captions"]) == 1
        await again.send("text", text="One tea please")
        await again.expect("caption", text="Here you are.", final=True)
        await again.send("bye")
        assert (await again.expect("ended"))["reason"] == "participant_disconnected"
        assert await again.over() == 1000

    story(call)


def test_the_playground_and_the_client_are_served_with_a_strict_policy() -> None:
    async def call(site: Site, http: AsgiSite) -> None:
        status, headers, body = await http.get("/voice/")
        assert status == 200 and b"<title>Antiphon" in body
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert b"style=" not in body and b"<script>" not in body and b"http" not in body.replace(b"http-equiv", b"")
        for name, kind in (("antiphon.js", "javascript"), ("antiphon.mjs", "javascript"), ("style.css", "css")):
            status, headers, _ = await http.get(f"/voice/{name}")
            assert status == 200 and kind in headers["content-type"] and headers["x-content-type-options"] == "nosniff"
        tag = headers["etag"]
        assert (await http.get("/voice/style.css", **{"if-none-match": tag}))[0] == 304
        for path in ("/voice/../webrtc.py", "/voice/static/style.css", "/voice/index.html/"):
            assert (await http.get(path))[0] == 404

    story(call)


def test_refusals_are_http_answers() -> None:
    async def call(site: Site, http: AsgiSite) -> None:
        assert await http.connect(origin="https://evil.example") == 403
        assert await http.connect(host="voice.example.com") == 401
        assert await http.connect("/voice/other") == 404
        assert isinstance(await http.connect(), Page)
        assert await http.connect() == 429
        assert (await http.get("/voice/check"))[1]["retry-after"]

    story(call, limits=WebRTCLimits(pages_per_minute=1))


def test_the_playground_can_be_left_out() -> None:
    async def call(site: Site, http: AsgiSite) -> None:
        assert (await http.get("/voice/"))[0] == 404
        assert (await http.get("/voice/antiphon.js"))[0] == 200

    story(call, playground=False)


def test_the_end_of_the_server_reaches_its_pages() -> None:
    async def call(site: Site, http: AsgiSite) -> None:
        page = await http.connect()
        assert isinstance(page, Page)
        await page.call()
        closing = asyncio.ensure_future(site.webrtc.aclose())
        assert (await page.expect("ended"))["reason"] == "job_shutdown"
        assert await page.over() == 1000
        await closing

    story(call)
