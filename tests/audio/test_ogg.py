"""Ogg Opus files, read by a reader that is not ours (libsndfile)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.audio.frames import PLAY_RATE
from antiphon.audio.ogg import OggOpusWriter, checksum
from tests.transport.rtp.network import likeness, speech

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")


def read(path: Path) -> np.ndarray:
    """The file's sound, ``(samples, channels) float64``, at the rate that its header gives."""
    sound, rate = soundfile.read(str(path), always_2d=True)
    assert rate == PLAY_RATE
    return sound


def pages(path: Path) -> list[bytes]:
    data = path.read_bytes()
    starts = [at for at in range(len(data)) if data.startswith(b"OggS\x00", at)]
    return [data[begin:end] for begin, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def two_voices(seconds: float) -> np.ndarray:
    return np.stack((speech(seconds), np.roll(speech(seconds), 70_000)), axis=1)


def test_both_sides_are_there_each_on_its_own(tmp_path: Path) -> None:
    path, sound = tmp_path / "call.opus", two_voices(8.0)
    writer = OggOpusWriter(str(path), PLAY_RATE, 2)
    for begin in range(0, len(sound), 7_777):
        writer.write(sound[begin : begin + 7_777])
        writer.commit()
    writer.close()
    heard = read(path)
    assert len(heard) == len(sound), "to the sample: the encoder's delay and the padding are taken off"
    for side in (0, 1):
        assert likeness(sound[:, side], PLAY_RATE, heard[:, side] * 32_768, PLAY_RATE) > 0.95
        other = np.corrcoef(sound[:, 1 - side], heard[:, side])[0, 1]
        assert abs(other) < 0.1
    at_once = np.corrcoef(sound[:, 0], heard[:, 0])[0, 1]
    assert at_once > 0.95, "nothing is shifted"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3_000), st.booleans()), max_size=12), st.sampled_from([1, 2]))
def test_the_length_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, parts: list, channels: int) -> None:
    path = tmp_path_factory.mktemp("ogg") / "a.opus"
    writer, total = OggOpusWriter(str(path), PLAY_RATE, channels), 0
    for count, commit in parts:
        writer.write(np.full((count, channels), 500, dtype=np.int16))
        total += count
        if commit:
            writer.commit()
    writer.close()
    assert len(read(path)) == total


def test_a_file_that_was_never_closed_plays_to_its_last_page(tmp_path: Path) -> None:
    path, sound = tmp_path / "call.ogg", two_voices(6.0)
    writer = OggOpusWriter(str(path), PLAY_RATE, 2)
    for begin in range(0, len(sound), 12_000):
        writer.write(sound[begin : begin + 12_000])
        writer.commit()
    heard = read(path)
    assert len(heard) / PLAY_RATE > 5.9
    torn = tmp_path / "torn.ogg"
    torn.write_bytes(path.read_bytes()[:-100])
    assert len(read(torn)) / PLAY_RATE > 5.3


def test_pages_are_numbered_whole_and_grow_with_the_call(tmp_path: Path) -> None:
    path, sound = tmp_path / "call.opus", two_voices(8.0)
    writer = OggOpusWriter(str(path), PLAY_RATE, 2)
    writer.write(sound)
    writer.close()
    found = pages(path)
    assert found[0][28:36] == b"OpusHead" and found[1][28:36] == b"OpusTags"
    positions = [int.from_bytes(page[6:14], "little") for page in found]
    assert positions == sorted(positions)
    assert [int.from_bytes(page[18:22], "little") for page in found] == list(range(len(found)))
    assert [page[5] for page in found] == [2, *[0] * (len(found) - 2), 4]
    for page in found:
        assert slow_checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")


def slow_checksum(data: bytes) -> int:
    """As RFC 3533 says it, bit by bit."""
    value = 0
    for octet in data:
        value ^= octet << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


@given(st.binary(max_size=200))
def test_the_checksum_is_oggs(data: bytes) -> None:
    assert checksum(data) == slow_checksum(data)


def test_a_folder_is_made_and_a_place_that_cannot_be_is_said(tmp_path: Path) -> None:
    OggOpusWriter(str(tmp_path / "new" / "call.opus"), PLAY_RATE, 2).close()
    assert len(read(tmp_path / "new" / "call.opus")) == 0
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        OggOpusWriter(str(tmp_path / "file" / "call.opus"), PLAY_RATE, 2)
