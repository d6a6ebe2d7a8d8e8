"""ElevenLabs: ``/v1/text-to-speech/{voice}/multi-stream-input``, ``stream-input``, which has one context, and
``/v1/speech-to-text/realtime`` (Scribe).

A text's audio comes paced by ``speed``, each piece with the times of its characters. What was flushed is spoken to its end, also
where its context is closed.
"""

from __future__ import annotations

import asyncio
import binascii
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.testing.simulators.base import Peer, PeerClosedError, Refusal, Request, Simulator
from antiphon.testing.simulators.elevenlabs_scribe import ScribeSocket, problem_of
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.speaking import CHARACTER, speak

PATH = re.compile(r"/v1/text-to-speech/([^/]+)/(multi-stream-input|stream-input)")
SCRIBE = "/v1/speech-to-text/realtime"
QUERY = frozenset(
    [
        "model_id",
        "language_code",
        "enable_logging",
        "enable_ssml_parsing",
        "output_format",
        "inactivity_timeout",
        "sync_alignment",
        "auto_mode",
        "apply_text_normalization",
        "seed",
        "optimize_streaming_latency",
        "authorization",
        "single_use_token",
    ]
)
FIELDS = frozenset(
    [
        "text",
        "voice_settings",
        "generation_config",
        "pronunciation_dictionary_locators",
        "xi_api_key",
        "authorization",
        "context_id",
        "flush",
        "close_context",
        "close_socket",
        "try_trigger_generation",
    ]
)
RATES = (8_000, 16_000, 22_050, 24_000, 44_100)
CONTEXTS = 5
INACTIVITY = (20, 180)
"""Seconds: without a request, and the most."""
CHUNK = 0.1


class ElevenLabsSimulator(Simulator):
    """``recordings``: what it understands. ``ttfb``: seconds to a text's first piece. ``speed``: audio seconds made per second (0: all at once). ``contexts``: how many a
    socket may have. ``timed``: audio comes with the times of its characters, in seconds of the piece that holds them, or of the
    ``context``. ``odd``: pieces are cut in the middle of a sample. ``silence``: seconds of it before a context's first word."""

    name = "elevenlabs"

    def __init__(
        self,
        recordings: Sequence[Recording] = (),
        *,
        faults: FaultScript | None = None,
        key: str = "",
        ttfb: float = 0.05,
        speed: float = 10.0,
        contexts: int = CONTEXTS,
        timed: str = "piece",
        odd: bool = False,
        silence: float = 0.0,
    ) -> None:
        super().__init__(faults=faults, key=key)
        self.recordings = recordings
        self.ttfb, self.speed, self.contexts = ttfb, speed, contexts
        self.timed, self.odd, self.silence = timed, odd, silence
        self.most = 0
        """Contexts that were open on one socket at a time, at most."""

    def refuse(self, request: Request) -> Refusal | None:
        if request.path != SCRIBE and PATH.fullmatch(request.path) is None:
            return _refused(404, "not_found", "Not Found")
        key = request.headers.get("xi-api-key", "") or request.one("authorization")
        if not key or (self.key and key != self.key):
            return _refused(401, "invalid_api_key", "Invalid API key")
        if request.path == SCRIBE:
            problem = problem_of(request)
            return _refused(400, "invalid_parameters", problem) if problem else None
        if unknown := [name for name, _ in request.query if name not in QUERY]:
            return _refused(400, "invalid_parameters", f"Unknown parameter: {unknown[0]}")
        wait = request.one("inactivity_timeout", str(INACTIVITY[0]))
        if not wait.isdigit() or not 1 <= int(wait) <= INACTIVITY[1]:
            return _refused(400, "invalid_parameters", "inactivity_timeout is out of range.")
        if request.one("output_format") not in [f"pcm_{rate}" for rate in RATES]:
            return _refused(400, "invalid_output_format", "The simulator speaks pcm.")
        return None

    async def serve(self, peer: Peer) -> None:
        if peer.request.path == SCRIBE:
            await ScribeSocket(self.recordings, peer).run()
            return
        found = PATH.fullmatch(peer.request.path)
        assert found is not None
        await _Socket(self, peer, single=found[2] == "stream-input").run()


def _refused(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, {"detail": {"status": code, "message": message}})


class _Context:
    def __init__(self, name: str, now: float) -> None:
        self.name, self.used = name, now
        self.buffer = ""
        self.texts: asyncio.Queue[str | None] = asyncio.Queue()
        self.closing = False
        self.task: asyncio.Task[None] | None = None


