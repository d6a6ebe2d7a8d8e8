"""One synthesis socket and the contexts that run on it.

Owns its two tasks, its bounded queue of frames and who gets which signal: what belongs to a context that nobody listens to
any more is dropped here. Never: which text, what comes after a loss (``wire.tts_stream``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from antiphon.errors import ModelError
from antiphon.models.endings import Closed, ServiceError
from antiphon.models.speech_codec import (
    CancelContext,
    ContextDone,
    EndContext,
    Ended,
    Frame,
    Notice,
    Ready,
    Sound,
    Speak,
    TTSCodec,
    TTSSignal,
)
from antiphon.wire.socket import Socket, SpeechDeadlines, ending_error

MAX_QUEUED = 256
"""Frames that may wait for a peer that takes nothing."""
MAX_UNREAD = 64 * 1024 * 1024
"""Bytes of audio of one context that may wait to be read: twenty minutes. More is a service that does not end."""


Said = TTSSignal | BaseException | None


class TTSContext:
    """One synthesis on a socket: what the service says of it, then the error that ends it; ``None`` means nothing but that
    the reader should look again. ``unread``: bytes of audio that wait."""

    def __init__(self, link: TTSLink, name: str) -> None:
        self.link, self.name = link, name
        self.unread = 0
        self._said: asyncio.Queue[Said] = asyncio.Queue()
        self.billed = 0
        """Characters that the service said it bills for it."""
        self.spoken = 0
        """Texts given to it, counted on from where its user begins."""
        self._first = True

    def put(self, said: Said) -> None:
        self._said.put_nowait(said)
        if isinstance(said, Sound):
            self.unread += len(said.pcm)

    async def take(self) -> Said:
        said = await self._said.get()
        if isinstance(said, Sound):
            self.unread -= len(said.pcm)
        return said

    def speak(self, text: str) -> None:
        self.link.post(self.link.codec.encode(Speak(self.name, text, first=self._first)))
        self._first = False
        self.spoken += 1

    def end(self) -> None:
        self.link.post(self.link.codec.encode(EndContext(self.name)))

    async def release(self) -> None:
        """Nobody listens any more. A synthesis that is not done is cancelled; the socket is closed where it must be."""
        await self.link.release(self)


class TTSLink:
    """``on_end``: called once when the socket can serve nothing more, but for its own ``aclose``."""

    renewal: asyncio.TimerHandle | None = None

    def __init__(
        self,
        codec: TTSCodec,
        socket: Socket,
        *,
        key: str,
        deadlines: SpeechDeadlines,
        on_end: Callable[[TTSLink], None],
    ) -> None:
        self.codec, self._socket, self._on_end = codec, socket, on_end
        self._key, self._deadlines = key, deadlines
        self._loop = asyncio.get_running_loop()
        self.opened = self.used = self.heard = self._loop.time()
        self._contexts: dict[str, TTSContext] = {}
        self._muted: set[str] = set()
        self.served = 0
        """Syntheses it was used for."""
        self._queue: deque[Frame] = deque()
        self._wake = asyncio.Event()
        self.ended = asyncio.Event()
        self._task = self._loop.create_task(self._run(), name="tts-link")

    # --- what the pool asks --------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Syntheses that may begin on this socket now."""
        rules, now = self.codec.rules, self._loop.time()
        if self.ended.is_set() or (self.served and not rules.reusable):
            return 0
        old = rules.session and now - self.opened > rules.session * 0.9
        cold = rules.idle and not rules.keepalive and not self._contexts and now - self.used > rules.idle * 0.9
        return 0 if old or cold else max(0, rules.contexts - len(self._contexts) - len(self._muted))

    @property
    def busy(self) -> bool:
        """Whether a synthesis runs on it, be it one that nobody listens to any more."""
        return bool(self._contexts or self._muted)

    def open(self, name: str) -> TTSContext:
        context = TTSContext(self, name)
        self._contexts[name] = context
        self.served += 1
        return context

    # --- what a context asks -------------------------------------------------------------------------------------------

    def post(self, frames: list[Frame]) -> None:
        """Send soon. A queue that is full ends the socket."""
        if self.ended.is_set():
            return
        self.used = self._loop.time()
        self._queue.extend(frames)
        self._wake.set()
        if len(self._queue) > MAX_QUEUED:
            self._fail(ModelError("The voice service takes no more text."))

    async def release(self, context: TTSContext) -> None:
        if self._contexts.pop(context.name, None) is None or self.ended.is_set():
            return
        if self.codec.rules.cancels:
            self._muted.add(context.name)
            self.post(self.codec.encode(CancelContext(context.name)))
        else:
            await self.aclose()

    async def aclose(self) -> None:
        self._on_end = lambda link: None
        self._fail(ModelError("The socket was closed."))
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._socket.close()  # the task may have been stopped before its first step, or amid this one

    # --- the socket ----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        sending = asyncio.create_task(self._send(), name="tts-send")
        receiving = asyncio.create_task(self._receive(), name="tts-receive")
        try:
            done, _ = await asyncio.wait({sending, receiving}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
            self._fail(ModelError("The voice service ended the connection."))
        except ModelError as error:
            self._fail(error)
        except asyncio.CancelledError:  # the loop ends: nothing may be opened on it any more
            self._on_end = lambda link: None
            raise
        finally:
            self._fail(ModelError("The socket was closed."))
            sending.cancel()
            receiving.cancel()
            await asyncio.wait({sending, receiving})
            await self._socket.close()

    async def _send(self) -> None:
        pause = self.codec.rules.keepalive or None
        while True:
            while self._queue:
                await self._send_one(self._queue.popleft())
            self._wake.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                for frame in self.codec.on_idle():
                    await self._send_one(frame)

    async def _send_one(self, frame: Frame) -> None:
        try:
            async with asyncio.timeout(self._deadlines.send):
                await self._socket.send(frame)
        except TimeoutError:
            raise ModelError(f"The voice service took no text for {self._deadlines.send:g} s.") from None
        except ConnectionError as error:
            raise ending_error(self.codec, Closed(1006, str(error)), self._key) from None

    async def _receive(self) -> None:
        while True:
            frame = await self._socket.receive()
            if isinstance(frame, Closed):
                raise ending_error(self.codec, frame, self._key)
            self.used = self.heard = self._loop.time()
            for signal in self.codec.decode(frame):
                if isinstance(signal, Ended):
                    return
                self._dispatch(signal)

    def _dispatch(self, signal: TTSSignal) -> None:
        if isinstance(signal, Ready | Notice | Ended):
            return
        context = self._contexts.get(signal.context)
        if isinstance(signal, ServiceError):
            error = ending_error(self.codec, signal, self._key)
            if not signal.context:
                raise error
            self._muted.discard(signal.context)
            if context is not None:
                del self._contexts[signal.context]
                context.put(error)
            return
        if isinstance(signal, ContextDone):
            self._contexts.pop(signal.context, None)
            self._muted.discard(signal.context)
        if context is not None:
            context.put(signal)
            if context.unread > MAX_UNREAD:
                raise ModelError("The voice service sends audio without end.", retryable=False)

    def _fail(self, error: ModelError) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        if self.renewal is not None:
            self.renewal.cancel()
        for context in self._contexts.values():
            context.put(error)
        self._contexts.clear()
        self._queue.clear()
        self._on_end(self)
