"""The backchannel model as a pure function, and its figures on meetings that it never saw."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from antiphon.turns.backchannel import Heard, features, spelled, takes_floor

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("ANTIPHON_TURN_DATA", ROOT.parent / "shared" / "turn-data")) / "mrda_overlaps.jsonl.gz"

HUM = Heard("mhm", 0.5, voiced=False, quiet=0.15, burst=0.35, bursts=1, silent_words=0.15)


@pytest.mark.parametrize("text", ["mm-hmm", "Mm hmm.", "mhm", "mmhm"])
def test_one_sound_is_one_word_however_it_is_spelled(text: str) -> None:
    assert spelled(text) == ["mhm"]
    assert features(msgspec.structs.replace(HUM, text=text)) == features(HUM)


@pytest.mark.parametrize("text", ["mhm", "yeah", "right", "uh-huh", "ok", "oh yeah"])
def test_who_only_listens_does_not_take_the_floor(text: str) -> None:
    assert takes_floor(msgspec.structs.replace(HUM, text=text)) < 0.2


@pytest.mark.parametrize("text", ["no but what", "i want to", "how much is", "with oat milk", "yeah but the"])
def test_who_asks_or_objects_does(text: str) -> None:
    said = msgspec.structs.replace(HUM, text=text, voiced=True, quiet=0.0)
    assert takes_floor(said) > 0.8


def test_the_voice_that_goes_on_after_yeah_makes_it_likelier() -> None:
    stopped = msgspec.structs.replace(HUM, text="yeah")
    assert takes_floor(msgspec.structs.replace(stopped, voiced=True, quiet=0.0)) > takes_floor(stopped)


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.79, 30.0])
def test_it_may_be_asked_at_any_moment(moment: float) -> None:
    heard = Heard("", moment, True, 0.0, moment, 1, moment, floor="and then we")
    assert 0.0 <= takes_floor(heard) <= 1.0


def test_nothing_known_after_the_moment_is_asked_for() -> None:
    assert {"dur", "da", "label"}.isdisjoint(Heard.__struct_fields__)


@pytest.mark.skipif(not DATA.exists(), reason="the meetings are not here")
def test_its_figures_on_held_out_meetings_are_those_of_the_card() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (antiphon[training])")
    script = ROOT / "training" / "backchannel" / "train.py"
    done = subprocess.run([sys.executable, script, DATA], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in (ROOT / "training" / "backchannel" / "CARD.md").read_text(encoding="utf-8")
