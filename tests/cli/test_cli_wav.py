"""``console --wav``: a recorded caller, the real local recogniser and voice, and the smallest language model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest

from antiphon.local.store import Store

ROOT = Path(__file__).parents[2]
CALLER = ROOT / "examples" / "coffee" / "callers" / "1-heart.wav"
SMALL = ("silero-vad", "smart-turn-v3.2", "moonshine-base-en", "piper-joe", "smollm2-135m")
PROGRAM = """
from antiphon import Agent, AgentSession, run

class Hello(Agent):
    async def on_enter(self):
        self.session.say("Hello!")

async def entrypoint(ctx):
    session = AgentSession(llm="local/smollm2-135m")
    await session.start(Hello(instructions="Answer in one short sentence."), ctx)

run(entrypoint)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A program on the small models; in CI they are fetched, elsewhere their absence skips the test."""
    store = Store()
    if not all(store.installed(name) for name in SMALL):
        if os.environ.get("CI") != "true":
            pytest.skip(f"models are missing: antiphon models pull {' '.join(SMALL)}")
        store.ensure(SMALL)
    path = tmp_path / "hello.py"
    path.write_text(PROGRAM)
    return path


def seconds(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return sound.getnframes() / sound.getframerate()


def test_a_recorded_caller_is_heard_and_answered_and_the_files_are_written(app: Path, tmp_path: Path) -> None:
    words = ["--out", "agent.wav", "--report", "call.json", "--log", "call.jsonl", "--record", "call.wav"]
    command = [sys.executable, str(app), "console", "--wav", str(CALLER), *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "iced mocha" in done.stdout
    report = json.loads((tmp_path / "call.json").read_text())
    assert report["turns"][0]["reply"]
    assert report["close_reason"] == "participant_disconnected"
    assert seconds(tmp_path / "call.wav") == pytest.approx(seconds(tmp_path / "agent.wav"), abs=1.0)
    assert len((tmp_path / "call.jsonl").read_text().splitlines()) > 10


def test_what_is_no_recording_ends_the_call_with_a_failure(app: Path, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(b"not a song")
    command = [sys.executable, str(app), "console", "--wav", "song.wav"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stdout.count("is not a WAV file") == 1 and "ffmpeg" in done.stdout


def test_ctrl_c_in_the_middle_leaves_whole_files(app: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(app),
        "console",
        "--wav",
        str(CALLER),
        "--record",
        "call.wav",
        "--report",
        "call.json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
        assert process.stdout is not None
        while "Hello!" not in process.stdout.readline():
            pass
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(15) == 0
        assert time.monotonic() - began < 15
    assert seconds(tmp_path / "call.wav") > 0.5
    assert json.loads((tmp_path / "call.json").read_text())["format"]
