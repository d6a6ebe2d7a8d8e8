"""Sound for the tests of the local models: spoken by the local voice, marked as the media plane would."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np

from antiphon.audio.frames import AudioFrame
from antiphon.local.hosts import Host
from antiphon.local.pcm import loudness, to_ear
from antiphon.local.tts import LocalTTS
from antiphon.models.stt import STT, STTEvent

STEP = 320
"""Samples in a frame: 20 ms."""


async def spoken(host: Host, *texts: str) -> list[AudioFrame]:
    """The voice saying the texts."""
    stream = LocalTTS(host).stream()
    for text in texts:
        stream.push_text(text)
    stream.end_input()
    return [frame async for frame in stream]


async def recorded(host: Host, text: str, lead: float = 0.4, tail: float = 0.8) -> bytes:
    """The voice saying a text, at 16 kHz, with silence around it."""
    frames = await spoken(host, text)
    sound = to_ear(AudioFrame.pcm(b"".join(f.data for f in frames), frames[0].rate))
    return bytes(int(lead * 16_000) * 2) + sound + bytes(int(tail * 16_000) * 2)


def marked(pcm: bytes, start: float = 0.0) -> Iterator[AudioFrame]:
    """Frames with speech marks that end 0.2 s after the last loud frame."""
    last_loud = -1.0
    for n in range(0, len(pcm) // 2, STEP):
        data = pcm[2 * n : 2 * (n + STEP)]
        at = n / 16_000
        if loudness(data) > 0.006:
            last_loud = at
        yield AudioFrame.pcm(data, 16_000, at=start + at, speech=last_loud >= 0 and at - last_loud < 0.2)


async def heard(stt: STT, pcm: bytes, *, pause: float = 0.002) -> list[STTEvent]:
    """What a recogniser says to a recording, played ten times as fast as it was spoken."""
    stream = stt.stream()

    async def play() -> None:
        for frame in marked(pcm):
            stream.push(frame)
            await asyncio.sleep(pause)
        stream.end_input()

    playing = asyncio.create_task(play())
    events = [event async for event in stream]
    await playing
    return events


def finals(events: list[STTEvent]) -> str:
    """All that was finally recognised, in small letters and without marks."""
    text = " ".join(event.text for event in events if event.kind == "final")
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def noise(seconds: float, level: float, seed: int = 7) -> bytes:
    """White noise; ``level`` 0 to 1."""
    values = np.random.default_rng(seed).standard_normal(int(seconds * 16_000)) * level * 32767
    return bytes(np.clip(values, -32768, 32767).astype("<i2").tobytes())
