"""Deepgram: ``/v1/speak`` (Aura). One text after the other, paced by ``speed``; ``Clear`` drops what has not been sent."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from antiphon.testing.simulators.base import Peer, PeerClosedError, Refusal, Request
from antiphon.testing.simulators.speaking import speak

QUERY = frozenset(["model", "encoding", "sample_rate", "speed", "mip_opt_out", "container", "bit_rate", "tag"])
RATES = ("8000", "16000", "24000", "32000", "48000")
COMMANDS = {"Speak": {"type", "text"}, "Flush": {"type"}, "Clear": {"type"}, "Close": {"type"}}
MOST_TEXT = 2_000
CHUNK = 0.1


def problem(request: Request) -> Refusal | None:
    """The service's own answer to a handshake that it does not take (the key is checked before)."""
    unknown = [name for name, _ in request.query if name not in QUERY]
    if unknown:
        return refused(f"Unknown parameter: {unknown[0]}")
    if not request.one("model").startswith("aura-"):
        return refused("No such voice.")
    if request.one("encoding", "linear16") != "linear16":
        return refused("The simulator speaks linear16.")
    return None if request.one("sample_rate", "24000") in RATES else refused("This sample_rate is not offered.")


def refused(message: str) -> Refusal:
    return Refusal(
        400, {"err_code": "Bad Request", "err_msg": message, "request_id": "simulated"}, {"dg-error": message}
    )


class AuraSocket:
    """``ttfb``: seconds to a text's first chunk. ``speed``: audio seconds made per second (0: all at once)."""

    def __init__(self, peer: Peer, *, ttfb: float, speed: float) -> None:
        self.peer, self.ttfb, self.speed = peer, ttfb, speed
        self.rate = int(peer.request.one("sample_rate", "24000"))
        self.jobs: asyncio.Queue[str | None] = asyncio.Queue()
        self.waiting: list[str] = []
        self.sequence = 0
        self.talking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        model = self.peer.request.one("model")
        await self.peer.send(
            {
                "type": "Metadata",
                "request_id": f"simulated-{self.peer.number}",
                "model_name": model,
                "model_version": "simulated",
                "model_uuid": "simulated",
            }
        )
        self.talking = asyncio.create_task(self._talk(), name="aura")
        try:
            while await self._take(await self.peer.receive()):
                pass
        finally:
            await self._hush()

    async def _hush(self) -> None:
        if self.talking is not None:
            self.talking.cancel()
            await asyncio.wait([self.talking])

    async def _take(self, frame: str | bytes) -> bool:
        """False: the socket is over."""
        message: Any = None
        if isinstance(frame, str):
            try:
                message = msgspec.json.decode(frame)
            except msgspec.DecodeError:
                message = None
        kind = message.get("type") if isinstance(message, dict) else None
        if kind not in COMMANDS or set(message) != COMMANDS[kind]:
            await self._fail("DATA-0000", "This message is not known.")
            return False
        if kind == "Speak":
            if not isinstance(message["text"], str) or len(message["text"]) > MOST_TEXT:
                await self._fail("DATA-0001", "The text is none, or too long.")
                return False
            self.waiting.append(message["text"])
        elif kind == "Flush":
            self.jobs.put_nowait(" ".join(self.waiting))
            self.waiting = []
        elif kind == "Clear":
            await self._hush()
            self.jobs, self.waiting = asyncio.Queue(), []
            await self._say("Cleared")
            self.talking = asyncio.create_task(self._talk(), name="aura")
        else:
            self.jobs.put_nowait(None)
            if self.talking is not None:
                await asyncio.wait([self.talking])
            await self.peer.close(1000)
            return False
        return True

    async def _talk(self) -> None:
        try:
            while (text := await self.jobs.get()) is not None:
                if text.strip():
                    await asyncio.sleep(self.ttfb)
                    await self._sound(speak(text, self.rate).pcm)
                await self._say("Flushed")
        except PeerClosedError:
            return

    async def _sound(self, pcm: bytes) -> None:
        size = round(CHUNK * self.rate) * 2
        for at in range(0, len(pcm), size):
            piece = pcm[at : at + size]
            await self.peer.send(piece)
            if self.speed:
                await asyncio.sleep(len(piece) / 2 / self.rate / self.speed)

    async def _say(self, kind: str) -> None:
        await self.peer.send({"type": kind, "sequence_id": self.sequence})
        self.sequence += 1

    async def _fail(self, code: str, description: str) -> None:
        await self.peer.send({"type": "Error", "code": code, "description": description})
        await self.peer.close(1008, f"{code}: {description}")
