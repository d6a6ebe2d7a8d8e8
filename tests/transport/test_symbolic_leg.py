"""What the simulator can make a caller do, seen from the plane."""

from __future__ import annotations

import time

import numpy as np
import pytest

from antiphon.audio.frames import PLAY_RATE, AudioFrame, Symbol
from antiphon.audio.seam import Digit, LegText, LineDown, LineUp, MicAudio, PlaySpeech, Progress, PushAudio, SendDigits
from antiphon.transport.symbolic import SymbolicLeg
from tests.audio.plane_driver import START, Story


def spoken(text: str, seconds: float) -> AudioFrame:
    return AudioFrame(b"", PLAY_RATE, round(seconds * PLAY_RATE), symbol=Symbol("speech", text, 0.0, seconds))


def test_the_core_hears_speech_noise_and_silence_without_a_gap() -> None:
    leg = SymbolicLeg()
    story = Story(leg)
    leg.say("good morning", 0.8, at=START + 0.5)
    leg.noise(0.5, at=START + 2.0, text="door")
    story.run(3.0)
    frames = [message.frame for message in story.heard(MicAudio)]
    at = START
    kinds: list[tuple[str, str]] = []
    for frame in frames:
        assert frame.symbol is not None
        assert frame.at == pytest.approx(at, abs=1e-3)
        at = frame.at + frame.duration
        if not kinds or kinds[-1] != (frame.symbol.kind, frame.symbol.text):
            kinds.append((frame.symbol.kind, frame.symbol.text))
    assert kinds == [("silence", ""), ("speech", "good morning"), ("silence", ""), ("noise", "door")]
    speech = [frame for frame in frames if frame.symbol and frame.symbol.kind == "speech"]
    assert sum(frame.duration for frame in speech) == pytest.approx(0.8)
    assert speech[-1].symbol is not None
    assert speech[-1].symbol.start + speech[-1].duration == pytest.approx(speech[-1].symbol.total)


def test_keys_texts_and_hanging_up() -> None:
    leg = SymbolicLeg(answer_at=START + 1.0)
    story = Story(leg)
    leg.digits("42", at=START + 1.5)
    leg.text("hello", at=START + 1.6)
    leg.hangup(at=START + 2.0)
    story.tell(SendDigits(line="a", digits="9"))
    story.run(3.0)
    assert story.heard(LineUp)[0].at == START + 1.0
    assert [digit.digit for digit in story.heard(Digit)] == ["4", "2"]
    assert story.heard(LegText)[0].text == "hello"
    assert (story.heard(LineDown)[0].at, story.heard(LineDown)[0].certain) == (START + 2.0, True)
    assert leg.sent_digits == "9"


def test_one_who_vanishes_hears_nothing_and_is_missed_later() -> None:
    leg = SymbolicLeg()
    story = Story(leg)
    leg.vanish(at=START + 1.0, noticed_after=2.0)
    story.tell(PushAudio(line="a", speech="s", frame=spoken("a long story", 10.0), last=True))
    story.play("s")
    story.run(5.0)
    assert story.heard(LineDown)[0].at == START + 3.0
    assert not story.heard(LineDown)[0].certain
    assert sum(run.seconds for run in leg.heard_runs) == pytest.approx(1.0)
    assert story.settled().reason == "lost"
    assert story.settled().position == PLAY_RATE
    leg.come_back(at=START + 6.0)
    story.run(2.0)
    assert story.heard(LineUp)[-1].at == START + 6.0


def test_a_device_that_takes_no_more_is_settled_by_estimate() -> None:
    leg = SymbolicLeg()
    story = Story(leg)
    leg.stop_accepting(at=START + 0.5)
    story.tell(PushAudio(line="a", speech="s", frame=spoken("words", 1.0), last=True))
    story.play("s")
    story.run(3.0)
    assert story.heard(Progress)[-1].position == PLAY_RATE // 2
    assert story.settled().quality == "estimated"


def test_hushing_ends_the_utterance_now() -> None:
    leg = SymbolicLeg()
    story = Story(leg)
    leg.say("a very long sentence", 5.0, at=START)
    leg.say("and more", 1.0, at=START + 6.0)
    story.run(1.0)
    leg.hush(at=story.now)
    story.run(8.0)
    said = sum(m.frame.duration for m in story.heard(MicAudio) if m.frame.symbol and m.frame.symbol.kind == "speech")
    assert said == pytest.approx(1.0)


def test_pcm_pushed_into_a_symbolic_call_is_kept() -> None:
    leg = SymbolicLeg()
    story = Story(leg)
    story.push("s", np.arange(4800, dtype=np.int16))
    story.play("s")
    story.run(1.0)
    data = b"".join(run.data for run in leg.heard_runs)
    assert np.array_equal(np.frombuffer(data, dtype="<i2"), np.arange(4800))


def test_a_five_minute_call_takes_the_plane_well_under_a_second() -> None:
    leg = SymbolicLeg()
    story = Story(leg)
    began = time.process_time()
    for turn in range(30):
        leg.say("what about tomorrow then", 3.0, at=story.now + 1.0)
        story.run(4.5)
        story.tell(PushAudio(line="a", speech=f"s{turn}", frame=spoken("tomorrow is fine", 5.0), last=True))
        story.tell(PlaySpeech(line="a", speech=f"s{turn}"))
        story.run(5.5)
    assert time.process_time() - began < 0.7
    assert len(leg.heard_runs) < 1500
