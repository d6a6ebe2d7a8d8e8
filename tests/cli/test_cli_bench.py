"""``antiphon bench turns`` as its user runs it, on a small set of recordings made here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from antiphon.cli.main import main
from antiphon.local import TURN_MODEL
from antiphon.local.store import Store
from tests.bench.recordings import small_set

KEYS = {"holds", "ends", "cut_300", "cut_600", "lat_5", "lat_10", "ci95", "per_turn", "p50", "p95"}

DETECTOR = """
import numpy as np
from antiphon import TurnDetector

class Length(TurnDetector):
    '''Knows how the recordings were made: the turn is over once 1.4 s of voice were heard.'''
    audio_seconds = 30.0

    async def predict(self, evidence):
        samples = np.frombuffer(evidence.audio[0].data, "<i2").astype(float)
        voiced = (np.abs(samples) > 1000).sum() / 16000
        return 0.95 if voiced > 0.9 else 0.05

class Silent:
    pass
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "mine.py").write_text(DETECTOR)
    monkeypatch.chdir(tmp_path)
    return ["--data", str(small_set(tmp_path)), "--audio", str(tmp_path)]


def test_a_detector_of_the_users_own(data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "turns", *data, "--detector", "mine:Length", "--json", "out.json"]) == 0
    made = json.loads((tmp_path / "out.json").read_text())
    assert made["detector"] == "mine:Length" and set(made["sets"]) == set(made["vad"]) == {"calls"}
    own, silence = made["sets"]["calls"], made["vad"]["calls"]
    assert set(own) >= KEYS and set(silence) >= KEYS
    assert (own["holds"], own["ends"]) == (6, 6)
    assert own["cut_300"] == own["cut_600"] == 0.0 and own["lat_5"] == pytest.approx(0.2)
    assert silence["cut_300"] == pytest.approx(5 / 6, abs=1e-3) and silence["lat_5"] > 0.9
    assert made["policy"]["calls"]["cut"] <= made["policy"]["calls"]["vad_at_mean"]
    assert [point["latency"] for point in made["curve"]["calls"]] == [n / 10 for n in range(11)]
    shown = capsys.readouterr().out
    assert "silence alone" in shown and "policy as shipped" in shown and "one decision takes" in shown


def test_silence_alone_reads_no_sound(data: list[str], tmp_path: Path) -> None:
    for file in (tmp_path / "calls").iterdir():
        file.unlink()
    assert main(["bench", "turns", *data, "--detector", "vad", "--json", "out.json"]) == 0
    made = json.loads((tmp_path / "out.json").read_text())
    assert made["sets"] == made["vad"]


def test_missing_recordings_are_an_error_and_left_out_only_when_asked(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "calls" / "2.wav").unlink()
    words = ["bench", "turns", *data, "--detector", "mine:Length", "--json", "out.json"]
    assert main(words) == 1
    problem = capsys.readouterr().err
    assert "1 of 6 rows have no readable audio" in problem and "2.wav" in problem
    assert not (tmp_path / "out.json").exists()
    assert main([*words, "--skip-unreadable"]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["unreadable"] == 1
    assert "left out: 1 rows" in capsys.readouterr().out


def test_transcripts_are_judged_by_words_and_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"m": "one", "sp": "val", "spk": "a", "lab": "hold", "gap": 0.8, "text": "I would like to", "uend": False},
        {"m": "one", "sp": "val", "spk": "a", "lab": "eot", "gap": 9, "text": "I would like to go home", "uend": True},
        {"m": "two", "sp": "train", "spk": "b", "lab": "eot", "gap": 9, "text": "no", "uend": True},
    ]
    file = tmp_path / "said.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    out = tmp_path / "out.json"
    words = ["bench", "turns", "--data", str(file), "--where", "sp=val", "--json", str(out)]
    assert main([*words, "--detector", "vad"]) == 0
    made = json.loads(out.read_text())
    assert (made["sets"]["written"]["holds"], made["sets"]["written"]["ends"]) == (1, 1)
    assert made["policy"]["written"]["cut"] == 0.0, "words that go on are waited for"
    assert main([*words, "--detector", "smart-turn"]) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--detector", "nobody"], "no detector 'nobody'"),
        (["--detector", "mine:Nobody"], "Cannot make the detector"),
        (["--detector", "mine:Silent"], "not a TurnDetector"),
        (["--where", "speaker"], "FIELD=VALUE"),
    ],
)
def test_wrong_words_are_answered(
    data: list[str], words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "turns", *data, *words]) == 1
    assert says in capsys.readouterr().err


def test_our_own_detectors_run(data: list[str], tmp_path: Path) -> None:
    store = Store()
    if not store.installed(TURN_MODEL):
        if os.environ.get("CI") != "true":
            pytest.skip(f"a model is missing: antiphon models pull {TURN_MODEL}")
        store.ensure([TURN_MODEL])
    for name in ("smart-turn", "antiphon"):
        assert main(["bench", "turns", *data, "--detector", name, "--json", f"{name}.json"]) == 0
        assert json.loads((tmp_path / f"{name}.json").read_text())["sets"]["calls"]["holds"] == 6
