"""One participant's track as frames for the ear: what was recorded before it, the noise cancelling, the rate. In the room
thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from antiphon.audio import driver
from antiphon.audio.frames import EAR_RATE
from antiphon.audio.resample import Resampler
from antiphon.errors import AudioError
from antiphon.transport.livekit.noise import WatchedFilter, for_sdk, make_filter
from antiphon.transport.livekit.pre_connect import Recordings, splice
from antiphon.transport.livekit.room_use import RoomUse

FRAME_MS = 20
MOST_FRAMES = 100
"""Frames that may wait in the SDK: 2 s."""
PRE_CONNECT = 6
"""``TF_PRECONNECT_BUFFER``: the client will send what it recorded before."""

Give = Callable[[NDArray[np.int16], float], object]


class Voice:
    """``give``: gets sound at ``EAR_RATE`` and the time of its first sample. ``problem``: told what is wrong, once."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        identity: str,
        publication: rtc.RemoteTrackPublication,
        use: RoomUse,
        recordings: Recordings,
        *,
        give: Give,
        problem: Callable[[str], object],
    ) -> None:
        self.identity, self.sid = identity, publication.sid
        self._loop, self.publication, self._use = loop, publication, use
        self._recordings, self._give, self._problem = recordings, give, problem
        self._rate = use.noise.rate if use.noise is not None else EAR_RATE
        self._to_ear = Resampler(self._rate, EAR_RATE)
        self._from_ear = Resampler(EAR_RATE, self._rate)
        self._filter: WatchedFilter | None = None

    async def run(self) -> None:
        """Until it is cancelled, or the track ends."""
        track = self.publication.track
        assert track is not None
        stream = rtc.AudioStream(
            track,
            loop=self._loop,
            capacity=MOST_FRAMES,
            sample_rate=self._rate,
            num_channels=1,
            frame_size_ms=self._use.noise.frame_ms if self._use.noise is not None else FRAME_MS,
            noise_cancellation=self._clean(),
        )
        before = self._recording()
        held: list[tuple[NDArray[np.int16], float]] = []
        try:
            async for event in stream:
                samples = np.frombuffer(event.frame.data, dtype=np.int16)
                at = driver.now() - samples.size / self._rate
                if before is not None:
                    held.append((samples, at))
                    if not before.done():
                        continue
                    self._begin(before.result(), held)
                    before = None
                    continue
                self._pass_on(samples, at)
        finally:
            if before is not None:
                before.cancel()
            await stream.aclose()

    def _clean(self) -> Any:
        noise = self._use.noise
        if noise is None:
            return None
        try:
            made = make_filter(noise)
        except AudioError as error:
            self._problem(str(error))
            return None
        if (theirs := for_sdk(made)) is not None:
            return theirs
        self._filter = WatchedFilter(made, noise.rate, self._problem)
        return None

    def _recording(self) -> asyncio.Task[NDArray[np.int16]] | None:
        """What came before the track, where the client says that it will send it."""
        if self._use.pre_connect <= 0 or PRE_CONNECT not in self.publication.audio_features:
            return None
        return self._loop.create_task(self._recordings.take(self.identity, self.sid, self._use.pre_connect))

    def _begin(self, recording: NDArray[np.int16], held: list[tuple[NDArray[np.int16], float]]) -> None:
        live, at = np.concatenate([samples for samples, _ in held]), held[0][1]
        heard = Resampler(self._rate, EAR_RATE).process(live) if self._rate != EAR_RATE else live
        kept, skipped = splice(recording, heard)
        at += skipped / EAR_RATE
        if kept:
            before = recording[:kept] if self._rate == EAR_RATE else self._from_ear.process(recording[:kept])
            self._pass_on(before, at - kept / EAR_RATE)
        self._pass_on(live[skipped * self._rate // EAR_RATE :], at)

    def _pass_on(self, samples: NDArray[np.int16], at: float) -> None:
        if self._filter is not None:
            size = (
                self._rate * FRAME_MS // 1000
                if self._use.noise is None
                else self._rate * self._use.noise.frame_ms // 1000
            )
            pieces = [self._filter.process(samples[n : n + size]) for n in range(0, samples.size - size + 1, size)]
            samples = np.concatenate([*pieces, samples[samples.size - samples.size % size :]])
        if self._rate != EAR_RATE:
            samples = self._to_ear.process(samples)
        if samples.size:
            self._give(samples, at)
