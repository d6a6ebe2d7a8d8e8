"""The simulator's leg: sound with a length and a meaning, no samples. Driven by a test, in the plane's process.

A test says what the caller does and when; the leg keeps what the caller heard and when. It asks to be woken only when
something happens, so a simulated call skips the time in between.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame, Symbol
from antiphon.audio.leg import LegEvent

SOUND_STEP = 0.1
"""Seconds of caller sound in a frame: how finely an STT sees an utterance grow."""

_EPSILON = 1e-6


class HeardRun(NamedTuple):
    """A stretch that reached the caller: ``at`` is when it began to sound (seconds of the plane's clock).
    ``samples`` at ``PLAY_RATE``; ``data`` is PCM where the agent sent PCM."""

    at: float
    samples: int
    symbol: Symbol | None
    segment: int
    data: bytes

    @property
    def seconds(self) -> float:
        """Length."""
        return self.samples / PLAY_RATE


class _Utterance(NamedTuple):
    start: float
    end: float
    order: int
    kind: Literal["speech", "noise"]
    text: str


class SymbolicLeg:
    """One simulated party.

    ``answer_at``: when the leg comes up (``None``: as it opens). All ``at`` are on the plane's clock, and default to
    as soon as the plane looks. Faults: ``ack_delay`` (s), ``stop_acks()``, ``stop_accepting()``, ``vanish()``.
    """

    in_rate = EAR_RATE
    out_rate = PLAY_RATE
    symbolic = True
    needs_aec = False

    def __init__(
        self,
        *,
        quality: Literal["peer", "device", "paced", "estimated"] = "peer",
        ack_delay: float = 0.0,
        answer_at: float | None = None,
    ) -> None:
        self.quality: Literal["peer", "device", "paced", "estimated"] = quality
        self.ack_delay = ack_delay
        self.heard_runs: list[HeardRun] = []
        """What reached the caller, in order."""
        self.sent_digits = ""
        """Digits that the agent pressed."""
        self.on_change: Callable[[], None] | None = None
        """Called after each thing a test makes the caller do (``InlinePlane.poke``)."""
        self.closed = False
        self.opened_at = 0.0
        self._answer_at = answer_at
        self._events: list[tuple[float, int, LegEvent]] = []
        self._utterances: list[_Utterance] = []
        self._order = 0
        self._now = 0.0
        self._captured_to = 0.0
        self._last = 0
        self._total = 0
        self._acked = 0
        self._accepting_until = float("inf")
        self._acking_until = float("inf")
        self._gone_at = float("inf")

    # --- what the caller does (called by tests) ----------------------------------------------------------------

    def say(self, text: str, seconds: float, at: float | None = None) -> None:
        """Speak ``text`` for so long. An empty text is a sound like speech without words (a cough, a hum)."""
        self._utter("speech", text, seconds, at)

    def noise(self, seconds: float, at: float | None = None, text: str = "") -> None:
        """A noise that no voice detector takes for speech."""
        self._utter("noise", text, seconds, at)

    def digits(self, digits: str, at: float | None = None) -> None:
        """Press keys."""
        self._happen(LegEvent("dtmf", digits), at)

    def text(self, text: str, at: float | None = None) -> None:
        """Write a message."""
        self._happen(LegEvent("text", text), at)

    def hush(self, at: float | None = None) -> None:
        """Stop speaking: what is being said ends here, what was to come is not said."""
        moment = self._now if at is None else at
        self._utterances = [
            each._replace(end=min(each.end, moment)) for each in self._utterances if each.start < moment
        ]
        self._changed()

    def hangup(self, at: float | None = None) -> None:
        """Hang up, properly."""
        self._gone_at = min(self._gone_at, self._now if at is None else at)
        self._happen(LegEvent("down", "hangup"), at)

    def vanish(self, at: float | None = None, noticed_after: float = 5.0) -> None:
        """Be gone without a word; the transport notices after so many seconds."""
        moment = self._now if at is None else at
        self._gone_at = min(self._gone_at, moment)
        self._happen(LegEvent("down", "vanished", certain=False), moment + noticed_after)

    def come_back(self, at: float | None = None) -> None:
        """A party that vanished is there again."""
        self._happen(LegEvent("up"), at)

    def stop_acks(self, at: float | None = None) -> None:
        """Hear on, acknowledge no more."""
        self._acking_until = self._now if at is None else at
        self._changed()

    def stop_accepting(self, at: float | None = None) -> None:
        """Take no more sound (a stalled device): nothing sent from then on is heard."""
        self._accepting_until = self._now if at is None else at
        self._changed()

    # --- the plane's side --------------------------------------------------------------------------------------

    def open(self, now: float) -> None:
        self.opened_at = self._now = self._captured_to = now
        self._happen(LegEvent("up"), self._answer_at)

    def events(self, now: float) -> Sequence[LegEvent]:
        self._now = max(self._now, now)
        due: list[LegEvent] = []
        while self._events and self._events[0][0] <= now + _EPSILON:
            event = heapq.heappop(self._events)[2]
            if event.kind == "up":
                self._gone_at = float("inf")
                self._captured_to = max(self._captured_to, now)
            due.append(event)
        return due

    def capture(self, now: float) -> Sequence[AudioFrame]:
        """A change of sound at this very moment comes as a frame without length, so that the detector's times are
        exact."""
        frames: list[AudioFrame] = []
        until = min(now, self._gone_at)
        while self._captured_to < until - _EPSILON:
            start = self._captured_to
            sounding = self._sounding(start)
            if sounding is None:
                upcoming = [each.start for each in self._utterances if each.start > start + _EPSILON]
                end = min([until, *upcoming])
                symbol = Symbol("silence")
            else:
                end = min(until, sounding.end)
                symbol = Symbol(sounding.kind, sounding.text, start - sounding.start, sounding.end - sounding.start)
            first, last = round(start * EAR_RATE), round(end * EAR_RATE)
            frames.append(AudioFrame(b"", EAR_RATE, last - first, at=start, symbol=symbol))
            self._captured_to = end
            self._last = sounding.order if sounding else 0
        self._captured_to = max(self._captured_to, until if self._gone_at > now else now)
        sounding = self._sounding(now) if self._gone_at > now else None
        if (sounding.order if sounding else 0) != self._last:
            self._last = sounding.order if sounding else 0
            symbol = Symbol(sounding.kind, sounding.text) if sounding else Symbol("silence")
            frames.append(AudioFrame(b"", EAR_RATE, 0, at=now, symbol=symbol))
        self._utterances = [each for each in self._utterances if each.end > self._captured_to + _EPSILON]
        return frames

    def play(self, now: float, frame: AudioFrame) -> None:
        samples = frame.samples
        limit = min(self._accepting_until, self._gone_at)
        taken = samples if limit == float("inf") else max(0, min(samples, round((limit - now) * PLAY_RATE)))
        if taken:
            self._total += taken
            self.heard_runs.append(
                HeardRun(now, taken, frame.symbol, frame.segment, frame.data[: 2 * taken] if frame.data else b"")
            )

    def flush(self, now: float) -> int:
        return 0

    def heard(self, now: float) -> int:
        moment = min(now - self.ack_delay, self._acking_until)
        if self.ack_delay == 0 and self._acking_until == float("inf"):
            self._acked = self._total
            return self._total
        count = self._total
        for run in reversed(self.heard_runs):
            if run.at + run.seconds <= moment + _EPSILON:
                break
            count -= run.samples - max(0, min(run.samples, round((moment - run.at) * PLAY_RATE)))
        self._acked = max(self._acked, count)
        return self._acked

    def send_digits(self, digits: str) -> None:
        self.sent_digits += digits

    def next_wake(self, now: float) -> float | None:
        wakes = [float("inf")]
        if self._events:
            wakes.append(self._events[0][0])
        if self._gone_at > now:
            for each in self._utterances:
                if each.start > now + _EPSILON:
                    wakes.append(each.start)
                else:
                    wakes.append(min(each.end, now + SOUND_STEP))
        if self._acked < self._total and self._acking_until > now and self.heard_runs:
            last = self.heard_runs[-1]
            wakes.append(max(now + SOUND_STEP, last.at + last.seconds + self.ack_delay))
        return min(wakes)

    def close(self) -> None:
        self.closed = True

    def _utter(self, kind: Literal["speech", "noise"], text: str, seconds: float, at: float | None) -> None:
        start = max(self._captured_to, self._now if at is None else at)
        self._order += 1
        self._utterances.append(_Utterance(start, start + seconds, self._order, kind, text))
        self._changed()

    def _happen(self, event: LegEvent, at: float | None) -> None:
        self._order += 1
        heapq.heappush(self._events, (self._now if at is None else at, self._order, event))
        self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _sounding(self, at: float) -> _Utterance | None:
        now = [each for each in self._utterances if each.start <= at + _EPSILON < each.end]
        speech = [each for each in now if each.kind == "speech"]
        return max(speech or now, key=lambda each: each.order, default=None)
