"""One recognition socket from its opening to its end: audio out, keep-alive, signals in.

Owns the two tasks of the socket. Never: which audio (``wire.audio_line``), what comes after a loss (``wire.stt_stream``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from antiphon.audio.frames import EAR_RATE
from antiphon.errors import ModelError
from antiphon.models.endings import Closed, ServiceError
from antiphon.models.speech_codec import Audio, EndAudio, Ended, Finalize, Frame, STTCodec, STTSignal
from antiphon.wire.alarm import Alarm
from antiphon.wire.audio_line import AudioLine, Chunk
from antiphon.wire.eager import begin
from antiphon.wire.socket import Socket, SpeechDeadlines, ending_error


class STTLink:
    """``number``: counts a stream's sockets. ``line``: where its audio comes from. ``wake``: set when there is something to do,
    besides what ``send_now`` does. ``said``: takes each signal, ``sent`` the seconds of audio as the socket takes them.
    ``asked``: the service was asked for a final. ``key``: taken out of errors."""

    def __init__(
        self,
        number: int,
        codec: STTCodec,
        socket: Socket,
        line: AudioLine,
        wake: asyncio.Event,
        *,
        key: str,
        deadlines: SpeechDeadlines,
        said: Callable[[STTLink, STTSignal], None],
        sent: Callable[[float], None],
        asked: Callable[[], None],
    ) -> None:
        self.number, self.codec, self.socket, self.times = number, codec, socket, line.times
        self.opened = asyncio.get_running_loop().time()
        self.sending = True
        """Unset to make ``send_audio`` return between two chunks."""
        self.finishing = False
        """Whether the service was told that no more audio will come."""
        self.billed = 0.0
        self._key, self._deadlines = key, deadlines
        self._said, self._sent, self._asked = said, sent, asked
        self._line, self._wake = line, wake
        self._pause = Alarm(wake.set)
        self._waiting = False
        self._rest: Awaitable[None] | None = None
        self._unsent: list[Frame] = []
        self._begun = 0.0
        """Seconds of the chunk that ``send_now`` began and the socket has not taken yet."""
        self._resampler: object = None

    def send_now(self) -> None:
        """There is more audio: send it at once where the socket takes it, else ``send_audio`` does."""
        if not self._waiting or self._wake.is_set():
            self._wake.set()
            return
        chunk = self._line.take(self.codec.rules.chunk)
        if chunk is None:
            return
        self._set_pause()
        frames = self._frames_of(chunk)
        for number, frame in enumerate(frames):
            try:
                self._rest = begin(self.socket.send(frame))
            except ConnectionError:
                self._unsent = frames[number:]  # the task is told the same
            else:
                self._unsent = frames[number + 1 :]
                if self._rest is None:
                    continue
            self._begun = chunk.seconds
            self._wake.set()
            return
        self._sent(chunk.seconds)

    async def send_audio(self) -> None:
        """Send what the line gives until its end or until ``sending`` is unset. Raises ``ModelError``."""
        rules = self.codec.rules
        try:
            while self.sending:
                chunk = self._line.take(rules.chunk)
                if chunk is None:
                    await self._more()
                    if not self._pause.rang:
                        continue
                    chunk = self._line.take_rest()
                    if chunk is None:
                        await self._keep_alive()
                        continue
                await self._send_chunk(chunk)
                if chunk.end:
                    await self.finish()
                    return
        finally:
            self._pause.close()

    async def _more(self) -> None:
        """Wait until there is something to do; ``send_now`` serves the line meanwhile."""
        self._wake.clear()
        self._set_pause()
        self._waiting = True
        try:
            await self._wake.wait()
        finally:
            self._waiting = False
            self._pause.stop()
        if self._rest is not None:
            rest, self._rest = self._rest, None
            await self._in_time(rest)
        unsent, self._unsent = self._unsent, []
        await self._send(unsent)
        if self._begun:
            begun, self._begun = self._begun, 0.0
            self._sent(begun)

    def _set_pause(self) -> None:
        if keepalive := self.codec.rules.keepalive:
            self._pause.set(keepalive)

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
        await self._send(self.codec.encode(EndAudio()))

    async def aclose(self) -> None:
        await self.socket.close()

    def _frames_of(self, chunk: Chunk) -> list[Frame]:
        if not chunk.frames:
            return []
        pcm = b"".join([frame.data or bytes(2 * frame.samples) for frame in chunk.frames])
        return self.codec.encode(Audio(self._at_rate(pcm)))

    async def _send_chunk(self, chunk: Chunk) -> None:
        if chunk.frames:
            await self._send(self._frames_of(chunk))
            self._sent(chunk.seconds)
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
        await self._send(self.codec.encode(Audio(bytes(2 * samples))))
        self._sent(samples / rules.rate)

    def _at_rate(self, pcm: bytes) -> bytes:
        if self.codec.rules.rate == EAR_RATE:
            return pcm
        import numpy as np

        from antiphon.audio.resample import Resampler

        if self._resampler is None:
            self._resampler = Resampler(EAR_RATE, self.codec.rules.rate)
        assert isinstance(self._resampler, Resampler)
        return self._resampler.process(np.frombuffer(pcm, dtype="<i2")).astype("<i2").tobytes()

    async def _send(self, frames: list[Frame]) -> None:
        for frame in frames:
            try:
                rest = begin(self.socket.send(frame))
            except ConnectionError as error:
                raise self._lost(error) from None
            if rest is not None:
                await self._in_time(rest)

    async def _in_time(self, rest: Awaitable[None]) -> None:
        """The peer takes nothing at present: wait, but not for long."""
        try:
            async with asyncio.timeout(self._deadlines.send):
                await rest
        except TimeoutError:
            raise ModelError(f"The service took no audio for {self._deadlines.send:g} s.") from None
        except ConnectionError as error:
            raise self._lost(error) from None

    def _lost(self, error: ConnectionError) -> ModelError:
        return ending_error(self.codec, Closed(1006, str(error)), self._key)
