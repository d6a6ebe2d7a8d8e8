"""What an agent hears of a caller over all kinds of networks: real speech, real Opus, virtual time."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.audio.frames import EAR_RATE, PLAY_RATE
from antiphon.audio.opus import OpusDecoder, OpusEncoder
from antiphon.errors import PacketError
from antiphon.transport.rtp.packet import RtpPacket, build_rtp, parse_rtp
from antiphon.transport.rtp.receiver import RtpReceiver
from antiphon.transport.rtp.sender import RtpSender
from tests.transport.rtp.network import OPUS, START, TICK, Heard, Network, likeness, listen, speech

SECONDS = 10.0


def is_like(heard: Heard, seconds: float = SECONDS) -> float:
    return likeness(speech(seconds), PLAY_RATE, heard.sound, EAR_RATE)


def mean_delay(heard: Heard) -> float:
    return float(np.mean(heard.delays))


def test_on_a_good_network_every_sample_comes_at_the_next_tick() -> None:
    heard = listen(Network(), SECONDS)
    assert heard.seconds == pytest.approx(SECONDS)
    assert is_like(heard) > 0.9
    assert max(heard.delays) < TICK
    assert max(map(abs, heard.gaps)) < 1e-9
    assert heard.frames[0].at == pytest.approx(START + 0.03, abs=1e-4), "the network's 30 ms cannot be told"
    assert heard.receiver.counts == {"received": 500}


def test_at_three_percent_loss_all_of_the_line_is_there_and_hardly_later() -> None:
    good = listen(Network(), 30.0)
    network = Network(loss=0.03)
    heard = listen(network, 30.0)
    assert network.lost > 30
    assert heard.seconds == pytest.approx(30.0, abs=0.021)
    assert is_like(heard, 30.0) > 0.85
    assert mean_delay(heard) < mean_delay(good) + 0.005
    assert max(heard.delays) <= max(good.delays) + 0.061
    assert heard.count("lost") == network.lost
    assert heard.count("recovered_ms") > heard.count("concealed_ms"), "most out of the copies in the packets after"
    assert heard.count("recovered_ms") + heard.count("concealed_ms") == pytest.approx(20 * network.lost, abs=20)


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.2])
def test_at_other_losses_too(loss: float) -> None:
    heard = listen(Network(loss=loss), SECONDS)
    assert heard.seconds == pytest.approx(SECONDS, abs=0.1)
    assert max(map(abs, heard.gaps)) < 1e-9
    assert mean_delay(heard) < 0.03


@pytest.mark.parametrize("jitter", [0.02, 0.06, 0.1])
def test_jitter_alone_costs_nothing_but_its_own_delay(jitter: float) -> None:
    heard = listen(Network(jitter=jitter), SECONDS)
    assert heard.seconds == pytest.approx(SECONDS)
    assert is_like(heard) > 0.9
    assert mean_delay(heard) < jitter + TICK
    assert not {"late", "lost", "concealed_ms", "recovered_ms"} & set(heard.receiver.counts)


def test_packets_that_overtake_one_another_are_put_in_order() -> None:
    heard = listen(Network(jitter=0.08, in_order=False), 30.0)
    assert heard.seconds == pytest.approx(30.0, abs=0.1)
    assert is_like(heard, 30.0) > 0.88
    assert heard.count("late") < 30 * 50 * 0.05
    assert 0.06 < heard.receiver.patience <= 0.12


def test_everything_at_once() -> None:
    heard = listen(
        Network(loss=0.05, jitter=0.05, duplicates=0.1, in_order=False), 20.0, sequence=65_500, timestamp=2**32 - 9_600
    )
    assert heard.seconds == pytest.approx(20.0, abs=0.2)
    assert is_like(heard, 20.0) > 0.8
    assert heard.count("duplicate") > 50


@pytest.mark.parametrize("drift", [3e-4, -3e-4])
def test_a_clock_that_is_off_is_followed_in_the_quiet_moments(drift: float) -> None:
    seconds = 240.0
    quiet = np.concatenate((speech(3.0) // 8 * 8, np.zeros(24_000, dtype=np.int16)))
    heard = listen(Network(), seconds, drift=drift, sound=np.resize(quiet, round(seconds * 24_000)))
    moved = heard.count("repeated_ms") - heard.count("left_out_ms")
    assert moved / 1000 == pytest.approx(seconds * drift, abs=0.041)
    assert max(map(abs, heard.gaps)) < 1e-4, "one line, no jump"
    assert max(heard.delays) < 0.05 and min(heard.delays) > -0.03


def test_a_short_stall_loses_nothing() -> None:
    heard = listen(Network(stalls=((3.0, 3.4),)), SECONDS)
    assert is_like(heard) > 0.9
    assert heard.count("silence_ms") == heard.count("late") == 0


def test_after_a_stall_of_seconds_the_line_has_gone_on_and_is_caught_up_with() -> None:
    heard = listen(Network(stalls=((3.0, 5.5),)), SECONDS)
    assert heard.seconds == pytest.approx(SECONDS, abs=0.05)
    assert 2300 < heard.count("silence_ms") < 2520
    after = [delay for frame, delay in zip(heard.frames, heard.delays, strict=True) if frame.at > START + 5.6]
    assert max(after) < 2 * TICK
    steps = [frame.at + frame.duration for frame in heard.frames]
    stalled = [at for at in steps if START + 3.8 < at < START + 5.4]
    assert len(stalled) > 70, "silence comes tick by tick"


def test_a_caller_whose_stream_changes_is_heard_on_without_a_hole() -> None:
    def change(number: int, data: bytes) -> bytes:
        packet = parse_rtp(data)
        if number < 200:
            return data
        return build_rtp(
            RtpPacket(
                OPUS, packet.sequence + 77 & 0xFFFF, packet.timestamp + 0x55555555 & 0xFFFFFFFF, 8, packet.payload
            )
        )

    heard = listen(Network(), SECONDS, change=change)
    assert heard.count("new_source") == 1
    assert heard.count("stranger") == 0
    assert heard.seconds == pytest.approx(SECONDS)
    assert heard.receiver.reception is not None and heard.receiver.reception.ssrc == 8


def test_a_sender_that_begins_to_count_anew_is_reported_without_a_loss() -> None:
    def change(number: int, data: bytes) -> bytes:
        packet = parse_rtp(data)
        sequence = packet.sequence + (9_000 if number >= 200 else 0)
        return build_rtp(RtpPacket(OPUS, sequence, packet.timestamp, packet.ssrc, packet.payload))

    heard = listen(Network(), SECONDS, change=change)
    assert heard.count("restart") == 1
    assert heard.receiver.reception is not None
    block = heard.receiver.reception.block(START + SECONDS)
    assert (block.lost, block.fraction_lost) == (0, 0)


def test_a_goodbye_makes_room_at_once() -> None:
    receiver = RtpReceiver(OPUS, OpusDecoder)
    payload = OpusEncoder().encode(bytes(960))
    receiver.receive(START, RtpPacket(OPUS, 0, 0, 1, payload))
    receiver.goodbye([1])
    receiver.receive(START + 0.01, RtpPacket(OPUS, 900, 12345, 2, payload))
    assert sum(frame.samples for frame in receiver.pull(START + 0.02)) == 320
    assert receiver.counts["new_source"] == 1


class Strangers(Network):
    """Somebody's noise beside each packet, under two other names."""

    noise = OpusEncoder().encode(np.random.default_rng(1).normal(0, 9000, 480).astype("<i2").tobytes())

    def carry(self, sent: float, data: bytes) -> list[tuple[float, bytes]]:
        number = parse_rtp(data).sequence
        others = [build_rtp(RtpPacket(OPUS, number, number * 960, ssrc, self.noise)) for ssrc in (666, 667)]
        arriving = super().carry(sent, data)
        return arriving + [(arriving[0][0], other) for other in others]


