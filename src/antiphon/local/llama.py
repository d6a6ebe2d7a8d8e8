"""A GGUF language model through llama.cpp: a prompt and a grammar in, text out. Knows nothing of conversations.

One loaded model answers several requests at once (continuous batching over ``SLOTS`` slots). A slot keeps the text
that it has read, so a prompt that goes on where an earlier one stopped is read from there: each conversation goes
back to its own slot.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from antiphon.errors import ModelError
from antiphon.local.requests import Complete, Counted, Piece, Reply
from antiphon.local.runtime import llama_module, llama_threads

logger = logging.getLogger(__name__)

SLOTS = 4
CONTEXT = 6144
"""Tokens, shared by all slots."""

BATCH = 32
"""Prompt tokens read at a time. A cancelled request stops after the batch that is being read."""

NICENESS = 5
"""How much lower than the rest of the process the model's threads are ranked: speech must not wait for text."""

SAME_CONVERSATION = 0.85
"""A slot whose text agrees with a prompt this far (as a part of the slot's text) holds the same conversation."""


class Slot:
    """What one slot has read, for whom, and whether a request is using it now."""

    def __init__(self) -> None:
        self.text = ""
        self.owner = ""
        self.used = 0
        self.busy = False


class Slots:
    """Gives each request the slot where its conversation was read before."""

    def __init__(self, count: int) -> None:
        self._slots = [Slot() for _ in range(count)]
        self._clock = 0
        self._free = threading.Condition()

    def take(self, prompt: str, owner: str, given_up: Callable[[], bool] = lambda: False) -> int | None:
        """The slot where this conversation was read before, else the one unused for longest. Waits for the first while it
        is in use (to read all again elsewhere takes longer), and while all are. ``None`` once ``given_up``."""
        with self._free:
            while (slot := self._choose(prompt, owner)) is None:
                self._free.wait(0.05)
                if given_up():
                    return None
            self._clock += 1
            slot.used, slot.text, slot.owner, slot.busy = self._clock, prompt, owner, True
            return self._slots.index(slot)

    def _choose(self, prompt: str, owner: str) -> Slot | None:
        agreed = {slot: common_prefix(slot.text, prompt) for slot in self._slots if slot.text and slot.owner == owner}
        mine = [slot for slot, count in agreed.items() if count >= SAME_CONVERSATION * len(slot.text)]
        if mine:
            best = max(mine, key=lambda slot: agreed[slot])
            return None if best.busy else best
        return min((slot for slot in self._slots if not slot.busy), key=lambda slot: slot.used, default=None)

    def give_back(self, number: int) -> None:
        with self._free:
            self._slots[number].busy = False
            self._free.notify_all()


class Crossing:
    """Answers go before reading ahead: a reader stops while anybody is being answered."""

    def __init__(self) -> None:
        self._answers = 0
        self._change = threading.Condition()
        self.busy = threading.Event()

    def __enter__(self) -> None:
        with self._change:
            self._answers += 1
            self.busy.set()

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._answers -= 1
            if self._answers == 0:
                self.busy.clear()
                self._change.notify_all()

    def wait_clear(self, timeout: float) -> bool:
        """Whether nobody is being answered (any more, within ``timeout`` seconds)."""
        with self._change:
            return self._change.wait_for(lambda: self._answers == 0, timeout)


def common_prefix(a: str, b: str) -> int:
    """Length of the beginning that two texts share."""
    if b.startswith(a):
        return len(a)
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


