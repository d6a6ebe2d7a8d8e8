"""Cartesia's recognition with turns, one client of it: ``CartesiaSimulator`` serves it at ``/stt/turns/websocket``.

Turns follow the audio that was received, never the clock; only idle time-outs are waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.testing.simulators.base import Peer, Request
from antiphon.testing.simulators.recording import RATE, Listener, Recording

QUERY = frozenset(
    [
        "model",
        "encoding",
        "sample_rate",
        "keyterm",
        "turn_start_threshold",
        "turn_eager_end_threshold",
        "turn_end_threshold",
        "turn_end_timeout_ms",
        "cartesia_version",
        "api_key",
        "access_token",
    ]
)
RANGES = {
    "turn_start_threshold": (0.5, 0.9),
    "turn_eager_end_threshold": (0.3, 0.6),
    "turn_end_threshold": (0.05, 0.5),
    "turn_end_timeout_ms": (640, 11_200),
}
CONFIG = frozenset(["start_threshold", "eager_end_threshold", "end_threshold", "end_timeout_ms"])
EAGER, RESUMED, TURN = 0.3, 0.2, 0.5
"""Seconds of a pause: the turn may be over, it was none, it is over."""


def problem_of(request: Request) -> str:
    """Why a handshake is not taken; empty: it is."""
    if unknown := [name for name, _ in request.query if name not in QUERY]:
        return f"Unknown parameter: {unknown[0]}"
    if not request.one("model").startswith("ink-2"):
        return "The model must be ink-2."
    if request.one("encoding") != "pcm_s16le" or request.one("sample_rate") != str(RATE):
        return f"The simulator hears pcm_s16le at {RATE} Hz."
    terms = request.all("keyterm")
    if len(terms) > 100 or sum(map(len, terms)) > 1_200:
        return "There are too many keyterms."
    for name, (least, most) in RANGES.items():
        if not least <= float(request.one(name, str(least))) <= most:
            return f"{name} is out of range."
    return ""


class TurnsSocket:
    """``recordings``: what it understands. ``idle``: seconds that it waits for audio."""

    def __init__(self, recordings: Sequence[Recording], peer: Peer, *, idle: float) -> None:
        self.peer, self.idle = peer, idle
        self.listener = Listener(recordings)
        self._used = self._said = 0
        self._state = "quiet"

    async def run(self) -> None:
        await self._send("connected")
        while True:
            try:
                async with asyncio.timeout(self.idle):
                    frame = await self.peer.receive()
            except TimeoutError:
                await self.peer.close(1000, "idle")
                return
            if isinstance(frame, bytes):
                for at in range(0, len(frame), 640):
                    self.listener.feed(frame[at : at + 640])
                    await self._heard()
                continue
            try:
                message = msgspec.json.decode(frame)
            except msgspec.DecodeError:
                message = None
            if message == {"type": "close"}:
                if self._state != "quiet":
                    await self._end()
                await self.peer.close(1000)
                return
            if not _is_config(message):
                title, text = "Invalid request", "The message is not known."
                await self._send("error", title=title, message=text, status_code=400, error_code="invalid_request")
                await self.peer.close(1008, text)
                return

    @property
    def _text(self) -> str:
        return " ".join(word.text for word in self.listener.words[self._used :])

    async def _heard(self) -> None:
        words = len(self.listener.words) - self._used
        pause = self.listener.seconds - self.listener.voiced_at
        if not words:
            return
        if self._state == "quiet":
            self._state = "speaking"
            await self._send("turn.start")
        elif self._state == "likely" and pause < RESUMED:
            self._state = "speaking"
            await self._send("turn.resume")
        if words != self._said:
            self._said = words
            await self._send("turn.update", transcript=self._text)
        elif pause >= TURN:
            await self._end()
        elif self._state == "speaking" and pause >= EAGER:
            self._state = "likely"
            await self._send("turn.eager_end", transcript=self._text)

    async def _end(self) -> None:
        await self._send("turn.end", transcript=self._text)
        self._state, self._used, self._said = "quiet", len(self.listener.words), 0

    async def _send(self, kind: str, **fields: Any) -> None:
        await self.peer.send({"type": kind, "request_id": f"simulated-{self.peer.number}", **fields})


def _is_config(message: object) -> bool:
    if not isinstance(message, dict) or set(message) != {"type", "turn"} or message["type"] != "config":
        return False
    return isinstance(message["turn"], dict) and set(message["turn"]) <= CONFIG
