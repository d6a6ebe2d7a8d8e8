"""What a detector may hear of a recording, and how rows are read."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from antiphon.bench.turn_data import Span, Turn, Written, heard, pauses_of, read_rows, read_sound, written_pauses
from antiphon.bench.turn_scores import score_rows
from antiphon.errors import AudioError, ConfigurationError
from antiphon.models.turn_detector import TurnDetector, TurnEvidence
from tests.bench.recordings import RATE, save, small_set, talk

HOLD, END = Span(1.0, 1.5, "hold"), Span(2.0, 2.1, "eot")
ROW = Turn("r", (HOLD, END), "set/r.wav")
SOUND = talk(("voice", 1.0), ("quiet", 0.5), ("voice", 0.5), ("quiet", 0.1))


class Listener(TurnDetector):
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[TurnEvidence] = []

    async def predict(self, evidence: TurnEvidence) -> float:
        self.heard.append(evidence)
        return 0.5


def test_nothing_after_the_moment_of_the_score_is_heard() -> None:
    for at in (0.2, 0.4):
        before = heard(SOUND, ROW, HOLD, at)
        changed = SOUND.copy()
        changed[round((1.0 + at) * RATE) :] = 32_000
        assert np.array_equal(before, heard(changed, ROW, HOLD, at))
        assert len(before) == round((1.0 + at) * RATE)


def test_a_detector_is_asked_in_order_and_never_hears_the_future(tmp_path: Path) -> None:
    listener = Listener()

    def ask(sound: np.ndarray, folder: Path) -> list[bytes]:
        listener.heard.clear()
        save(folder / "set" / "r.wav", sound)
        asyncio.run(score_rows([ROW], folder, lambda row: listener))
        return [evidence.audio[0].data for evidence in listener.heard]

    one = ask(SOUND, tmp_path)
    assert [evidence.silence for evidence in listener.heard] == [0.2, 0.4, 0.2, 0.4, 0.6]
    changed = SOUND.copy()
    changed[round(1.4 * RATE) : round(2.0 * RATE)] = -20_000
    assert ask(changed, tmp_path)[:2] == one[:2]


def test_a_detector_that_reads_words_is_refused(tmp_path: Path) -> None:
    class Reader(Listener):
        audio_seconds = 0

    save(tmp_path / "set" / "r.wav", SOUND)
    with pytest.raises(ConfigurationError, match="reads words"):
        asyncio.run(score_rows([ROW], tmp_path, lambda row: Reader()))


def test_pauses_and_ends_are_padded_alike() -> None:
    """The file goes on for 0.1 s after the turn, so no silence of it is real for longer: length gives nothing away."""
    inside, after = heard(SOUND, ROW, HOLD, 0.4), heard(SOUND, ROW, END, 0.4)
    assert np.array_equal(inside[: round(1.1 * RATE)], SOUND[: round(1.1 * RATE)])
    assert not np.array_equal(inside[round(1.1 * RATE) :], SOUND[round(1.1 * RATE) : round(1.4 * RATE)])
    assert len(after) == round(2.4 * RATE)
    for padded, start in ((inside, 1.1), (after, 2.1)):
        assert np.abs(padded[round(start * RATE) :]).max() < 200, "the room, not the voice"
    assert np.array_equal(inside, heard(SOUND, ROW, HOLD, 0.4)), "the same every time"


def test_a_turn_without_an_end_is_not_padded() -> None:
    row = Turn("r", (HOLD,), "set/r.wav")
    assert np.array_equal(heard(SOUND, row, HOLD, 0.5), SOUND[: round(1.5 * RATE)])


def test_a_recording_too_short_for_a_quiet_frame_goes_on_with_nothing() -> None:
    row = Turn("r", (Span(0.0, 0.0, "eot"),), "set/r.wav")
    assert not heard(SOUND[:0], row, row.spans[0], 0.2).any()


def test_which_silences_count() -> None:
    holds = (Span(1.0, 1.1, "hold"), Span(2.0, 2.2, "hold"), Span(3.0, 3.9, "hold"), Span(4.0, 9.1, "hold"))
    spans = (*holds, Span(9.5, 9.6, "eot"))
    pauses = [pause for pause, _ in pauses_of(Turn("r", spans, "a/b.wav", speaker="?"))]
    assert [round(p.length, 2) for p in pauses if not p.ends] == [0.2, 0.9]
    assert [p.ends for p in pauses] == [False, False, True]
    assert {p.speaker for p in pauses} == {"r"}, "an unknown speaker is nobody else's"
    assert {p.group for p in pauses} == {"a"}


def test_sets_are_named_by_the_field_else_by_the_folder() -> None:
    assert Turn("r", (), "a/b/c.wav").group == "a"
    assert Turn("r", (), "c.wav").group == "all"
    assert Turn("r", (), "a/c.wav", set="mine").group == "mine"


def test_pauses_of_a_transcript() -> None:
    rows = [
        Written("m", "a", "hold", 0.5, "well I", uend=False),
        Written("m", "a", "hold", 0.1, "well I think"),
        Written("m", "a", "eot", 9.0, "well I think so", da="s"),
        Written("m", "a", "eot", 9.0, "and um", da="fh"),
        Written("m", "a", "eot", 9.0, "and then we", da="s.%--"),
    ]
    pauses = written_pauses(rows)
    assert [(p.length, p.text, p.turn) for p in pauses] == [
        (0.5, "well I", "m a 0"),
        (float("inf"), "well I think so", "m a 0"),
    ]


def test_rows_are_read_plain_and_packed_and_filtered(tmp_path: Path) -> None:
    file = small_set(tmp_path)
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert read_rows(file) == read_rows(packed) and len(read_rows(file)) == 6
    assert [row.id for row in read_rows(file, {"speaker": "s1"}) if isinstance(row, Turn)] == ["1", "4"]
    with pytest.raises(ConfigurationError, match="no rows that match"):
        read_rows(file, {"speaker": "nobody"})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2"),
        ('{"id": "x"}', "missing required field"),
        ('{"id": "x", "audio": "a", "spans": [{"start": 0, "end": 1, "label": "maybe"}]}', "line 2"),
        (
            json.dumps({"id": "x", "audio": "a", "spans": [{"start": n, "end": n, "label": "eot"} for n in (1, 2)]}),
            "ends once",
        ),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": "a", "audio": "a/a.wav", "spans": []}\n' + line + "\n")
    with pytest.raises(ConfigurationError, match=says):
        read_rows(file)


def test_sound_of_another_rate_is_brought_to_the_ears(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "a.flac", np.stack([np.sin(np.arange(8000) / 9)] * 2, axis=1) * 0.5, 8000)
    sound = read_sound(tmp_path / "a.flac")
    assert abs(len(sound) - RATE) < 40 and 15_000 < np.abs(sound).max() < 18_000


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no")
    with pytest.raises(AudioError):
        read_sound(tmp_path / "a.wav")
    pytest.importorskip("soundfile")
    (tmp_path / "a.flac").write_bytes(b"no")
    with pytest.raises(AudioError, match=r"Cannot read .*a\.flac"):
        read_sound(tmp_path / "a.flac")


def test_flac_without_its_reader_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ConfigurationError, match="soundfile") as caught:
        read_sound(tmp_path / "a.flac")
    assert "pip install soundfile" in caught.value.hint
