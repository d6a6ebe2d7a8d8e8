"""The demo from one command, with the smallest language model: it runs, hears, answers and writes its files. What it
understands needs the default model, which ``make demo`` uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from antiphon.local.store import Store

ROOT = Path(__file__).parents[2]
SMALL = ("silero-vad", "smart-turn-v3.2", "moonshine-base-en", "piper-joe", "smollm2-135m")
TURN_DATA = Path(os.environ.get("ANTIPHON_TURN_DATA", ROOT.parent / "shared" / "turn-data"))
"""Where the recordings of real people are, if they are on this machine."""


@pytest.fixture(autouse=True)
def models() -> None:
    """The small models; in CI they are fetched, elsewhere their absence skips the test."""
    store = Store()
    if not all(store.installed(name) for name in SMALL):
        if os.environ.get("CI") != "true":
            pytest.skip(f"models are missing: antiphon models pull {' '.join(SMALL)}")
        store.ensure(SMALL)


def demo(*words: object, out: Path) -> subprocess.CompletedProcess[str]:
    """``demo.py WORDS`` without a terminal and without stdin."""
    command = [
        sys.executable,
        str(ROOT / "examples" / "coffee" / "demo.py"),
        "--llm",
        "smollm2-135m",
        "--out",
        str(out),
    ]
    return subprocess.run(
        [*command, *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False
    )


def test_one_caller_is_heard_and_answered(tmp_path: Path) -> None:
    done = demo("--limit", 1, out=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert "\x1b" not in done.stdout
    assert "understood" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads((tmp_path / "call.json").read_text())
    (turn,) = report["turns"]
    assert "mocha" in turn["text"].lower()
    assert turn["text"] in done.stdout
    assert {model["model"] for model in report["models"]} >= {"moonshine-base-en", "smollm2-135m", "piper-joe"}
    assert turn["reply"]
    with wave.open(str(tmp_path / "call.wav")) as sound:
        assert sound.getnchannels() == 2
        assert sound.getnframes() / sound.getframerate() == pytest.approx(report["duration"], abs=3.0)
    log = (tmp_path / "call.jsonl").read_text().splitlines()
    assert any(json.loads(line).get("kind") == "turn.committed" for line in log[1:])


def test_real_people_are_heard(tmp_path: Path) -> None:
    """Recordings of real orders, in a room, by unknown speakers."""
    if not (TURN_DATA / "barista.jsonl").exists():
        pytest.skip("the recordings of real people are not on this machine")
    soundfile = pytest.importorskip("soundfile")
    rows = [json.loads(line) for line in (TURN_DATA / "barista.jsonl").read_text().splitlines()]
    drinks = []
    for row in rows[:2]:
        samples, rate = soundfile.read(TURN_DATA / row["audio"], dtype="int16")
        end = int((row["spans"][-1]["start"] + 0.5) * rate)
        soundfile.write(tmp_path / f"{len(drinks)}.wav", samples[:end], rate, subtype="PCM_16")
        drinks.append(json.loads(row["text"])["coffeeDrink"])
    done = demo("--callers", tmp_path, out=tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"answered {len(drinks)} of {len(drinks)} callers" in done.stdout
    heard = " ".join(turn["text"] for turn in json.loads((tmp_path / "out" / "call.json").read_text())["turns"]).lower()
    assert drinks[0] in heard
