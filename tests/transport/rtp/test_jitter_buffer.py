"""The jitter buffer by itself: payloads are names, 20 ms each; what comes out is told as text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.transport.rtp.jitter_buffer import PATIENCE, STALL, JitterBuffer, Piece

RATE = 48_000
SPAN = 960
START = 50.0


class Line:
    """A buffer fed with numbered packets; ``told``: what came out, as packet numbers, ``?`` (20 ms made up), ``<n`` (20 ms
    to be had out of packet n) and ``.`` (20 ms of silence)."""

    def __init__(self, *, sequence: int = 0, timestamp: int = 0) -> None:
        self.buffer = JitterBuffer(RATE)
        self.sequence, self.timestamp = sequence, timestamp
        self.pieces: list[Piece] = []
        self.now = START

    def push(self, number: int, at: float | None = None, *, samples: int = SPAN, shift: int = 0) -> bool:
        """Packet ``number`` arrives, by default when it was complete."""
        self.now = START + 0.02 * (number + 1) if at is None else at
        sequence = (self.sequence + number) & 0xFFFF
        timestamp = (self.timestamp + SPAN * number + shift) & 0xFFFFFFFF
        taken = self.buffer.push(self.now, sequence, timestamp, str(number).encode(), samples)
        self.pull()
        return taken

    def pull(self, now: float | None = None) -> None:
        self.now = self.now if now is None else now
        self.pieces += self.buffer.pull(self.now)

    @property
    def told(self) -> str:
        words: list[str] = []
        for piece in self.pieces:
            if piece.payload:
                words.append(piece.payload.decode())
            elif piece.following:
                words.append("<" + piece.following.decode())
            else:
                words += ["." if piece.silent else "?"] * (piece.samples // SPAN)
        return " ".join(words)

    def check_line(self) -> None:
        """The pieces make one line without a hole: their times follow their lengths."""
        ends = [piece.at + piece.samples / RATE for piece in self.pieces]
        assert all(abs(piece.at - end) < 0.03 for piece, end in zip(self.pieces[1:], ends, strict=False))


def test_packets_in_order_go_through_at_once() -> None:
    line = Line()
    for number in range(5):
        line.push(number)
        assert line.told.split()[-1] == str(number)
    assert [round(piece.at - START, 3) for piece in line.pieces] == [0.0, 0.02, 0.04, 0.06, 0.08]


def test_two_that_changed_places_are_put_right() -> None:
    line = Line()
    for number in (0, 1, 2, 4):
        line.push(number)
    assert not line.push(3, START + 0.105), "the first time it is given up"
    line.push(5)
    assert line.told == "0 1 2 <4 4 5"
    line.push(7)
    line.push(6, START + 0.163)
    line.push(8)
    assert line.told == "0 1 2 <4 4 5 6 7 8"


def test_a_lost_packet_is_had_from_the_next_when_its_time_is_over() -> None:
    line = Line()
    for number in (0, 1, 3):
        line.push(number)
    assert line.told == "0 1 <3 3"
    assert line.now - START == pytest.approx(0.08)
    assert line.buffer.counts == {"lost": 1}


def test_of_two_that_are_lost_the_first_is_made_up() -> None:
    line = Line()
    for number in (0, 3, 4):
        line.push(number)
    assert line.told == "0 ? <3 3 4"
    line.check_line()


def test_a_long_loss_is_made_up_for_120_ms_and_then_silent() -> None:
    line = Line()
    for number in (0, 12):
        line.push(number)
    assert line.told == "0 ? ? ? ? ? ? . . . . <12 12"
    assert line.buffer.counts == {"lost": 11}


def test_a_packet_is_waited_for_as_long_as_packets_have_been_late() -> None:
    line = Line()
    chance = random.Random(2)
    at = 0.0
    for number in range(200):
        at = max(at, START + 0.02 * (number + 1) + chance.random() * 0.08)
        line.push(number, at)
    assert 0.06 < line.buffer.patience < 0.09
    line.push(201)
    assert line.told.split()[-1] == "199"
    line.pull(START + 0.02 * 201 + 0.059)
    assert line.told.split()[-1] == "199"
    line.pull(START + 0.02 * 201 + 0.09)
    assert line.told.split()[-2:] == ["<201", "201"]


def test_patience_grows_at_once_and_shrinks_slowly() -> None:
    line = Line()
    for number in (*range(50), 51, 52, 53):
        line.push(number)
    assert line.buffer.patience == PATIENCE[0]
    assert not line.push(50, START + 0.02 * 51 + 0.07)
    assert line.buffer.counts == {"lost": 1, "late": 1}
    assert line.buffer.patience == pytest.approx(0.07, abs=0.001)
    for number in range(54, 104):
        line.push(number)
    assert 0.05 < line.buffer.patience < 0.07
    for number in range(104, 504):
        line.push(number)
    assert line.buffer.patience == PATIENCE[0]


def test_patience_has_a_limit() -> None:
    line = Line()
    for number in (0, 1, 3):
        line.push(number)
    line.push(2, START + 0.8)
    assert line.buffer.patience == PATIENCE[1]


def test_duplicates_are_counted_once_each() -> None:
    line = Line()
    for number in (0, 1, 1, 2, 0, 4, 5, 4):
        line.push(number, START + 0.02 * (max(number, 2) + 1))
    assert line.told == "0 1 2 <4 4 5"
    assert line.buffer.counts == {"lost": 1, "duplicate": 3}


def test_numbers_wrap() -> None:
    line = Line(sequence=65_530, timestamp=2**32 - 6 * SPAN)
    for number in range(5):
        line.push(number, START + 0.02 * (number + 1) + (0.03 if number else 0.0))
    line.push(6, START + 0.14)
    line.push(5, START + 0.141)
    line.push(8, START + 0.21)
    assert line.told == "0 1 2 3 4 5 6 <8 8"
    line.check_line()


def test_a_pause_of_the_senders_is_silence_and_no_loss() -> None:
    line = Line()
    line.push(0)
    line.now = START + 0.02 * 12
    line.buffer.push(line.now, 1, 11 * SPAN, b"11", SPAN)
    line.pull()
    assert line.told == "0 . . . . . . . . . . 11"
    assert line.buffer.counts == {}


def test_other_payloads_take_a_place_in_the_order_and_none_in_the_line() -> None:
    line = Line()
    line.push(0)
    line.buffer.push(START + 0.03, 1, 0, b"", 0)
    line.buffer.push(START + 0.04, 2, SPAN, b"2", SPAN)
    line.pull(START + 0.04)
    assert line.told == "0 2"
    assert line.buffer.counts == {}


def test_while_nothing_comes_nothing_is_made_up_and_a_short_stall_loses_nothing() -> None:
    line = Line()
    line.push(0)
    line.pull(START + 0.02 + STALL - 0.01)
    assert line.told == "0"
    for number in range(1, 20):
        line.push(number, START + 0.02 + STALL - 0.005)
    assert line.told == " ".join(map(str, range(20)))


def test_a_long_stall_is_silence_and_what_comes_for_it_is_late() -> None:
    line = Line()
    line.push(0)
    for tick in range(1, 100):
        line.pull(START + 0.02 * (tick + 1))
    silence = line.told.split().count(".")
    assert 95 <= silence <= 99
    for number in range(1, 103):
        line.push(number, START + 2.06)
    assert line.buffer.counts == {"late": silence}
    assert line.told.split()[-2:] == ["101", "102"], "caught up"
    line.check_line()


def test_a_sender_whose_clock_stood_still_is_followed_after_a_moment() -> None:
    line = Line()
    line.push(0)
    line.pull(START + 3.0)
    for number in range(1, 20):
        line.push(number, START + 3.0 + 0.02 * number)
    assert line.buffer.counts["restart"] == 1
    assert line.told.split()[-1] == "19"
    assert line.pieces[-1].at == pytest.approx(START + 3.0 + 0.02 * 18, abs=0.001)


def test_a_sender_whose_clock_jumped_ahead_is_followed_at_once() -> None:
    line = Line()
    line.push(0)
    line.push(1)
    line.push(2, shift=RATE * 100)
    assert line.told == "0 1 2"
    assert line.buffer.counts == {"restart": 1}


def test_one_stray_number_changes_nothing_two_in_order_begin_anew() -> None:
    line = Line()
    line.push(0)
    assert not line.push(20_000, START + 0.025)
    line.push(1)
    assert line.told == "0 1"
    line.push(30_000, START + 0.045)
    line.push(30_001, START + 0.050)
    line.push(30_002, START + 0.070)
    assert line.told == "0 1 30001 30002"


def test_a_listener_who_sleeps_loses_the_oldest_and_no_more() -> None:
    line = Line()
    for number in range(400):
        line.buffer.push(START + 0.02 * (number + 1), number, SPAN * number, str(number).encode(), SPAN)
    line.pull(START + 8.0)
    assert line.buffer.counts["overflow"] == 250
    assert line.told.split()[-1] == "399"
    line.check_line()


def test_a_packet_that_the_line_has_reached_into_is_played_from_there() -> None:
    line = Line()
    line.push(0)
    line.pull(START + 0.02 + 0.6)
    silence = line.told.split().count(".")
    line.now = START + 0.7
    line.buffer.push(line.now, 1, SPAN * silence + SPAN // 2, b"x", SPAN)
    line.pull()
    last = line.pieces[-1]
    assert (last.payload, last.skip, last.samples) == (b"x", SPAN // 2, SPAN // 2)
    line.check_line()


def test_packets_of_other_lengths() -> None:
    buffer = JitterBuffer(RATE)
    at, timestamp, pieces = START, 0, list[Piece]()
    for number, samples in enumerate((120, 2880, 480, 5760, 960)):
        at += samples / RATE
        buffer.push(at, number, timestamp, b"x", samples)
        pieces += buffer.pull(at)
        timestamp += samples
    assert [piece.samples for piece in pieces] == [120, 2880, 480, 5760, 960]
    assert [piece.at for piece in pieces][:3] == pytest.approx([START, START + 0.0025, START + 0.0625])


CHAOS = st.fixed_dictionaries(
    {
        "loss": st.floats(0, 0.4),
        "jitter": st.floats(0, 0.3),
        "duplicates": st.floats(0, 0.3),
        "first": st.integers(0, 65_535),
        "timestamp": st.integers(0, 2**32 - 1),
        "seed": st.integers(0, 10_000),
    }
)


@settings(max_examples=150, deadline=None)
@given(CHAOS)
def test_whatever_a_network_does_the_line_has_no_hole_and_no_packet_comes_twice(chaos: dict) -> None:
    chance = random.Random(chaos["seed"])
    line = Line(sequence=chaos["first"], timestamp=chaos["timestamp"])
    arrivals = [(START + 0.02, 0)]
    for number in range(1, 150):
        while chance.random() >= chaos["loss"]:
            arrivals.append((START + 0.02 * (number + 1) + chance.random() * chaos["jitter"], number))
            if chance.random() >= chaos["duplicates"]:
                break
    for at, number in sorted(arrivals):
        line.push(number, at)
    line.pull(line.now + 1.0)
    played = [piece.payload for piece in line.pieces if piece.payload]
    numbers = [int(payload) for payload in played]
    assert numbers == sorted(set(numbers)), "each once, in order"
    lengths = sum(piece.samples for piece in line.pieces)
    last = max(number for _, number in arrivals)
    assert lengths >= SPAN * (last + 1), "all of the line"
    counts = line.buffer.counts
    assert len(arrivals) == len(played) + counts.get("late", 0) + counts.get("duplicate", 0)
    assert "overflow" not in counts and "restart" not in counts
    assert len(line.buffer._held) == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 65_535), st.integers(0, 2**32 - 1), st.sampled_from([0, 120, 960, 5760]), st.floats(0, 0.5)
        ),
        max_size=200,
    )
)
def test_numbers_without_sense_do_no_harm(packets: list) -> None:
    buffer, now = JitterBuffer(RATE), START
    begun, seconds = False, 0.0
    for sequence, timestamp, samples, later in packets:
        now += later
        buffer.push(now, sequence, timestamp, b"x", samples)
        seconds += sum(piece.samples for piece in buffer.pull(now)) / RATE
        assert len(buffer._held) <= 150
        begun = True
    if begun:
        assert seconds < (now - START) * 20 + 200, "no packet can make hours of sound"
