"""Hearing: caller audio into the STT node, transcripts into the kernel, through failures.

Owns the session's one recognition stream (it belongs to the session, not to an agent), the audio that no final has
covered yet, and the watch that notices a recogniser gone deaf. It decides nothing about turns.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Literal

from antiphon.audio.frames import FLUSH, AudioFrame
from antiphon.errors import ModelError
from antiphon.kernel.events import Event, Final, Metered, Partial, ProviderTurn, SttLost
from antiphon.models.metering import metering
from antiphon.models.stt import STTEvent
from antiphon.session.lanes import Inlet, Lane
from antiphon.session.usage import METER_EVERY, event_of

RING_SECONDS = 15.0
DEAF_AFTER = 3.0
"""Seconds of speech, over pauses too, without any word from the recogniser; of silence after speech, for one that says
nothing before its final."""
DEAF_LEAST = 0.5
"""Seconds of speech that a recogniser without partials may leave unanswered: a cough."""
JUST_NOW = 1.5
"""Seconds back from the newest sound whose speaker is the one of a partial."""
RETRIES = (0.1, 0.3, 1.0, 2.0, 4.0)
PROVIDER_TURNS: dict[str, Literal["start", "likely", "end"]] = {
    "turn_start": "start",
    "turn_likely": "likely",
    "turn_end": "end",
}


class Hearing:
    """``node``: makes the STT node's stream from an audio stream. ``partials``: it speaks while the caller does. ``metered``: its
    audio is accounted for here. ``post``: events to the kernel. ``session_time``: from the capture clock to session time.
    ``count``: losses by name. ``names``: what the names of segments begin with, so that no two owners of a session share one.
    ``who_spoke``: see ``Services``."""

    def __init__(
        self,
        *,
        lane: Lane,
        node: Callable[[Inlet[AudioFrame]], AsyncIterator[STTEvent]],
        node_lane: Lane,
        post: Callable[[Event], None],
        session_time: Callable[[float], float],
        on_partial: Callable[[str], None],
        partials: bool = True,
        metered: bool = False,
        count: Callable[[str, int], None] = lambda name, number: None,
        names: str = "",
        who_spoke: Callable[[float, float], str] | None = None,
    ) -> None:
        self._lane, self._node, self._node_lane = lane, node, node_lane
        self._post, self._session_time, self._on_partial = post, session_time, on_partial
        self._partials, self._metered, self._count = partials, metered, count
        self._who_spoke = who_spoke
        self._unmetered = 0.0
        self.ring: deque[AudioFrame] = deque()
        self._ring_seconds = 0.0
        self._uncovered: deque[AudioFrame] = deque()
        self._inlet: Inlet[AudioFrame] | None = None
        self._task: asyncio.Task[None] | None = None
        self._streams, self._names = 0, names
        self._segment = 0
        self._revisions: dict[str, int] = {}
        self._open = ""
        self._unanswered = self._silence = 0.0
        self.dropped = 0
        self._closed = False

    def start(self) -> None:
        self._task = self._lane.loop.create_task(self._run(), name="antiphon:hearing")

    def push(self, frame: AudioFrame) -> None:
        """Caller audio as the plane sent it, marks included."""
        self.ring.append(frame)
        self._ring_seconds += frame.duration
        while self.ring and self._ring_seconds - self.ring[0].duration > RING_SECONDS:
            self._ring_seconds -= self.ring.popleft().duration
        self._use(frame.duration)
        if frame.speech or self._uncovered:
            self._uncovered.append(frame)
            while len(self._uncovered) > 1 and frame.at - self._uncovered[0].at > RING_SECONDS:
                self._uncovered.popleft()
        self._watch(frame)
        if self._inlet is not None:
            self._inlet.put(frame)

    def flush(self) -> None:
        """The caller has probably finished: ask for the final now."""
        if self._inlet is not None:
            self._inlet.put(FLUSH)

    def reset(self) -> None:
        """Forget the cleared turn's audio: what it still yields is for nothing."""
        self._uncovered.clear()
        self._segment += 1

    def last_seconds(self, seconds: float, until: float) -> tuple[AudioFrame, ...]:
        """The newest ``seconds`` of audio captured before ``until`` (capture clock), oldest first."""
        return tuple(f for f in self.ring if until - seconds <= f.at <= until)

    async def restart(
        self,
        node: Callable[[Inlet[AudioFrame]], AsyncIterator[STTEvent]],
        node_lane: Lane,
        partials: bool,
        metered: bool = False,
    ) -> None:
        """Another recogniser takes over: it gets the audio that no final has covered, so no word is lost."""
        await self._stop()
        self._node, self._node_lane, self._partials, self._metered = node, node_lane, partials, metered
        self.start()

    async def aclose(self) -> None:
        self._closed = True
        await self._stop()

    async def _stop(self) -> None:
        self._meter()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if not self._closed:
            self._take_back()

    def _watch(self, frame: AudioFrame) -> None:
        """Notice a recogniser that has fallen deaf: with partials while the caller speaks, without them when no final
        has come long after."""
        if frame.speech:
            self._unanswered += frame.duration
            self._silence = 0.0
            deaf = self._partials and self._unanswered > DEAF_AFTER
        else:
            self._silence += frame.duration
            deaf = not self._partials and self._unanswered > DEAF_LEAST and self._silence > DEAF_AFTER
        if deaf and self._task is not None:
            self._unanswered = 0.0
            self._task.cancel("deaf")

    def _use(self, seconds: float) -> None:
        """The running recogniser is given so much more."""
        self._unmetered += seconds
        if self._unmetered >= METER_EVERY:
            self._meter()

    def _meter(self) -> None:
        seconds, self._unmetered = self._unmetered, 0.0
        if self._metered and seconds:
            self._post(Metered(stage="stt", audio_seconds=seconds))

    async def _run(self) -> None:
        with metering(lambda use: self._post(event_of(use))):
            await self._listen()

    async def _listen(self) -> None:
        attempt = 0
        while not self._closed:
            self._inlet = Inlet(self._node_lane, limit=1024)
            self._streams += 1  # another stream counts its segments anew
            if self._metered:
                self._post(Metered(stage="stt", requests=1))
            for frame in self._uncovered:
                self._inlet.put(frame)
                self._use(frame.duration)
            error = ""
            try:
                async for event in self._node(self._inlet):
                    if (
                        event.kind == "final" or event.kind == "turn_end"
                    ):  # work done: words may be taken back, and come again
                        attempt = 0
                    self._said(event)
                error = "the recogniser ended its stream"
            except asyncio.CancelledError as exc:
                if exc.args != ("deaf",):
                    raise
                asyncio.current_task() and asyncio.current_task().uncancel()  # type: ignore[union-attr]
                error = f"the recogniser said nothing for {DEAF_AFTER:g} s of speech"
            except ModelError as exc:
                error = str(exc)
                if not exc.retryable:
                    attempt = len(RETRIES)
            except Exception as exc:
                error = f"{type(exc).__name__}: {exc}"
            finally:
                self.dropped += self._inlet.dropped
                self._inlet = None
            self._take_back()
            recovering = attempt < len(RETRIES)
            self._post(SttLost(error=error, recovering=recovering))
            if not recovering:
                return
            await asyncio.sleep(RETRIES[attempt])
            attempt += 1

    def _take_back(self) -> None:
        """Words of a partial that its stream will never finish: the next one hears them again."""
        if self._open:
            self._post(Partial(segment=self._open, revision=self._revisions[self._open] + 1, text=""))
            self._open = ""

    def _said(self, event: STTEvent) -> None:
        self._unanswered = 0.0
        if event.kind == "reconnected":
            self._use(event.seconds)
            self._count("stt_reconnects", 1)
            if event.lost:
                self._count("stt_lost_ms", round(1000 * event.lost))
            return
        if event.kind in PROVIDER_TURNS:
            self._post(ProviderTurn(edge=PROVIDER_TURNS[event.kind]))
            return
        segment = f"{self._names}{self._streams}.{event.segment or self._segment}"
        revision = event.revision or self._revisions.get(segment, 0) + 1
        self._revisions[segment] = max(revision, self._revisions.get(segment, 0))
        self._open = segment if event.kind == "partial" else ""
        if event.kind == "partial":
            self._on_partial(event.text)
            speaker = event.speaker or self._speaker(self.ring[-1].at - JUST_NOW if self.ring else 0.0)
            self._post(Partial(segment=segment, revision=revision, text=event.text, speaker=speaker))
            return
        end = event.end or (self.ring[-1].at if self.ring else 0.0)
        speaker = event.speaker or self._speaker(
            event.start or (self._uncovered[0].at if self._uncovered else end), end
        )
        while self._uncovered and self._uncovered[0].at <= end:
            self._uncovered.popleft()
        if not event.segment:
            self._segment += 1
        if len(self._revisions) > 64:
            self._revisions.pop(next(iter(self._revisions)))
        self._post(
            Final(
                segment=segment,
                revision=revision,
                text=event.text,
                at=self._session_time(end),
                language=event.language,
                confidence=event.confidence,
                speaker=speaker,
            )
        )

    def _speaker(self, since: float, until: float = float("inf")) -> str:
        return self._who_spoke(since, until) if self._who_spoke is not None else ""
