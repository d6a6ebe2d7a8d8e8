"""The playback ledger: which samples of which speech the far end has heard.

Counts samples and never touches PCM. Everything sent to a leg lies on one play timeline (samples at ``PLAY_RATE``);
the leg counts in samples at its own rate. A *burst* is a stretch sent without a break, inside which the two counts are
exactly proportional. Owns no clock: what was heard is what the leg says.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from antiphon.audio.frames import PLAY_RATE


@dataclass(slots=True)
class Run:
    """``samples`` of ``speech`` from ``position`` on, at ``start`` on the play timeline (``speech`` empty: other
    sound)."""

    start: int
    samples: int
    speech: str
    position: int


class Ledger:
    """One leg's account. ``out_rate``: Hz of the leg's counts."""

    def __init__(self, out_rate: int) -> None:
        self._out_rate = out_rate
        self._runs: deque[Run] = deque()
        self._bursts: deque[tuple[int, int]] = deque([(0, 0)])
        self._heard: dict[str, int] = {}
        self.sent = 0
        """Samples on the play timeline."""
        self.sent_out = 0
        """Samples handed to the leg, at its rate."""

    def add(self, speech: str, position: int, samples: int) -> None:
        """These samples follow on the play timeline."""
        if speech:
            last = self._runs[-1] if self._runs else None
            if (
                last is not None
                and last.speech == speech
                and last.start + last.samples == self.sent
                and last.position + last.samples == position
            ):
                last.samples += samples
            else:
                self._runs.append(Run(self.sent, samples, speech, position))
        self.sent += samples

    def add_out(self, samples: int) -> None:
        """The leg was given this many samples at its rate."""
        self.sent_out += samples

    def begin_burst(self) -> None:
        """What is added from here on is a new burst."""
        if self._bursts[-1] != (self.sent_out, self.sent):
            self._bursts.append((self.sent_out, self.sent))

    def drop(self, samples_out: int) -> list[tuple[str, int]]:
        """The leg has thrown away the last ``samples_out`` it was given; samples added and not yet handed over go as
        well. Returns, latest first, the speeches affected and the position from which each was not sent."""
        self.sent_out -= samples_out
        cut = self._to_play(self.sent_out)
        back: list[tuple[str, int]] = []
        while self._runs and self._runs[-1].start + self._runs[-1].samples > cut:
            run = self._runs[-1]
            keep = max(0, cut - run.start)
            back.append((run.speech, run.position + keep))
            if keep:
                run.samples = keep
                break
            self._runs.pop()
        self.sent = cut
        while len(self._bursts) > 1 and self._bursts[-1][0] >= self.sent_out:
            self._bursts.pop()
        self.begin_burst()
        return back

    def hear(self, samples_out: int) -> None:
        """The leg says that so many samples have been heard since it opened."""
        heard = self._to_play(min(samples_out, self.sent_out))
        while self._runs and self._runs[0].start < heard:
            run = self._runs[0]
            count = min(run.samples, heard - run.start)
            position = run.position + count
            if position > self._heard.get(run.speech, 0):
                self._heard[run.speech] = position
            if count < run.samples:
                break
            self._runs.popleft()
        while len(self._bursts) > 1 and self._bursts[1][0] <= samples_out:
            self._bursts.popleft()

    def position(self, speech: str) -> int:
        """How far ``speech`` has been heard, in samples at ``PLAY_RATE``."""
        return self._heard.get(speech, 0)

    def pending(self, speech: str) -> bool:
        """Samples of ``speech`` are on their way and not known to have been heard."""
        return any(run.speech == speech for run in self._runs)

    def forget(self, speech: str) -> None:
        """The speech is settled."""
        self._heard.pop(speech, None)
        if self.pending(speech):
            for run in self._runs:
                if run.speech == speech:
                    run.speech = ""

    def _to_play(self, out: int) -> int:
        end = self.sent
        for base_out, base_play in reversed(self._bursts):
            if base_out <= out:
                return min(end, base_play + (out - base_out) * PLAY_RATE // self._out_rate)
            end = base_play
        return 0
