"""The person at this machine: microphone and loudspeaker through PortAudio (the sounddevice package).

PortAudio's threads fill and empty two bounded rings; the plane looks at them once a tick. What was heard is what the
device took, less its own delay. Echo is cancelled in the plane.
"""

from __future__ import annotations

import importlib
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from antiphon.audio import driver
from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.errors import AudioError

_BLOCKS_A_SECOND = 50
_MOST_INPUT_BLOCKS = 100
_MOST_OUTPUT_SECONDS = 2.0
_MOST_TAKEN = 200
_DRIFT = 0.0005
_STALL = 0.3
_INSTEAD = "Without a device use: console --wav FILE, or console --text."


class _Taken(NamedTuple):
    """Samples that the device took in one go, and when the first of them sounds."""

    sounds_at: float
    samples: int


class ConsoleLeg:
    """``input`` / ``output``: index of the device, or part of its name (``None``: the system's choice). ``aec``: cancel
    the loudspeaker's echo (not needed with a headset)."""

    quality: Literal["peer", "device", "paced", "estimated"] = "device"
    symbolic = False

    def __init__(
        self,
        *,
        input: int | str | None = None,
        output: int | str | None = None,
        aec: bool = True,
    ) -> None:
        self._library = _library()
        self._input, self.in_rate = _settings(self._library, "input", input, EAR_RATE)
        self._output, self.out_rate = _settings(self._library, "output", output, PLAY_RATE)
        self.needs_aec = aec
        self._lock = threading.Lock()
        self._events: deque[LegEvent] = deque()
        self._captured: deque[AudioFrame] = deque()
        self._begin = float("inf")
        self._taken_in = 0
        self._waiting = bytearray()
        self._taken: deque[_Taken] = deque()
        self._heard = 0
        self._streams: list[Any] = []
        self._closing = False

    def open(self, now: float) -> None:
        try:
            for kind, device, rate, callback in (
                (self._library.RawInputStream, self._input, self.in_rate, self._on_input),
                (self._library.RawOutputStream, self._output, self.out_rate, self._on_output),
            ):
                stream = kind(
                    samplerate=rate,
                    blocksize=rate // _BLOCKS_A_SECOND,
                    device=device,
                    channels=1,
                    dtype="int16",
                    latency="low",
                    callback=callback,
                    finished_callback=self._on_finished,
                )
                self._streams.append(stream)
                stream.start()
        except self._library.PortAudioError as error:
            self.close()
            raise AudioError(f"The audio device cannot be opened: {error}.", hint=_INSTEAD) from error
        self._events.append(LegEvent("up"))

    def events(self, now: float) -> Sequence[LegEvent]:
        due = list(self._events)
        self._events.clear()
        return due

    def capture(self, now: float) -> Sequence[AudioFrame]:
        frames = []
        while self._captured:
            frames.append(self._captured.popleft())
        return frames

    def play(self, now: float, frame: AudioFrame) -> None:
        with self._lock:
            if len(self._waiting) < 2 * self.out_rate * _MOST_OUTPUT_SECONDS:
                self._waiting += frame.data

    def flush(self, now: float) -> int:
        with self._lock:
            dropped = len(self._waiting) // 2
            self._waiting.clear()
        return dropped

    def heard(self, now: float) -> int:
        with self._lock:
            while self._taken:
                first = self._taken[0]
                if first.sounds_at + first.samples / self.out_rate > now:
                    break
                self._heard += first.samples
                self._taken.popleft()
            partly = 0
            if self._taken:
                first = self._taken[0]
                partly = max(0, min(first.samples, int((now - first.sounds_at) * self.out_rate)))
            return self._heard + partly

    def send_digits(self, digits: str) -> None:
        """A loudspeaker takes no digits."""

    def next_wake(self, now: float) -> float | None:
        return None

    def close(self) -> None:
        self._closing = True
        for stream in self._streams:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
        self._streams.clear()

    # --- in PortAudio's threads --------------------------------------------------------------------------------

    def _on_input(self, data: Any, samples: int, time: Any, status: Any) -> None:
        """Blocks come late at times and never early, and not every driver knows when it captured: the stream's begin
        is taken from the blocks that came soonest."""
        if len(self._captured) >= _MOST_INPUT_BLOCKS:
            self._captured.popleft()
        begin = driver.now() - (self._taken_in + samples) / self.in_rate
        if begin < self._begin or begin > self._begin + _STALL:
            self._begin = begin
        else:
            self._begin += _DRIFT * samples / self.in_rate
        at = self._begin + self._taken_in / self.in_rate
        self._taken_in += samples
        self._captured.append(AudioFrame.pcm(bytes(data), self.in_rate, at=at))

    def _on_output(self, data: Any, samples: int, time: Any, status: Any) -> None:
        with self._lock:
            count = min(samples, len(self._waiting) // 2)
            block = bytes(self._waiting[: 2 * count])
            del self._waiting[: 2 * count]
            if count:
                delay = time.outputBufferDacTime - time.currentTime
                self._taken.append(_Taken(driver.now() + (delay if 0.0 <= delay < 2.0 else 0.0), count))
                if len(self._taken) > _MOST_TAKEN:
                    self._heard += self._taken.popleft().samples
        data[:] = block + bytes(2 * (samples - count))

    def _on_finished(self) -> None:
        if not self._closing:
            self._events.append(LegEvent("down", "device lost", certain=False))


def make_leg(options: Mapping[str, Any]) -> ConsoleLeg:
    """Options as of ``ConsoleLeg``."""
    try:
        return ConsoleLeg(**options)
    except TypeError as error:
        raise AudioError(f"The console transport does not know this option: {error}.") from error


def _library() -> Any:
    try:
        return importlib.import_module("sounddevice")
    except ImportError as error:
        raise AudioError(
            "The sounddevice package is not installed.", hint=f"Run: pip install 'antiphon[console]'. {_INSTEAD}"
        ) from error
    except OSError as error:
        raise AudioError(
            "The PortAudio library is not installed.",
            hint=f"On Debian and Ubuntu run: sudo apt-get install libportaudio2. {_INSTEAD}",
        ) from error
    except Exception as error:  # PortAudio's own error, raised while it is imported
        raise AudioError(f"The system's sound does not start: {error}.", hint=_INSTEAD) from error


def _settings(
    library: Any, direction: Literal["input", "output"], device: int | str | None, wanted: int
) -> tuple[int | str | None, int]:
    """The device, and a rate it takes: the wanted one, else its own."""
    what = "microphone" if direction == "input" else "loudspeaker"
    try:
        entry = library.query_devices(device, direction)
    except (ValueError, library.PortAudioError) as error:
        named = f" called {device!r}" if device is not None else ""
        raise AudioError(
            f"There is no {what}{named}.", hint=f"List them with: console --list-devices. {_INSTEAD}"
        ) from error
    probe = library.check_input_settings if direction == "input" else library.check_output_settings
    for rate in (wanted, int(entry["default_samplerate"])):
        try:
            probe(device=device, channels=1, dtype="int16", samplerate=rate)
        except (ValueError, library.PortAudioError):
            continue
        return device, rate
    raise AudioError(f"The {what} takes no mono 16-bit sound.", hint=_INSTEAD)
