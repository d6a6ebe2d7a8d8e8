"""Cartesia: ``/tts/websocket`` (Sonic), and ``/stt/turns/websocket`` (Ink).

A context's audio comes in order, paced by ``speed``; what was cancelled still gives the chunk that was under way.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.testing.simulators.base import Peer, PeerClosedError, Refusal, Request, Simulator
from antiphon.testing.simulators.cartesia_turns import TurnsSocket, problem_of
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.speaking import speak

FIELDS = frozenset(
    [
        "model_id",
        "transcript",
        "voice",
        "language",
        "output_format",
        "context_id",
        "continue",
        "flush",
        "max_buffer_delay_ms",
        "add_timestamps",
        "add_phoneme_timestamps",
        "use_normalized_timestamps",
        "generation_config",
        "pronunciation_dict_id",
        "speed",
        "duration",
    ]
)
FIXED = ("model_id", "voice", "output_format", "language", "generation_config", "add_timestamps")
ENCODINGS = ("pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw")
RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)
TURNS = "/stt/turns/websocket"
CHUNK = 0.1
EXPIRES = 1.0
IDLE = 300.0


class CartesiaSimulator(Simulator):
    """``recordings``: what it understands. ``ttfb``: seconds to a text's first chunk. ``speed``: audio seconds made per second (0: all at once). ``contexts``: how many
    may run at a time. ``stuck``: a text with this in it gets no audio."""

    name = "cartesia"

    def __init__(
        self,
        recordings: Sequence[Recording] = (),
        *,
        faults: FaultScript | None = None,
        key: str = "",
        ttfb: float = 0.05,
        speed: float = 10.0,
        contexts: int = 15,
        idle: float = IDLE,
        stuck: str = "",
    ) -> None:
        super().__init__(faults=faults, key=key)
        self.ttfb, self.speed, self.contexts, self.idle, self.stuck = ttfb, speed, contexts, idle, stuck
        self.recordings = recordings
        self.running = 0

    def refuse(self, request: Request) -> Refusal | None:
        if request.path not in ("/tts/websocket", TURNS):
            return Refusal(404, {"error": "not found"})
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            key = request.headers.get("x-api-key", "") or request.one("api_key") or request.one("access_token")
        if not key or (self.key and key != self.key):
            return Refusal(401, {"message": "Unauthorized", "title": "Invalid API key"})
        if not (request.one("cartesia_version") or request.headers.get("cartesia-version")):
            return Refusal(400, {"message": "A Cartesia-Version is needed.", "title": "Bad request"})
        if request.path == TURNS and (problem := problem_of(request)):
            return Refusal(400, {"message": problem, "title": "Bad request"})
        return None

    async def serve(self, peer: Peer) -> None:
        if peer.request.path == TURNS:
            await TurnsSocket(self.recordings, peer, idle=self.idle).run()
        else:
            await _Socket(self, peer).run()


class _Context:
    def __init__(self, name: str, request: dict[str, Any]) -> None:
        self.name = name
        self.fixed = {field: request.get(field) for field in FIXED}
        self.texts: asyncio.Queue[tuple[str, bool, bool]] = asyncio.Queue()
        self.cancelled = self.closing = False
        self.task: asyncio.Task[None] | None = None


class _Socket:
    def __init__(self, simulator: CartesiaSimulator, peer: Peer) -> None:
        self.simulator, self.peer = simulator, peer
        self.contexts: dict[str, _Context] = {}

    async def run(self) -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout(self.simulator.idle):
                        frame = await self.peer.receive()
                except TimeoutError:
                    if not self.contexts:
                        await self.peer.close(1000, "idle")
                        return
                    continue
                await self._take(frame)
        finally:
            tasks = [context.task for context in self.contexts.values() if context.task is not None]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _take(self, frame: str | bytes) -> None:
        try:
            request = msgspec.json.decode(frame)
        except msgspec.DecodeError:
            request = None
        if not isinstance(request, dict):
            await self._error("", "Invalid JSON", "The message is not a JSON object.")
            return
        name = request.get("context_id", "")
        if request.get("cancel"):
            if set(request) != {"context_id", "cancel"}:
                await self._error(name, "Invalid request", "A cancel has two fields.")
            elif name in self.contexts:
                self.contexts[name].cancelled = True
                self.contexts[name].texts.put_nowait(("", False, True))
            return
        if (problem := _problem(request)) is not None:
            await self._error(name, "Invalid request", problem)
            return
        context = self.contexts.get(name)
        if context is None:
            if self.simulator.running >= self.simulator.contexts:
                await self._error(name, "Too many requests", "Too many contexts at a time.", status=429)
                return
            context = self.contexts[name] = _Context(name, request)
            self.simulator.running += 1
            context.task = asyncio.create_task(self._speak(context, request), name="cartesia-context")
        elif context.closing:
            await self._error(name, "Invalid request", "The context has been closed.")
            return
        elif any(request.get(field) != value for field, value in context.fixed.items()):
            await self._error(name, "Invalid request", "Fields of a context may not change.")
            return
        last = not request.get("continue", False)
        context.closing = last
        context.texts.put_nowait((request["transcript"], bool(request.get("flush")), last))

    async def _speak(self, context: _Context, request: dict[str, Any]) -> None:
        rate = request["output_format"]["sample_rate"]
        offset, flushes = 0.0, 0
        try:
            while not context.cancelled:
                try:
                    async with asyncio.timeout(None if context.texts.qsize() or offset == 0.0 else EXPIRES):
                        text, flush, last = await context.texts.get()
                except TimeoutError:
                    break
                if text.strip():
                    offset = await self._say(context, text, rate, offset, flushes, request.get("add_timestamps"))
                if flush and not context.cancelled:
                    await self._send(context, "flush_done", flush_id=flushes, flush_done=True, done=False)
                    flushes += 1
                if last:
                    break
            await self._send(context, "done", done=True)
        except PeerClosedError:
            pass
        finally:
            self.contexts.pop(context.name, None)
            self.simulator.running -= 1

    async def _say(self, context: _Context, text: str, rate: int, offset: float, flush_id: int, timed: object) -> float:
        await asyncio.sleep(self.simulator.ttfb)
        if self.simulator.stuck and self.simulator.stuck in text:
            await asyncio.get_running_loop().create_future()
        said = speak(text, rate)
        if timed:
            words = {
                "words": [word.text for word in said.words],
                "start": [offset + word.start for word in said.words],
                "end": [offset + word.end for word in said.words],
            }
            await self._send(context, "timestamps", done=False, word_timestamps=words, flush_id=flush_id)
        size = round(CHUNK * rate) * 2
        for at in range(0, len(said.pcm), size):
            piece = said.pcm[at : at + size]
            data = binascii.b2a_base64(piece, newline=False).decode()
            await self._send(context, "chunk", done=False, data=data, step_time=1.0, flush_id=flush_id)
            if context.cancelled:
                break
            if self.simulator.speed:
                await asyncio.sleep(len(piece) / 2 / rate / self.simulator.speed)
        return offset + len(said.pcm) / 2 / rate

    async def _send(self, context: _Context, kind: str, **fields: Any) -> None:
        await self.peer.send({"type": kind, "context_id": context.name, "status_code": 206, **fields})

    async def _error(self, context: str, title: str, message: str, status: int = 400) -> None:
        fields: dict[str, Any] = {"context_id": context} if context else {}
        await self.peer.send(
            {
                "type": "error",
                "done": True,
                "status_code": status,
                "title": title,
                "message": message,
                "error_code": title.lower().replace(" ", "_"),
                "request_id": "simulated",
                **fields,
            }
        )


def _problem(request: dict[str, Any]) -> str | None:
    """Why the service would not take a generation request."""
    if unknown := set(request) - FIELDS:
        return f"Unknown field: {sorted(unknown)[0]}"
    for field in ("model_id", "transcript", "context_id"):
        if not isinstance(request.get(field), str) or (field != "transcript" and not request[field]):
            return f"{field} is needed."
    voice = request.get("voice")
    if not isinstance(voice, dict) or set(voice) != {"mode", "id"} or voice["mode"] != "id" or not voice["id"]:
        return "voice must be {mode: id, id}."
    output = request.get("output_format")
    if not isinstance(output, dict) or set(output) != {"container", "encoding", "sample_rate"}:
        return "output_format has three fields."
    if output["container"] != "raw" or output["encoding"] not in ENCODINGS or output["sample_rate"] not in RATES:
        return "This output_format is not offered."
    if output["encoding"] != "pcm_s16le":
        return "The simulator speaks pcm_s16le."
    delay = request.get("max_buffer_delay_ms", 3_000)
    return None if isinstance(delay, int) and 0 <= delay <= 5_000 else "max_buffer_delay_ms is out of range."