class _Socket:
    def __init__(self, simulator: ElevenLabsSimulator, peer: Peer, *, single: bool) -> None:
        self.simulator, self.peer, self.single = simulator, peer, single
        request = peer.request
        self.rate = int(request.one("output_format").removeprefix("pcm_"))
        self.patience = float(request.one("inactivity_timeout", str(INACTIVITY[0])))
        self.auto = request.one("auto_mode") == "true"
        self.contexts: dict[str, _Context] = {}
        self.loop = asyncio.get_running_loop()
        self.used = self.loop.time()

    async def run(self) -> None:
        try:
            while True:
                try:
                    async with asyncio.timeout_at(self._due()):
                        frame = await self.peer.receive()
                except TimeoutError:
                    if await self._weary():
                        return
                    continue
                self.used = self.loop.time()
                if await self._take(frame):
                    return
        finally:
            tasks = [context.task for context in self.contexts.values() if context.task is not None]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _due(self) -> float:
        waiting = [context.used for context in self.contexts.values() if not context.closing]
        return min([self.used, *waiting] if not self.contexts else waiting or [self.loop.time()]) + self.patience

    async def _weary(self) -> bool:
        """Nothing has come for too long: contexts are ended, a socket without any is closed."""
        if not self.contexts:
            await self._fail("input_timeout_exceeded", f"No text within the timeout of {self.patience:g} seconds.")
            return True
        for context in list(self.contexts.values()):
            if self.loop.time() - context.used >= self.patience:
                self._end(context)
        return False

    async def _take(self, frame: str | bytes) -> bool:
        """Whether the socket is done."""
        try:
            request = msgspec.json.decode(frame)
        except msgspec.DecodeError:
            request = None
        if not isinstance(request, dict) or set(request) - FIELDS:
            await self._fail("invalid_message", "The message does not follow the schema.")
            return True
        if request.get("close_socket"):
            tasks = [context.task for context in self.contexts.values() if context.task is not None]
            for one in list(self.contexts.values()):
                self._end(one)
            if tasks:
                await asyncio.wait(tasks)
            await self.peer.close(1000)
            return True
        name = request.get("context_id") or "default"
        context = self.contexts.get(name)
        if request.get("close_context"):
            if context is not None:
                self._end(context)
            return False
        text = request.get("text", "")
        if not isinstance(text, str):
            await self._fail("invalid_message", "text must be a string.")
            return True
        if context is None:
            if len(self.contexts) >= self.simulator.contexts:
                message = (
                    f"Maximum simultaneous contexts per WebSocket connection exceeded ({self.simulator.contexts})."
                )
                await self._fail("max_active_conversations", message)
                return True
            context = self._open(name)
        elif context.closing:
            return False
        context.used = self.loop.time()
        context.buffer += text
        if self.single and not text:
            self._end(context)
            await asyncio.wait({context.task} if context.task is not None else [])
            await self.peer.close(1000)
            return True
        if request.get("flush") or (self.auto and context.buffer.strip()) or request.get("try_trigger_generation"):
            self._generate(context)
        return False

    def _open(self, name: str) -> _Context:
        context = self.contexts[name] = _Context(name, self.loop.time())
        self.simulator.most = max(self.simulator.most, len(self.contexts))
        context.task = asyncio.create_task(self._speak(context), name="elevenlabs-context")
        return context

    def _generate(self, context: _Context) -> None:
        text, context.buffer = context.buffer, ""
        if text.strip():
            context.texts.put_nowait(text)

    def _end(self, context: _Context) -> None:
        if not context.closing:
            context.closing = True
            self._generate(context)
            context.texts.put_nowait(None)

    async def _speak(self, context: _Context) -> None:
        offset = 0.0
        try:
            while (text := await context.texts.get()) is not None:
                await asyncio.sleep(self.simulator.ttfb)
                if offset == 0.0 and self.simulator.silence:
                    pcm = bytes(2 * round(self.simulator.silence * self.rate))
                    offset += await self._pieces(context, pcm, [], offset)
                spoken = speak(text, self.rate)
                offset += await self._pieces(context, spoken.pcm, _characters(text), offset)
            del self.contexts[context.name]
            await self._send(context, {"isFinal": True})
        except PeerClosedError:
            pass

    async def _pieces(self, context: _Context, pcm: bytes, characters: list[tuple[str, float]], offset: float) -> float:
        size = round(CHUNK * self.rate) * 2 + self.simulator.odd
        for at in range(0, len(pcm), size):
            piece = pcm[at : at + size]
            begin, end = at / 2 / self.rate, (at + size) / 2 / self.rate
            held = [(char, start) for char, start in characters if begin <= start < end]
            message: dict[str, Any] = {"audio": binascii.b2a_base64(piece, newline=False).decode()}
            if self.simulator.timed:
                zero = -offset if self.simulator.timed == "context" else begin
                message["alignment"] = message["normalizedAlignment"] = {
                    "chars": [char for char, _ in held],
                    "charStartTimesMs": [round(1000 * (start - zero)) for _, start in held],
                    "charDurationsMs": [round(1000 * CHARACTER)] * len(held),
                }
            await self._send(context, message)
            if self.simulator.speed:
                await asyncio.sleep(len(piece) / 2 / self.rate / self.simulator.speed)
        return len(pcm) / 2 / self.rate

    async def _send(self, context: _Context, message: dict[str, Any]) -> None:
        await self.peer.send(message if self.single else {**message, "contextId": context.name})

    async def _fail(self, error: str, message: str) -> None:
        await self.peer.send({"message": message, "error": error, "code": 1008})
        await self.peer.close(1008, message)


def _characters(text: str) -> list[tuple[str, float]]:
    """The characters of a text as ``speak`` lays them out, and when each begins."""
    found = []
    at = 0.0
    for word in text.split():
        for char in [*word, " "]:
            found.append((char, at))
            at += CHARACTER
    return found
