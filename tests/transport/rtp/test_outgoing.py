"""Sound on its way out: cut into frames of 20 ms, silence between, and an account of what was heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.transport.rtp.outgoing import OutgoingAudio

START = 70.0
SIZE = 480


def ramp(samples: int, first: int = 1) -> AudioFrame:
    """Samples that are numbered, so that each can be found again."""
    return AudioFrame.pcm(np.arange(first, first + samples, dtype="<i2").tobytes(), PLAY_RATE)


def samples(frames: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(frames), dtype="<i2")


def test_a_frame_leaves_each_tick_silence_too() -> None:
    audio = OutgoingAudio(PLAY_RATE)
    frames = [frame for tick in range(5) for frame in audio.take(START + 0.02 * tick)]
    assert [len(frame) for frame in frames] == [2 * SIZE] * 5
    assert not samples(frames).any()


def test_sound_leaves_when_it_is_due() -> None:
    audio = OutgoingAudio(PLAY_RATE)
    assert len(audio.take(START)) == 1
    audio.play(START + 0.05, ramp(SIZE))
    out = samples([frame for tick in range(1, 5) for frame in audio.take(START + 0.02 * tick)])
    assert np.flatnonzero(out)[0] == round((0.05 - 0.02) * PLAY_RATE)
    assert list(out[out > 0]) == list(range(1, SIZE + 1))


def test_what_has_not_left_can_be_taken_back() -> None:
    audio = OutgoingAudio(PLAY_RATE)
    audio.play(START, ramp(3 * SIZE))
    audio.take(START)
    assert audio.flush(START) == 2 * SIZE
    assert not samples(audio.take(START + 0.02)).any()
    assert audio.heard(START + 1.0) == SIZE


def test_heard_is_what_had_the_time_to_travel() -> None:
    audio = OutgoingAudio(PLAY_RATE, delay=0.1)
    audio.play(START, ramp(2 * SIZE))
    audio.take(START)
    audio.take(START + 0.02)
    assert audio.heard(START + 0.1) == 0
    assert audio.heard(START + 0.11) == SIZE // 2
    assert audio.heard(START + 0.2) == 2 * SIZE


def test_late_sound_follows_what_has_left() -> None:
    audio = OutgoingAudio(PLAY_RATE)
    audio.take(START)
    audio.play(START, ramp(SIZE))
    assert list(samples(audio.take(START + 0.02))) == list(range(1, SIZE + 1))


def test_sound_that_is_due_before_the_last_has_ended_follows_it() -> None:
    audio = OutgoingAudio(PLAY_RATE)
    audio.play(START, ramp(SIZE))
    audio.play(START + 0.01, ramp(SIZE, SIZE + 1))
    assert list(samples(audio.take(START) + audio.take(START + 0.02))) == list(range(1, 2 * SIZE + 1))


def test_after_a_stall_silence_is_left_out_and_sound_is_not() -> None:
    audio = OutgoingAudio(PLAY_RATE)
    audio.take(START)
    audio.play(START + 0.02, ramp(2 * SIZE))
    frames = audio.take(START + 1.0)
    frames += audio.take(START + 1.02)
    assert audio.skipped == round(0.98 * PLAY_RATE)
    assert list(samples(frames)) == list(range(1, 2 * SIZE + 1))


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 1500)), min_size=1, max_size=12),
    st.lists(st.floats(0, 0.09), max_size=60),
)
def test_nothing_is_lost_doubled_or_out_of_order(played: list[tuple[int, int]], ticks: list[float]) -> None:
    audio, out, now, due, number = OutgoingAudio(PLAY_RATE), list[bytes](), START, START, 1
    waiting = list(played)
    for later in [*ticks, *[0.02] * 200]:
        out += audio.take(now)
        if waiting:
            gap, count = waiting.pop(0)
            due = max(due, now) + gap / PLAY_RATE
            audio.play(due, ramp(count, number))
            due += count / PLAY_RATE
            number += count
        now += later
    said = samples(out)
    assert list(said[said != 0]) == list(range(1, number))
    assert audio.heard(now + 1.0) == number - 1
    assert audio.flush(now) == 0
    assert len(out) == pytest.approx((now - START) / 0.02, abs=2)
