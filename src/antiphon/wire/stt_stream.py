"""One recognition over as many sockets as it takes: replay after a loss, a new socket before the old one's time is up.

Owns the stream's supervision. Never: formats (the codec), bytes on a socket (``wire.stt_link``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.errors import ModelError
from antiphon.models.speech_codec import AudioUsage, Covered, Heard, STTCodec, STTSignal, TurnEdge
from antiphon.models.stt import STTEvent, STTStream
from antiphon.wire.audio_line import AudioLine
from antiphon.wire.stt import WireSTT
from antiphon.wire.stt_link import STTLink

MAX_WAITING = 1024
"""Events that may wait for the consumer; beyond them partials are left out, which later ones replace anyway."""
ROLL_AT, ROLL_LATE = 0.9, 0.98
"""Parts of a socket's time after which the next one takes over: in a quiet moment, or at once."""
QUIET = 1.0
"""Seconds of silence that make a quiet moment."""
STABLE = 5.0
"""Seconds a socket must live for the trouble before it to be over."""
_EDGES = {"start": "turn_start", "likely": "turn_likely", "end": "turn_end"}


class _Deaf(Exception):  # noqa: N818
    """The socket takes audio and answers nothing."""


class _Open(msgspec.Struct):
    """A segment whose final has not come. ``event``: what was said of it last."""

    event: STTEvent
    until: float


