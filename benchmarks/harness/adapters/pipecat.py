"""pipecat-ai: one pipeline worker per call, an in-memory transport of our own; scripted STT, LLM and TTS.

Turns end by VAD and the default speech timeout (the default smart-turn model is left out: no framework has a turn model
here). The end-of-turn decision is the first thing that the stop strategy triggers in the user aggregator.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregator,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from harness.core import CALLER_RATE, REPLY_RATE, Recogniser, reply_audio, reply_texts
from harness.line import Line

NAME = "pipecat-ai"
ON_LOOP = True
BARGE_IN_SETTING = 0.2
"""Seconds of speech after which it interrupts by default (the VAD's start time)."""

QUEUE_AHEAD = 0.2
"""Seconds that the speaker takes before it makes the transport wait."""


async def setup() -> None:
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    decide = LLMUserAggregator._on_user_turn_inference_triggered

    async def marked(aggregator: Any, *args: Any, **options: Any) -> Any:
        aggregator.line.marks.mark("decided")
        return await decide(aggregator, *args, **options)

    LLMUserAggregator._on_user_turn_inference_triggered = marked


async def teardown() -> None: ...


class Microphone(BaseInputTransport):
    def __init__(self, line: Line, params: TransportParams) -> None:
        super().__init__(params)
        self._line = line
        self._reader: asyncio.Task[None] | None = None

    async def start(self, frame: Any) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._reader = self.create_task(self._read())
        self._line.ready.set()

    async def _read(self) -> None:
        while (block := await self._line.audio.get()) is not None:
            await self.push_audio_frame(InputAudioRawFrame(block, CALLER_RATE, 1))

    async def cleanup_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await self.cancel_task(reader)

    async def stop(self, frame: Any) -> None:
        await self.cleanup_reader()
        await super().stop(frame)

    async def cancel(self, frame: Any) -> None:
        await self.cleanup_reader()
        await super().cancel(frame)


class Loudspeaker(BaseOutputTransport):
    def __init__(self, line: Line, params: TransportParams) -> None:
        super().__init__(params)
        self._line = line

    async def start(self, frame: Any) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: Any) -> bool:
        self._line.speaker.write(frame.audio)
        await self._line.room(QUEUE_AHEAD)
        return True

    async def process_frame(self, frame: Any, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._line.speaker.clear()

    async def push_frame(self, frame: Any, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        if isinstance(frame, BotStoppedSpeakingFrame) and direction is FrameDirection.DOWNSTREAM:
            self._line.speaker.end_of_reply()
        await super().push_frame(frame, direction)


class ScriptedSTT(STTService):
    def __init__(self) -> None:
        super().__init__(ttfs_p99_latency=0.2, settings=STTSettings(model=None, language=None))
        self._recogniser = Recogniser()

    async def run_stt(self, audio: bytes) -> Any:
        text = self._recogniser.push(audio, CALLER_RATE)
        yield TranscriptionFrame(text, "caller", time_now_iso8601(), finalized=True) if text else None


class ScriptedLLM(LLMService):
    def __init__(self) -> None:
        unset = dict.fromkeys(
            ("model", "system_instruction", "temperature", "max_tokens", "top_p", "top_k", "frequency_penalty",
             "presence_penalty", "seed", "filter_incomplete_user_turns", "user_turn_completion_config")
        )  # fmt: skip
        super().__init__(settings=LLMSettings(**unset))

    async def process_frame(self, frame: Any, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        for text in reply_texts():
            await self._push_llm_text(text)
        await self.push_frame(LLMFullResponseEndFrame())


class ScriptedTTS(TTSService):
    def __init__(self, reply_seconds: float) -> None:
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=REPLY_RATE,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self._reply_seconds = reply_seconds

    async def run_tts(self, text: str, context_id: str) -> Any:
        for piece in reply_audio(self._reply_seconds):
            yield TTSAudioRawFrame(piece, REPLY_RATE, 1, context_id=context_id)


async def run(line: Line) -> None:
    params = TransportParams(
        audio_in_enabled=True,
        audio_in_sample_rate=CALLER_RATE,
        audio_out_enabled=True,
        audio_out_sample_rate=REPLY_RATE,
    )
    user, assistant = LLMContextAggregatorPair(
        LLMContext([{"role": "system", "content": "You are a helpful voice assistant."}]),
        user_params=LLMUserAggregatorParams(
            vad_analyzer=SileroVADAnalyzer(),
            user_turn_strategies=UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()]),
        ),
    )
    user.line = line
    stages = [
        Microphone(line, params),
        ScriptedSTT(),
        user,
        ScriptedLLM(),
        ScriptedTTS(line.reply_seconds),
        Loudspeaker(line, params),
        assistant,
    ]
    rates = PipelineParams(audio_in_sample_rate=CALLER_RATE, audio_out_sample_rate=REPLY_RATE)
    worker = PipelineWorker(Pipeline(stages), params=rates, idle_timeout_secs=None)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await line.stop.wait()
    await worker.cancel()
    await running
