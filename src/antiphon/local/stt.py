"""The recogniser that sessions use: marked caller audio in; partials while the caller speaks, a final at each pause.

Only audio that voice activity detection marked as speech is ever decoded: on anything else the model invents text.
A decode begins in the first quiet moment of what may be a pause, so that the text is usually there when the mark says
that the caller has stopped.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.errors import ModelError
from antiphon.local.hosts import Host, load
from antiphon.local.moonshine import Transcript
from antiphon.local.pcm import loudness, to_ear
from antiphon.local.pump import Emit, Pump
from antiphon.local.requests import Transcribe, Transcribed
from antiphon.models.capabilities import STTCapabilities
from antiphon.models.stt import STT, STTEvent, STTStream

LEAD = 0.3
"""Seconds of sound before the speech mark that belong to the speech (the mark comes late)."""

PARTIAL_EVERY = 0.3
QUIET_AFTER = 0.16
"""Seconds of quiet after which a decode is begun in advance."""

QUIET_PART = 0.12
"""A frame below this part of the segment's loudness is quiet."""

AUDIBLE = 0.01
"""Loudness that counts as speech where frames carry no mark."""

HANGOVER = 0.3
"""Seconds that unmarked speech goes on after the last audible frame."""

CUT_AT_PAUSE, CUT_ANYWHERE = 8.0, 25.0
"""Seconds after which a segment is ended at the next quiet moment, or at once."""

FEW_WORDS, UNSURE = 3, 0.45
"""So few words with less confidence than this are the model's guess at a noise (it likes to hear "you")."""

SLOW_WORD, SURE = 0.9, 0.9
"""Seconds of speech per word beyond which only a confident transcript is believed."""


class Segment:
    """A stretch of speech: its sound from ``LEAD`` before the mark on, and what has been decoded of it."""

    def __init__(self, name: str, start: float, lead: bytes) -> None:
        self.name = name
        self.start = start
        self.pcm = bytearray(lead)
        self.revision = 0
        self.loud = 0.0
        self.quiet = 0.0
        self.speech = 0.0
        self.end = start
        self.decoded_upto = 0
        self.loud_upto = len(lead)
        self.transcript: Transcript | None = None
        self.last_text = ""

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / EAR_RATE

    def add(self, pcm: bytes, seconds: float, end: float) -> None:
        self.pcm += pcm
        level = loudness(pcm)
        self.loud = max(level, self.loud * 0.98)
        if level > self.loud * QUIET_PART:
            self.quiet = 0.0
            self.loud_upto = len(self.pcm)
            self.end = end
        else:
            self.quiet += seconds

    @property
    def decoded(self) -> bool:
        """Whether the transcript covers everything that was loud."""
        return self.transcript is not None and self.decoded_upto >= self.loud_upto


