from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.frames import PLAY_RATE
from antiphon.audio.opus import load_opus
from antiphon.audio.recorder import Recorder
from antiphon.audio.resample import resample
from antiphon.audio.seam import LineConfig, LineError
from antiphon.transport.memory import MemoryLeg
from antiphon.transport.symbolic import SymbolicLeg
from tests.audio.plane_driver import START, Story, tone
from tests.transport.rtp.network import speech


def channels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, PLAY_RATE)
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def onset(side: np.ndarray) -> float:
    return float(np.flatnonzero(np.abs(side) > 500)[0]) / PLAY_RATE


def test_caller_left_agent_right_each_at_its_time(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    sound = np.concatenate((np.zeros(8000, dtype=np.int16), tone(0.5, 16_000)))
    story = Story(MemoryLeg(sound), LineConfig(record=str(path)))
    story.run(1.5)
    story.push("s", tone(0.5, PLAY_RATE))
    story.play("s")
    story.run(1.0)
    story.close()
    left, right = channels(path)
    assert left.size / PLAY_RATE == pytest.approx(2.5, abs=0.1)
    assert onset(left) == pytest.approx(0.5, abs=0.005)
    assert onset(right) == pytest.approx(1.5, abs=0.005)


def test_what_a_pause_took_back_is_not_in_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    story = Story(MemoryLeg(), LineConfig(record=str(path)))
    story.push("s", np.full(PLAY_RATE, 5000, dtype=np.int16))
    story.play("s")
    story.run(0.5)
    story.stop("s")
    story.run(1.0)
    position = story.settled().position
    story.close()
    _, right = channels(path)
    assert np.flatnonzero(right)[-1] + 1 == pytest.approx(position, abs=10)


def test_after_a_crash_the_file_is_whole_but_for_the_last_second(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    story = Story(MemoryLeg(tone(20.0, 16_000)), LineConfig(record=str(path)))
    story.run(10.0)
    left, _ = channels(path)
    assert left.size / PLAY_RATE >= 9.0


def test_a_place_that_cannot_be_written_is_reported_and_the_call_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    story = Story(MemoryLeg(), LineConfig(record=str(tmp_path / "file" / "call.wav")))
    story.push("s", tone(0.5, PLAY_RATE))
    story.play("s")
    story.run(1.0)
    (error,) = story.heard(LineError)
    assert "Cannot record" in error.error
    assert not error.fatal
    assert story.settled().reason == "end"


def spoken(path: Path) -> Story:
    """A call in which both sides speak, recorded to ``path``; the agent is stopped once."""
    caller = resample(speech(6.0), PLAY_RATE, 16_000)
    story = Story(MemoryLeg(caller), LineConfig(record=str(path)), armed=False)
    story.push("s", np.roll(speech(4.0), 30_000))
    story.run(1.0)
    story.play("s")
    story.run(2.0)
    story.stop("s")
    story.run(3.5)
    return story


def test_an_opus_recording_is_the_wav_recording_of_the_same_call(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    for name in ("call.wav", "call.opus"):
        spoken(tmp_path / name).close()
    plain = np.stack(channels(tmp_path / "call.wav"), axis=1).astype(float)
    small, rate = soundfile.read(str(tmp_path / "call.opus"))
    assert rate == PLAY_RATE
    assert len(small) == len(plain)
    for side in (0, 1):
        assert np.corrcoef(plain[:, side], small[:, side])[0, 1] > 0.95
    assert (tmp_path / "call.opus").stat().st_size < (tmp_path / "call.wav").stat().st_size / 6


def test_an_opus_recording_plays_while_the_call_runs(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
    spoken(tmp_path / "call.ogg")
    sound, rate = soundfile.read(str(tmp_path / "call.ogg"))
    assert len(sound) / rate > 5.4


def test_without_an_opus_library_the_call_goes_on_and_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.audio.opus.find_spec", lambda name: None)
    monkeypatch.setattr("antiphon.audio.opus.find_library", lambda name: None)
    load_opus.cache_clear()
    try:
        story = spoken(tmp_path / "call.opus")
    finally:
        load_opus.cache_clear()
    (error,) = story.heard(LineError)
    assert "pip install 'antiphon[webrtc]'" in error.hint
    assert story.settled().reason == "stopped"
    assert not (tmp_path / "call.opus").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["call.wav", "call.opus"])
def test_a_full_disk_is_reported_once_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    story = Story(MemoryLeg(tone(9.0, 16_000)), LineConfig(record=str(path)))
    recorder: Recorder = story.plane._lines["a"]._recorder
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(recorder._file, "_file", full)
        story.push("s", tone(3.0, PLAY_RATE))
        story.play("s")
        story.run(4.0)
    (error,) = story.heard(LineError)
    assert "recording stopped" in error.error
    assert story.settled().position == 3 * PLAY_RATE


def test_a_symbolic_call_has_no_sound_to_record(tmp_path: Path) -> None:
    story = Story(SymbolicLeg(), LineConfig(record=str(tmp_path / "call.wav")))
    assert "symbolic" in story.heard(LineError)[0].error
    assert not (tmp_path / "call.wav").exists()


def test_a_gap_in_the_callers_audio_is_a_gap_in_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    recorder = Recorder(str(path), START)
    recorder.caller(START, np.full(1600, 900, dtype=np.int16))
    recorder.caller(START + 0.5, np.full(1600, 900, dtype=np.int16))
    recorder.close(START + 1.0)
    left, _ = channels(path)
    assert left.size == PLAY_RATE
    assert not left[round(0.11 * PLAY_RATE) : round(0.49 * PLAY_RATE)].any()