class Llama:
    """One loaded model. ``complete`` blocks its thread; call it from several at once."""

    def __init__(self, file: Path, threads: int = 0) -> None:
        count = threads or llama_threads()
        module = llama_module()
        settings = module.CommonParams()
        settings.model.path = str(file)
        settings.n_ctx, settings.n_parallel, settings.kv_unified = CONTEXT, SLOTS, True
        settings.n_batch = settings.n_ubatch = BATCH
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = count
        settings.n_gpu_layers = settings.verbosity = settings.cache_ram_mib = 0
        settings.warmup = settings.use_jinja = False
        self._server = _niced(lambda: module.Server(settings))
        self._slots = Slots(SLOTS)
        self._crossing = Crossing()

    def complete(self, request: Complete, reply: Callable[[Reply], None], cancelled: threading.Event) -> None:
        """Answer with ``Piece`` and ``Counted``. Raises ``ModelError``."""
        if not request.max_tokens:
            self._read_ahead(request, reply, cancelled)
            return
        with self._crossing:
            self._on_slot(request, reply, cancelled, cancelled.is_set)

    def _on_slot(
        self,
        request: Complete,
        reply: Callable[[Reply], None],
        cancelled: threading.Event,
        stopped: Callable[[], bool],
    ) -> None:
        slot = self._slots.take(request.prompt, request.owner, cancelled.is_set)
        if slot is None:
            return
        try:
            self._run(request, slot, reply, stopped)
        finally:
            self._slots.give_back(slot)

    def _read_ahead(self, request: Complete, reply: Callable[[Reply], None], cancelled: threading.Event) -> None:
        """Read in the gaps between answers; what was read before a gap ended stays read."""
        counted: list[Reply] = []

        def stopped() -> bool:
            return cancelled.is_set() or self._crossing.busy.is_set()

        while not counted and not cancelled.is_set():
            if self._crossing.wait_clear(0.1):
                self._on_slot(request, counted.append, cancelled, stopped)
        for one in counted:
            reply(one)

    def _run(self, request: Complete, slot: int, reply: Callable[[Reply], None], stopped: Callable[[], bool]) -> None:
        if stopped():
            return
        failure: list[Any] = []
        timings: dict[str, Any] = {}

        def on_event(event: Any) -> bool:
            for part in event if isinstance(event, list) else [event]:
                if "error" in part:
                    failure.append(part["error"])
                timings.update(part.get("timings") or {})
                for choice in part.get("choices", ()):
                    if choice.get("text"):
                        reply(Piece(text=choice["text"]))
            return stopped()

        body: dict[str, Any] = {"prompt": request.prompt, "max_tokens": request.max_tokens, "id_slot": slot}
        body |= {"n_predict": request.max_tokens, "temperature": 0, "cache_prompt": True, "stream": True}
        body["return_progress"] = True
        if request.grammar:
            body["grammar"] = request.grammar
        begun = time.monotonic()
        answer = self._server.handle_completions(body, on_event)
        if isinstance(answer, dict) and "error" in answer:
            failure.append(answer["error"])
        if failure and not stopped():
            message = failure[0].get("message", failure[0]) if isinstance(failure[0], dict) else failure[0]
            raise ModelError(f"The local language model refused the request: {message}", retryable=False)
        if "prompt_n" not in timings:
            return
        new, cached, written = (int(timings.get(key, 0)) for key in ("prompt_n", "cache_n", "predicted_n"))
        seconds = time.monotonic() - begun
        logger.info("slot %d: read %d tokens after %d, wrote %d, %.1f s", slot, new, cached, written, seconds)
        reply(Counted(prompt_tokens=new + cached, cached_tokens=cached, completion_tokens=written))


def _niced(make: Callable[[], Any]) -> Any:
    """Call ``make`` in a thread of lower rank: the threads that it starts inherit the rank (Linux)."""
    made: list[Any] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            if hasattr(os, "setpriority") and os.name == "posix":
                me = threading.get_native_id()
                os.setpriority(os.PRIO_PROCESS, me, os.getpriority(os.PRIO_PROCESS, me) + NICENESS)
            made.append(make())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="llama-load")
    thread.start()
    thread.join()
    if failed:
        raise ModelError(f"The local language model cannot be loaded: {failed[0]}", retryable=False) from failed[0]
    return made[0]