class LocalSTTStream(STTStream):
    """One recognition."""

    def __init__(self, host: Host, model: str, language: str) -> None:
        self._host = host
        self._model = model
        self._language = language or "en"
        self._frames: deque[AudioFrame | None] = deque()
        self._arrived = asyncio.Event()
        self._pump: Pump[STTEvent] = Pump(self._listen, ahead=256)
        self._lead: deque[tuple[bytes, float]] = deque()
        self._segment: Segment | None = None
        self._count = 0
        self._last_loud = -1.0
        self._decode: asyncio.Task[Transcript] | None = None
        self._decoding: tuple[Segment, int] | None = None
        self._next_partial = 0.0

    def push(self, frame: AudioFrame) -> None:
        self._frames.append(frame)
        self._arrived.set()

    def end_input(self) -> None:
        self._frames.append(None)
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[STTEvent]:
        return self._pump.items()

    async def aclose(self) -> None:
        await self._pump.aclose()

    # --- the worker ------------------------------------------------------------------------------------------------

    async def _listen(self, emit: Emit[STTEvent]) -> None:
        try:
            while True:
                await self._wait()
                self._arrived.clear()
                if self._decode is not None and self._decode.done():
                    await self._take_decoded(emit)
                while self._frames:
                    frame = self._frames.popleft()
                    if frame is None:
                        await self._finish(emit)
                        return
                    await self._hear(frame, emit)
        finally:
            if self._decode is not None:
                self._decode.cancel()

    async def _wait(self) -> None:
        """Until a frame arrives or the decode under way ends."""
        if self._frames:
            return
        arrival = asyncio.ensure_future(self._arrived.wait())
        waiting: set[asyncio.Future[object]] = {arrival}  # type: ignore[arg-type]
        if self._decode is not None:
            waiting.add(self._decode)  # type: ignore[arg-type]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()

    async def _hear(self, frame: AudioFrame, emit: Emit[STTEvent]) -> None:
        if frame.flush:
            await self._finish(emit)
            return
        pcm = to_ear(frame)
        seconds = len(pcm) / 2 / EAR_RATE
        end = frame.at + seconds
        if self._is_speech(frame, pcm, end):
            if self._segment is None:
                self._open(frame.at)
            assert self._segment is not None
            segment = self._segment
            segment.add(pcm, seconds, end)
            segment.speech += seconds
            if segment.seconds >= CUT_ANYWHERE or (segment.seconds >= CUT_AT_PAUSE and segment.quiet >= QUIET_AFTER):
                await self._finish(emit)
            elif segment.quiet >= QUIET_AFTER:
                self._begin_decode(final=True)
            elif segment.speech >= self._next_partial:
                self._next_partial = segment.speech + PARTIAL_EVERY
                self._begin_decode(final=False)
        else:
            await self._finish(emit)
            self._keep_lead(pcm, seconds)

    def _is_speech(self, frame: AudioFrame, pcm: bytes, end: float) -> bool:
        if frame.speech is not None:
            return frame.speech
        if loudness(pcm) > AUDIBLE:
            self._last_loud = end
        return self._last_loud >= 0 and end - self._last_loud < HANGOVER

    def _keep_lead(self, pcm: bytes, seconds: float) -> None:
        self._lead.append((pcm, seconds))
        while sum(s for _, s in self._lead) - self._lead[0][1] >= LEAD:
            self._lead.popleft()

    def _open(self, at: float) -> None:
        self._count += 1
        self._segment = Segment(f"s{self._count}", at, b"".join(pcm for pcm, _ in self._lead))
        self._lead.clear()
        self._next_partial = PARTIAL_EVERY

    # --- decoding --------------------------------------------------------------------------------------------------

    def _begin_decode(self, *, final: bool) -> None:
        """Decode the open segment so far, unless that is under way or done. A final pushes a partial aside."""
        segment = self._segment
        if segment is None or segment.decoded:
            return
        if self._decode is not None and self._decoding is not None:
            current, upto = self._decoding
            if not final or (current is segment and upto >= segment.loud_upto):
                return
            self._decode.cancel()
        pcm = bytes(segment.pcm)
        self._decoding = (segment, len(pcm))
        self._decode = asyncio.create_task(self._transcribe(pcm, final))

    async def _transcribe(self, pcm: bytes, final: bool) -> Transcript:
        async with aclosing(self._host.ask(Transcribe(model=self._model, pcm=pcm, final=final))) as replies:
            async for reply in replies:
                if isinstance(reply, Transcribed):
                    return reply.transcript
        raise ModelError("The local recogniser gave no answer.")

    async def _take_decoded(self, emit: Emit[STTEvent]) -> None:
        """Keep a finished decode; give it out as a partial when it says something new."""
        decode, decoding = self._decode, self._decoding
        self._decode = self._decoding = None
        assert decode is not None and decoding is not None
        transcript = decode.result()
        segment, upto = decoding
        segment.transcript, segment.decoded_upto = transcript, upto
        if segment is self._segment and transcript.text != segment.last_text and heard(transcript, segment):
            await emit(self._event("partial", segment, transcript))

    async def _finish(self, emit: Emit[STTEvent]) -> None:
        """The open segment has ended: give its final."""
        segment = self._segment
        if segment is None:
            return
        while not segment.decoded:
            self._begin_decode(final=True)
            assert self._decode is not None
            await asyncio.wait([self._decode])
            await self._take_decoded(emit)
        assert segment.transcript is not None
        self._segment = None
        await emit(self._event("final", segment, segment.transcript))

    def _event(self, kind: str, segment: Segment, transcript: Transcript) -> STTEvent:
        segment.revision += 1
        segment.last_text = transcript.text
        final = kind == "final"
        return STTEvent(
            kind="final" if final else "partial",
            text=transcript.text if heard(transcript, segment) else "",
            segment=segment.name,
            revision=segment.revision,
            language=self._language,
            confidence=transcript.confidence,
            start=segment.start,
            end=segment.end,
            seconds=segment.seconds if final else 0.0,
        )


def heard(transcript: Transcript, segment: Segment) -> bool:
    """Whether the transcript is words that somebody said, not the model's guess at a noise."""
    words = len(transcript.text.split())
    spoken = words + len(re.findall(r"(?<=\d)\W?\d", transcript.text))  # "555-2671" is seven words
    if not any(c.isalnum() for c in transcript.text) or (words <= FEW_WORDS and transcript.confidence < UNSURE):
        return False
    return transcript.confidence >= SURE or segment.speech <= HANGOVER + spoken * SLOW_WORD


class LocalSTT(STT):
    """Moonshine, English. About 0.6 CPU-seconds for a second of speech while somebody speaks, nothing in silence."""

    provider = "local"
    on_core = True
    capabilities = STTCapabilities(partials=True, flush=True)

    def __init__(self, host: Host, model: str = "moonshine-base-en") -> None:
        self.model = model
        self._host = host

    def stream(self, *, language: str = "") -> STTStream:
        return LocalSTTStream(self._host, self.model, language)

    async def prewarm(self) -> None:
        await load(self._host, self.model)
