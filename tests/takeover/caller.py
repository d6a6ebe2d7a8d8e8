"""The campaign's caller, a leg of the real media process: speaks turns and waits for the last word of each answer. What it heard and did is
on a file, from which another one goes on where the media process was killed (``tests.takeover.caller:make_leg``)."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from antiphon.audio.frames import AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.testing.ear import Ear
from antiphon.transport.symbolic import SymbolicLeg
from tests.takeover.diary import Diary, read
from tests.takeover.words import answer, plain

PATIENCE = 15.0
"""Seconds of silence after which a caller asks again, and after as many more hangs up."""
ENOUGH = 3.0
"""Seconds of silence behind a last word that was broken off with its line, until the caller takes it as heard."""
WORD = 0.25
LOOK_EVERY = STEP = 0.02


class CallerLeg(SymbolicLeg):
    """``turns``: what kind each is; ``leave``: the caller hangs up somewhere in the answer. Words are noted as (text, process that made it, when it did)."""

    def __init__(self, record: Path, turns: Sequence[str], seed: int) -> None:
        super().__init__(ack_delay=0.04)
        self._before = read(record)
        self._diary = Diary(record)
        self._turns = turns
        self._chance = random.Random(seed)
        self._ear = Ear(0.0)
        self._noted = 0
        self._turn = 0
        self._until = 0.0
        """When the caller falls silent."""
        self._pause = self._chance.uniform(0.3, 0.9)
        self._answered: float | None = None
        self._since = 0.0
        self._leaves = float("inf")
        self._torn = False
        """The line broke behind the last word but one: of the last one enough may have been heard."""
        self._asked_again = self._silent = self._gone = False

    # --- the plane's side ----------------------------------------------------------------------------------------------

    def open(self, now: float) -> None:
        super().open(on_grid(now))
        self._since = self._until = now
        self._diary.note("up", again=bool(self._before))
        self._goes_on(now)

    def events(self, now: float) -> Sequence[LegEvent]:
        found = super().events(now)
        self._note_words(now)
        if not self._gone:
            self._think(now)
        return found

    def play(self, now: float, frame: AudioFrame) -> None:
        before = len(self.heard_runs)
        super().play(now, frame)
        if len(self.heard_runs) > before:
            self._ear.hear(now, frame)
            self._note_words(now)

    def capture(self, now: float) -> Sequence[AudioFrame]:
        return super().capture(on_grid(now))

    def next_wake(self, now: float) -> float:
        return now + LOOK_EVERY

    def close(self) -> None:
        self._note_words(float("inf"))
        self._diary.note("closed")
        super().close()

    # --- the person ----------------------------------------------------------------------------------------------------

    def _goes_on(self, now: float) -> None:
        """The line broke: where we were."""
        said = [line for line in self._before if line["kind"] == "said"]
        if said:
            last = said[-1]
            self._turn, self._asked_again = last["turn"], last["text"].endswith("again")
            self._silent = True
            if not any(line["kind"] == "silent" and line["turn"] == self._turn for line in self._before):
                self._says(now, last["text"])
            self._may_leave()
        if any(line["kind"] == "hung_up" for line in self._before):
            self._gone = True
            self.hangup(now)
        if any(
            line["kind"] == "word" and line["whole"] and plain(line["text"]) == self._last_word for line in self._before
        ):
            self._answered = now

        heard = [plain(line["text"]) for line in self._before if line["kind"] == "word" and line["whole"]]
        before_last = plain(answer(self._turn)[-2]) if self._turn else "g3"
        self._torn = bool(heard) and heard[-1] == before_last

    @property
    def _last_word(self) -> str:
        """The word that the caller waits for."""
        return plain(answer(self._turn)[-1]) if self._turn else "gz"

    def _note_words(self, now: float) -> None:
        words = self._ear.words
        while self._noted < len(words):
            word = words[self._noted]
            if not word.whole and self._noted == len(words) - 1 and now < word.end + 0.5:
                return
            self._noted += 1
            text, pid, made = (*word.text.split("@"), "0", "0")[:3]
            self._diary.note(
                "word", text=text, by=int(pid), made=float(made), start=word.start, end=word.end, whole=word.whole
            )
            self._since = word.end
            if word.whole and plain(text) == self._last_word and self._answered is None:
                self._answered = word.end

    def _think(self, now: float) -> None:
        if now < self._until:
            return
        if self._turn and not self._silent:
            self._silent = True
            self._diary.note("silent", turn=self._turn)
        if now >= self._leaves:
            self._hangs_up(now, "left")
        elif self._answered is not None and now >= self._answered + self._pause:
            self._next(now)
        elif self._answered is None and self._torn and now > self._since + ENOUGH:
            self._answered = now
        elif self._answered is None and now > max(self._since, self._until) + PATIENCE:
            self._loses_patience(now)

    def _next(self, now: float) -> None:
        if self._turn == len(self._turns):
            self._hangs_up(now, "done")
            return
        self._turn += 1
        self._answered, self._asked_again = None, False
        self._pause = self._chance.uniform(0.3, 0.9)
        kind = self._turns[self._turn - 1]
        self._says(now, f"turn {self._turn} {'tell' if kind == 'leave' else kind}")
        self._may_leave()

    def _may_leave(self) -> None:
        if self._turns[self._turn - 1] == "leave":
            self._leaves = self._until + self._chance.uniform(0.2, 4.0)

    def _says(self, now: float, text: str) -> None:
        seconds = len(text.split()) * WORD
        self.say(text, seconds, on_grid(now) + STEP)
        self._until, self._silent = now + seconds + STEP, False
        self._diary.note("said", turn=self._turn, text=text, until=self._until)

    def _loses_patience(self, now: float) -> None:
        self._diary.note("unanswered", turn=self._turn)
        if self._asked_again or not self._turn:
            self._hangs_up(now, "gave up")
            return
        self._asked_again = True
        self._since = now
        self._says(now, f"turn {self._turn} again")

    def _hangs_up(self, now: float, why: str) -> None:
        self._gone = True
        self._diary.note("hung_up", why=why)
        self.hangup(now)


def on_grid(now: float) -> float:
    """The last step before ``now``: frames of whole steps, so that their sound joins to the sample."""
    return math.floor(now / STEP + 1e-6) * STEP


def make_leg(options: Mapping[str, Any]) -> CallerLeg:
    """``record``: the caller's file; ``turns``; ``seed``."""
    return CallerLeg(Path(options["record"]), list(options["turns"]), int(options["seed"]))
