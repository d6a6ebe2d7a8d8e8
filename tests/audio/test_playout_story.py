"""What the caller hears, to the sample, and what the core is told about it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.audio.outlet import FADE
from antiphon.audio.playout import LEAD
from antiphon.audio.seam import (
    Background,
    Heartbeat,
    LineDown,
    LineError,
    PlayClip,
    Progress,
    PushAudio,
    Settled,
    StoreClip,
)
from antiphon.transport.memory import MemoryLeg
from antiphon.transport.symbolic import SymbolicLeg
from tests.audio.plane_driver import START, Story, counting, tone


def sounded(story: Story) -> np.ndarray:
    story.run(0.3)
    return story.leg.sounded()


def test_a_speech_is_heard_whole_and_reported_every_200_ms() -> None:
    story = Story(MemoryLeg())
    sound = counting(PLAY_RATE)
    story.push("s", sound)
    story.play("s")
    story.run(1.5)
    assert np.array_equal(sounded(story), sound)
    settled = story.settled()
    assert (settled.position, settled.reason, settled.quality) == (PLAY_RATE, "end", "paced")
    assert settled.at == pytest.approx(START + 1.0, abs=0.03)
    progress = story.heard(Progress)
    assert len(progress) == 4
    assert all(p.position == pytest.approx((p.at - START) * PLAY_RATE, abs=2) for p in progress)


def test_audio_that_is_not_released_stays_silent_and_stop_settles_it_at_zero() -> None:
    story = Story(MemoryLeg())
    story.push("s", counting(4800))
    story.run(0.5)
    story.stop("s")
    assert story.settled().position == 0
    assert sounded(story).size == 0


@settings(max_examples=60, deadline=None)
@given(
    at=st.floats(0.0, 0.9),
    silence=st.floats(0.0, 0.4),
    rate=st.sampled_from([8000, 16000, 24000, 48000, 11025]),
    can_flush=st.booleans(),
)
def test_pause_and_resume_at_any_moment_lose_and_repeat_nothing(
    at: float, silence: float, rate: int, can_flush: bool
) -> None:
    story = Story(MemoryLeg(out_rate=rate, can_flush=can_flush))
    story.push("s", counting(PLAY_RATE))
    story.play("s")
    story.run(at)
    story.pause("s")
    place = story.plane._lines["a"]._playout.position("s")
    late = LEAD + 0.021 if not can_flush else FADE / PLAY_RATE + 0.001
    assert place <= (at + late) * PLAY_RATE + 1
    story.run(silence)
    story.resume("s", place)
    story.run(1.5)
    assert story.settled().position == PLAY_RATE
    heard = sounded(story)
    if rate == PLAY_RATE:
        assert heard.size == PLAY_RATE
        differs = np.flatnonzero(heard != counting(PLAY_RATE))
        assert differs.size <= 2 * FADE
        assert all(place - FADE <= position < place + FADE for position in differs)
    else:
        assert abs(heard.size - PLAY_RATE * rate / PLAY_RATE) <= 2


@settings(max_examples=40, deadline=None)
@given(at=st.floats(0.0, 0.9), rate=st.sampled_from([8000, 16000, 24000, 44100]), can_flush=st.booleans())
def test_stop_settles_at_the_very_sample_that_was_heard_last(at: float, rate: int, can_flush: bool) -> None:
    story = Story(MemoryLeg(out_rate=rate, can_flush=can_flush))
    story.push("s", counting(PLAY_RATE))
    story.play("s")
    story.run(at)
    story.stop("s")
    story.run(0.5)
    settled = story.settled()
    heard = sounded(story)
    assert settled.reason == "stopped"
    assert settled.quality == "paced"
    assert abs(heard.size * PLAY_RATE / rate - settled.position) <= 2
    if rate == PLAY_RATE and can_flush:
        assert heard.size == settled.position <= round(at * PLAY_RATE) + FADE + 1


def test_resume_at_an_earlier_word_says_it_again_and_counts_it_once() -> None:
    story = Story(MemoryLeg())
    sound = counting(PLAY_RATE)
    story.push("s", sound)
    story.play("s")
    story.run(0.6)
    story.pause("s")
    story.run(0.2)
    story.resume("s", 9600)
    story.run(2.0)
    heard = sounded(story)
    assert story.settled().position == PLAY_RATE
    assert heard.size > PLAY_RATE
    assert np.array_equal(heard[-(PLAY_RATE - 9600 - FADE) :], sound[9600 + FADE :])
    positions = [progress.position for progress in story.heard(Progress)]
    assert positions == sorted(positions)


@pytest.mark.parametrize(("stops", "position", "reason"), [(0.9, PLAY_RATE, "end"), (0.5, PLAY_RATE // 2, "lost")])
def test_a_leg_that_stops_acknowledging_is_estimated_after_300_ms(stops: float, position: int, reason: str) -> None:
    leg = SymbolicLeg()
    story = Story(leg)
    frame = AudioFrame(b"", PLAY_RATE, PLAY_RATE)
    story.push("s", counting(PLAY_RATE))
    leg.stop_acks(at=START + stops)
    story.play("s")
    story.run(2.0)
    assert frame.duration == 1.0
    settled = story.settled()
    assert (settled.quality, settled.position, settled.reason) == ("estimated", position, reason)
    assert settled.at == pytest.approx(START + 1.3, abs=0.001)


def test_late_acknowledgements_are_waited_for() -> None:
    story = Story(SymbolicLeg(ack_delay=0.2))
    story.push("s", counting(PLAY_RATE))
    story.play("s")
    story.run(0.5)
    story.stop("s")
    assert not story.heard(Settled)
    story.run(1.0)
    settled = story.settled()
    assert (settled.quality, settled.position) == ("peer", PLAY_RATE // 2)
    assert settled.at == pytest.approx(START + 0.7, abs=0.02)


def test_two_speeches_follow_without_a_gap() -> None:
    story = Story(MemoryLeg())
    story.push("one", counting(5000))
    story.push("two", counting(5000, 5001))
    story.play("one")
    story.play("two")
    story.run(1.0)
    assert np.array_equal(sounded(story), counting(10000))
    assert [s.position for s in story.heard(Settled)] == [5000, 5000]


def test_a_filler_sounds_while_the_reply_has_no_audio_yet() -> None:
    story = Story(MemoryLeg())
    story.tell(StoreClip(line="a", key="filler", frames=(AudioFrame.pcm(counting(2400).tobytes(), PLAY_RATE),)))
    story.play("reply")
    story.tell(PlayClip(line="a", speech="filler-1", key="filler"))
    story.run(0.3)
    story.push("reply", counting(2400, 2401))
    story.run(0.5)
    assert np.array_equal(sounded(story), counting(4800))
    assert [s.speech for s in story.heard(Settled)] == ["filler-1", "reply"]


@pytest.mark.parametrize("leg", [MemoryLeg, SymbolicLeg])
def test_a_filler_bridges_a_stall_amid_the_reply(leg: type[MemoryLeg] | type[SymbolicLeg]) -> None:
    story = Story(leg())
    story.tell(StoreClip(line="a", key="filler", frames=(AudioFrame.pcm(counting(2400).tobytes(), PLAY_RATE),)))
    story.push("reply", counting(2400), last=False)
    story.play("reply")
    story.run(0.3)
    story.tell(PlayClip(line="a", speech="filler-1", key="filler"))
    story.run(0.2)
    assert not story.heard(Settled)
    story.run(1.0)
    story.push("reply", counting(2400))
    story.run(0.5)
    settled = story.heard(Settled)
    assert [(s.speech, s.position) for s in settled] == [("filler-1", 2400), ("reply", 4800)]
    assert settled[0].at - START == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("leg", [MemoryLeg, SymbolicLeg])
def test_a_voice_slower_than_real_time_is_an_underrun_and_nothing_is_lost(
    leg: type[MemoryLeg] | type[SymbolicLeg],
) -> None:
    story = Story(leg())
    story.play("s")
    for part in range(4):
        story.push("s", counting(1200, 1 + 1200 * part), last=part == 3)
        story.run(0.1)
    story.run(0.5)
    if isinstance(story.leg, MemoryLeg):
        heard = sounded(story)
    else:
        heard = np.frombuffer(b"".join(run.data for run in story.leg.heard_runs), dtype="<i2")
    assert np.array_equal(heard, counting(4800))
    assert story.settled().position == 4800
    assert story.close().counts["underruns"] == 3


def test_a_clip_nobody_stored_is_refused() -> None:
    story = Story(MemoryLeg())
    story.tell(PlayClip(line="a", speech="f", key="nothing"))
    story.look()
    assert story.settled().reason == "refused"


def test_an_empty_speech_settles_at_once() -> None:
    story = Story(MemoryLeg())
    story.push("s", counting(0))
    story.play("s")
    story.run(0.1)
    assert (story.settled().position, story.settled().reason) == (0, "end")


def test_audio_of_a_stopped_speech_is_thrown_away_and_counted() -> None:
    story = Story(MemoryLeg())
    story.push("s", counting(24000), last=False)
    story.play("s")
    story.run(0.2)
    story.stop("s")
    story.push("s", counting(480))
    story.play("s")
    story.run(0.5)
    assert len(story.heard(Settled)) == 1
    assert story.close().counts["audio_after_end"] == 480


def test_background_sounds_under_everything_and_costs_the_speech_no_sample() -> None:
    story = Story(MemoryLeg())
    hum = np.full(1000, 1000, dtype=np.int16)
    story.tell(
        StoreClip(line="a", key="hum", frames=(AudioFrame.pcm(hum.tobytes(), PLAY_RATE),)),
        Background(line="a", key="hum", gain=0.5),
    )
    story.run(0.5)
    story.push("s", np.full(4800, 2000, dtype=np.int16))
    story.play("s")
    story.run(0.5)
    assert story.settled().position == 4800
    heard = sounded(story)
    assert set(np.unique(heard)) == {500, 2500}
    assert np.count_nonzero(heard == 2500) == 4800


def test_speech_at_any_rate_lies_in_the_ledger_at_play_rate() -> None:
    story = Story(MemoryLeg())
    for part in np.split(tone(1.0, 22050), 7 * [0] + [1000, 1001, 9000]):
        story.push("s", part, 22050, last=False)
    story.tell(PushAudio(line="a", speech="s", frame=AudioFrame(b"", 22050, 0), last=True))
    story.play("s")
    story.run(1.5)
    assert story.settled().position == PLAY_RATE


def test_a_leg_that_goes_settles_what_sounded_as_lost() -> None:
    story = Story(MemoryLeg())
    story.push("s", counting(PLAY_RATE))
    story.play("s")
    story.run(0.5)
    story.leg.happen(LegEvent("down", "hangup"))
    story.run(0.1)
    assert story.settled().reason == "lost"
    assert story.settled().position == pytest.approx(PLAY_RATE / 2, abs=500)
    assert story.heard(LineDown)[0].certain


def test_when_the_core_dies_the_spare_clip_bridges_the_silence_once() -> None:
    story = Story(MemoryLeg())
    clip = AudioFrame.pcm(counting(2400).tobytes(), PLAY_RATE)
    story.tell(StoreClip(line="a", key="dead_man", frames=(clip,)))
    story.tell(Heartbeat(line="a", callers_move=False))
    story.run(5.0)
    (error,) = story.heard(LineError)
    assert error.at == pytest.approx(START + 2.0, abs=0.03)
    assert not error.fatal
    assert np.array_equal(sounded(story), counting(2400))
    assert not story.heard(Settled)


def test_no_spare_clip_while_it_is_the_callers_move_or_speech_still_sounds() -> None:
    waiting = Story(MemoryLeg())
    waiting.tell(Heartbeat(line="a", callers_move=True))
    waiting.run(5.0)
    assert not waiting.heard(LineError)
    talking = Story(MemoryLeg())
    talking.tell(Heartbeat(line="a", callers_move=False))
    talking.push("s", counting(4 * PLAY_RATE))
    talking.play("s")
    talking.run(3.9)
    assert not talking.heard(LineError)


def test_a_flood_of_audio_is_refused_beyond_the_bound_and_counted() -> None:
    story = Story(MemoryLeg())
    minute = np.zeros(60 * PLAY_RATE, dtype=np.int16)
    for _ in range(8):
        story.push("s", minute, last=False)
    story.run(0.1)
    assert story.close().counts["speech_overflow"] == 3 * 60 * PLAY_RATE


def test_an_hour_of_one_speech_keeps_a_bounded_past() -> None:
    story = Story(MemoryLeg())
    story.play("s")
    ten = np.zeros(10 * PLAY_RATE, dtype=np.int16)
    for _ in range(12):
        story.push("s", ten, last=False)
        story.run(10.0)
    buffer = story.plane._lines["a"]._playout._speeches["s"].buffer
    assert sum(piece.samples for piece in buffer._pieces) <= 50 * PLAY_RATE


def test_playing_what_is_over_is_refused() -> None:
    story = Story(MemoryLeg())
    story.stop("s")
    story.play("s")
    assert [(s.speech, s.reason) for s in story.heard(Settled)] == [("s", "refused"), ("s", "refused")]


MOVES = st.lists(
    st.tuples(st.sampled_from(["pause", "resume", "duck", "push", "wait"]), st.floats(0.0, 0.3)), max_size=14
)


def test_a_speech_that_is_made_anew_before_it_plays_has_none_of_its_first_audio() -> None:
    story = Story(MemoryLeg(out_rate=PLAY_RATE))
    story.push("s", counting(4800, 20_000), last=False)
    story.renew("s")
    story.push("s", counting(2400))
    story.play("s")
    story.renew("s")  # too late: it plays
    story.run(1.0)
    assert (story.settled().reason, story.settled().position) == ("end", 2400)
    assert sounded(story).max() < 20_000


@settings(max_examples=80, deadline=None)
@given(moves=MOVES, rate=st.sampled_from([24_000, 24_000, 16_000, 48_000]), can_flush=st.booleans(), end=st.booleans())
def test_whatever_happens_the_ledger_says_what_sounded(
    moves: list[tuple[str, float]], rate: int, can_flush: bool, end: bool
) -> None:
    story = Story(MemoryLeg(out_rate=rate, can_flush=can_flush))
    playout = story.plane._lines["a"]._playout
    pushed = 0
    story.play("s")
    for move, wait in [("push", 0.0), *moves]:
        if move == "push":
            story.push("s", counting(7200, 1 + pushed), last=False)
            pushed += 7200
        elif move == "pause":
            story.pause("s")
        elif move == "resume":
            story.resume("s", playout.position("s"))
        elif move == "duck":
            playout.duck(story.now, 0.5)
            playout.duck(story.now, 1.0)
        story.run(wait)
    if end:
        story.push("s", counting(0))
        story.resume("s", playout.position("s"))
        story.run(0.3 * (len(moves) + 2))
    else:
        story.stop("s")
    story.run(0.5)
    settled = story.settled()
    heard = sounded(story)
    bursts = 2 * len(moves) + 4
    assert abs(heard.size * PLAY_RATE / rate - settled.position) <= (0 if rate == PLAY_RATE else 2 * bursts)
    if end:
        assert (settled.reason, settled.position, settled.quality) == ("end", pushed, "paced")
    if rate == PLAY_RATE:
        same = heard == counting(heard.size)
        assert np.count_nonzero(~same) <= 2 * FADE * bursts
