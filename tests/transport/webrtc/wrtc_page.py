"""A page as the leg meets it: libwebrtc's own peer connection (the ``wrtc`` package), a microphone that plays a sound and
a loudspeaker that is recorded. Independent of everything under test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.transport.webrtc import signals
from tests.transport.webrtc.calls import until

webrtc: Any = pytest.importorskip("webrtc", reason="the wrtc package is not installed")

RATE = 48_000
_BLOCK = RATE // 50


class WrtcPage:
    """``sound``: what the microphone hears, (samples,) int16 at 48 kHz, then silence. ``send``: gives the leg a signal.
    ``heard``: what the loudspeaker played, at 48 kHz."""

    def __init__(self, send: Callable[[str], None], sound: NDArray[np.int16] | None = None) -> None:
        self.send = send
        self.heard: list[NDArray[np.int16]] = []
        self.said: list[signals.AnyFromLeg] = []
        self.states: list[str] = []
        self.spoken = 0
        self.muted = False
        self._sound = np.zeros(0, dtype=np.int16) if sound is None else sound
        self._peer = webrtc.RTCPeerConnection()
        self._microphone = webrtc.MediaStreamTrackGenerator("audio")
        self._peer.add_track(self._microphone)
        self._peer.on("track", self._on_track)
        self._tasks: list[asyncio.Task[None]] = []
        self._said = asyncio.Condition()
        self._id = 0

    async def call(self, *, restart: bool = False) -> None:
        """Offer (again)."""
        self._id += 1
        if restart:
            self._peer.restart_ice()
        await self._peer.set_local_description(await self._peer.create_offer())
        await until(lambda: "complete" in str(self._peer.ice_gathering_state).lower())
        self.send(signals.write(signals.Offer(self._id, self._peer.local_description.sdp)))
        if not self._tasks:
            self._tasks.append(asyncio.create_task(self._speak()))

    async def take(self, text: str) -> None:
        """A signal of the leg."""
        signal = signals.read_from_leg(text)
        self.said.append(signal)
        if isinstance(signal, signals.Answer):
            answer = webrtc.RTCSessionDescriptionInit(type="answer", sdp=signal.sdp)
            await self._peer.set_remote_description(answer)
        elif isinstance(signal, signals.Connection):
            self.states.append(signal.state)

    async def trickle(self, candidate: str) -> None:
        """A candidate of the leg that came some other way."""
        await self._peer.add_ice_candidate(webrtc.RTCIceCandidateInit(candidate=candidate, sdp_mid="0"))

    def sounded(self) -> NDArray[np.int16]:
        """All that was heard, end to end."""
        return np.concatenate(self.heard) if self.heard else np.zeros(0, dtype=np.int16)

    async def close(self) -> None:
        """As a page that is closed: no word to the leg but what libwebrtc says."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._microphone.stop()
        self._peer.close()

    def _on_track(self, event: Any) -> None:
        self._tasks.append(asyncio.create_task(self._listen(event.track)))

    async def _listen(self, track: Any) -> None:
        processor = webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track))
        async for frame in processor.readable:
            block = np.frombuffer(frame._data, dtype=np.int16)[:: frame.number_of_channels]
            self.heard.append(block.copy())
            frame.close()

    async def _speak(self) -> None:
        begin, blocks = time.monotonic(), 0
        while True:
            block = np.zeros(_BLOCK, dtype=np.int16)
            if not self.muted:
                part = self._sound[self.spoken : self.spoken + _BLOCK]
                block[: part.size] = part
                self.spoken += part.size
            self._microphone._generator.writeAudio(block.tobytes(), RATE, 1, _BLOCK)
            blocks += 1
            await asyncio.sleep(max(0.0, begin + blocks / 50 - time.monotonic()))
