from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.audio.wav import WavWriter, parse_wav, read_wav
from antiphon.errors import AudioError


def chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def wav(
    body: bytes, *, codec: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, extensible: bool = False
) -> bytes:
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else codec, channels, rate, rate * frame, frame, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, codec) + b"\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    inside = b"WAVE" + chunk(b"fmt ", form) + chunk(b"LIST", b"odd") + chunk(b"data", body)
    return b"RIFF" + struct.pack("<I", len(inside)) + inside


RAMP = np.linspace(-0.9, 0.9, 300)


def encoded(kind: str) -> tuple[bytes, int, int]:
    match kind:
        case "u8":
            return np.round(RAMP * 128 + 128).astype(np.uint8).tobytes(), 1, 8
        case "s16":
            return np.round(RAMP * 32768).astype("<i2").tobytes(), 1, 16
        case "s24":
            wide = np.round(RAMP * 2**23).astype("<i4")
            return wide.view(np.uint8).reshape(-1, 4)[:, :3].tobytes(), 1, 24
        case "s32":
            return np.round(RAMP * 2**31).astype("<i4").tobytes(), 1, 32
        case "f32":
            return RAMP.astype("<f4").tobytes(), 3, 32
        case _:
            return RAMP.astype("<f8").tobytes(), 3, 64


@pytest.mark.parametrize("kind", ["u8", "s16", "s24", "s32", "f32", "f64"])
@pytest.mark.parametrize("extensible", [False, True])
def test_every_width_reads_the_same(kind: str, extensible: bool) -> None:
    body, codec, bits = encoded(kind)
    samples, rate = parse_wav(wav(body, codec=codec, bits=bits, extensible=extensible))
    assert rate == 16_000
    assert np.max(np.abs(samples / 32768 - RAMP)) < (0.01 if kind == "u8" else 0.0001)


def test_channels_are_averaged_and_rates_converted(tmp_path: Path) -> None:
    stereo = np.stack((np.full(4410, 1000), np.full(4410, 3000)), axis=1).astype("<i2")
    path = tmp_path / "stereo.wav"
    path.write_bytes(wav(stereo.tobytes(), channels=2, rate=44_100))
    samples, rate = read_wav(str(path), 16_000)
    assert (rate, samples.size) == (16_000, 1600)
    assert abs(int(samples[800]) - 2000) <= 1


@pytest.mark.parametrize(("codec", "silence", "loudest"), [(7, 0xFF, 32124), (6, 0xD5, 32256)])
def test_telephone_codecs(codec: int, silence: int, loudest: int) -> None:
    samples, _ = parse_wav(wav(bytes([silence]) * 10 + bytes(range(256)), codec=codec, bits=8, rate=8000))
    assert np.all(np.abs(samples[:10]) <= 8)
    assert (samples.min(), samples.max()) == (-loudest, loudest)


def test_floats_that_are_no_numbers_are_silence_and_too_loud_ones_are_cut() -> None:
    body = np.array([np.nan, np.inf, -np.inf, 3.0], dtype="<f4").tobytes()
    samples, _ = parse_wav(wav(body, codec=3, bits=32))
    assert samples.tolist() == [0, 32767, -32767, 32767]


def test_a_truncated_file_gives_what_is_there() -> None:
    whole = wav(np.arange(1000, dtype="<i2").tobytes())
    samples, _ = parse_wav(whole[:-501])
    assert samples.size == 749
    assert np.array_equal(samples, np.arange(749))


def test_a_stream_of_unknown_length_is_read_to_its_end() -> None:
    whole = bytearray(wav(np.arange(100, dtype="<i2").tobytes()))
    at = whole.index(b"data")
    whole[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    assert parse_wav(bytes(whole))[0].size == 100


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"OggS" + b"\0" * 100, wav(b""), wav(b"\0" * 100, codec=85), wav(b"\0" * 9, channels=0),
     wav(b"\0\0", rate=0), b"RIFF\0\0\0\0WAVEdata\4\0\0\0abcd"],
)  # fmt: skip
def test_what_cannot_be_read_is_a_typed_error_with_a_hint(data: bytes) -> None:
    with pytest.raises(AudioError) as caught:
        parse_wav(data, "x.wav")
    assert "x.wav" in str(caught.value)
    assert caught.value.hint


def test_a_missing_file_is_a_typed_error() -> None:
    with pytest.raises(AudioError, match="Cannot read"):
        read_wav("/nowhere/at/all.wav")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 120), st.booleans())
def test_garbage_never_escapes_as_another_error(junk: bytes, at: int, inside: bool) -> None:
    good = wav(np.arange(20, dtype="<i2").tobytes())
    data = good[:at] + junk + (good[at + len(junk) :] if inside else b"")
    try:
        samples, rate = parse_wav(data)
    except AudioError:
        return
    assert samples.dtype == np.int16
    assert rate > 0


def test_the_writer_is_readable_at_every_commit(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "out.wav")
    writer = WavWriter(path, 24_000, 2)
    writer.write(np.ones((100, 2), dtype=np.int16))
    writer.commit()
    writer.write(np.ones((50, 2), dtype=np.int16))
    with wave.open(path) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 24_000, 100)
    writer.close()
    with wave.open(path) as file:
        assert file.getnframes() == 150