def test_strangers_are_not_heard_while_the_caller_is() -> None:
    heard = listen(Strangers(), SECONDS)
    assert is_like(heard) > 0.9
    assert heard.count("stranger") == 1000
    assert heard.count("new_source") == 0


def test_payloads_nobody_agreed_on_and_malformed_ones_are_counted() -> None:
    def change(number: int, data: bytes) -> bytes:
        packet = parse_rtp(data)
        if number % 50 == 10:
            return build_rtp(RtpPacket(96, packet.sequence, packet.timestamp, packet.ssrc, packet.payload))
        if number % 50 == 30:
            return build_rtp(RtpPacket(OPUS, packet.sequence, packet.timestamp, packet.ssrc, b"\xff\xff\xff"))
        return data

    heard = listen(Network(), SECONDS, change=change)
    assert heard.count("unknown_payload") == heard.count("malformed") == 10
    assert heard.count("lost") == 20
    assert heard.seconds == pytest.approx(SECONDS)


def test_keys_are_told_and_cost_no_sound() -> None:
    receiver = RtpReceiver(OPUS, OpusDecoder, events=[101])
    encoder = OpusEncoder()
    sequence, samples = 0, 0
    for number in range(50):
        now = START + TICK * number
        receiver.receive(now, RtpPacket(OPUS, sequence, 960 * number, 1, encoder.encode(bytes(960))))
        sequence += 1
        if 20 <= number < 26:
            end = number > 22
            event = struct.pack("!BBH", 5, 0x8A if end else 0x0A, 960 * (min(number, 23) - 19))
            receiver.receive(now, RtpPacket(101, sequence, 960 * 20, 1, event, marker=number == 20))
            sequence += 1
        samples += sum(frame.samples for frame in receiver.pull(now))
    assert receiver.digits == ["5"]
    assert samples == 50 * 320
    assert "lost" not in receiver.counts


