"""The agent of the browser tests: a scripted mind, recorded people for a voice, the real recogniser. Run: app.py dev."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from antiphon import Agent, AgentSession, AudioFrame, JobContext, TimedWord, run
from antiphon.audio.wav import read_wav
from antiphon.models.capabilities import TTSCapabilities
from antiphon.models.tts import TTS, TTSStream
from antiphon.testing.llm import ScriptedLLM

CALLERS = Path(__file__).parents[2] / "examples" / "coffee" / "callers"
RATE = 24_000
SHORT = "Here is the latte with almond milk that you asked for and it is a large one"
LONG = "Now I shall go on for quite a while about coffee beans and about the many ways to roast them until you stop me"
OTHER = "A small cappuccino with a dark roast is on its way to you and it has brown sugar"
SPOKEN_BY = {SHORT: ("2-michael.wav",), OTHER: ("3-emma.wav",), LONG: ("3-emma.wav", "4-fenrir.wav", "2-michael.wav")}
ANSWERS = {"story": LONG, "cappuccino": OTHER, ...: SHORT}


def voice_of(text: str) -> bytes:
    """The recording that says ``text``, int16 mono at ``RATE``; a short beginning of one for what has none."""
    names = SPOKEN_BY.get(text.strip(" ."), ())
    if not names:
        return read_wav(str(CALLERS / "1-heart.wav"), RATE)[0][:RATE].tobytes()
    return b"".join(read_wav(str(CALLERS / name), RATE)[0].tobytes() for name in names)


class RecordedVoice(TTS):
    """Real speech of a known length, words evenly long."""

    capabilities = TTSCapabilities(streaming=True, word_times=True)
    provider, model = "test", "recordings"
    sample_rate = RATE
    on_core = True

    def stream(self) -> TTSStream:
        return _Stream()


class _Stream(TTSStream):
    def __init__(self) -> None:
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()

    def push_text(self, text: str) -> None:
        self._texts.put_nowait(text)

    def end_input(self) -> None:
        self._texts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[AudioFrame]:
        segment = 0
        while (text := await self._texts.get()) is not None:
            data, size = voice_of(text), RATE // 5 * 2
            words, seconds = text.split(), len(data) / 2 / RATE
            each = seconds / max(1, len(words))
            timed = [TimedWord(word, n * each, (n + 1) * each) for n, word in enumerate(words)]
            for at in range(0, len(data), size):
                block = data[at : at + size]
                first, last = at / 2 / RATE, (at + size) / 2 / RATE
                part = tuple(word for word in timed if first <= word.start < last)
                yield AudioFrame(block, RATE, len(block) // 2, segment=segment, words=part)
            segment += 1

    async def aclose(self) -> None: ...


async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession[None](
        stt="local/moonshine-base-en",
        llm=ScriptedLLM(ANSWERS, ttft=0.1),
        tts=RecordedVoice(),
        turn_detector=None,
        user_away_timeout=0.0,
    )
    await session.start(Agent(instructions="You work at a coffee counter."), ctx)


if __name__ == "__main__":
    run(entrypoint)
