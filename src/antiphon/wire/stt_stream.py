"""One recognition over as many sockets as it takes: replay after a loss, a new socket before the old one's time is up.

Owns the stream's supervision. Never: formats (the codec), bytes on a socket (``wire.stt_link``), what an event says
(``wire.segments``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from antiphon.audio.frames import AudioFrame
from antiphon.errors import ModelError
from antiphon.models.speech_codec import AudioUsage, Covered, Heard, Notice, STTCodec, STTSignal, TurnEdge
from antiphon.models.stt import STTEvent, STTStream
from antiphon.wire.audio_line import AudioLine
from antiphon.wire.segments import Segments
from antiphon.wire.stt import WireSTT
from antiphon.wire.stt_link import STTLink

MAX_WAITING = 1024
"""Events that may wait for the consumer; beyond them partials are left out, which later ones replace anyway."""
ROLL_AT, ROLL_LATE = 0.9, 0.98
"""Parts of a socket's time after which the next one takes over: in a quiet moment, or at once."""
QUIET = 1.0
"""Seconds of silence that make a quiet moment."""
STABLE = 5.0
"""Seconds after which a socket that is lost counts as a new trouble, where it has done its work until then."""
METER_EVERY = 5.0
"""Seconds of audio after which a running recognition is accounted for."""
_EDGES = {"start": "turn_start", "likely": "turn_likely", "end": "turn_end"}
logger = logging.getLogger("antiphon")


