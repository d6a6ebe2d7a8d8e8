"""AssemblyAI: ``/v3/ws`` (streaming, version 3).

Turns follow the audio that was received, never the clock; only idle time-outs are waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.testing.simulators.base import Peer, Refusal, Request, Simulator
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.recording import RATE, Listener, RecordedWord, Recording

SETTINGS = frozenset(
    [
        "end_of_turn_confidence_threshold",
        "min_turn_silence",
        "max_turn_silence",
        "vad_threshold",
        "format_turns",
        "keyterms_prompt",
        "filter_profanity",
        "prompt",
        "agent_context",
        "interruption_delay",
        "turn_left_pad_ms",
        "language_codes",
        "session_heartbeat",
        "acknowledge_silence",
    ]
)
QUERY = SETTINGS | {
    "sample_rate",
    "encoding",
    "speech_model",
    "language_code",
    "language_detection",
    "domain",
    "inactivity_timeout",
    "speaker_labels",
    "max_speakers",
    "voice_focus",
    "voice_focus_threshold",
    "continuous_partials",
    "include_partial_turns",
    "redact_pii",
    "redact_pii_policies",
    "redact_pii_sub",
    "mode",
    "token",
}
MODELS = ("universal-streaming-english", "universal-streaming-multilingual", "whisper-rt")
"""Those whose turns end twice: as heard, and written properly."""
NEWER = ("u3-rt-pro", "universal-3-5-pro", "universal-3-6", "universal-3-6-pro")
COMMANDS: dict[str, frozenset[str]] = {
    "ForceEndpoint": frozenset(),
    "KeepAlive": frozenset(),
    "Terminate": frozenset(),
    "UpdateConfiguration": SETTINGS,
}
LEAST, MOST = 0.05, 1.0
TURN = 0.5
"""Seconds of a pause that end a turn."""


class AssemblyAISimulator(Simulator):
    """``recordings``: what it understands. ``mishears``: what it puts in the place of a turn's last word at first, where turns are
    formatted."""

    name = "assemblyai"

    def __init__(
        self,
        recordings: Sequence[Recording] = (),
        *,
        faults: FaultScript | None = None,
        key: str = "",
        mishears: str = "",
    ) -> None:
        super().__init__(faults=faults, key=key)
        self.recordings, self.mishears = recordings, mishears

    def refuse(self, request: Request) -> Refusal | None:
        if request.path != "/v3/ws":
            return Refusal(404, {"error": "Not found"})
        key = request.headers.get("authorization", "") or request.one("token")
        if not key or " " in key or (self.key and key != self.key):
            return Refusal(401, {"error": "Missing or invalid API key"})
        if unknown := [name for name, _ in request.query if name not in QUERY]:
            return Refusal(400, {"error": f"Unknown parameter: {unknown[0]}"})
        if request.one("speech_model") not in (*MODELS, *NEWER):
            return Refusal(400, {"error": "speech_model is needed."})
        if request.one("sample_rate") != str(RATE) or request.one("encoding", "pcm_s16le") != "pcm_s16le":
            return Refusal(400, {"error": f"The simulator hears pcm_s16le at {RATE} Hz."})
        return None

    async def serve(self, peer: Peer) -> None:
        await _Session(self, peer).run()


class _Session:
    def __init__(self, simulator: AssemblyAISimulator, peer: Peer) -> None:
        self.simulator, self.peer = simulator, peer
        request = peer.request
        self.listener = Listener(simulator.recordings)
        self.began = asyncio.get_running_loop().time()
        self.patience = float(request.one("inactivity_timeout", "0"))
        self.newer = request.one("speech_model") in NEWER
        self.formats = request.one("format_turns", "false").lower() == "true"
        self.labels = request.one("speaker_labels", "false").lower() == "true"
        self.partials = not self.newer or request.one("continuous_partials", "false").lower() == "true"
        self._order = 0
        self._used = 0
        self._said = 0

    async def run(self) -> None:
        request = self.peer.request
        await self.peer.send(
            {
                "type": "Begin",
                "id": f"simulated-{self.peer.number}",
                "expires_at": "2026-01-01T03:00:00Z",
                "configuration": {"model": request.one("speech_model"), "api_version": "2025-05-12"},
            }
        )
        while True:
            try:
                async with asyncio.timeout(self.patience or None):
                    frame = await self.peer.receive()
            except TimeoutError:
                await self._fail(4031, "Session idle for too long")
                return
            if isinstance(frame, bytes):
                if not LEAST <= len(frame) / 2 / RATE <= MOST:
                    length = round(1000 * len(frame) / 2 / RATE)
                    await self._fail(3007, f"A message held {length} ms of audio; 50 to 1000 are taken.")
                    return
                for at in range(0, len(frame), 640):
                    self.listener.feed(frame[at : at + 640])
                    await self._heard()
                continue
            try:
                message = msgspec.json.decode(frame)
            except msgspec.DecodeError:
                await self._fail(4100, "Endpoint received invalid JSON")
                return
            kind = message.get("type") if isinstance(message, dict) else None
            if kind not in COMMANDS or set(message) - COMMANDS[kind] - {"type"}:
                await self._fail(4101, "Endpoint received a message with an invalid schema")
                return
            if kind == "Terminate":
                await self._terminate()
                return
            if kind == "ForceEndpoint" and self._words:
                await self._end()

    @property
    def _words(self) -> list[RecordedWord]:
        return self.listener.words[self._used :]

    async def _heard(self) -> None:
        words = self._words
        if not words:
            return
        if self.listener.seconds - self.listener.voiced_at >= TURN:
            await self._end()
        elif self.partials and len(words) > self._said:
            if self.newer and not self._said:
                await self.peer.send({"type": "SpeechStarted", "timestamp": round(1000 * words[0].start)})
            self._said = len(words)
            await self._turn(words, [self._plain(word.text) for word in words])

    async def _end(self) -> None:
        """The turn is over: as it was heard, and once more as it is written."""
        words = self._words
        plain = [self._plain(word.text) for word in words]
        if not self.newer:
            if self.formats and self.simulator.mishears:
                plain[-1] = self.simulator.mishears
            await self._turn(words, plain, ended=True)
        if self.newer or self.formats:
            await self._turn(words, [word.text for word in words], ended=True, formatted=True)
        self._order, self._used, self._said = self._order + 1, len(self.listener.words), 0

    async def _turn(
        self, words: list[RecordedWord], texts: list[str], *, ended: bool = False, formatted: bool = False
    ) -> None:
        settled = len(words) if ended else len(words) - 1
        message: dict[str, Any] = {
            "type": "Turn",
            "turn_order": self._order,
            "turn_is_formatted": formatted,
            "end_of_turn": ended,
            "transcript": " ".join(texts if self.newer else texts[:settled]),
            "end_of_turn_confidence": 0.9 if ended else 0.1,
            "words": [
                self._word(word, text, n < settled) for n, (word, text) in enumerate(zip(words, texts, strict=True))
            ],
        }
        if self.labels:
            message["speaker_label"] = "A"
        await self.peer.send(message)

    def _word(self, word: RecordedWord, text: str, settled: bool) -> dict[str, Any]:
        made: dict[str, Any] = {
            "text": text,
            "start": round(1000 * word.start),
            "end": round(1000 * word.end),
            "confidence": 0.97,
            "word_is_final": settled,
        }
        if self.labels:
            made["speaker"] = "A"
        return made

    def _plain(self, text: str) -> str:
        return text if self.newer else text.lower().strip(".,!?")

    async def _terminate(self) -> None:
        if self._words:
            await self._end()
        lasted = asyncio.get_running_loop().time() - self.began
        await self.peer.send(
            {
                "type": "Termination",
                "audio_duration_seconds": round(self.listener.seconds),
                "session_duration_seconds": round(lasted),
            }
        )
        await self.peer.close(1000)

    async def _fail(self, code: int, message: str) -> None:
        await self.peer.send({"type": "Error", "error_code": code, "error": message})
        await self.peer.close(code, message)
