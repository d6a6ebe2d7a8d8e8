"""Fallback of recognisers: the next one hears again what the failed one had not finished, so that no word is lost.

Owns the audio that no final has covered, and the watch that notices a recogniser that has fallen deaf. Never: turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence

import msgspec

from antiphon.audio.frames import FLUSH, AudioFrame
from antiphon.errors import AllModelsFailedError, ModelError
from antiphon.models.attempt import Attempt, gives
from antiphon.models.availability import Availability, Member, common
from antiphon.models.metering import Metered, meter_for
from antiphon.models.stt import STT, STTEvent, STTStream

KEPT = 15.0
"""Seconds of audio that are kept for the next recogniser."""
LEAD = 0.3
"""Seconds before detected speech that belong to it."""
LEAST = 0.5
"""Seconds of speech that a recogniser without partials may leave unanswered: a cough."""
RECONNECTS = 1
"""Times that a recogniser may lose its service without a final in between, while there is another."""
METER_EVERY = 5.0
"""Seconds of audio after which a running stream's use is told."""


class Uncovered:
    """Audio, from the beginning of speech, that no final has covered yet; at most ``KEPT`` s of it."""

    def __init__(self) -> None:
        self.frames: deque[AudioFrame] = deque()
        self.seconds = 0.0
        self.speech = 0.0
        self.lost = 0.0

    def push(self, frame: AudioFrame) -> None:
        self.frames.append(frame)
        self._count(frame, 1)
        speaks = self.speech > 1e-6
        while self.seconds > (KEPT if speaks else LEAD) + 1e-6:
            dropped = self.frames.popleft()
            self._count(dropped, -1)
            self.lost += dropped.duration if speaks else 0.0

    def cover(self, until: float) -> None:
        """A final has come for all before ``until`` (capture clock)."""
        while self.frames and self.frames[0].at <= until:
            self._count(self.frames.popleft(), -1)

    def _count(self, frame: AudioFrame, sign: int) -> None:
        self.seconds += sign * frame.duration
        self.speech += sign * frame.duration if frame.speech else 0.0


class FallbackSTT(STT):
    """Several recognisers as one. ``attempt_timeout``: seconds of speech that one may leave without a word while there is
    another. A recogniser that works again takes over in the next quiet moment."""

    on_core = True
    meters = True

    def __init__(self, models: Sequence[STT], *, attempt_timeout: float) -> None:
        self.availability: Availability[STT] = Availability("stt", models, trial=self._try)
        self.attempt_timeout = attempt_timeout
        self.capabilities = common([model.capabilities for model in models])
        self.provider = "local" if all(model.provider == "local" for model in models) else "fallback"
        self.model = ", ".join(member.name for member in self.availability.members)
        self.sample: tuple[AudioFrame, ...] = ()
        """Speech of the caller's, the newest that was recognised: trials are made with it."""

    def stream(self, *, language: str = "") -> STTStream:
        return _FallbackSTTStream(self, language)

    async def prewarm(self) -> None:
        await self.availability.prewarm()

    async def aclose(self) -> None:
        await self.availability.aclose()

    async def _try(self, stt: STT) -> bool | None:
        """Whether a recogniser settles any words in what another one has understood."""
        if not self.sample:
            return None
        stream = stt.stream()
        for frame in self.sample:
            stream.push(frame)
        stream.push(FLUSH)
        stream.end_input()
        return await gives(stream, lambda event: event.text and event.kind == "final")