class WireSTTStream(STTStream):
    """``WireSTT.stream``. It connects when it is iterated."""

    def __init__(self, stt: WireSTT, language: str) -> None:
        self._stt, self._deadlines = stt, stt.deadlines
        self._codec: STTCodec = stt.codec(language)
        self._line = AudioLine()
        self._wake = asyncio.Event()
        self._events: asyncio.Queue[STTEvent | Exception | None] = asyncio.Queue()
        self._segments = Segments(self._give)
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._born = stt.closings
        self._unmetered = 0.0
        self._links = 0
        self._link: STTLink | None = None
        """The present socket."""
        self._ready: STTLink | None = None
        """The next socket, opened ahead."""
        self._retiring: set[asyncio.Task[None]] = set()
        self._unanswered = 0.0
        self._progress = False
        """Whether the present socket has settled any of the caller's audio: one that only answers and breaks has not."""
        self._answer_due: asyncio.TimerHandle | None = None
        self._deaf = asyncio.Event()
        self._quiet = asyncio.Event()
        self._why, self._again = "", 0.0
        self._asked_again = False

    # --- the contract --------------------------------------------------------------------------------------------------

    def push(self, frame: AudioFrame) -> None:
        if self._closed:
            return
        self._line.put(frame)
        if self._line.silence >= QUIET:
            self._quiet.set()
        else:
            self._quiet.clear()
        if frame.speech:
            self._unanswered += frame.duration
            if self._unanswered > self._deadlines.deaf:
                self._deaf.set()
        if frame.flush or self._link is None:
            self._wake.set()
        elif self._line.waiting >= self._codec.rules.chunk - 1e-6:
            self._link.send_now()

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
        if self._born != self._stt.closings:
            raise self._stt.closed_error()
        self._stt.usage.streams += 1
        self._stt.running[self] = asyncio.get_running_loop()
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"stt {self._stt.model}")
        try:
            while (item := await self._events.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self._stt.running.pop(self, None)
            await self.aclose()

    async def fail(self, error: ModelError) -> None:
        """Stop at once; whoever iterates the stream gets the error."""
        self._events.put_nowait(error)
        await self.aclose()

    async def aclose(self) -> None:
        self._events.put_nowait(None)
        tasks = [task for task in (self._task, *self._retiring) if task is not None and not task.done()]
        if not self._closed:  # once: a second cancellation would interrupt what the first one makes them close
            self._closed = True
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._ready is not None:
            await self._ready.aclose()

    # --- sockets one after another -------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._supervise()
            if self._retiring:
                await asyncio.wait(set(self._retiring))
            self._segments.settle()
            self._events.put_nowait(None)
        except Exception as error:
            self._events.put_nowait(error)
        finally:
            self._account()

    def _sent(self, seconds: float) -> None:
        self._stt.sent(seconds)
        self._unmetered += seconds
        if self._unmetered >= METER_EVERY:
            self._account()

    def _account(self) -> None:
        seconds, self._unmetered = self._unmetered, 0.0
        self._stt.account(seconds=seconds)

    async def _supervise(self) -> None:
        """Ends when the service has given everything; raises ``ModelError`` when it is given up."""
        loop = asyncio.get_running_loop()
        trouble, attempt = -1.0, 0
        while True:
            link: STTLink | None = None
            self._progress = False
            try:
                link = self._take_ready() or await self._connect(self._codec)
                self._tell_loss()
                if not await self._use(link):
                    return
                trouble = -1.0
            except ModelError as error:
                lasted = link is not None and loop.time() - link.opened >= STABLE
                if trouble < 0 or (lasted and (self._progress or not self._unsettled)):
                    attempt = 0
                if trouble < 0 or lasted or self._progress:
                    trouble = loop.time()
                if self._progress:  # it is not given up, yet asked the more slowly the more often it breaks
                    attempt = min(attempt, max(0, len(self._stt.retry.delays) - 1))
                wait = self._stt.retry.wait(error, attempt=attempt, elapsed=loop.time() - trouble)
                if wait is None:
                    raise
                attempt += 1
                if wait > 0:
                    await self._stt.sleep(wait)
                if link is not None:
                    self._recover(str(error))

    async def _connect(self, codec: STTCodec) -> STTLink:
        socket = await self._stt.connect(codec)
        self._stt.account(requests=1)
        self._links += 1
        return STTLink(
            self._links,
            codec,
            socket,
            self._line,
            self._wake,
            key=self._stt.key,
            deadlines=self._deadlines,
            said=self._said,
            sent=self._sent,
            asked=self._asked_for_final,
        )

    def _take_ready(self) -> STTLink | None:
        """The socket that was opened ahead; it begins with the audio that comes now."""
        link, self._ready = self._ready, None
        if link is not None:
            self._codec, link.times = link.codec, self._line.times
        return link

    def _recover(self, why: str) -> None:
        """What a socket had not finished is recognised again by the next."""
        logger.warning("%s: a recognition goes on over a new connection: %s", self._stt, why)
        self._stt.usage.lost += 1
        self._codec = self._codec.resume()
        self._line.covered(self._segments.give_up(self._line.first_at))
        self._again, self._why = self._line.rewind(), why

    def _tell_loss(self) -> None:
        """A socket is there again: say what was sent twice, and what was not sent at all."""
        lost = self._line.take_lost()
        if self._why or lost:
            self._give(STTEvent(kind="reconnected", text=self._why, seconds=self._again, lost=lost))
        self._why, self._again = "", 0.0

    async def _use(self, link: STTLink) -> bool:
        """Work with a socket. True: it has grown old, and the next is ready. False: all has been said."""
        self._unanswered = 0.0
        self._stop_waiting()
        self._deaf.clear()
        sending = asyncio.create_task(link.send_audio(), name="stt-send")
        receiving = asyncio.create_task(link.receive(), name="stt-receive")
        deaf = asyncio.create_task(self._deaf.wait(), name="stt-watch")
        ageing = asyncio.create_task(self._open_successor(link), name="stt-age")
        tasks: set[asyncio.Task[object]] = {sending, receiving, deaf, ageing}
        self._link = link
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if receiving in done or sending in done:
                if receiving in done:
                    await receiving
                else:
                    await sending
                    await self._finish(receiving)
                self._ended(link)
                return False
            if deaf in done:
                raise ModelError(f"{self._stt.service.name} takes the caller's audio and answers nothing.")
            await ageing
            if self._quiet.is_set() and not self._line.speech_left:
                link.sending = False
                self._wake.set()
                await sending
                tasks.discard(receiving)
                self._retire(link, receiving)
            else:  # a word may be half sent, or not be settled
                self._recover(f"the time of a connection to {self._stt.service.name} was up while the caller spoke")
            return True
        finally:
            self._link = None
            self._stop_waiting()
            for task in tasks:
                task.cancel()
            try:
                await asyncio.wait(tasks)
            finally:  # also where the stream is closed while this socket ends by itself
                if receiving in tasks:
                    await link.aclose()

    async def _finish(self, receiving: asyncio.Task[None]) -> None:
        """All audio was sent: wait for the last finals."""
        try:
            async with asyncio.timeout(self._deadlines.finish):
                await asyncio.shield(receiving)
        except TimeoutError:
            if self._unsettled:
                raise ModelError(f"{self._stt.service.name} did not give the last final.") from None

    def _ended(self, link: STTLink) -> None:
        """The service has ended the socket politely. If not all that was spoken has been settled it is asked once more; if it
        ends like that again, there are no more words."""
        if not link.finishing or (self._unsettled and not self._asked_again):
            self._asked_again = link.finishing
            raise ModelError(f"{self._stt.service.name} ended the recognition early.")

    @property
    def _unsettled(self) -> bool:
        """Whether something was said that no final covers."""
        return self._segments.open or self._line.speech_left

    # --- growing old ---------------------------------------------------------------------------------------------------

    async def _open_successor(self, link: STTLink) -> None:
        """Returns when this socket's time is nearly up and the next one is open; never where it has no limit."""
        loop, limit = asyncio.get_running_loop(), link.codec.rules.session
        if not limit:
            await loop.create_future()
        await asyncio.sleep(link.opened + limit * ROLL_AT - loop.time())
        with suppress(TimeoutError):
            async with asyncio.timeout_at(link.opened + limit * ROLL_LATE):
                await self._quiet.wait()
        while True:
            try:
                self._ready = await self._connect(link.codec.resume())
                return
            except ModelError as error:  # the old one still works; when it ends, that is a loss like any other
                logger.warning("%s: no connection to take over from an old one yet: %s", self._stt, error)
                await asyncio.sleep(1.0)

    def _retire(self, link: STTLink, receiving: asyncio.Task[None]) -> None:
        """The old socket gives its last finals while the new one already hears."""

        async def end() -> None:
            try:
                async with asyncio.timeout(self._deadlines.finish):
                    await link.finish()
                    await receiving
            except (ModelError, TimeoutError) as error:
                logger.warning("%s: an old connection did not end well: %s", self._stt, error)
            finally:
                receiving.cancel()
                try:
                    await asyncio.wait([receiving])
                finally:
                    await link.aclose()
                self._segments.settle(link.number)

        self._line.hand_over()
        task = asyncio.create_task(end(), name="stt-retire")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    # --- signals -------------------------------------------------------------------------------------------------------

    def _said(self, link: STTLink, signal: STTSignal) -> None:
        if isinstance(signal, Heard):
            self._heard_something(settles=signal.final)
            covered = self._segments.heard(link.number, link.times, signal)
            self._settled(link, covered)
        elif isinstance(signal, TurnEdge):
            self._heard_something(settles=signal.kind == "end")
            self._give(STTEvent(kind=_EDGES[signal.kind]))  # type: ignore[arg-type]
        elif isinstance(signal, Covered):
            self._heard_something()
            self._settled(link, link.times.captured(signal.until))
        elif isinstance(signal, AudioUsage):
            self._stt.usage.billed_seconds += signal.seconds - link.billed
            link.billed = signal.seconds
        elif isinstance(signal, Notice):
            if signal.code == "empty":  # the service hears, and there are no words
                self._heard_something()
            else:
                logger.debug("%s: notice %s %s", self._stt, signal.code, signal.message)

    def _settled(self, link: STTLink, until: float) -> None:
        if link.times is self._line.times and self._line.covered(until):
            self._progress = True

    def _asked_for_final(self) -> None:
        """A service that hears answers that soon; one whose caller says little would be found deaf too late by that alone."""
        if self._answer_due is None:
            loop = asyncio.get_running_loop()
            self._answer_due = loop.call_later(self._deadlines.final, self._deaf.set)

    def _heard_something(self, *, settles: bool = True) -> None:
        """``settles``: unless it does, a final that was asked for is still to come, and may take as long again."""
        self._unanswered = 0.0
        waits = self._answer_due is not None
        self._stop_waiting()
        if waits and not settles:
            self._asked_for_final()

    def _stop_waiting(self) -> None:
        if self._answer_due is not None:
            self._answer_due.cancel()
            self._answer_due = None

    def _give(self, event: STTEvent) -> None:
        if event.kind != "partial" or self._events.qsize() < MAX_WAITING:
            self._events.put_nowait(event)
