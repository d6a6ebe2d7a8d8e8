"""What a voice has to keep, whoever made it."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable

from antiphon.audio.frames import AudioFrame
from antiphon.models.tts import TTS
from antiphon.testing.conformance.declared import check_declared, new_report
from antiphon.testing.conformance.fault_table import Fault, faults_of
from antiphon.testing.conformance.report import Report
from antiphon.testing.conformance.rig import Rig
from antiphon.testing.conformance.running import must, run_check, run_fault

FIRST, SECOND = "The quick brown fox jumps over the lazy dog. ", "It was a sunny day in May."
SLOWEST, FASTEST = 0.25, 0.02
"""Seconds of audio for a character of text, at most and at least."""
CANCEL_WITHIN = 1.0
TAIL = 0.3
"""Seconds that a timed word may stand beyond its audio."""


async def speak(tts: TTS, *texts: str) -> list[AudioFrame]:
    """All audio of these texts."""
    stream = tts.stream()
    for text in texts:
        stream.push_text(text)
    stream.end_input()
    try:
        return [frame async for frame in stream]
    finally:
        await stream.aclose()


def seconds(frames: list[AudioFrame]) -> float:
    return sum(frame.duration for frame in frames)


def loud(frame: AudioFrame) -> bool:
    """Whether anything is in it: symbolic speech, or samples that are not all nought."""
    if frame.symbol is not None:
        return frame.symbol.kind == "speech"
    return any(array("h", frame.data[: len(frame.data) // 2 * 2]))


Decode = Callable[[list[AudioFrame]], str]


async def check_tts(make: Callable[[], TTS], *, rig: Rig | None = None, decode: Decode | None = None) -> Report:
    """Run the kit on the voices that ``make`` makes. ``rig``: causes the faults of the table. ``decode``: the words that audio
    says, where that can be known (simulators); without it its length is looked at."""
    model = make()
    report = new_report("tts", model)
    await model.aclose()

    async def speaks(tts: TTS) -> str:
        frames = await speak(tts, FIRST, SECOND)
        length, text = seconds(frames), FIRST + SECOND
        must(frames and any(map(loud, frames)), "no sound came")
        must(FASTEST * len(text) <= length <= SLOWEST * len(text), f"{length:.2f} s for {len(text)} characters")
        must(all(frame.rate == tts.sample_rate for frame in frames), "a frame has another rate than the voice says")
        for frame in frames:
            must(frame.symbol or len(frame.data) == 2 * frame.samples, "a frame is not as long as it says")
        return f"{length:.2f} s of audio"

    async def segments(tts: TTS) -> None:
        frames = await speak(tts, FIRST, SECOND)
        order = [frame.segment for frame in frames if frame.segment >= 0]
        must(order == sorted(order), f"segments come in the order {order}")
        must(not order or set(order) <= {0, 1}, f"segments that nobody pushed: {set(order)}")

    async def nothing_to_sound(tts: TTS) -> None:
        await speak(tts, "...", "\U0001f600")
        await speak(tts)

    async def cancels(tts: TTS) -> None:
        stream = tts.stream()
        stream.push_text(FIRST)
        stream.push_text(SECOND)
        async for _ in stream:
            break
        async with asyncio.timeout(CANCEL_WITHIN):
            await stream.aclose()
            await stream.aclose()
        must(await speak(tts, SECOND), "no audio after a cancelled synthesis")

    async def at_once(tts: TTS) -> None:
        one, two = await asyncio.gather(speak(tts, FIRST), speak(tts, FIRST + SECOND))
        must(seconds(two) > seconds(one) > 0, "two syntheses at once are mixed up")

    async def streaming(tts: TTS) -> str:
        stream = tts.stream()
        frames = aiter(stream)
        stream.push_text(FIRST)
        length = (await anext(frames)).duration
        stream.push_text(SECOND)
        stream.end_input()
        async for frame in frames:
            length += frame.duration
        must(length >= FASTEST * len(FIRST + SECOND), f"{length:.2f} s of audio for both texts")
        return "text was pushed while audio came"

    async def word_times(tts: TTS) -> str:
        frames = await speak(tts, FIRST, SECOND)
        spoken = {0: FIRST, 1: SECOND}
        for segment, text in spoken.items():
            own = [frame for frame in frames if frame.segment == segment]
            words = [word for frame in own for word in frame.words]
            must(len(words) >= len(text.split()) // 2, f"{len(words)} timed words for {text!r}")
            must(all(word.start <= word.end for word in words), "a word ends before it begins")
            starts = [word.start for word in words]
            must(starts == sorted(starts), f"words begin at {starts}")
            must(words[-1].end <= seconds(own) + TAIL, f"{words[-1]} is beyond {seconds(own):.2f} s of audio")
        return f"{sum(len(frame.words) for frame in frames)} words"

    for name, scene in (
        ("speaks", speaks),
        ("segments_in_order", segments),
        ("text_without_sound", nothing_to_sound),
        ("cancels_at_once", cancels),
        ("syntheses_at_once", at_once),
    ):
        report.checks.append(await run_check("contract", name, make, scene))
    await check_declared(report, make, {"streaming": streaming, "word_times": word_times})
    if rig is not None:
        for fault in faults_of("tts"):
            report.checks.append(await run_fault(fault, rig(fault.name), _scene(fault, decode), "all of it"))
    return report


def _scene(fault: Fault, decode: Decode | None) -> Callable[[TTS], Awaitable[str]]:
    async def speaks(tts: TTS) -> str:
        frames = await speak(tts, FIRST, SECOND)
        if decode is not None:
            heard = decode(frames)
            return "all of it" if heard.split() == (FIRST + SECOND).split() else heard
        return "all of it" if seconds(frames) >= FASTEST * len(FIRST + SECOND) else f"{seconds(frames):.2f} s"

    async def after_a_cancelled_one(tts: TTS) -> str:
        whole = seconds(await speak(tts, SECOND))
        stream = tts.stream()
        stream.push_text(FIRST)
        async for _ in stream:
            break
        await stream.aclose()
        again = seconds(await speak(tts, SECOND))
        return "all of it" if abs(again - whole) < 0.05 else f"{again:.2f} s instead of {whole:.2f} s"

    return after_a_cancelled_one if fault.name == "late_audio" else speaks
