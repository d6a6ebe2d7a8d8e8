"""One recognition socket from its opening to its end: audio out, keep-alive, signals in.

Owns the two tasks of the socket. Never: which audio (``wire.audio_line``), what comes after a loss (``wire.stt_stream``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from antiphon.audio.frames import EAR_RATE
from antiphon.errors import ModelError
from antiphon.models.endings import Closed, ServiceError
from antiphon.models.speech_codec import Audio, EndAudio, Ended, Finalize, Frame, STTCodec, STTSignal
from antiphon.wire.alarm import Alarm
from antiphon.wire.audio_line import AudioLine, Chunk, TimeLine
from antiphon.wire.socket import Socket, SpeechDeadlines, ending_error


class STTLink:
    """``number``: counts a stream's sockets. ``said``: takes each signal, ``sent`` the seconds of audio as they are sent.
    ``asked``: the service was asked for a final. ``key``: taken out of errors."""

    def __init__(
        self,
        number: int,
        codec: STTCodec,
        socket: Socket,
        times: TimeLine,
        *,
        key: str,
        deadlines: SpeechDeadlines,
        said: Callable[[STTLink, STTSignal], None],
        sent: Callable[[float], None],
        asked: Callable[[], None],
    ) -> None:
        self.number, self.codec, self.socket, self.times = number, codec, socket, times
        self.opened = asyncio.get_running_loop().time()
        self.sending = True
        """Unset to make ``send_audio`` return between two chunks."""
        self.finishing = False
        """Whether the service was told that no more audio will come."""
        self.billed = 0.0
        self._key, self._deadlines = key, deadlines
        self._said, self._sent, self._asked = said, sent, asked
        self._resampler: object = None

    async def send_audio(self, line: AudioLine, wake: asyncio.Event) -> None:
        """Send what the line gives until its end or until ``sending`` is unset. Raises ``ModelError``."""
        quiet = Alarm(wake.set)
        try:
            async with self._limited():
                ended = await self._send_line(line, wake, quiet)
        finally:
            quiet.close()
        if ended:
            await self.finish()

    async def _send_line(self, line: AudioLine, wake: asyncio.Event, quiet: Alarm) -> bool:
        """Whether the line has ended."""
        rules = self.codec.rules
        while self.sending:
            chunk = line.take(rules.chunk)
            if chunk is None:
                wake.clear()
                if rules.keepalive:
                    quiet.set(rules.keepalive)
                await wake.wait()
                if not quiet.rang:
                    quiet.stop()
                    continue
                chunk = line.take_rest()
                if chunk is None:
                    await self._keep_alive()
                    continue
            await self._send_chunk(chunk)
            if chunk.end:
                return True
        return False

    async def receive(self) -> None:
        """Hand over signals until the service has ended. Raises ``ModelError``."""
        while True:
            frame = await self.socket.receive()
            if isinstance(frame, Closed):
                if self.finishing and frame.code in (1000, 1005):
                    return
                raise ending_error(self.codec, frame, self._key)
            for signal in self.codec.decode(frame):
                if isinstance(signal, ServiceError):
                    raise ending_error(self.codec, signal, self._key)
                if isinstance(signal, Ended):
                    return
                self._said(self, signal)

    async def finish(self) -> None:
        """No more audio on this socket: ask for what is left."""
        self.sending, self.finishing = False, True
        async with self._limited():
            await self._send(self.codec.encode(EndAudio()))

    async def aclose(self) -> None:
        await self.socket.close()

    async def _send_chunk(self, chunk: Chunk) -> None:
        if chunk.frames:
            pcm = b"".join([frame.data or bytes(2 * frame.samples) for frame in chunk.frames])
            self._sent(chunk.seconds)
            await self._send(self.codec.encode(Audio(self._at_rate(pcm))))
        if chunk.flush and (frames := self.codec.encode(Finalize())):
            await self._send(frames)
            if self.codec.rules.answers:
                self._asked()

    async def _keep_alive(self) -> None:
        rules = self.codec.rules
        if not rules.silence:
            await self._send(self.codec.on_idle())
            return
        samples = round(rules.chunk * rules.rate)
        self.times.add_silence(samples / rules.rate)
        self._sent(samples / rules.rate)
        await self._send(self.codec.encode(Audio(bytes(2 * samples))))

    def _at_rate(self, pcm: bytes) -> bytes:
        if self.codec.rules.rate == EAR_RATE:
            return pcm
        import numpy as np

        from antiphon.audio.resample import Resampler

        if self._resampler is None:
            self._resampler = Resampler(EAR_RATE, self.codec.rules.rate)
        assert isinstance(self._resampler, Resampler)
        return self._resampler.process(np.frombuffer(pcm, dtype="<i2")).astype("<i2").tobytes()

    @asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """Within the block a frame that the peer does not take in time ends it. Raises ``ModelError``."""
        try:
            async with asyncio.timeout(None) as block:
                self._stuck = Alarm(lambda: block.reschedule(0.0))
                try:
                    yield
                finally:
                    self._stuck.close()
        except TimeoutError:
            raise ModelError(f"The service took no audio for {self._deadlines.send:g} s.") from None

    async def _send(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._stuck.set(self._deadlines.send)
            try:
                await self.socket.send(frame)
            except ConnectionError as error:
                raise ending_error(self.codec, Closed(1006, str(error)), self._key) from None
            self._stuck.stop()
