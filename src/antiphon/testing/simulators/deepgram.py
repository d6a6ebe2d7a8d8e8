"""Deepgram: ``/v1/listen`` (Nova) and ``/v2/listen`` (Flux); ``/v1/speak`` is in ``deepgram_voice``.

Results follow the audio that was received, never the clock; only idle time-outs are waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.testing.simulators import deepgram_voice
from antiphon.testing.simulators.base import Peer, Refusal, Request, Simulator
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.recording import Listener, RecordedWord, Recording

NOVA = frozenset(
    [
        "model",
        "encoding",
        "sample_rate",
        "channels",
        "multichannel",
        "language",
        "language_hint",
        "interim_results",
        "endpointing",
        "utterance_end_ms",
        "vad_events",
        "smart_format",
        "punctuate",
        "numerals",
        "profanity_filter",
        "diarize",
        "diarize_model",
        "keyterm",
        "keywords",
        "redact",
        "tag",
        "mip_opt_out",
        "search",
        "replace",
        "callback",
        "callback_method",
        "dictation",
        "extra",
        "version",
        "detect_entities",
        "filler_words",
        "measurements",
        "no_delay",
    ]
)
FLUX = frozenset(
    [
        "model",
        "encoding",
        "sample_rate",
        "eot_threshold",
        "eager_eot_threshold",
        "eot_timeout_ms",
        "keyterm",
        "language_hint",
        "tag",
        "mip_opt_out",
        "numerals",
        "profanity_filter",
        "redact",
    ]
)
IDLE = 10.0
ENDPOINT = 0.3
EVERY = 0.25
EAGER, EAGER_TURN, TURN = 0.3, 0.2, 0.5


class DeepgramSimulator(Simulator):
    """``recordings``: what it understands. ``ttfb``, ``speed``: of its voices, see ``AuraSocket``."""

    name = "deepgram"

    def __init__(
        self,
        recordings: Sequence[Recording] = (),
        *,
        faults: FaultScript | None = None,
        key: str = "",
        idle: float = IDLE,
        ttfb: float = 0.05,
        speed: float = 10.0,
    ) -> None:
        super().__init__(faults=faults, key=key)
        self.recordings = recordings
        self.idle = idle
        self.ttfb, self.speed = ttfb, speed

    def refuse(self, request: Request) -> Refusal | None:
        flux = request.path == "/v2/listen"
        if request.path not in ("/v1/listen", "/v2/listen", "/v1/speak"):
            return Refusal(404, {"err_code": "NOT_FOUND", "err_msg": "no such path", "request_id": "simulated"})
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("token", "bearer") or not key or (self.key and key != self.key):
            return _refused(401, "INVALID_AUTH", "Invalid credentials.")
        if request.path == "/v1/speak":
            return deepgram_voice.problem(request)
        unknown = [name for name, _ in request.query if name not in (FLUX if flux else NOVA)]
        if unknown:
            return _refused(400, "Bad Request", f"Unknown parameter: {unknown[0]}")
        if flux and not request.one("model").startswith("flux-"):
            return _refused(400, "Bad Request", "No such model.")
        if request.one("encoding") != "linear16" or request.one("sample_rate") != "16000":
            return _refused(400, "Bad Request", "The simulator hears linear16 at 16000 Hz.")
        if not flux and request.one("model", "base").startswith("flux-"):
            return _refused(400, "Bad Request", "Flux models are served at /v2/listen.")
        if not flux and request.all("keyterm") and not request.one("model").startswith("nova-3"):
            return _refused(400, "Bad Request", "Keyterms need nova-3.")
        return None

    async def serve(self, peer: Peer) -> None:
        if peer.request.path == "/v1/speak":
            await deepgram_voice.AuraSocket(peer, ttfb=self.ttfb, speed=self.speed).run()
        elif peer.request.path == "/v2/listen":
            await FluxSocket(self, peer).run()
        else:
            await NovaSocket(self, peer).run()


def _refused(status: int, code: str, message: str) -> Refusal:
    return Refusal(status, {"err_code": code, "err_msg": message, "request_id": "simulated"}, {"dg-error": message})


class _Socket:
    commands: dict[str, frozenset[str]] = {}

    def __init__(self, simulator: DeepgramSimulator, peer: Peer) -> None:
        self.simulator, self.peer = simulator, peer
        self.listener = Listener(simulator.recordings)
        self.id = f"simulated-{peer.number}"

    async def run(self) -> None:
        await self.begin()
        while True:
            try:
                async with asyncio.timeout(self.simulator.idle):
                    frame = await self.peer.receive()
            except TimeoutError:
                await self.peer.close(1011, "NET-0001: no audio and no KeepAlive in time")
                return
            if isinstance(frame, bytes):
                if not frame:
                    await self.finish()
                    return
                for at in range(0, len(frame), 640):
                    self.listener.feed(frame[at : at + 640])
                    await self.heard()
                continue
            try:
                message = msgspec.json.decode(frame)
                kind = message["type"]
                allowed = self.commands[kind]
            except (msgspec.DecodeError, KeyError, TypeError):
                await self.fail("UNPARSABLE_CLIENT_MESSAGE", "This message is not known.")
                return
            if set(message) - allowed - {"type"}:
                await self.fail("INVALID_CLIENT_MESSAGE", f"{kind} has unknown fields.")
                return
            if kind == "CloseStream":
                await self.finish()
                return
            await self.command(kind, message)

    async def begin(self) -> None: ...

    async def heard(self) -> None: ...

    async def command(self, kind: str, message: dict[str, Any]) -> None: ...

    async def finish(self) -> None: ...

    async def fail(self, code: str, description: str) -> None: ...


class NovaSocket(_Socket):
    """A segment runs from the end of the last final to a pause of ``ENDPOINT`` seconds after speech."""

    commands = {
        "KeepAlive": frozenset(),
        "Finalize": frozenset(),
        "CloseStream": frozenset(),
        "Configure": frozenset({"keyterms", "features"}),
    }
    _start = 0.0
    _used = 0
    _said_at = 0.0

    @property
    def _interim(self) -> bool:
        return self.peer.request.one("interim_results") == "true"

    async def heard(self) -> None:
        listener = self.listener
        words = listener.words[self._used :]
        pause = listener.seconds - listener.voiced_at
        if words and pause >= ENDPOINT:
            await self._results(final=True, endpoint=True)
        elif not words and listener.seconds - self._start > 5.0 and pause >= ENDPOINT:
            await self._results(final=True)
        elif self._interim and listener.seconds - self._said_at >= (EVERY if words else 1.0):
            await self._results(final=False)

    async def command(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "Finalize":
            await self._results(final=True, finalize=True)
        elif kind == "Configure":
            await self.peer.send(
                {"type": "ConfigureSuccess", "request_id": self.id, "keyterms": message.get("keyterms", [])}
            )

    async def finish(self) -> None:
        if self.listener.words[self._used :]:
            await self._results(final=True)
        await self.peer.send(
            {
                "type": "Metadata",
                "transaction_key": "deprecated",
                "request_id": self.id,
                "sha256": "0" * 64,
                "created": "2026-01-01T00:00:00.000Z",
                "duration": self.listener.seconds,
                "channels": 1,
            }
        )
        await self.peer.close(1000)

    async def fail(self, code: str, description: str) -> None:
        await self.peer.send({"type": "Error", "variant": code, "description": description})
        await self.peer.close(1008, f"DATA-0000: {description}")

    async def _results(self, *, final: bool, endpoint: bool = False, finalize: bool = False) -> None:
        words = self.listener.words[self._used :]
        end = self.listener.seconds
        start, self._said_at = self._start, end
        if final:
            self._start, self._used = end, len(self.listener.words)
        model = self.peer.request.one("model")
        await self.peer.send(
            {
                "type": "Results",
                "channel_index": [0, 1],
                "duration": end - start,
                "start": start,
                "is_final": final,
                "speech_final": endpoint,
                "from_finalize": finalize,
                "channel": {
                    "alternatives": [
                        {
                            "transcript": " ".join(word.text for word in words),
                            "confidence": 0.98 if words else 0.0,
                            "words": [self._word(word) for word in words],
                        }
                    ]
                },
                "metadata": {
                    "request_id": self.id,
                    "model_info": {"name": model, "version": "simulated", "arch": model},
                    "model_uuid": "simulated",
                },
            }
        )

    def _word(self, word: RecordedWord) -> dict[str, Any]:
        made: dict[str, Any] = {
            "word": word.text.lower().strip(".,!?"),
            "start": word.start,
            "end": word.end,
            "confidence": 0.98,
            "punctuated_word": word.text,
        }
        if self.peer.request.one("diarize") == "true":
            made["speaker"] = 0
        return made


class FluxSocket(_Socket):
    """A turn runs from its first word to a pause of ``TURN`` seconds."""

    commands = {
        "CloseStream": frozenset(),
        "ForceEndTurn": frozenset(),
        "Configure": frozenset({"thresholds", "keyterms", "language_hints", "numerals"}),
    }
    _sequence = 0
    _turn = 0
    _used = 0
    _state = "quiet"
    _from = 0.0
    _said_at = 0.0
    _said = 0

    async def begin(self) -> None:
        await self._send({"type": "Connected", "request_id": self.id})

    async def heard(self) -> None:
        listener = self.listener
        words = listener.words[self._used :]
        pause = listener.seconds - listener.voiced_at
        eager = bool(self.peer.request.one("eager_eot_threshold"))
        if not words:
            if listener.seconds - self._said_at >= 1.0:
                await self._info("Update", 0.0)
            return
        if self._state == "quiet":
            self._state = "speaking"
            await self._info("StartOfTurn", 0.1)
        elif self._state == "likely" and pause < EAGER_TURN:
            self._state = "speaking"
            await self._info("TurnResumed", 0.1)
        elif pause >= TURN:
            await self._end("model")
        elif self._state == "speaking" and eager and pause >= EAGER:
            self._state = "likely"
            await self._info("EagerEndOfTurn", 0.5)
        elif len(words) != self._said or listener.seconds - self._said_at >= EVERY:
            await self._info("Update", 0.2)

    async def command(self, kind: str, message: dict[str, Any]) -> None:
        if kind == "ForceEndTurn":
            if self._state != "quiet":
                await self._end("manual")
            else:
                await self._send(
                    {
                        "type": "Warning",
                        "request_id": self.id,
                        "code": "NO_ACTIVE_TURN",
                        "description": "No turn is open.",
                    }
                )
            return
        await self._send(
            {
                "type": "ConfigureSuccess",
                "request_id": self.id,
                "thresholds": message.get("thresholds", {}),
                "keyterms": message.get("keyterms", []),
            }
        )

    async def finish(self) -> None:
        if self._state != "quiet":
            await self._end("manual")
        await self.peer.close(1000)

    async def fail(self, code: str, description: str) -> None:
        await self._send({"type": "Error", "code": code, "description": description})
        await self.peer.close(1008, description)

    async def _end(self, trigger: str) -> None:
        await self._info("EndOfTurn", 0.9, trigger=trigger)
        self._state, self._used, self._turn = "quiet", len(self.listener.words), self._turn + 1
        self._from = self.listener.seconds

    async def _info(self, event: str, confidence: float, trigger: str = "") -> None:
        words = self.listener.words[self._used :]
        self._said, self._said_at = len(words), self.listener.seconds
        message: dict[str, Any] = {
            "type": "TurnInfo",
            "request_id": self.id,
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": self._from,
            "audio_window_end": self.listener.seconds,
            "transcript": " ".join(word.text for word in words),
            "words": [{"word": w.text, "confidence": 0.97, "start": w.start, "end": w.end} for w in words],
            "end_of_turn_confidence": confidence,
        }
        if trigger:
            message["trigger"] = trigger
        await self._send(message)

    async def _send(self, message: dict[str, Any]) -> None:
        message["sequence_id"] = self._sequence
        self._sequence += 1
        await self.peer.send(message)
