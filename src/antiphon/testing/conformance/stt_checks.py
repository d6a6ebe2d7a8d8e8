"""What a recogniser has to keep, whoever made it. It is given a sample of speech, as a call would: frame by frame, in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from difflib import SequenceMatcher

from antiphon.audio.frames import FLUSH, AudioFrame
from antiphon.models.stt import STT, STTEvent, STTStream
from antiphon.testing.conformance.declared import check_declared, new_report
from antiphon.testing.conformance.fault_table import faults_of
from antiphon.testing.conformance.report import Report
from antiphon.testing.conformance.rig import Rig
from antiphon.testing.conformance.running import must, run_check, run_fault
from antiphon.testing.conformance.speech_sample import SpeechSample, silence, words_of

ALIKE = 0.7
"""Part of the words that must be right: the kit looks at the contract, not at accuracy."""
FLUSHED_WITHIN = 1.5
CANCEL_WITHIN = 1.0
PAUSE = 2.0
"""Seconds of silence behind the speech, so that a service can rule on its end."""


class Listener:
    """One recognition under test. ``events``: what it has said; ``finals``: the last text of each segment, in order."""

    def __init__(self, stt: STT) -> None:
        self.events: list[STTEvent] = []
        self.stream: STTStream = stt.stream(language="en")
        self.at = asyncio.get_running_loop().time()
        self._reading = asyncio.get_running_loop().create_task(self._read(), name="conformance:listener")

    async def _read(self) -> None:
        async for event in self.stream:
            self.events.append(event)

    async def hears(self, frames: Iterable[AudioFrame]) -> None:
        """In time; raises what the stream raises."""
        for frame in frames:
            self.stream.push(frame)
            self.at = frame.at + frame.duration
            await asyncio.sleep(max(0.0, self.at - asyncio.get_running_loop().time()))
            if self._reading.done():
                break
        if self._reading.done():
            await self._reading

    async def ends(self) -> None:
        self.stream.end_input()
        await self._reading

    async def aclose(self) -> None:
        self._reading.cancel()
        await self.stream.aclose()
        await asyncio.wait({self._reading})

    @property
    def text(self) -> str:
        """The transcript as a session has it: the last final of each segment."""
        segments: dict[str, STTEvent] = {}
        for number, event in enumerate(self.events):
            if event.kind == "final":
                key = event.segment or f"#{number}"
                known = segments.get(key)
                if known is None or not event.revision or event.revision >= known.revision:
                    segments[key] = event
        return " ".join(event.text for event in segments.values() if event.text)

    def of(self, kind: str) -> list[STTEvent]:
        return [event for event in self.events if event.kind == kind]


def alike(heard: str, said: str) -> float:
    """Part of the words that are the same, in order."""
    return SequenceMatcher(None, words_of(heard), words_of(said)).ratio()


async def check_stt(make: Callable[[], STT], sample: SpeechSample, *, rig: Rig | None = None) -> Report:
    """Run the kit on the recognisers that ``make`` makes. ``sample``: English speech. ``rig``: causes the faults of the
    table."""
    model = make()
    report = new_report("stt", model)
    await model.aclose()

    async def listening(stt: STT) -> Listener:
        listener = Listener(stt)
        try:
            await listener.hears(sample.marked(listener.at))
            await listener.hears(silence(PAUSE, listener.at))
            await listener.ends()
        finally:
            await listener.aclose()
        return listener

    async def recognises(stt: STT) -> str:
        listener = await listening(stt)
        must(alike(listener.text, sample.text) >= ALIKE, f"it heard {listener.text!r} for {sample.text!r}")
        return repr(listener.text)

    async def ends(stt: STT) -> None:
        listener = Listener(stt)
        try:
            await listener.hears(sample.marked(listener.at))
            await listener.ends()
        finally:
            await listener.aclose()
        must(listener.text, "no final for what had been said when the input ended")

    async def times(stt: STT) -> None:
        listener = Listener(stt)
        began = listener.at
        try:
            await listener.hears(sample.marked(began))
            await listener.hears(silence(PAUSE, listener.at))
            await listener.ends()
        finally:
            await listener.aclose()
        for event in listener.of("final"):
            if event.end:
                must(
                    began - 0.5 <= event.start <= event.end <= listener.at + 0.5, f"{event} is not of the capture clock"
                )

    async def hears_nothing(stt: STT) -> None:
        listener = Listener(stt)
        try:
            await listener.hears(silence(PAUSE, listener.at))
            await listener.ends()
        finally:
            await listener.aclose()
        must(not listener.text, f"it heard {listener.text!r} in silence")

    async def cancels(stt: STT) -> None:
        listener = Listener(stt)
        await listener.hears(list(sample.marked(listener.at))[:25])
        async with asyncio.timeout(CANCEL_WITHIN):
            await listener.aclose()
            await listener.stream.aclose()

    async def at_once(stt: STT) -> None:
        one, two = await asyncio.gather(listening(stt), listening(stt))
        must(alike(one.text, two.text) >= ALIKE, f"two streams heard {one.text!r} and {two.text!r}")

    async def partials(stt: STT) -> str:
        listener = Listener(stt)
        try:
            await listener.hears(sample.marked(listener.at))
            early = len([event for event in listener.of("partial") if event.text])
            await listener.ends()
        finally:
            await listener.aclose()
        must(early, "no partial while it was said")
        return f"{early} partials"

    async def flush(stt: STT) -> str:
        listener = Listener(stt)
        try:
            await listener.hears(sample.marked(listener.at))
            listener.stream.push(FLUSH)
            asked = asyncio.get_running_loop().time()
            until = asked + FLUSHED_WITHIN
            while not listener.of("final") and asyncio.get_running_loop().time() < until:
                await listener.hears(silence(0.1, listener.at))
            must(listener.of("final"), f"no final within {FLUSHED_WITHIN:g} s of the mark")
            return f"{asyncio.get_running_loop().time() - asked:.2f} s"
        finally:
            await listener.aclose()

    async def word_times(stt: STT) -> str:
        listener = await listening(stt)
        words = [word for event in listener.of("final") for word in event.words]
        must(words, "no timed words")
        must(all(word.start <= word.end for word in words), "a word ends before it begins")
        return f"{len(words)} words"

    async def end_of_turn(stt: STT) -> str:
        listener = await listening(stt)
        kinds = [event.kind for event in listener.events if event.kind.startswith("turn")]
        must("turn_end" in kinds, f"no end of the turn came, only {kinds}")
        return ", ".join(kinds)

    async def diarization(stt: STT) -> None:
        listener = await listening(stt)
        must(any(event.speaker for event in listener.of("final")), "no final names its speaker")

    for name, scene in (
        ("recognises", recognises),
        ("ends_with_its_input", ends),
        ("times_on_the_capture_clock", times),
        ("silence_has_no_words", hears_nothing),
        ("cancels_at_once", cancels),
        ("streams_at_once", at_once),
    ):
        report.checks.append(await run_check("contract", name, make, scene))
    shown = {
        "partials": partials,
        "flush": flush,
        "word_times": word_times,
        "end_of_turn": end_of_turn,
        "diarization": diarization,
        "keyterms": None,
    }
    await check_declared(report, make, shown)
    if rig is not None:
        for fault in faults_of("stt"):
            report.checks.append(await run_fault(fault, rig(fault.name), _scene(sample), sample.text))
    return report


def _scene(sample: SpeechSample) -> Callable[[STT], Awaitable[str]]:
    async def hears(stt: STT) -> str:
        return await recognised(stt, sample)

    return hears


async def recognised(stt: STT, sample: SpeechSample) -> str:
    """What a recogniser makes of the sample, with the time that its service may need on a bad day; its own text where
    the words are all the same."""
    listener = Listener(stt)
    try:
        await listener.hears(sample.marked(listener.at))
        await listener.hears(silence(PAUSE + 1.0, listener.at))
        await listener.ends()
    finally:
        await listener.aclose()
    return sample.text if words_of(listener.text) == words_of(sample.text) else listener.text
