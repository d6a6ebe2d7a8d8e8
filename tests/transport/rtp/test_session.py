"""Two ends that talk with each other over a network on virtual time: sound, reports, farewell."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.opus import OpusDecoder, OpusEncoder
from antiphon.transport.rtp.packet import is_rtcp, parse_rtp
from antiphon.transport.rtp.receiver import RtpReceiver
from antiphon.transport.rtp.rtcp import Goodbye, ReceiverReport, ReportBlock, SenderReport, build_rtcp, parse_rtcp
from antiphon.transport.rtp.sender import RtpSender
from antiphon.transport.rtp.session import RtpSession
from tests.transport.rtp.network import OPUS, START, TICK, Network, likeness, speech


def end(ssrc: int) -> RtpSession:
    sender = RtpSender(ssrc, OPUS, OpusEncoder(), sequence=65_530, timestamp=2**32 - 1000)
    return RtpSession(RtpReceiver(OPUS, OpusDecoder), sender, name=f"end-{ssrc}")


class Call:
    """Two ends, a network each way; ``wire``: every packet that arrived, at which end."""

    def __init__(self, there: Network, back: Network) -> None:
        self.ends = (end(1), end(2))
        self.networks = (there, back)
        self.now = START
        self.heard: tuple[list[AudioFrame], list[AudioFrame]] = ([], [])
        self.wire: list[tuple[int, bytes]] = []
        self._arriving: list[tuple[float, int, int, bytes]] = []
        self._order = itertools.count()

    def run(self, seconds: float, *sounds: np.ndarray) -> None:
        at = 0
        for _ in range(round(seconds / TICK)):
            while self._arriving and self._arriving[0][0] <= self.now:
                arrived, _, to, data = heapq.heappop(self._arriving)
                self.wire.append((to, data))
                self.ends[to].receive(arrived, data)
            for number, session in enumerate(self.ends):
                if number < len(sounds) and at < sounds[number].size:
                    session.play(self.now, AudioFrame.pcm(sounds[number][at : at + 480].tobytes(), PLAY_RATE))
                for data in (*session.packets(self.now), session.report(self.now)):
                    if data:
                        self.send(number, data)
                self.heard[number].extend(session.capture(self.now))
            at += 480
            self.now += TICK

    def send(self, by: int, data: bytes) -> None:
        for arrives, copy in self.networks[by].carry(self.now, data):
            heapq.heappush(self._arriving, (arrives, next(self._order), 1 - by, copy))

    def sound(self, of: int) -> np.ndarray:
        return np.frombuffer(b"".join(frame.data for frame in self.heard[of]), dtype="<i2")


def test_two_ends_hear_each_other() -> None:
    call = Call(Network(), Network(seed=2))
    one, two = speech(8.0), np.roll(speech(8.0), 50_000)
    call.run(8.5, one, two)
    assert likeness(one, PLAY_RATE, call.sound(1), EAR_RATE) > 0.9
    assert likeness(two, PLAY_RATE, call.sound(0), EAR_RATE) > 0.9
    assert call.ends[0].heard(call.now) == one.size


def test_reports_tell_round_trip_loss_and_jitter() -> None:
    call = Call(Network(loss=0.1, delay=0.05), Network(delay=0.03, jitter=0.03, seed=2))
    call.run(20.0, speech(20.0))
    one, two = call.ends
    assert one.sender.round_trip == pytest.approx(0.095, abs=0.03)
    assert one.sender.loss == pytest.approx(0.1, abs=0.05)
    assert two.sender.loss == 0.0
    assert two.sender.remote_jitter == pytest.approx(0.008, abs=0.006)
    assert isinstance(one.sender.encoder, OpusEncoder)
    assert one.sender.encoder.expected_loss > 0.05
    assert two.receiver.counts["recovered_ms"] > 0


def test_reports_are_compound_name_their_sender_and_come_every_two_seconds() -> None:
    call = Call(Network(), Network())
    call.run(10.0)
    reports = [parse_rtcp(data) for to, data in call.wire if to == 1 and is_rtcp(data)]
    assert len(reports) == 5
    sender_report, names = reports[-1]
    assert isinstance(sender_report, SenderReport)
    assert sender_report.packets == pytest.approx(50 * 8.5, abs=2)
    assert sender_report.reports[0].ssrc == 2
    assert names.names == {1: "end-1"}


def test_the_report_maps_our_time_to_the_streams_clock() -> None:
    call = Call(Network(), Network())
    call.run(3.0)
    sender = call.ends[0].sender
    first, second = sender.report(call.now), sender.report(call.now + 1.5)
    assert (second.timestamp - first.timestamp) % 2**32 == 72_000
    assert (second.ntp - first.ntp) / 2**32 == pytest.approx(1.5)


def test_who_only_listens_sends_receiver_reports() -> None:
    session = end(1)
    session.report(START)
    (report, _) = parse_rtcp(session.report(START + 1.0))
    assert report == ReceiverReport(1)


def test_a_pause_of_ours_moves_the_timestamp_and_sets_the_mark() -> None:
    session = end(1)
    first = parse_rtp(session.packets(START)[0])
    second = parse_rtp(session.packets(START + 0.02)[0])
    after = parse_rtp(session.packets(START + 2.0)[0])
    assert (first.marker, second.marker, after.marker) == (True, False, True)
    assert (after.sequence - second.sequence) & 0xFFFF == 1
    assert (after.timestamp - first.timestamp) % 2**32 == 96_000


def test_a_farewell_is_understood() -> None:
    call = Call(Network(), Network())
    call.run(1.0)
    call.send(0, call.ends[0].goodbye(call.now))
    call.run(0.2)
    assert call.ends[1].left
    assert not call.ends[0].left
    assert isinstance(parse_rtcp(call.ends[0].goodbye(call.now))[-1], Goodbye)


def test_a_bad_second_is_forgotten_slowly_and_learned_fast() -> None:
    sender = RtpSender(1, OPUS, OpusEncoder())

    def report(lost: float) -> None:
        sender.heard(START, ReportBlock(1, int(256 * lost), 0, 0, 0))

    report(0.25)
    assert sender.loss > 0.1
    report(0.0)
    assert sender.loss > 0.08
    for _ in range(30):
        report(0.0)
    assert sender.loss < 0.01


def test_reports_about_others_and_from_the_future_change_nothing() -> None:
    session = end(1)
    session.packets(START)
    session.receive(START, build_rtcp([ReceiverReport(9, (ReportBlock(77, 255, 9, 9, 9),))]))
    assert session.sender.loss == 0.0
    block = ReportBlock(1, 0, 0, 0, 0, last_sr=1, delay=0xFFFFFFFF)
    session.receive(START, build_rtcp([ReceiverReport(9, (block,))]))
    assert session.sender.round_trip is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=100), max_size=20))
def test_rubbish_is_counted(packets: list[bytes]) -> None:
    session = end(1)
    for number, data in enumerate(packets):
        for each in (data, bytes([0x80, OPUS]) + data, bytes([0x81, 200, 0, max(0, len(data) // 4)]) + data):
            session.receive(START + number * TICK, each)
        session.capture(START + number * TICK)
        session.report(START + number * TICK)
    assert session.malformed <= 3 * len(packets)
