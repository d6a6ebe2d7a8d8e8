"""The console leg around a sound library that is absent, empty, or played by hand."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from antiphon.audio import driver
from antiphon.audio.frames import AudioFrame
from antiphon.errors import AudioError
from antiphon.transport.console import make_leg


class Stream:
    """A PortAudio stream whose callback a test calls."""

    made: list[Stream] = []

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.closed = False
        Stream.made.append(self)

    def start(self) -> None: ...

    def abort(self, ignore_errors: bool) -> None: ...

    def close(self, ignore_errors: bool) -> None:
        self.closed = True
        self.settings["finished_callback"]()


def library(*, rates: tuple[int, ...] = (16_000, 24_000, 48_000), inputs: bool = True) -> ModuleType:
    module: Any = ModuleType("sounddevice")

    class PortAudioError(Exception):
        pass

    def query(device: Any, kind: str) -> dict[str, Any]:
        if kind == "input" and not inputs:
            raise PortAudioError("no default input device")
        return {"default_samplerate": 48_000.0}

    def probe(samplerate: int, **_: Any) -> None:
        if samplerate not in rates:
            raise PortAudioError("Invalid sample rate")

    module.PortAudioError = PortAudioError
    module.query_devices = query
    module.check_input_settings = module.check_output_settings = probe
    module.RawInputStream = module.RawOutputStream = Stream
    return module


def times() -> SimpleNamespace:
    return SimpleNamespace(currentTime=5.0, inputBufferAdcTime=4.97, outputBufferDacTime=5.05)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    Stream.made = []
    monkeypatch.setitem(sys.modules, "sounddevice", library())


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError, match=r"pip install 'antiphon\[console\]'"):
        make_leg({})


def test_without_a_microphone_the_error_offers_files_and_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", library(inputs=False))
    with pytest.raises(AudioError, match=r"no microphone.*--wav FILE.*--text"):
        make_leg({})


def test_a_device_that_takes_no_such_rate_runs_at_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", library(rates=(48_000,)))
    leg = make_leg({"aec": False})
    assert (leg.in_rate, leg.out_rate, leg.needs_aec) == (48_000, 48_000, False)


def test_an_unknown_option_is_a_typed_error() -> None:
    with pytest.raises(AudioError, match="volume"):
        make_leg({"volume": 11})


def test_sound_goes_both_ways_and_what_was_heard_lags_by_the_devices_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(driver, "now", lambda: now)
    leg = make_leg({})
    leg.open(now)
    microphone, speaker = Stream.made
    assert [event.kind for event in leg.events(now)] == ["up"]
    microphone.settings["callback"](bytes(640), 320, times(), None)
    (frame,) = leg.capture(now)
    assert (frame.samples, frame.at) == (320, pytest.approx(99.98))

    sound = np.arange(600, dtype="<i2")
    leg.play(now, AudioFrame.pcm(sound.tobytes(), 24_000))
    block = bytearray(960)
    speaker.settings["callback"](block, 480, times(), None)
    assert bytes(block) == sound[:480].tobytes()
    assert leg.heard(now) == 0
    assert leg.heard(now + 0.06) == 240
    assert leg.flush(now) == 120
    assert leg.heard(now + 1.0) == 480
    speaker.settings["callback"](block, 480, times(), None)
    assert not any(block)
    assert leg.heard(now + 1.0) == 480
    leg.close()
    assert all(stream.closed for stream in Stream.made)
    assert not leg.events(now)


def test_a_device_that_is_pulled_out_takes_the_leg_down() -> None:
    leg = make_leg({})
    leg.open(0.0)
    leg.events(0.0)
    Stream.made[0].settings["finished_callback"]()
    (event,) = leg.events(0.0)
    assert (event.kind, event.certain) == ("down", False)
