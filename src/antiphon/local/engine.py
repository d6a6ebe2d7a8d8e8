"""The loaded models and who may use them when: end-of-turn scores, then transcripts, then speech; text runs beside.

Work on onnxruntime is cut into steps (a score, a transcript, one chunk of speech); after each step the most urgent
waiting job goes on. The language model has threads of its own and a lower rank. Each model is loaded once, by the first
request that needs it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from antiphon.errors import AntiphonError, ConfigurationError, ModelError, ModelMissingError
from antiphon.local.kokoro import KokoroVoice
from antiphon.local.llama import Llama
from antiphon.local.moonshine import Moonshine
from antiphon.local.piper import PiperVoice
from antiphon.local.requests import (
    AnyRequest,
    Complete,
    Done,
    Failed,
    Load,
    Reply,
    Score,
    Scored,
    Sound,
    Speak,
    Transcribe,
    Transcribed,
)
from antiphon.local.smart_turn import SmartTurn
from antiphon.local.store import Store

logger = logging.getLogger(__name__)

OnReply = Callable[[Reply], None]
"""Called from the engine's threads."""


class Job:
    """One request under way. ``cancel`` frees its place at once; a step that is running ends unheard."""

    def __init__(self, request: AnyRequest, on_reply: OnReply) -> None:
        self.request = request
        self.cancelled = threading.Event()
        self._on_reply = on_reply
        self.steps: Iterator[Reply] | None = None

    def cancel(self) -> None:
        self.cancelled.set()

    def answer(self, reply: Reply) -> None:
        if not self.cancelled.is_set():
            self._on_reply(reply)


def rank(request: AnyRequest) -> int:
    """Lower goes first."""
    match request:
        case Score():
            return 0
        case Transcribe(final=True):
            return 1
        case Transcribe():
            return 2
        case Speak():
            return 3
        case _:
            return 4


class Engine:
    """All models of this process. ``submit`` never blocks."""

    def __init__(self, store: Store | None = None, *, workers: int = 0) -> None:
        self.store = store or Store()
        self._models: dict[str, Any] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._waiting: list[tuple[int, int, Job]] = []
        self._order = itertools.count()
        self._work = threading.Condition()
        self._closed = False
        count = workers or max(2, min(4, os.cpu_count() or 2))
        self._threads = [threading.Thread(target=self._serve, name=f"models-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, request: AnyRequest, on_reply: OnReply) -> Job:
        """Start a request. ``on_reply`` gets its replies, last of all ``Done`` or ``Failed``."""
        job = Job(request, on_reply)
        if isinstance(request, Complete | Load):
            threading.Thread(target=self._run_alone, args=(job,), name="models-text", daemon=True).start()
        else:
            self._push(job)
        return job

    @property
    def loaded(self) -> list[str]:
        """Names of the models in memory."""
        return list(self._models)

    def close(self) -> None:
        """Take no more work; steps that are running end by themselves."""
        with self._work:
            self._closed = True
            for _, _, job in self._waiting:
                job.cancel()
            self._waiting.clear()
            self._work.notify_all()
        for thread in self._threads:
            thread.join(5.0)
        self._models.clear()

    # --- threads ---------------------------------------------------------------------------------------------------

    def _push(self, job: Job) -> None:
        with self._work:
            if self._closed:
                return
            heapq.heappush(self._waiting, (rank(job.request), next(self._order), job))
            self._work.notify()

    def _serve(self) -> None:
        while True:
            with self._work:
                while not self._waiting and not self._closed:
                    self._work.wait()
                if self._closed:
                    return
                job = heapq.heappop(self._waiting)[2]
            if not job.cancelled.is_set() and self._step(job):
                self._push(job)

    def _step(self, job: Job) -> bool:
        """Do one step; whether there is another."""
        try:
            if job.steps is None:
                job.steps = self._steps(job.request)
            job.answer(next(job.steps))
            return True
        except StopIteration:
            job.answer(Done())
        except Exception as error:
            job.answer(failure(error))
        return False

    def _run_alone(self, job: Job) -> None:
        try:
            model = self._model(job.request.model)
            if isinstance(job.request, Complete) and not job.cancelled.is_set():
                model.complete(job.request, job.answer, job.cancelled)
            job.answer(Done())
        except Exception as error:
            job.answer(failure(error))

    def _steps(self, request: AnyRequest) -> Iterator[Reply]:
        model = self._model(request.model)
        match request:
            case Score():
                yield Scored(probability=model.score(request.pcm, request.head, request.silence))
            case Transcribe():
                yield Transcribed(transcript=model.transcribe(request.pcm))
            case Speak():
                for speech in model.speak(request.text, request.voice):
                    yield Sound(speech=speech, rate=model.sample_rate)

    def _model(self, name: str) -> Any:
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._models:
                begun = time.monotonic()
                self._models[name] = load(self.store, name)
                logger.info("loaded %s in %.1f s", name, time.monotonic() - begun)
            return self._models[name]


def load(store: Store, name: str) -> Any:
    """Bring one model into memory and run it once (the first run of a graph is slow)."""
    folder = store.path(name)
    row = store.catalog[name]
    match row.kind:
        case "stt":
            recogniser = Moonshine(folder)
            recogniser.transcribe(bytes(32_000))
            return recogniser
        case "tts":
            voice = KokoroVoice(folder) if row.runtime == "kokoro" else PiperVoice(folder)
            for _ in voice.speak("Ready."):
                pass
            return voice
        case "turn":
            detector = SmartTurn(folder / row.final_files[0])
            detector.score(bytes(32_000))
            return detector
        case "llm":
            return Llama(folder / row.final_files[0])
        case _:
            raise ConfigurationError(f"{name} is not a model that answers requests.")


def failure(error: Exception) -> Failed:
    """An exception as a message."""
    hint = error.hint if isinstance(error, AntiphonError) else ""
    text = error.message if isinstance(error, AntiphonError) else f"{type(error).__name__}: {error}"
    if not isinstance(error, AntiphonError):
        logger.error("a local model failed", exc_info=error)
    retryable = error.retryable if isinstance(error, ModelError) else not isinstance(error, ConfigurationError)
    return Failed(error=text, hint=hint, retryable=retryable, missing=isinstance(error, ModelMissingError))
