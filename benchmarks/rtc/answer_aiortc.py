"""Stock aiortc answers calls, as its documents show it: a track that is read, a track that is sent.

Every agent talks without a break, but for the first: it answers each tone it hears with a tone.
"""

from __future__ import annotations

import asyncio
import fractions
import sys
import time
from typing import Any

import aioice.ice
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from rtc.sounds import Onsets, speech, tone
from rtc.wire import serve, snapshot

RATE = 48_000
BLOCK = RATE // 50
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]  # it leaves the loopback out


class Voice(MediaStreamTrack):
    """The agent's sound, paced as aiortc's own examples do."""

    kind = "audio"

    def __init__(self, number: int) -> None:
        super().__init__()
        self._words = np.roll(speech(RATE), 19_946 * number) if number else np.zeros(RATE, dtype=np.int16)
        self._tone = np.zeros(0, dtype=np.int16)
        self._begin, self._at = 0.0, 0

    def answer(self) -> None:
        self._tone = tone(RATE)

    async def recv(self) -> AudioFrame:
        if not self._begin:
            self._begin = time.monotonic()
        await asyncio.sleep(max(0.0, self._begin + self._at / RATE - time.monotonic()))
        start = self._at % (self._words.size - BLOCK)
        block = self._words[start : start + BLOCK]
        if self._tone.size:
            block, self._tone = self._tone[:BLOCK], self._tone[BLOCK:]
        frame = AudioFrame(format="s16", layout="mono", samples=BLOCK)
        frame.planes[0].update(np.ascontiguousarray(block).tobytes())
        frame.pts, frame.sample_rate, frame.time_base = self._at, RATE, fractions.Fraction(1, RATE)
        self._at += BLOCK
        return frame


class Call:
    def __init__(self, number: int) -> None:
        self.number, self.heard = number, 0
        self.onsets: list[float] = []
        self._onsets, self._voice = Onsets(RATE), Voice(number)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.on("track", self._on_track)
        self._tasks: list[asyncio.Task[None]] = []

    async def take(self, offer: str) -> str:
        await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        self._peer.addTrack(self._voice)
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return str(self._peer.localDescription.sdp)

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._hear(track)))

    async def _hear(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            samples = frame.to_ndarray()[0, ::2]
            self.heard += samples.size
            if not self.number and self._onsets.feed(samples):
                self.onsets.append(time.monotonic())
                self._voice.answer()


async def main() -> None:
    calls: list[Call] = []

    async def do(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["do"] == "offer":
            calls.append(Call(len(calls)))
            return {"sdp": await calls[-1].take(asked["sdp"])}
        return snapshot(heard=[call.heard / RATE for call in calls], onsets=calls[0].onsets if calls else [])

    await serve(int(sys.argv[1]), do)


if __name__ == "__main__":
    asyncio.run(main())
