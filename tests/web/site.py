"""A site that answers pages, on the virtual clock: real routes, a real session, and a leg that carries sound in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from antiphon import Agent, AgentSession, JobContext, WebRTC
from antiphon.audio.inline_plane import InlinePlane
from antiphon.audio.leg import LegEvent
from antiphon.audio.vad import EnergyVAD
from antiphon.testing.llm import ScriptedLLM
from antiphon.testing.stt import ScriptedSTT
from antiphon.testing.tts import ScriptedTTS
from antiphon.transport.memory import MemoryLeg

WITHIN = 20.0
"""Seconds (of the virtual clock) in which anything expected has to happen."""


class PageLeg(MemoryLeg):
    """Up with the first offer; ``bye`` ends it; ``vanish`` is a laptop that is closed. ``took``: every signal; a ``deaf``
    one takes none."""

    def __init__(self, options: Any) -> None:
        super().__init__()
        self.options = dict(options)
        self.took: list[dict[str, Any]] = []
        self.deaf = False

    def open(self, now: float) -> None:
        super().open(now)
        self._events.clear()

    def signal(self, now: float, data: str) -> None:
        if self.deaf:
            return
        message = json.loads(data)
        self.took.append(message)
        if message["type"] == "offer":
            self.happen(LegEvent("signal", json.dumps({"type": "answer", "id": message["id"], "sdp": "v=0"})))
            self.happen(LegEvent("up"))
        elif message["type"] == "text":
            self.happen(LegEvent("text", message["text"]))
        elif message["type"] == "bye":
            self.happen(LegEvent("down", "bye"))

    def vanish(self) -> None:
        self.happen(LegEvent("down", "nothing arrives", certain=False))


class Counter(Agent):
    """Greets, and answers from its script."""

    def __init__(self) -> None:
        super().__init__(instructions="You work at a counter.")

    async def on_enter(self) -> None:
        self.session.say("Welcome to the counter of this shop.")


class Shop:
    """An entrypoint and what it saw. ``jobs``: each call's."""

    def __init__(self, **session: Any) -> None:
        self.jobs: list[JobContext] = []
        self.closed: list[str] = []
        self._session = session

    async def __call__(self, ctx: JobContext) -> None:
        self.jobs.append(ctx)
        ctx.add_shutdown_callback(self.closed.append)
        made: dict[str, Any] = {
            "stt": ScriptedSTT(),
            "llm": ScriptedLLM("Here you are."),
            "tts": ScriptedTTS(pcm=True),
            "turn_detector": None,
            "user_away_timeout": 0.0,
            **self._session,
        }
        await AgentSession(**made).start(Counter(), ctx)


class Page:
    """A browser's page without a browser: messages as dictionaries, by whatever carries them."""

    def __init__(
        self,
        send: Callable[[str], Awaitable[Any]],
        receive: Callable[[], Awaitable[str | None]],
        close: Callable[[], Awaitable[Any]],
    ) -> None:
        self._send, self._receive, self.close = send, receive, close
        self.seen: list[dict[str, Any]] = []
        self.code = 0
        """With which the server closed the socket."""

    async def send(self, type: str, **fields: Any) -> None:
        await self._send(json.dumps({"type": type, **fields}))

    async def send_text(self, text: str) -> None:
        await self._send(text)

    async def hello(self, token: str = "", resume: str = "") -> dict[str, Any]:
        await self.send("hello", token=token, resume=resume)
        return await self.expect("welcome")

    async def call(self, token: str = "", resume: str = "") -> dict[str, Any]:
        """Hello, and an offer that is answered."""
        welcome = await self.hello(token, resume)
        await self.send("offer", id=1, sdp="v=0")
        await self.expect("answer")
        return welcome

    async def expect(self, type: str, **fields: Any) -> dict[str, Any]:
        """The next message of this type that has these fields; what comes before is passed over."""
        async with asyncio.timeout(WITHIN):
            while (text := await self._receive()) is not None:
                message = json.loads(text)
                self.seen.append(message)
                if message["type"] == type and all(message[key] == value for key, value in fields.items()):
                    found: dict[str, Any] = message
                    return found
        raise AssertionError(f"the socket closed ({self.code}); no {type} {fields} among {self.seen}")

    async def over(self) -> int:
        """Read on until the server closes the socket; returns its code."""
        async with asyncio.timeout(WITHIN):
            while (text := await self._receive()) is not None:
                self.seen.append(json.loads(text))
        return self.code


class Site:
    """``legs``: every leg that was made; ``connect``: a page with an open socket."""

    def __init__(self, shop: Callable[[JobContext], Awaitable[None]], **settings: Any) -> None:
        self.shop: Any = shop
        self.legs: list[PageLeg] = []
        self.plane = InlinePlane(EnergyVAD(), legs=lambda name: self._make_leg)
        self.webrtc = WebRTC(plane=self.plane, user_loop="shared", **settings)

    def _make_leg(self, options: Any) -> PageLeg:
        self.legs.append(PageLeg(options))
        return self.legs[-1]

    @asynccontextmanager
    async def aiohttp(self) -> AsyncIterator[AiohttpSite]:
        app = web.Application()
        app.add_routes(self.webrtc.routes(self.shop, "/voice"))
        app.on_shutdown.append(self.webrtc.aclose)
        server = TestServer(app)
        await server.start_server()
        try:
            async with aiohttp.ClientSession() as client:
                yield AiohttpSite(client, server)
        finally:
            await server.close()
            await self.plane.aclose()

    async def until(self, condition: Callable[[], Any], seconds: float = WITHIN) -> None:
        """Wait for something that no message tells."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)


class AiohttpSite:
    def __init__(self, client: aiohttp.ClientSession, server: TestServer) -> None:
        self._client, self._server = client, server

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        return await self._client.get(self._server.make_url(f"/voice/{path}"), headers=headers)

    async def connect(self, **headers: str) -> Page:
        """Raises ``aiohttp.WSServerHandshakeError`` where the server refuses."""
        socket = await self._client.ws_connect(self._server.make_url("/voice/socket"), headers=headers)

        async def receive() -> str | None:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data)
            page.code = int(socket.close_code or 0)
            return None

        async def send(text: str) -> None:
            with suppress(ConnectionError):
                await socket.send_str(text)

        page = Page(send, receive, socket.close)
        return page
