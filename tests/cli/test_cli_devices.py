"""Sound devices: what is shown, and what is said where there are none."""

from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.cli import devices
from antiphon.errors import AudioError

ROWS = [
    {"name": "Desk microphone", "max_input_channels": 1, "max_output_channels": 0, "default_samplerate": 48000.0},
    {"name": "Speakers", "max_input_channels": 0, "max_output_channels": 2, "default_samplerate": 44100.0},
]


def library(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> None:
    """A sound library that knows these devices."""
    made = SimpleNamespace(query_devices=lambda: rows, default=SimpleNamespace(device=(0, 1)))
    monkeypatch.setitem(sys.modules, "sounddevice", made)


def test_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    library(monkeypatch, ROWS)
    devices.print_devices()
    shown = capsys.readouterr().out.splitlines()
    assert "Desk microphone" in shown[1]
    assert shown[1].endswith("input")
    assert shown[2].endswith("output")
    devices.need_devices()


def test_no_loudspeaker(monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, ROWS[:1])
    with pytest.raises(AudioError, match=r"no loudspeaker.*--text.*--wav"):
        devices.need_devices()


def test_no_devices_at_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    library(monkeypatch, [])
    devices.print_devices()
    assert "no sound devices" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("problem", "mend"),
    [
        (ImportError("no module"), r"pip install 'antiphon\[console\]'"),
        (OSError("PortAudio library not found"), "PortAudio"),
    ],
)
def test_no_library_names_the_command(problem: Exception, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fail(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sounddevice":
            raise problem
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(AudioError, match=mend):
        devices.list_devices()
    with pytest.raises(AudioError, match="--text"):
        devices.need_devices()