class WireSTTStream(STTStream):
    """``WireSTT.stream``. It connects when it is iterated."""

    def __init__(self, stt: WireSTT, language: str) -> None:
        self._stt = stt
        self._codec: STTCodec = stt.codec(language)
        self._line = AudioLine()
        self._wake = asyncio.Event()
        self._events: asyncio.Queue[STTEvent | Exception | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._links = 0
        self._old: set[asyncio.Task[None]] = set()
        self._revisions: dict[str, int] = {}
        self._open: dict[str, _Open] = {}
        self._unanswered = 0.0
        self._billed = 0.0
        self._deaf = asyncio.Event()
        self.reconnects = 0
        """Sockets lost and replaced."""

    @property
    def lost(self) -> float:
        """Seconds of audio that no socket ever took."""
        return self._line.lost

    # --- the contract --------------------------------------------------------------------------------------------------

    def push(self, frame: AudioFrame) -> None:
        self._line.put(frame)
        if frame.speech:
            self._unanswered += frame.duration
            if self._unanswered > self._stt.deadlines.deaf:
                self._deaf.set()
        self._wake.set()

    def end_input(self) -> None:
        self._line.end()
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[STTEvent]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[STTEvent]:
        if self._closed:
            return
        if self._task is not None:
            raise RuntimeError("a stream can be iterated once")
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"stt {self._stt.model}")
        try:
            while (item := await self._events.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        self._events.put_nowait(None)
        tasks = [task for task in (self._task, *self._old) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- sockets -------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._supervise()
            for segment, left in self._open.items():  # the service has ended politely: what it said stands
                self._say(msgspec.structs.replace(left.event, kind="final"), segment)
            self._events.put_nowait(None)
        except Exception as error:
            self._events.put_nowait(error)

    async def _supervise(self) -> None:
        """Sockets one after another. Ends when the service has given everything; raises ``ModelError`` when it is given up."""
        loop = asyncio.get_running_loop()
        trouble, attempt = loop.time(), 0
        ready: STTLink | None = None
        while True:
            opened = loop.time()
            link = ready
            try:
                link = link or await self._connect()
                opened = link.opened
                ready = await self._use(link)
                if ready is None:
                    return
                trouble, attempt = loop.time(), 0
                continue
            except ModelError as error:
                if link is not None and loop.time() - opened >= STABLE:
                    trouble, attempt = loop.time(), 0
                wait = self._stt.retry.wait(error, attempt=attempt, elapsed=loop.time() - trouble)
                if wait is None:
                    raise
            attempt += 1
            ready = None
            if wait > 0:
                await self._stt.sleep(wait)
            self._recover(link)

    async def _connect(self) -> STTLink:
        socket = await self._stt.connect(self._codec)
        self._links += 1
        stt, times = self._stt, self._line.times
        return STTLink(self._links, self._codec, socket, times, key=stt.key, deadlines=stt.deadlines, said=self._said)

    def _recover(self, link: STTLink | None) -> None:
        """What the lost socket had not finished is recognised again by the next."""
        if link is None:
            return
        self.reconnects += 1
        self._codec = self._codec.resume()
        for segment, left in list(self._open.items()):
            if (
                left.event.start + 1e-3 < self._line.first_at
            ):  # its beginning cannot be sent again: what was read stands
                self._say(msgspec.structs.replace(left.event, kind="final"), segment)
                self._line.covered(left.until)
            else:
                self._say(msgspec.structs.replace(left.event, text="", words=()), segment)
        self._open.clear()
        self._line.rewind()

    async def _use(self, link: STTLink) -> STTLink | None:
        """Work with a socket. Returns its successor when it has grown old, ``None`` when all has been said."""
        self._unanswered = 0.0
        self._deaf.clear()
        sending = asyncio.create_task(link.send_audio(self._line, self._wake), name="stt-send")
        receiving = asyncio.create_task(link.receive(), name="stt-receive")
        watching = asyncio.create_task(self._deaf.wait(), name="stt-watch")
        ageing = asyncio.create_task(self._old_age(link), name="stt-age")
        tasks: set[asyncio.Task[object]] = {sending, receiving, watching, ageing}
        handed_over = False
        try:
            while True:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if receiving in done:
                    await receiving
                    if sending.done():
                        return None
                    raise ModelError(f"{self._stt.service.name} ended the recognition early.")
                if watching in done:
                    seconds = self._stt.deadlines.deaf
                    raise ModelError(f"{self._stt.service.name} answered nothing for {seconds:g} s of speech.")
                if sending in done:
                    await sending
                    tasks.discard(sending)
                    await self._finish(receiving)
                    return None
                if ageing in done:
                    successor = ageing.result()
                    sending.cancel()
                    with suppress(asyncio.CancelledError):
                        await sending
                    handed_over = True
                    self._retire(link, receiving, successor)
                    return successor
        finally:
            for task in tasks:
                if not (handed_over and task is receiving):
                    task.cancel()
            await asyncio.wait({task for task in tasks if not (handed_over and task is receiving)})
            if not handed_over:
                await link.aclose()

    async def _finish(self, receiving: asyncio.Task[None]) -> None:
        """All audio was sent: wait for the last finals."""
        try:
            async with asyncio.timeout(self._stt.deadlines.finish):
                await asyncio.shield(receiving)
        except TimeoutError:
            if self._open or self._line.speech_left:
                raise ModelError(f"{self._stt.service.name} did not give the last final.") from None

    async def _old_age(self, link: STTLink) -> STTLink:
        """A successor, opened when the socket's time is nearly up."""
        limit = link.codec.rules.session
        if not limit:
            await asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, link.opened + limit * ROLL_AT - loop.time()))
        while loop.time() < link.opened + limit * ROLL_LATE:
            if self._line.silence >= QUIET and not self._open:
                break
            await asyncio.sleep(limit * (ROLL_LATE - ROLL_AT) / 50)
        self._codec = self._codec.resume()
        return await self._connect()

    def _retire(self, link: STTLink, receiving: asyncio.Task[None], successor: STTLink) -> None:
        """The old socket gives its last finals while the new one already hears."""

        async def end() -> None:
            try:
                async with asyncio.timeout(self._stt.deadlines.finish):
                    await link.finish()
                    await receiving
            except (ModelError, TimeoutError):
                pass
            finally:
                receiving.cancel()
                await link.aclose()

        self._line.hand_over()
        successor.times = self._line.times
        task = asyncio.create_task(end(), name="stt-retire")
        self._old.add(task)
        task.add_done_callback(self._old.discard)

    # --- signals -------------------------------------------------------------------------------------------------------

    def _said(self, link: STTLink, signal: STTSignal) -> None:
        if isinstance(signal, Heard):
            self._unanswered = 0.0
            self._heard(link, signal)
        elif isinstance(signal, TurnEdge):
            self._unanswered = 0.0
            self._events.put_nowait(STTEvent(kind=_EDGES[signal.kind]))  # type: ignore[arg-type]
        elif isinstance(signal, Covered):
            if link.times is self._line.times:
                self._line.covered(link.times.captured(signal.until))
        elif isinstance(signal, AudioUsage):
            self._billed += signal.seconds

    def _heard(self, link: STTLink, heard: Heard) -> None:
        segment = f"{link.number}.{heard.segment}"
        at = link.times.captured
        end = at(heard.end) if heard.end else 0.0
        start = at(heard.start)
        event = STTEvent(
            kind="final" if heard.final else "partial",
            text=heard.text,
            language=heard.language,
            confidence=heard.confidence,
            start=start,
            end=end,
            words=tuple(TimedWord(w.text, at(w.start) - start, at(w.end) - start) for w in heard.words),
            speaker=heard.speaker,
        )
        if heard.final:
            self._open.pop(segment, None)
            if end and link.times is self._line.times:
                self._line.covered(end)
        else:
            self._open[segment] = _Open(event, end)
        self._say(event, segment)

    def _say(self, event: STTEvent, segment: str) -> None:
        revision = self._revisions.get(segment, 0) + 1
        self._revisions[segment] = revision
        while len(self._revisions) > 64:
            self._revisions.pop(next(iter(self._revisions)))
        if event.kind == "partial" and self._events.qsize() >= MAX_WAITING:
            return
        self._events.put_nowait(msgspec.structs.replace(event, segment=segment, revision=revision))
