"""Fallback of voices: another voice goes on behind the last word that was delivered.

Owns the place in the text that each attempt has reached, and one sample rate for all voices. Never: what is to be said.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
import numpy as np

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.audio.resample import Resampler, resampled_length
from antiphon.errors import AllModelsFailedError, ModelError
from antiphon.models.attempt import Attempt, gives
from antiphon.models.availability import Availability, Member, common
from antiphon.models.metering import Metered, meter_for
from antiphon.models.spoken_place import CHARACTERS_PER_SECOND, SpokenPlace, plain
from antiphon.models.tts import TTS, TTSStream

TRIAL_TEXT = "Okay."


async def try_tts(tts: TTS) -> bool | None:
    """Whether a voice makes any audio of a word."""
    stream = tts.stream()
    stream.push_text(TRIAL_TEXT)
    stream.end_input()
    return await gives(stream, lambda frame: frame.samples)


class FallbackTTS(TTS):
    """Several voices as one, at the first one's sample rate. ``attempt_timeout``: seconds without audio for text that is
    owed, while there is another voice."""

    on_core = True
    meters = True

    def __init__(self, models: Sequence[TTS], *, attempt_timeout: float) -> None:
        self.availability: Availability[TTS] = Availability("tts", models, trial=try_tts)
        self.attempt_timeout = attempt_timeout
        self.capabilities = common([model.capabilities for model in models])
        self.sample_rate = models[0].sample_rate
        self.provider = "local" if all(model.provider == "local" for model in models) else "fallback"
        self.model = ", ".join(member.name for member in self.availability.members)

    def stream(self) -> TTSStream:
        return _FallbackTTSStream(self)

    async def prewarm(self) -> None:
        await self.availability.prewarm()

    async def aclose(self) -> None:
        await self.availability.aclose()


class _Voice:
    """One attempt: what it was given, and how its frames become those of the whole stream. ``base``: the segment that its
    first text belongs to; ``offset``: seconds of that segment which other voices have spoken."""

    def __init__(self, member: Member[TTS], rate: int, base: int, offset: float, skip: bool) -> None:
        self.member, self.base, self.offset = member, base, offset
        self.stream: TTSStream | None = None
        self.places: list[SpokenPlace] = []
        self.current = 0
        self.skip = skip
        self._rate = rate
        self._resampler: Resampler | None = None

    def push(self, text: str) -> None:
        self.places.append(SpokenPlace(text))
        if self.stream is not None:
            self.stream.push_text(text)

    @property
    def unsaid(self) -> int:
        """Characters it was given and did not say."""
        return sum(len(place.rest()[0]) for place in self.places[self.current :])

    def take(self, frame: AudioFrame) -> list[AudioFrame]:
        """A frame of the voice, as one of the whole stream."""
        if not self.places:
            return []
        self.current = max(self.current, self._segment(frame))
        place = self.places[self.current]
        words = place.hear(frame.duration, frame.words)
        if self.skip and words:  # the word that the voice before broke off in is in the account already
            words, self.skip = words[1:], False
        shift = self.offset if self.current == 0 else 0.0
        timed = tuple(TimedWord(word.text, word.start + shift, word.end + shift) for word in words)
        return [msgspec.structs.replace(self._at_rate(frame), segment=self.base + self.current, words=timed)]

    def _segment(self, frame: AudioFrame) -> int:
        if frame.segment >= 0:
            return min(frame.segment, len(self.places) - 1)
        place = self.places[self.current]
        over = place.seconds > len(place.text) / CHARACTERS_PER_SECOND
        return min(self.current + over, len(self.places) - 1)

    def _at_rate(self, frame: AudioFrame) -> AudioFrame:
        if frame.rate == self._rate:
            return frame
        if frame.symbol is not None:
            samples = resampled_length(frame.samples, frame.rate, self._rate)
            return msgspec.structs.replace(frame, rate=self._rate, samples=samples)
        if self._resampler is None:
            self._resampler = Resampler(frame.rate, self._rate)
        made = self._resampler.process(np.frombuffer(frame.data, dtype="<i2"))
        return msgspec.structs.replace(frame, data=made.tobytes(), rate=self._rate, samples=made.size)


class _FallbackTTSStream(TTSStream):
    def __init__(self, owner: FallbackTTS) -> None:
        self._owner = owner
        self._texts: list[str] = []
        self._ended = self._closed = False
        self._voice: _Voice | None = None
        self._attempt: Attempt[AudioFrame, AudioFrame] | None = None

    def push_text(self, text: str) -> None:
        self._texts.append(text)
        if self._voice is not None:
            self._voice.push(text)
            if self._attempt is not None:
                self._attempt.owes()

    def end_input(self) -> None:
        self._ended = True
        if self._voice is not None and self._voice.stream is not None:
            self._voice.stream.end_input()
            if self._attempt is not None:
                self._attempt.owes()

    async def aclose(self) -> None:
        self._closed = True
        if self._attempt is not None:
            self._attempt.fail(ModelError("The stream was closed."))

    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        availability = self._owner.availability
        failures: list[tuple[str, Exception]] = []
        tried: set[Member[TTS]] = set()
        base, rest, offset, skip = 0, "", 0.0, False
        while not self._closed:
            member = next((one for one in availability.order() if one not in tried), None)
            if member is None:
                raise AllModelsFailedError("voice", failures)
            voice = self._voice = _Voice(member, self._owner.sample_rate, base, offset, skip)
            for text in [rest, *self._texts[base + 1 :]] if rest else self._texts[base:]:
                voice.push(text)
            last = len(tried) + 1 == len(availability.members)
            error: Exception | None = None
            attempt = self._attempt = self._begin(voice, last)
            try:
                while True:
                    try:
                        frame = await attempt.next()
                    except Exception as problem:
                        error = problem
                        break
                    if frame is None:
                        break
                    yield frame
            finally:
                self._attempt = self._voice = None
                if error is None and attempt.silent_for > self._owner.attempt_timeout and self._owes(voice):
                    availability.failed(member, "It stopped in the middle of its audio.")
                await attempt.aclose()
                self._meter(voice, failed=error is not None)
            if self._closed or (error is None and self._ended and not self._short(voice)):
                availability.worked(member)
                return
            error = error or ModelError(f"{member.name} ended before it had said everything.")
            availability.failed(member, error)
            tried.add(member)
            failures.append((member.name, error))
            if any(place.seconds for place in voice.places):
                tried = {member}  # it has said something: whoever failed before it may have recovered
            base, rest, offset, skip = self._place_after(voice)
            if base >= len(self._texts) and self._ended:
                return

    def _begin(self, voice: _Voice, last: bool) -> Attempt[AudioFrame, AudioFrame]:
        name, patience = voice.member.name, self._owner.attempt_timeout

        def open() -> TTSStream:
            stream = voice.member.model.stream()
            for place in voice.places:
                stream.push_text(place.text)
            if self._ended:
                stream.end_input()
            voice.stream = stream
            return stream

        return Attempt(
            open,
            accept=voice.take,
            waits=lambda: self._owes(voice),
            patience=None if last else patience,
            overdue=f"{name} gave no audio for {patience:g} s.",
            name=name,
        )

    def _owes(self, voice: _Voice) -> bool:
        """Whether more audio must come: of text that it was given, where that can be told."""
        if not voice.places:
            return False
        behind = voice.current + 1 < len(voice.places)
        return behind or voice.places[-1].complete is False or (self._ended and voice.places[-1].complete is None)

    def _short(self, voice: _Voice) -> bool:
        """Whether a voice that has ended left out what it surely should have said."""
        return any(place.complete is False for place in voice.places[voice.current :])

    def _place_after(self, voice: _Voice) -> tuple[int, str, float, bool]:
        """Where the next voice goes on: segment, what is left of it, seconds of it that were spoken, and whether it
        begins with a word that has begun."""
        if not voice.places:
            return voice.base, "", 0.0, False
        place = voice.places[voice.current]
        rest, begun = place.rest()
        if not place.seconds:
            offset = voice.offset if voice.current == 0 else 0.0
            return voice.base + voice.current, place.text, offset, voice.skip and voice.current == 0
        if not any(plain(word) for word in rest.split()):
            return voice.base + voice.current + 1, "", 0.0, False
        offset = place.seconds + (voice.offset if voice.current == 0 else 0.0)
        return voice.base + voice.current, rest, offset, begun

    def _meter(self, voice: _Voice, *, failed: bool) -> None:
        given = sum(len(place.text) for place in voice.places)
        wasted = min(given, voice.unsaid) if failed else 0
        tts = voice.member.model
        use = Metered(kind="tts", provider=tts.provider, model=tts.model)
        seconds = sum(place.seconds for place in voice.places)
        if wasted:
            meter_for(
                tts,
                msgspec.structs.replace(
                    use, requests=0 if seconds else 1, characters=wasted, wasted=True, estimated=True
                ),
            )
        if seconds or not wasted:
            meter_for(tts, msgspec.structs.replace(use, requests=1, characters=given - wasted, audio_seconds=seconds))
