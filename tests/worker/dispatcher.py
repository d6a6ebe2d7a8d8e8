"""A dispatcher that speaks the LiveKit agent protocol, as a server does: strict about tokens, free with trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit import api
from livekit.protocol import agent, models

KEY, SECRET = "test-key", "a-secret-that-is-long-enough-for-sha256"


class Dispatcher:
    """``said``: every message of workers, as (kind, message). ``mute``: accepts, but never assigns."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.names: dict[web.WebSocketResponse, str] = {}
        """Under which agent name each registered."""
        self.registrations = 0
        self.mute = False
        self.silent = False
        """Takes the socket and never answers the registration."""
        self.away = 0
        """Answers every attempt with this status, while it is not 0."""
        self.stuck = False
        """Takes connections and answers nothing at all."""
        self.deaf = False
        """Answers no pings."""
        self.attempts: list[float] = []
        """When somebody wanted to connect, by the loop's time."""
        self.url = ""
        self._jobs: dict[str, agent.Job] = {}
        self._news = asyncio.Event()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.attempts.append(asyncio.get_running_loop().time())
        if self.away:
            return web.Response(status=self.away)
        if self.stuck:
            await asyncio.sleep(3_600)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = api.TokenVerifier(KEY, SECRET).verify(token)
        except Exception:
            return web.Response(status=401)
        if claims.video is None or not claims.video.agent:
            return web.Response(status=401)
        socket = web.WebSocketResponse(autoping=not self.deaf)
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                await self._hear(socket, message.data)
        self.sockets.remove(socket)
        return socket

    async def _hear(self, socket: web.WebSocketResponse, data: bytes) -> None:
        message = agent.WorkerMessage()
        message.ParseFromString(data)
        kind = message.WhichOneof("message") or ""
        body = getattr(message, kind)
        self.said.append((kind, body))
        answer = agent.ServerMessage()
        if kind == "register" and not self.silent:
            self.registrations += 1
            self.names[socket] = body.agent_name
            answer.register.worker_id = f"AW_{self.registrations}"
            await socket.send_bytes(answer.SerializeToString())
        if kind == "availability" and body.available and not self.mute and body.job_id in self._jobs:
            self.assign(body.job_id)
        self._news.set()
        self._news = asyncio.Event()

    # --- what the story does -------------------------------------------------------------------------------------------

    def offer(self, id: str, *, room: str = "a-room", metadata: str = "", agent_name: str = "coffee") -> None:
        job = agent.Job(id=id, room=models.Room(sid="RM_1", name=room), metadata=metadata, agent_name=agent_name)
        self._jobs[id] = job
        message = agent.ServerMessage()
        message.availability.job.CopyFrom(job)
        self.send(message.SerializeToString(), agent_name)

    def assign(self, id: str, token: str = "room-token") -> None:
        message = agent.ServerMessage()
        message.assignment.job.CopyFrom(self._jobs.get(id, agent.Job(id=id)))
        message.assignment.token = token
        self.send(message.SerializeToString(), self._jobs[id].agent_name)

    def knows(self, id: str) -> bool:
        """It has been offered."""
        return id in self._jobs

    def terminate(self, id: str) -> None:
        message = agent.ServerMessage()
        message.termination.job_id = id
        self.send(message.SerializeToString())

    def send(self, data: bytes, agent_name: str = "") -> None:
        """These bytes to the worker, whatever they are: by the connection of this name, where there is one."""
        named = [socket for socket in self.sockets if self.names.get(socket) == agent_name]
        task = asyncio.ensure_future((named or self.sockets)[-1].send_bytes(data))
        task.add_done_callback(lambda done: done.exception())

    async def drop(self) -> None:
        """Close every socket, as a server that restarts."""
        for socket in list(self.sockets):
            await socket.close(code=1001)

    async def hears(self, kind: str, count: int = 1) -> Any:
        """Wait for the ``count``-th message of this kind."""
        async with asyncio.timeout(60):
            while len(found := [body for each, body in self.said if each == kind]) < count:
                await self._news.wait()
        return found[count - 1]

    def forget(self) -> None:
        self.said.clear()


@asynccontextmanager
async def dispatcher() -> AsyncIterator[Dispatcher]:
    """One that listens."""
    made = Dispatcher()
    app = web.Application()
    app.router.add_get("/agent", made._serve)
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("/")).replace("http", "ws")
    try:
        yield made
    finally:
        await server.close()
