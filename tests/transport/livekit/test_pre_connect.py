"""What a client recorded before it was connected: read strictly, and joined to the live track without saying a word twice."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE
from antiphon.audio.opus import OpusEncoder
from antiphon.audio.wav import read_wav
from antiphon.errors import AudioError
from antiphon.transport.livekit.pre_connect import Recordings, read_recording, splice
from antiphon.transport.livekit.webm import EBML

GOOD = {"trackId": "TR_1", "sampleRate": "16000", "channels": "1"}
VOICE = read_wav("examples/coffee/callers/1-heart.wav", EAR_RATE)[0]


def test_pcm_of_any_rate_in_one_or_two_channels_is_read() -> None:
    tone = (8000 * np.sin(np.arange(48_000) * 0.05)).astype("<i2")
    assert read_recording(tone.tobytes(), {**GOOD, "sampleRate": "48000"}, "audio/pcm").size == 16_000
    both = np.repeat(tone, 2).tobytes()
    assert np.array_equal(
        read_recording(both, {**GOOD, "channels": "2"}, ""), read_recording(tone.tobytes(), GOOD, "audio/PCM; rate=1")
    )
    assert read_recording(bytes(2 * EAR_RATE * 60), GOOD, "").size == 15 * EAR_RATE, "its last 15 s"


@pytest.mark.parametrize(
    ("data", "attributes", "mime", "why"),
    [
        (b"12", {}, "", "not numbers"),
        (b"12", {"sampleRate": "fast", "channels": "1"}, "", "not numbers"),
        (b"12", {"sampleRate": "16000", "channels": "0"}, "", "0 channels"),
        (b"12", {"sampleRate": "96000", "channels": "1"}, "", "96000 Hz"),
        (b"123", GOOD, "", "amid a sample"),
        (b"1234", GOOD, "audio/webm", "audio/webm"),
        (EBML + b"\x80\xa3\x85\x81\0\0\x02x", GOOD, "audio/opus", "laced"),
    ],
)
def test_what_is_no_recording_is_refused(data: bytes, attributes: dict[str, str], mime: str, why: str) -> None:
    with pytest.raises(AudioError, match=why):
        read_recording(data, attributes, mime)


def element(name: bytes, body: bytes, size: bytes = b"") -> bytes:
    return name + (size or (0x1000_0000 | len(body)).to_bytes(4, "big")) + body


def webm(packets: list[bytes]) -> bytes:
    """As Chromium's recorder writes it: segment and clusters of unknown size, simple blocks, and one block in a group."""
    unknown = b"\x01" + b"\xff" * 7
    blocks = [b"\x81" + (20 * n).to_bytes(2, "big") + b"\x80" + packet for n, packet in enumerate(packets)]
    cluster = element(b"\xe7", b"\0") + b"".join(element(b"\xa3", block) for block in blocks[:-1])
    cluster += element(b"\xa0", element(b"\xa1", blocks[-1]) + element(b"\x9b", b"\x14"))
    tracks = element(b"\x16\x54\xae\x6b", element(b"\xae", element(b"\xd7", b"\x01")))
    inside = tracks + element(b"\x1f\x43\xb6\x75", cluster, unknown)
    return element(EBML, element(b"\x42\x82", b"webm")) + element(b"\x18\x53\x80\x67", inside, unknown)


def test_a_browsers_recording_is_read_as_far_as_it_goes() -> None:
    encoder = OpusEncoder(EAR_RATE)
    voice = VOICE[: 100 * 320]
    packets = [encoder.encode(voice[at : at + 320].tobytes()) for at in range(0, voice.size, 320)]
    heard = read_recording(webm(packets), {"trackId": "TR_1"}, "audio/opus")
    assert heard.size == voice.size
    delay = encoder.lookahead
    alike = np.corrcoef(heard[delay:].astype(float), voice[: heard.size - delay].astype(float))[0, 1]
    assert alike > 0.9
    broken = read_recording(webm(packets)[:-2000], {}, "audio/webm;codecs=opus")
    assert 0 < broken.size < voice.size
    rng = np.random.default_rng(3)
    for _ in range(300):  # whatever comes, it ends
        file = bytearray(webm(packets[:5]))
        for at in rng.integers(4, len(file), 3):
            file[at] = int(rng.integers(256))
        with suppress(AudioError):
            read_recording(bytes(file), {}, "")


def noisy(samples: NDArray[np.int16], gain: float = 0.7) -> NDArray[np.int16]:
    """As a codec and a gain control leave it."""
    noise = np.random.default_rng(1).normal(0, 60, samples.size)
    return (samples * gain + noise).clip(-32768, 32767).astype(np.int16)


def test_where_both_hold_the_same_sound_one_goes_over_into_the_other() -> None:
    begins = 14_000
    kept, skipped = splice(VOICE[:24_000], noisy(VOICE[begins:]))
    assert abs((kept - skipped) - begins) <= 8 and kept <= 24_000
    kept, skipped = splice(VOICE[:24_000], noisy(VOICE[22_000:]))
    assert abs((kept - skipped) - 22_000) <= 8, "an eighth of a second is enough"
    late = np.concatenate([np.zeros(1_600, np.int16), noisy(VOICE[begins + 1_600 :])])
    kept, skipped = splice(VOICE[:24_000], late)
    assert abs((kept - skipped) - begins) <= 8, "the beginning of a track may be lost"
    assert splice(VOICE[:20_000], VOICE[30_000:]) == (20_000, 0), "nothing is repeated"
    assert splice(VOICE[:20_000], np.zeros(8_000, np.int16)) == (20_000, 0), "silence tells nothing"
    assert splice(VOICE[:0], VOICE) == (0, 0)


def test_a_recording_is_taken_once_by_its_own_track() -> None:
    async def main() -> None:
        kept, sound = Recordings(), np.ones(10, np.int16)
        waiting = asyncio.create_task(kept.take("anna", "TR_1", 1.0))
        await asyncio.sleep(0)
        kept.came("ben", "TR_1", sound * 2)
        kept.came("anna", "TR_1", sound)
        assert (await waiting).tolist() == sound.tolist()
        with pytest.raises(AudioError, match="too late"):
            kept.came("anna", "TR_1", sound)
        assert (await kept.take("anna", "TR_2", 0.01)).size == 0
        with pytest.raises(AudioError, match="too late"):
            kept.came("anna", "TR_2", sound)
        for n in range(3):
            kept.came("carl", f"TR_{n}", sound)
        with pytest.raises(AudioError, match="Too many"):
            kept.came("carl", "TR_9", sound)

    asyncio.run(main())
