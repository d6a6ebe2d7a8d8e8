"""Services on loopback, as the plugins know them: Deepgram (listen), Cartesia (speak over a socket), OpenAI (chat,
transcription, speech). They behave: a final comes when speech has ended, sound is as long as its text.

Each has ``refuse`` (a status for the next requests) and ``drop_after`` (messages after which the socket breaks).
"""

from __future__ import annotations

import asyncio
import base64
import json
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

LETTER = 0.05
"""Seconds of sound for each character of a text."""


class Deepgram:
    """Hears one word after the other of ``script`` while it is loud, a word each 0.3 s."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.refuse = 0
        self.drop_after: int | None = None
        self.open = 0
        self.queries: list[dict[str, str]] = []
        self.finalized = 0

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/listen", self._listen)]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.json_response({"err_msg": "no"}, status=self.refuse)
        self.queries.append(dict(request.query))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open += 1
        try:
            await self._hear(socket)
        finally:
            self.open -= 1
        return socket

    async def _hear(self, socket: web.WebSocketResponse) -> None:
        heard, began, quiet, told, frames = 0.0, -1.0, 0.0, 0, 0
        async for message in socket:
            if message.type == WSMsgType.TEXT:
                kind = json.loads(message.data)["type"]
                self.finalized += kind == "Finalize"
                if kind == "CloseStream":
                    return
                continue
            frames += 1
            if self.drop_after is not None and frames > self.drop_after:
                await socket.close(code=1011)
                return
            samples = array("h", message.data)
            seconds = len(samples) / 16_000
            loud = max(map(abs, samples), default=0) > 1_000
            if loud and began < 0 and self.script:
                began, told = heard, 0
                await socket.send_json({"type": "SpeechStarted", "channel": [0, 1], "timestamp": began})
            heard += seconds
            quiet = 0.0 if loud else quiet + seconds
            if began < 0:
                continue
            words = self.script[0].split()
            count = min(len(words), int((heard - quiet - began) / 0.3) + 1)
            if quiet > 0.3:
                self.script.pop(0)
                await socket.send_json(_results(words, began, final=True))
                began = -1.0
            elif count > told:
                told = count
                await socket.send_json(_results(words[:count], began, final=False))


def _results(words: list[str], began: float, *, final: bool) -> dict[str, Any]:
    timed = [
        {"word": w, "punctuated_word": w, "start": began + n * 0.3, "end": began + n * 0.3 + 0.3, "confidence": 0.9, "speaker": 1}
        for n, w in enumerate(words)
    ]  # fmt: skip
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "is_final": final,
        "speech_final": final,
        "metadata": {"request_id": "r1"},
        "channel": {"alternatives": [{"transcript": " ".join(words), "confidence": 0.9, "words": timed}]},
    }


class Cartesia:
    """Speaks each context's text as a tone, with word times."""

    def __init__(self) -> None:
        self.refuse = 0
        self.drop_after: int | None = None
        self.open = 0
        self.texts: dict[str, str] = {}
        self.pace = 0.0
        """Seconds between two pieces of sound."""

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/tts/websocket", self._speak)]

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        if self.refuse:
            return web.Response(status=self.refuse)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.open += 1
        sent = 0
        length: dict[str, float] = {}
        try:
            async for message in socket:
                ask = json.loads(message.data)
                context, text = ask["context_id"], ask["transcript"]
                self.texts[context] = self.texts.get(context, "") + text
                for word in text.split():
                    if self.drop_after is not None and sent >= self.drop_after:
                        await socket.close(code=1011)
                        return socket
                    begin = length.get(context, 0.0)
                    length[context] = end = begin + LETTER * (len(word) + 1)
                    times = {"words": [word], "start": [begin], "end": [end]}
                    tone = base64.b64encode(_tone(end - begin)).decode()
                    await socket.send_json({"type": "timestamps", "context_id": context, "word_timestamps": times})
                    await socket.send_json({"type": "chunk", "context_id": context, "data": tone, "done": False})
                    sent += 1
                    await asyncio.sleep(self.pace)
                if not ask.get("continue"):
                    await socket.send_json({"type": "done", "context_id": context, "done": True})
        finally:
            self.open -= 1
        return socket


class OpenAI:
    """Answers chat requests with ``answers`` in order: a text, or (tool, arguments). Its ears hear ``words``."""

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
async def served(*services: Any) -> AsyncIterator[str]:
    """``host:port`` of a server with all of them."""
    app = web.Application()
    for service in services:
        app.add_routes(service.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    finally:
        await runner.cleanup()
