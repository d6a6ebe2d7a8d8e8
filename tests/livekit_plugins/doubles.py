"""OpenAI on loopback, as the plugins know it: chat, transcription, speech. It behaves: answers come in pieces, sound is as long as
its text."""

from __future__ import annotations

import asyncio
import json
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

LETTER = 0.05
"""Seconds of sound for each character of a text."""


class OpenAI:
    """Answers chat requests with ``answers`` in order: a text, or (tool, arguments). Its ears hear ``words``. ``refuse``: a status for
    the next requests; ``drop_after``: pieces after which the connection breaks; ``pace``: seconds between two pieces."""

    def __init__(self, *answers: str | tuple[str, str]) -> None:
        self.answers = list(answers)
        self.refuse = 0
        self.drop_after: int | None = None
        self.pace = 0.0
        self.words = ""
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.open = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._chat),
            web.post("/v1/audio/speech", self._speech),
            web.post("/v1/audio/transcriptions", self._transcribe),
        ]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.keys.append(request.headers["Authorization"])
        if self.refuse:
            key = request.headers["Authorization"].removeprefix("Bearer ")
            return web.json_response({"error": {"message": f"no, not with {key}"}}, status=self.refuse)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.open += 1
        try:
            answer = self.answers.pop(0)
            for n, delta in enumerate(_deltas(answer)):
                if self.drop_after is not None and n >= self.drop_after:
                    assert request.transport is not None
                    request.transport.abort()
                    return response
                await self._send(response, {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
                await asyncio.sleep(self.pace)
            reason = "stop" if isinstance(answer, str) else "tool_calls"
            await self._send(response, {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
            used = {"prompt_tokens": 40, "completion_tokens": 7, "total_tokens": 47}
            details = {"prompt_tokens_details": {"cached_tokens": 30}}
            await self._send(response, {"choices": [], "usage": used | details})
            await response.write(b"data: [DONE]\n\n")
        finally:
            self.open -= 1
        return response

    async def _send(self, response: web.StreamResponse, body: dict[str, Any]) -> None:
        chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", **body}
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        sound = _tone(LETTER * len(body["input"]))
        for begin in range(0, len(sound), 4_801):  # odd: samples are cut in two
            await response.write(sound[begin : begin + 4_801])
        return response

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        self.requests.append({name: value for name, value in form.items() if isinstance(value, str)})
        return web.json_response({"text": self.words})


def _deltas(answer: str | tuple[str, str]) -> list[dict[str, Any]]:
    if isinstance(answer, str):
        return [{"role": "assistant", "content": answer[n : n + 3]} for n in range(0, len(answer), 3)]
    name, arguments = answer
    first: dict[str, Any] = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": name, "arguments": ""},
    }
    first["extra_content"] = {"google": {"thought_signature": "signed"}}
    rest = [{"index": 0, "function": {"arguments": arguments[n : n + 2]}} for n in range(0, len(arguments), 2)]
    return [{"role": "assistant", "tool_calls": [call]} for call in (first, *rest)]


def _tone(seconds: float) -> bytes:
    return array("h", [3_000 if n % 100 < 50 else -3_000 for n in range(round(seconds * 24_000))]).tobytes()


@asynccontextmanager
async def answering(service: OpenAI) -> AsyncIterator[str]:
    """Its base URL."""
    app = web.Application()
    app.add_routes(service.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1"  # type: ignore[union-attr]
    finally:
        await runner.cleanup()
