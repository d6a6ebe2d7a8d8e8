"""The media plane's pure core: many lines, one tick, voice activity asked once for all of them.

``advance(now)`` does all that is due and says when it wants to be called again. It reads no clock, sleeps nowhere and
starts no thread; drivers do that. A line that fails is closed and reported, the others go on.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable

import numpy as np

from antiphon.audio.leg import LegFactory
from antiphon.audio.line import Line
from antiphon.audio.seam import AnyToPlane, AttachLine, CloseLine, FromPlane, LineClosed, LineDown, LineError, OpenLine
from antiphon.errors import AntiphonError
from antiphon.models.vad import VADModel

LegLookup = Callable[[str], LegFactory]
"""From a transport's name to its factory; raises ``ConfigurationError`` for a name nobody knows."""

_MOST_WAITING = 20_000
_LATE = 0.01
_SOON = 1e-4


def registered_legs(name: str) -> LegFactory:
    """The transports that the installed package serves."""
    lookup: LegLookup = importlib.import_module("antiphon.transport").leg_factory
    return lookup(name)


class Plane:
    """``vad_model``: judges PCM lines (``None``: no verdicts, no edges); ``legs``: where legs come from."""

    def __init__(self, vad_model: VADModel | None = None, legs: LegLookup = registered_legs) -> None:
        self._model = vad_model
        self._legs = legs
        self._lines: dict[str, Line] = {}
        self._inbox: dict[str, list[AnyToPlane]] = {}
        self._refused: dict[str, int] = {}

    @property
    def lines(self) -> int:
        """Open lines."""
        return len(self._lines)

    def __contains__(self, line: str) -> bool:
        """Whether ``line`` is open."""
        return line in self._lines

    def receive(self, messages: Iterable[AnyToPlane]) -> None:
        """Keep messages for the next ``advance``, in order."""
        for message in messages:
            box = self._inbox.setdefault(message.line, [])
            if len(box) < _MOST_WAITING or isinstance(message, CloseLine):
                box.append(message)
            else:
                self._refused[message.line] = self._refused.get(message.line, 0) + 1

    def touch(self, line: str) -> None:
        """Look at ``line`` at the next ``advance`` although it asked for a later one."""
        if line in self._lines:
            self._inbox.setdefault(line, [])

    def advance(self, now: float) -> tuple[list[FromPlane], float | None]:
        """All that is due at ``now``. Returns what the lines say and when to call again (``None``: when a message
        has come)."""
        out: list[FromPlane] = []
        asked, self._inbox = self._inbox, {}
        for name, messages in asked.items():
            self._deliver(now, name, messages, out)
        due = [line for name, line in self._lines.items() if name in asked or line.wake <= now + _SOON]
        live = [line for line in due if self._guard(now, line, self._send, out)]
        hearing = [line for line in live if line.leg.symbolic or line.wake <= now + _SOON]
        hearing = [line for line in hearing if self._guard(now, line, Line.listen, out)]
        try:
            self._judge(hearing)
        except Exception as error:
            self._model = None
            for name, line in self._lines.items():
                line.ear.give_up_judging()
                out.append(_deaf(name, now, error))
        for line in live:
            if line.name in self._lines and self._guard(now, line, Line.report, out):
                out.extend(line.out)
                line.out.clear()
        wake = min((line.wake for line in self._lines.values()), default=float("inf"))
        return out, None if wake == float("inf") else wake

    def close(self, now: float) -> list[FromPlane]:
        """Close every line."""
        out: list[FromPlane] = []
        for line in list(self._lines.values()):
            self._close(now, line, out)
        return out

    def _deliver(self, now: float, name: str, messages: list[AnyToPlane], out: list[FromPlane]) -> None:
        batch: list[AnyToPlane] = []
        for message in messages:
            if isinstance(message, OpenLine):
                self._open(now, message, out)
            elif isinstance(message, CloseLine):
                line = self._lines.get(name)
                if line is None:
                    out.append(LineClosed(line=name, at=now))
                    continue
                if self._take(now, line, batch, out):
                    self._close(now, line, out)
                batch = []
            elif isinstance(message, AttachLine) and name not in self._lines:
                out.append(no_such_line(name, now))
            else:
                batch.append(message)
        line = self._lines.get(name)
        if line is not None and batch:
            self._take(now, line, batch, out)

    def _open(self, now: float, message: OpenLine, out: list[FromPlane]) -> None:
        if message.line in self._lines:
            out.append(LineError(line=message.line, at=now, error=f"The line {message.line!r} is open already."))
            return
        try:
            leg = self._legs(message.leg.transport)(message.leg.options)
            self._lines[message.line] = Line(message.line, leg, message.config, self._model, now)
        except Exception as error:
            out.append(_failure(message.line, now, error))

    def _take(self, now: float, line: Line, batch: list[AnyToPlane], out: list[FromPlane]) -> bool:
        return self._guard(now, line, lambda each, at: each.take(at, batch), out)

    def _send(self, line: Line, now: float) -> None:
        if line.wake != float("inf") and now > line.wake + _LATE and not line.leg.symbolic:
            line.count("late_ticks")
        line.send(now)

    def _judge(self, lines: list[Line]) -> None:
        """Windows of all lines, one call a round, until none has a window left."""
        while self._model is not None:
            asking = [(line.ear, window) for line in lines if (window := line.ear.next_window()) is not None]
            if not asking:
                return
            windows = np.stack([window for _, window in asking])
            states = np.stack([ear.state for ear, _ in asking if ear.state is not None])
            chances, states = self._model.predict(windows, states)
            for index, (ear, _) in enumerate(asking):
                ear.state = states[index]
                ear.judged(float(chances[index]))
            lines = [line for line in lines if line.ear in {ear for ear, _ in asking}]
        for line in lines:
            line.ear.next_window()

    def _guard(self, now: float, line: Line, act: Callable[[Line, float], None], out: list[FromPlane]) -> bool:
        """Do it; a line that raises is reported and closed."""
        try:
            act(line, now)
        except Exception as error:
            out.extend(line.out)
            line.out.clear()
            out.append(_failure(line.name, now, error))
            out.append(LineDown(line=line.name, at=now, reason="error", certain=True))
            self._close(now, line, out)
            return False
        return True

    def _close(self, now: float, line: Line, out: list[FromPlane]) -> None:
        if refused := self._refused.pop(line.name, 0):
            line.count("messages_refused", refused)
        line.close(now)
        out.extend(line.out)
        self._lines.pop(line.name, None)


def no_such_line(line: str, now: float) -> LineError:
    """The answer to an ``AttachLine`` that came too late, or to the wrong plane."""
    hint = "It has ended, or its plane has: go on with a new one."
    return LineError(line=line, at=now, error=f"There is no line {line!r}.", hint=hint, fatal=True)


def _deaf(line: str, now: float, error: Exception) -> LineError:
    text = f"Voice activity detection failed: {type(error).__name__}: {error}"
    return LineError(line=line, at=now, error=text, hint="Turns end by the recogniser's or the provider's word only.")


def _failure(line: str, now: float, error: Exception) -> LineError:
    if isinstance(error, AntiphonError):
        return LineError(line=line, at=now, error=error.message, hint=error.hint, fatal=True)
    hint = "This is a fault in the transport or in the plane."
    return LineError(line=line, at=now, error=f"{type(error).__name__}: {error}", hint=hint, fatal=True)
