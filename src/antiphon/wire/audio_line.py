"""The caller's audio on its way to a recogniser: what was sent, what no final has covered yet, and when it was said.

Owns the order of frames, their place on the socket's time line and the way back from there to the capture clock. It keeps
the frames that it was given, never a copy of their samples. It sends nothing.
"""

from __future__ import annotations

from collections import deque

import msgspec

from antiphon.audio.frames import AudioFrame, TimedWord
from antiphon.models.speech_codec import HeardWord

KEPT = 15.0
"""Seconds of audio kept for a socket that may be lost."""
LEAD = 0.5
"""Seconds of sound before speech that are sent again with it."""
GAP = 0.02
"""Seconds between two frames from which on they do not follow each other."""


class Chunk(msgspec.Struct, frozen=True):
    """Audio to send next, whole frames. ``seconds``: of all of them. ``flush``: the caller has probably finished with it.
    ``end``: it is the last."""

    frames: tuple[AudioFrame, ...] = ()
    seconds: float = 0.0
    flush: bool = False
    end: bool = False


class TimeLine:
    """The audio of one socket: where its seconds lie on the capture clock. ``sent``: seconds it was given."""

    def __init__(self) -> None:
        self.sent = 0.0
        self._marks: deque[tuple[float, float]] = deque()

    def add(self, frame: AudioFrame) -> None:
        if self._marks:
            sent, at = self._marks[-1]
            follows = abs(at + self.sent - sent - frame.at) <= GAP
        else:
            follows = False
        if not follows:
            self._marks.append((self.sent, frame.at))
            if len(self._marks) > 256:
                self._marks.popleft()
        self.sent += frame.duration

    def add_silence(self, seconds: float) -> None:
        """The socket was given silence that nobody captured."""
        self.sent += seconds

    def captured(self, seconds: float) -> float:
        """The capture time of a moment of the socket's audio."""
        found = self._marks[0] if self._marks else (0.0, 0.0)
        for mark in reversed(self._marks):
            if mark[0] <= seconds + 1e-6:
                found = mark
                break
        return found[1] + seconds - found[0]

    def words(self, words: tuple[HeardWord, ...], start: float) -> tuple[TimedWord, ...]:
        """Words with their times on the capture clock, counted from ``start``."""
        mark, at = self._marks[-1] if self._marks else (0.0, 0.0)
        shift = at - mark - start
        return tuple(
            [
                TimedWord(word.text, word.start + shift, word.end + shift)
                if mark <= word.start <= word.end
                else TimedWord(word.text, self.captured(word.start) - start, self.captured(word.end) - start)
                for word in words
            ]
        )


class AudioLine:
    """Frames in; chunks out, again after ``rewind``."""

    def __init__(self) -> None:
        self._frames: deque[AudioFrame] = deque()
        self._next = 0
        self._held = 0.0
        self._ended = False
        self.times = TimeLine()
        """Of the present socket."""
        self.waiting = 0.0
        """Seconds that were not taken yet."""
        self._lost = 0.0
        self.silence = 0.0
        """Seconds since the last speech that was put in."""

    # --- in ------------------------------------------------------------------------------------------------------------

    def put(self, frame: AudioFrame) -> None:
        seconds = frame.duration
        self._frames.append(frame)
        self._held += seconds
        self.waiting += seconds
        if not frame.flush:
            self.silence = 0.0 if frame.speech else self.silence + seconds
        while self._held > KEPT:
            self._drop_first()

    def end(self) -> None:
        self._ended = True

    # --- out -----------------------------------------------------------------------------------------------------------

    def take(self, least: float) -> Chunk | None:
        """The next ``least`` seconds or more; less where a flush mark or the end follows; ``None``: not so much yet."""
        taken: list[AudioFrame] = []
        seconds = 0.0
        for number in range(self._next, len(self._frames)):
            frame = self._frames[number]
            if frame.flush:
                return self._took(taken, seconds, extra=1, flush=True)
            taken.append(frame)
            seconds += frame.duration
            if seconds >= least - 1e-6:
                return self._took(taken, seconds)
        if self._ended:
            return self._took(taken, seconds, end=True)
        return None

    def take_rest(self) -> Chunk | None:
        """What waits although it is little; ``None``: nothing does."""
        return self.take(1e-3) if self._next < len(self._frames) else None

    def _took(
        self, taken: list[AudioFrame], seconds: float, *, extra: int = 0, flush: bool = False, end: bool = False
    ) -> Chunk:
        self._next += len(taken) + extra
        self.waiting -= seconds
        for frame in taken:
            self.times.add(frame)
        return Chunk(tuple(taken), seconds, flush, end)

    # --- back ----------------------------------------------------------------------------------------------------------

    def covered(self, until: float) -> bool:
        """Audio captured before ``until`` need not be sent again. Whether there was any, other than silence."""
        heard = False
        while self._next and self._frames[0].at + self._frames[0].duration <= until + 1e-3:
            heard = heard or (self._frames[0].speech is not False and not self._frames[0].flush)
            self._drop_first()
        return heard

    def rewind(self) -> float:
        """Another socket begins: everything not covered is to be sent again, but for silence that nothing follows.
        Returns the seconds of it that had been sent before."""
        while self._next and self._idle():
            self._drop_first()
        again = sum(frame.duration for frame in self._from(0, self._next))
        self._next, self.times = 0, TimeLine()
        self.waiting = sum(frame.duration for frame in self._frames)
        return again

    def take_lost(self) -> float:
        """Seconds that were dropped before any socket had taken them; forgets them."""
        lost, self._lost = self._lost, 0.0
        return lost

    def hand_over(self) -> None:
        """Another socket goes on where this one stopped, and counts from zero."""
        self.times = TimeLine()
        while self._next:
            self._drop_first()

    @property
    def speech_left(self) -> bool:
        """Whether there is speech that no final has covered."""
        return any(frame.speech for frame in self._frames)

    @property
    def first_at(self) -> float:
        """Capture time of the oldest audio kept; infinite where there is none."""
        return next((frame.at for frame in self._frames if not frame.flush), float("inf"))

    def _idle(self) -> bool:
        """Whether the oldest frame is silence that is far from any speech."""
        first = self._frames[0]
        if first.flush:
            return True
        if first.speech is not False:
            return False
        speech = next((frame.at for frame in self._frames if frame.speech is not False and not frame.flush), None)
        end = self._frames[-1].at if speech is None else speech
        return end - first.at > LEAD

    def _from(self, start: int, stop: int | None = None) -> list[AudioFrame]:
        frames = self._frames
        return [frames[n] for n in range(start, len(frames) if stop is None else stop)]

    def _drop_first(self) -> None:
        frame = self._frames.popleft()
        self._held -= frame.duration
        if self._next:
            self._next -= 1
        else:
            self.waiting -= frame.duration
            self._lost += frame.duration
