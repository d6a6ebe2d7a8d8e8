"""A caller made of WAV files, on a hand-driven clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.frames import PLAY_RATE
from antiphon.audio.seam import LineDown, LineError, MicAudio, VadEdge
from antiphon.audio.wav import WavWriter, read_wav
from antiphon.errors import AudioError
from antiphon.transport.wav import WavLeg, make_leg
from tests.audio.plane_driver import START, Story, tone

CLIP = tone(0.5, 16_000)


def starts(story: Story) -> list[float]:
    return [round(edge.at - START, 1) for edge in story.heard(VadEdge) if edge.edge == "start"]


def test_clips_follow_after_a_gap_and_then_the_caller_hangs_up() -> None:
    story = Story(WavLeg([CLIP, CLIP], lead_in=0.5, gap=1.0, tail=2.0))
    story.run(6.0)
    assert starts(story) == [0.5, 2.0]
    (down,) = story.heard(LineDown)
    assert (down.reason, down.certain) == ("hangup", True)
    assert down.at - START == pytest.approx(4.5, abs=0.05)


def test_the_next_clip_waits_for_the_answer() -> None:
    story = Story(WavLeg([CLIP, CLIP], lead_in=0.5, gap=1.0, tail=1.0, wait_for_reply=True))
    story.run(3.0)
    assert starts(story) == [0.5]
    story.push("s", tone(2.0, PLAY_RATE))
    story.play("s")
    story.run(3.5)
    assert starts(story) == [0.5, 6.0]
    story.run(1.0)
    story.push("t", tone(0.5, PLAY_RATE))
    story.play("t")
    story.run(3.0)
    assert story.heard(LineDown)[0].at - START == pytest.approx(10.0, abs=0.1)


def test_a_greeting_is_heard_out_before_the_first_clip() -> None:
    story = Story(WavLeg([CLIP], lead_in=0.5, gap=1.0, wait_for_reply=True))
    story.push("greeting", tone(2.0, PLAY_RATE))
    story.play("greeting")
    story.run(4.0)
    assert starts(story) == [3.0]


def test_without_an_answer_the_caller_goes_on_when_patience_ends() -> None:
    story = Story(WavLeg([CLIP, CLIP], lead_in=0.0, patience=2.0, wait_for_reply=True))
    story.run(6.0)
    assert starts(story) == [0.0, 2.5]
    assert story.heard(LineDown)


def test_the_out_file_is_what_the_caller_heard_at_the_time_it_was_heard(tmp_path: Path) -> None:
    path = tmp_path / "agent.wav"
    story = Story(WavLeg([CLIP], lead_in=9.0, out=str(path)))
    story.run(1.0)
    sound = tone(1.0, PLAY_RATE)
    story.push("s", sound)
    story.play("s")
    story.run(0.5)
    story.stop("s")
    story.run(1.0)
    position = story.settled().position
    story.close()
    heard, rate = read_wav(str(path))
    assert rate == PLAY_RATE
    assert heard.size / PLAY_RATE == pytest.approx(2.5, abs=0.05)
    first = round(1.0 * PLAY_RATE)
    assert not heard[:first].any()
    assert np.array_equal(heard[first : first + position - 200], sound[: position - 200])
    assert not heard[first + position + 1 :].any()


def test_options_and_files_that_are_no_good_are_typed_errors(tmp_path: Path) -> None:
    good = tmp_path / "good.wav"
    writer = WavWriter(str(good), 8000, 1)
    writer.write(tone(0.1, 8000))
    writer.close()
    for options, message in (
        ({}, "No WAV file is named"),
        ({"path": str(tmp_path / "none.wav")}, "Cannot read"),
        ({"path": str(good), "speed": 2}, "speed"),
        ({"path": str(good), "out": str(tmp_path / "good.wav" / "x.wav")}, "Cannot write"),
    ):
        with pytest.raises(AudioError, match=message):
            make_leg(options)
    assert make_leg({"path": [str(good), str(good)], "repeat": 2}).in_rate == 16_000


def test_a_full_disk_is_told_once_and_the_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leg = WavLeg([CLIP], lead_in=1.0, out=str(tmp_path / "x.wav"))
    story = Story(leg)
    with open("/dev/full", "wb", buffering=0) as full:
        assert leg._writer is not None
        monkeypatch.setattr(leg._writer._file, "_file", full)
        story.run(4.0)
    assert len(story.heard(LineError)) == 1
    assert sum(m.frame.samples for m in story.heard(MicAudio)) > 2 * 16_000
