"""Antiphon answers calls: ``transport`` (a media plane, WebRTC legs and nothing else) or ``agent`` (an ``AgentSession``
each, with everything that is on by default, scripted models and Silero VAD). Arguments: port, mode, Opus complexity.

In ``transport`` every agent talks without a break, but for the first: it answers each tone it hears with a tone.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import Any

import numpy as np
from harness.adapters.antiphon import ScriptedLLM, ScriptedSTT, ScriptedTTS

from antiphon import Agent, AgentSession, JobContext
from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.seam import LegSpec, MicAudio, PlaySpeech, PushAudio
from antiphon.audio.thread_plane import ThreadPlane
from antiphon.audio.vad import SileroVAD
from antiphon.local.store import Store
from antiphon.transport.webrtc import signals
from antiphon.worker.early_line import EarlyLine
from rtc.sounds import Onsets, speech, tone
from rtc.wire import serve, snapshot

REPLY = 3.0
LEG = LegSpec("webrtc", {"ice": {"loopback": True}, "complexity": int(sys.argv[3])})


class Call:
    """One caller's line. ``heard``: samples that agent code was given; ``onsets``: when it was given a tone."""

    def __init__(self, plane: Any, number: int) -> None:
        self.name, self.number = f"call-{number}", number
        self.heard = 0
        self.onsets: list[float] = []
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._plane, self._onsets, self._said = plane, Onsets(EAR_RATE), 0
        self.line = EarlyLine(plane, self.name, on_signal=self._on_signal)
        self.line.open(LEG)
        self._tasks: list[asyncio.Task[None]] = []

    async def take(self, offer: str) -> str:
        self.line.signal(signals.write(signals.Offer(1, offer)))
        return await asyncio.wait_for(self.answer, 10)

    def transport(self) -> None:
        """Nobody but the plane and this account."""
        self.line.subscribe(self.name, self._hear)
        if self.number:
            self._tasks.append(asyncio.create_task(self._talk()))

    async def agent(self) -> None:
        session = AgentSession[None](
            stt=ScriptedSTT(),
            llm=ScriptedLLM(),
            tts=ScriptedTTS(REPLY),
            turn_handling={"turn_detection": "vad", "score": False},
        )
        job = JobContext(id=self.name, plane=self.line, leg=LEG, user_loop="shared")
        await session.start(Agent(instructions="You are a helpful voice assistant."), job)

    def _on_signal(self, text: str) -> None:
        signal = signals.read_from_leg(text)
        if isinstance(signal, signals.Answer) and not self.answer.done():
            self.answer.set_result(signal.sdp)
        elif isinstance(signal, signals.Error):
            print(signal.error, signal.hint, file=sys.stderr, flush=True)

    def _hear(self, messages: Any) -> None:
        for message in messages:
            if isinstance(message, MicAudio):
                self.heard += message.frame.samples
                if not self.number and self._onsets.feed(np.frombuffer(message.frame.data, dtype="<i2")):
                    self.onsets.append(time.monotonic())
                    self._say(f"tone-{len(self.onsets)}", tone(PLAY_RATE), last=True)

    def _say(self, name: str, sound: np.ndarray, *, last: bool) -> None:
        frame = AudioFrame.pcm(sound.tobytes(), PLAY_RATE)
        self._plane.send(PushAudio(line=self.name, speech=name, frame=frame, last=last))
        self._plane.send(PlaySpeech(line=self.name, speech=name))

    async def _talk(self) -> None:
        words = np.roll(speech(PLAY_RATE), 9_973 * self.number)
        piece = 5 * PLAY_RATE
        while True:
            at = self._said * piece % (words.size - piece)
            self._say(f"talk-{self._said}", words[at : at + piece], last=True)
            self._said += 1
            await asyncio.sleep(5.0 if self._said > 1 else 4.0)


async def main() -> None:
    port, mode = int(sys.argv[1]), sys.argv[2]
    detector = Store().path("silero-vad", "silero_vad.onnx") if mode == "agent" else None
    plane = ThreadPlane((lambda: SileroVAD(str(detector))) if detector else None)
    await plane.start()
    calls: list[Call] = []

    async def do(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["do"] == "offer":
            call = Call(plane, len(calls))
            calls.append(call)
            answer = await call.take(asked["sdp"])
            if mode == "agent":
                await call.agent()
            else:
                call.transport()
            return {"sdp": answer}
        heard = [call.heard / EAR_RATE for call in calls] if mode == "transport" else []
        return snapshot(heard=heard, onsets=calls[0].onsets if calls else [])

    await serve(port, do)
    with contextlib.suppress(Exception):
        await asyncio.wait_for(plane.aclose(), 5)


if __name__ == "__main__":
    asyncio.run(main())
