"""What the tests of speech services share: what is said, and what is heard of it."""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.models.stt import STTEvent
from antiphon.testing.simulators.recording import Recording
from antiphon.testing.simulators.speaking import spoken

SAID = ("one large coffee please", "and a croissant")
ORDER = Recording.of(*SAID)
TEXT = " ".join(SAID)
BEGAN = 100.0
TEXTS = ("Your order is ready.", "Please come to the counter.", "Thank you!")


def frames_of(recording: Recording, *, seconds: float = 0.032) -> Iterable[AudioFrame]:
    """The recording as the plane would give it, marked where there is speech."""
    size = 2 * round(seconds * EAR_RATE)
    for at in range(0, len(recording.pcm), size):
        data = recording.pcm[at : at + size]
        yield AudioFrame.pcm(data, EAR_RATE, at=BEGAN + at / 2 / EAR_RATE, speech=any(data))


def text(events: list[STTEvent]) -> str:
    """What stands in the end: the last revision of each segment that has a final."""
    last: dict[str, STTEvent] = {}
    for event in events:
        if event.kind in ("partial", "final"):
            assert event.segment not in last or event.revision > last[event.segment].revision
            last[event.segment] = event
    return " ".join(event.text for event in last.values() if event.kind == "final" and event.text)


def said(frames: list[AudioFrame], *texts: str) -> list[str]:
    """What is heard of each text."""
    texts = texts or TEXTS
    vocabulary = " ".join(texts)
    return [
        spoken(b"".join(frame.data for frame in frames if frame.segment == segment), vocabulary)
        for segment in range(len(texts))
    ]