def test_a_call_that_nobody_speaks_in_has_no_frames() -> None:
    assert RtpReceiver(OPUS, OpusDecoder).pull(START) == []


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0, 0.25),
    st.floats(0, 0.15),
    st.floats(0, 0.2),
    st.booleans(),
    st.integers(0, 65_535),
    st.integers(0, 2**32 - 1),
    st.integers(0, 10_000),
)
def test_on_any_network_the_line_is_whole(
    loss: float, jitter: float, duplicates: float, in_order: bool, sequence: int, timestamp: int, seed: int
) -> None:
    network = Network(loss=loss, jitter=jitter, duplicates=duplicates, in_order=in_order, seed=seed)
    heard = listen(network, 6.0, sequence=sequence, timestamp=timestamp)
    assert heard.seconds == pytest.approx(6.0, abs=0.4)
    after = [gap for frame, gap in zip(heard.frames, heard.gaps, strict=False) if frame.at > START + 2.5]
    assert all(abs(gap) < 0.12 for gap in after)
    assert max(heard.delays) < 0.55


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=60), st.floats(0, 0.2)), max_size=60))
def test_rubbish_off_the_wire_does_no_harm(packets: list[tuple[bytes, float]]) -> None:
    receiver, now = RtpReceiver(OPUS, OpusDecoder, events=[101]), START
    good = OpusEncoder().encode(bytes(960))
    for number, (data, later) in enumerate(packets):
        now += later
        for each in (bytes([0x80, OPUS]) + data, bytes([0x80, 101]) + data, data):
            try:
                receiver.receive(now, parse_rtp(each))
            except PacketError:
                continue
        receiver.receive(now, RtpPacket(OPUS, number, 960 * number, 5, good))
        assert all(frame.rate == EAR_RATE and frame.samples for frame in receiver.pull(now))


def test_the_callback_that_makes_a_decoder_is_used_for_each_source() -> None:
    made: list[OpusDecoder] = []
    make: Callable[[], OpusDecoder] = lambda: made.append(OpusDecoder()) or made[-1]  # noqa: E731
    receiver = RtpReceiver(OPUS, make)
    sender = RtpSender(9, OPUS, OpusEncoder())
    receiver.receive(START, parse_rtp(sender.packet(START, bytes(960))))
    receiver.goodbye([9])
    other = RtpSender(10, OPUS, OpusEncoder())
    receiver.receive(START + 0.1, parse_rtp(other.packet(START + 0.1, bytes(960))))
    assert len(made) == 2
