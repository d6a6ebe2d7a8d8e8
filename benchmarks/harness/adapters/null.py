"""No framework: what the harness itself costs. Answers each transcript at once."""

from __future__ import annotations

from harness.core import CALLER_RATE, Recogniser, reply_audio
from harness.line import Line

NAME = "harness alone"
ON_LOOP = True


async def setup() -> None: ...


async def teardown() -> None: ...


async def run(line: Line) -> None:
    recogniser = Recogniser()
    line.ready.set()
    while (block := await line.audio.get()) is not None:
        if recogniser.push(block, CALLER_RATE):
            line.marks.mark("decided")
            for piece in reply_audio(line.reply_seconds):
                line.speaker.write(piece)
            line.speaker.end_of_reply()
