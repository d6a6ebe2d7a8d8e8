"""Opus: real sound through the real library, losses made up, rubbish refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import antiphon.audio.opus as opus
from antiphon.audio.frames import EAR_RATE, PLAY_RATE
from antiphon.audio.opus import OpusDecoder, OpusEncoder
from antiphon.errors import AudioError, ConfigurationError
from tests.transport.rtp.network import likeness, speech

SOUND = speech(4.0)
FRAMES = [SOUND[at : at + 480].tobytes() for at in range(0, SOUND.size - 479, 480)]


def decoded(parts: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(parts), dtype="<i2")


def test_speech_at_24_khz_comes_out_as_the_same_speech_at_16() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    heard = decoded([decoder.decode(encoder.encode(frame)) for frame in FRAMES])
    assert heard.size == len(FRAMES) * 320
    assert likeness(SOUND, PLAY_RATE, heard, EAR_RATE) > 0.9


def test_a_packet_knows_its_length_and_a_frame_of_another_length_is_refused() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    assert decoder.samples(encoder.encode(FRAMES[0])) == 320
    with pytest.raises(AudioError, match="479 samples"):
        encoder.encode(FRAMES[0][2:])


def test_the_bit_rate_is_kept_and_silence_takes_little() -> None:
    encoder = OpusEncoder(bitrate=24_000)
    spoken = sum(len(encoder.encode(frame)) for frame in FRAMES) * 8 / (len(FRAMES) * 0.02)
    assert spoken == pytest.approx(24_000, rel=0.15)
    quiet = [encoder.encode(bytes(960)) for _ in range(100)][50:]
    assert all(quiet), "silence is sent"
    assert sum(map(len, quiet)) * 8 / 1.0 < 16_000


def losing_every_fifth(loss: float, *, copies: bool) -> float:
    """How like the sound is to what was said, over the lost frames only."""
    encoder, decoder, clean = OpusEncoder(expected_loss=loss, fec=loss > 0), OpusDecoder(), OpusDecoder()
    packets = [encoder.encode(frame) for frame in FRAMES]
    truth = [clean.decode(packet) for packet in packets]
    made, wanted = [], []
    for at, packet in enumerate(packets):
        if at % 5 == 4 and at + 1 < len(packets):
            following = packets[at + 1]
            made.append(decoder.recover(following, 320) if copies else decoder.conceal(320))
            wanted.append(truth[at])
        else:
            decoder.decode(packet)
    return float(np.corrcoef(decoded(made), decoded(wanted))[0, 1])


def test_a_lost_frame_is_had_from_the_copy_in_the_next() -> None:
    with_copies, made_up = losing_every_fifth(0.2, copies=True), losing_every_fifth(0.2, copies=False)
    assert with_copies > 0.8
    assert with_copies > made_up + 0.1


def test_a_packet_tells_whether_it_carries_a_copy() -> None:
    decoder = OpusDecoder()
    with_copies, without = OpusEncoder(expected_loss=0.2), OpusEncoder(fec=False)
    assert sum(decoder.carries_copy(with_copies.encode(frame)) for frame in FRAMES) > len(FRAMES) / 2
    assert not any(decoder.carries_copy(without.encode(frame)) for frame in FRAMES)
    assert not decoder.carries_copy(b"")


def test_what_is_made_up_fades_to_silence() -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    loudest = max(range(len(FRAMES)), key=lambda at: np.abs(decoded([FRAMES[at]]).astype(int)).sum())
    for frame in FRAMES[: loudest + 1]:
        before = decoder.decode(encoder.encode(frame))
    first = decoder.conceal(320)
    for _ in range(14):
        last = decoder.conceal(320)
    energy = [float(np.square(decoded([block]).astype(float)).mean()) for block in (before, first, last)]
    assert energy[1] > energy[0] / 20
    assert energy[2] < energy[0] / 100


def test_only_lengths_that_opus_has_can_be_made_up() -> None:
    decoder = OpusDecoder()
    for samples in (0, 33, 16_000):
        with pytest.raises(AudioError, match="in steps of"):
            decoder.conceal(samples)


def test_the_encoder_fits_itself_to_the_loss() -> None:
    encoder = OpusEncoder(bitrate=32_000)
    encoder.adapt(0.08)
    assert (encoder.expected_loss, encoder.bitrate) == (0.08, 32_000)
    encoder.adapt(0.4)
    assert (encoder.expected_loss, encoder.bitrate) == (0.3, 24_000)
    encoder.adapt(0.0)
    assert (encoder.expected_loss, encoder.bitrate) == (0.02, 32_000)


def test_values_that_opus_does_not_take_are_said() -> None:
    with pytest.raises(ConfigurationError):
        OpusEncoder(44_100)
    with pytest.raises(ConfigurationError):
        OpusEncoder(complexity=11)
    with pytest.raises(ConfigurationError):
        OpusDecoder(11_025)


def test_without_a_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opus, "find_spec", lambda name: None)
    monkeypatch.setattr(opus, "find_library", lambda name: None)
    opus.load_opus.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match=r"pip install 'antiphon\[webrtc\]'"):
            OpusEncoder()
    finally:
        opus.load_opus.cache_clear()


def test_threads_with_a_codec_each_do_not_disturb_one_another() -> None:
    encoder = OpusEncoder()
    alone = [encoder.encode(frame) for frame in FRAMES]
    found: list[list[bytes]] = []

    def encode() -> None:
        mine = OpusEncoder()
        found.append([mine.encode(frame) for frame in FRAMES])

    threads = [threading.Thread(target=encode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [alone] * 4


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=1500), st.sampled_from([8_000, 16_000, 48_000]))
def test_rubbish_is_decoded_or_refused_and_the_decoder_lives_on(packet: bytes, rate: int) -> None:
    decoder = OpusDecoder(rate)
    for call in (
        lambda: decoder.samples(packet),
        lambda: decoder.decode(packet),
        lambda: decoder.recover(packet, rate // 50),
        lambda: decoder.carries_copy(packet),
    ):
        try:
            call()
        except AudioError:
            continue
    good = OpusEncoder().encode(FRAMES[0])
    assert len(decoder.decode(good)) == 2 * rate // 50


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 199), st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_a_packet_damaged_on_its_way_does_no_harm(which: int, at: int, damage: bytes) -> None:
    encoder, decoder = OpusEncoder(), OpusDecoder()
    packet = bytearray(encoder.encode(FRAMES[which % len(FRAMES)]))
    at %= len(packet)
    packet[at : at + len(damage)] = damage
    try:
        assert len(decoder.decode(bytes(packet))) <= 2 * 1920
    except AudioError:
        assert len(decoder.conceal(320)) == 640