class _FallbackSTTStream(STTStream):
    def __init__(self, owner: FallbackSTT, language: str) -> None:
        self._owner, self._language = owner, language
        self._uncovered = Uncovered()
        self._member: Member[STT] | None = None
        self._stream: STTStream | None = None
        self._attempt: Attempt[STTEvent, STTEvent] | None = None
        self._attempts = 0
        self._open = ""
        self._unanswered = self._silence = 0.0
        self._newest = 0.0
        self._unmetered = 0.0
        self._asked = False
        self._understood, self._reconnects = 0.0, 0
        """Up to where the member has given words, and how often it has lost its service since its last final."""
        self._ended = self._closed = False
        self._tried: set[Member[STT]] = set()

    # --- audio ---------------------------------------------------------------------------------------------------

    def push(self, frame: AudioFrame) -> None:
        if frame.flush:
            self._asked = bool(self._uncovered.frames)
        else:
            self._newest = frame.at
            self._uncovered.push(frame)
            self._count(frame.duration)
            self._asked = self._asked and not frame.speech
        if self._stream is not None:
            self._stream.push(frame)
            self._watch(frame)

    def end_input(self) -> None:
        self._ended = True
        if self._stream is not None:
            self._stream.end_input()

    def _watch(self, frame: AudioFrame) -> None:
        """Notice one that gives no words for what was surely said, and one that a better one can replace now."""
        member, attempt = self._member, self._attempt
        assert member is not None and attempt is not None
        if frame.speech:
            self._unanswered += frame.duration
            self._silence = 0.0
        else:
            self._silence += frame.duration
        patience, partials = self._owner.attempt_timeout, member.model.capabilities.partials
        late = self._unanswered > patience if partials else self._silence > patience and self._unanswered > LEAST
        if self._reconnects > RECONNECTS and self._others():
            attempt.fail(ModelError(f"{member.name} loses its connection again and again."))
        elif late and self._others():
            attempt.fail(ModelError(f"{member.name} gave no word for {patience:g} s of speech."))
        elif self._silence > LEAD and self._uncovered.speech < 1e-6 and not self._open:
            best = self._owner.availability.order()[0]
            if best.available and best is not member and not self._tried:
                attempt.fail(_Replaced())

    def _others(self) -> list[Member[STT]]:
        return [one for one in self._owner.availability.order() if one not in self._tried and one is not self._member]

    def _count(self, seconds: float) -> None:
        self._unmetered += seconds
        if self._unmetered >= METER_EVERY:
            self._tell()

    def _tell(self, *, requests: int = 0) -> None:
        if self._member is not None and (self._unmetered or requests):
            stt = self._member.model
            meter_for(
                stt,
                Metered(
                    kind="stt",
                    provider=stt.provider,
                    model=stt.model,
                    requests=requests,
                    audio_seconds=self._unmetered,
                ),
            )
            self._unmetered = 0.0

    # --- words ---------------------------------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[STTEvent]:
        availability = self._owner.availability
        failures: list[tuple[str, Exception]] = []
        while not self._closed:
            member = next((one for one in availability.order() if one not in self._tried), None)
            if member is None:
                raise AllModelsFailedError("recogniser", failures)
            attempt = self._begin(member)
            error: Exception | None = None
            try:
                while True:
                    try:
                        event = await attempt.next()
                    except Exception as problem:
                        error = problem
                        break
                    if event is None:
                        break
                    if event.text and event.kind == "final":  # partials alone are no work done: they may be taken back
                        self._tried.clear()
                        failures.clear()
                        availability.worked(member)
                    yield event
            finally:
                self._stream = self._attempt = None
                self._tell()
                await attempt.aclose()
            if isinstance(error, _Replaced):
                continue
            if error is None and (self._ended or self._closed):
                return
            error = error or ModelError(f"{member.name} ended its stream.")
            availability.failed(member, error)
            self._tried.add(member)
            failures.append((member.name, error))
            if self._open:
                yield STTEvent(kind="partial", segment=self._open)
                self._open = ""

    async def aclose(self) -> None:
        self._closed = True
        if self._attempt is not None:
            self._attempt.fail(ModelError("The stream was closed."))

    def _begin(self, member: Member[STT]) -> Attempt[STTEvent, STTEvent]:
        """Open a stream of ``member`` and give it what no final has covered."""
        self._attempts += 1
        number = self._attempts
        self._member, self._unanswered, self._silence = member, 0.0, 0.0
        self._understood, self._reconnects = 0.0, 0

        def open() -> STTStream:
            stream = member.model.stream(language=self._language)
            for frame in self._uncovered.frames:
                stream.push(frame)
            if self._asked:
                stream.push(FLUSH)
            if self._ended:
                stream.end_input()
            self._stream = stream
            return stream

        self._attempt = Attempt(
            open,
            accept=lambda event: [self._said(event, number)],
            waits=lambda: False,
            patience=None,
            overdue="",
            name=member.name,
        )
        self._unmetered += self._uncovered.seconds if number > 1 else 0.0
        self._tell(requests=1)
        return self._attempt

    def _said(self, event: STTEvent, attempt: int) -> STTEvent:
        """Keep the account of what is covered; another stream's segments are others."""
        if event.kind == "final" or (event.kind == "partial" and event.text and self._is_news(event)):
            self._unanswered = 0.0
        if event.segment:
            event = msgspec.structs.replace(event, segment=f"{attempt}.{event.segment}")
        if event.kind == "reconnected":
            self._count(event.seconds)
            self._reconnects += 1
        elif event.kind == "partial":
            self._open = event.segment
        elif event.kind == "final":
            self._open = ""
            self._reconnects = 0
            end = event.end or self._newest
            if event.text:
                spoken = tuple(frame for frame in self._uncovered.frames if frame.at <= end)
                self._owner.sample = spoken or self._owner.sample
            self._uncovered.cover(end)
        return event

    def _is_news(self, event: STTEvent) -> bool:
        """Whether a partial goes further than all before it; after a lost connection the same words come again."""
        if not event.end:
            return not self._reconnects
        news = event.end > self._understood + 1e-3
        self._understood = max(self._understood, event.end)
        return news


class _Replaced(Exception):  # noqa: N818  (no failure: a better one is there again)
    """The recogniser is left for one that stands before it."""
