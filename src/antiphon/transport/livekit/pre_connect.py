"""What a client recorded before it was connected: a byte stream of LiveKit's clients, made the beginning of its track.

Mobile clients send 16-bit PCM, interleaved, browsers a WebM file with Opus; three attributes come with it. When the recording
ended is not said, so where the live track repeats its end is found by comparing the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE
from antiphon.audio.opus import OpusDecoder
from antiphon.audio.resample import resample
from antiphon.errors import AudioError
from antiphon.transport.livekit.webm import EBML, opus_packets

TOPIC = "lk.agent.pre-connect-audio-buffer"
MOST_BYTES = 10 * 1024 * 1024
"""Bytes of a recording, as LiveKit's clients limit it."""
MOST_PACKETS = 16_384
"""Opus packets of one: five minutes of 20 ms."""
MOST_SECONDS = 15.0
"""Seconds of a recording that are used, its last ones: what the media plane keeps for a recogniser."""
RATES = (8_000, 48_000)
MOST_WAITING = 4
"""Recordings that wait for their tracks."""
PLAIN = ("", "audio/pcm", "audio/l16", "audio/raw", "application/octet-stream")
COMPARED = 0.3
"""Seconds of the live track that are looked for in the recording, and again ..."""
STEP = 0.1
"""... so many seconds later."""
LEAST = 0.1
"""Seconds of it that the recording must hold at its very end."""
LOUD = 100
"""Mean amplitude from which the live track is no silence."""
ALIKE, ALIKE_AT_THE_END = 0.6, 0.85
"""Correlation from which they are the same sound: all of the piece, or what of it the recording's end holds."""


def read_recording(data: bytes, attributes: Mapping[str, str], mime_type: str) -> NDArray[np.int16]:
    """The recording, mono at ``EAR_RATE``. Raises ``AudioError`` for what is none, ``ConfigurationError`` for Opus without a
    decoder."""
    if data.startswith(EBML):
        return _from_webm(data)
    try:
        rate, channels = int(attributes.get("sampleRate", "")), int(attributes.get("channels", ""))
    except ValueError:
        raise AudioError("The attributes sampleRate and channels are not numbers.") from None
    if not RATES[0] <= rate <= RATES[1] or channels not in (1, 2):
        raise AudioError(f"{rate} Hz with {channels} channels is not a recording of a client.")
    if mime_type.partition(";")[0].strip().lower() not in PLAIN:
        raise AudioError(
            f"A recording of type {mime_type!r} is not read.", hint="PCM, and Opus in WebM, are understood."
        )
    if len(data) % (2 * channels):
        raise AudioError("The recording ends amid a sample.")
    samples = np.frombuffer(data, dtype="<i2")
    if channels == 2:
        samples = samples.reshape(-1, 2).astype(np.int32).mean(axis=1).astype(np.int16)
    samples = samples[-int(MOST_SECONDS * rate) :]
    return samples if rate == EAR_RATE else resample(samples, rate, EAR_RATE)


def _from_webm(data: bytes) -> NDArray[np.int16]:
    decoder, packets = OpusDecoder(EAR_RATE), list(islice(opus_packets(data), MOST_PACKETS))
    wanted, first = int(MOST_SECONDS * EAR_RATE), len(packets)
    while first and wanted > 0:
        first -= 1
        wanted -= decoder.samples(packets[first])
    sound = b"".join(decoder.decode(packet) for packet in packets[first:])
    return np.frombuffer(sound, dtype="<i2")[-int(MOST_SECONDS * EAR_RATE) :]


def splice(recording: NDArray[np.int16], live: NDArray[np.int16]) -> tuple[int, int]:
    """How many samples of the recording are kept, and how many of ``live``, which follows it, are left out: where both hold the
    same sound, one goes over into the other. Where they do not, as in silence, all of both."""
    known, size = recording.astype(np.float64), int(COMPARED * EAR_RATE)
    theirs = np.concatenate([[0.0], np.cumsum(known**2)])
    best, kept, skipped = 0.0, recording.size, 0
    for begin in range(0, live.size - size + 1, int(STEP * EAR_RATE)):
        piece = live[begin : begin + size].astype(np.float64)
        if np.abs(piece).mean() >= LOUD:
            place, alike = _find(known, theirs, piece)
            if alike > best:
                best, kept, skipped = alike, place, begin
    return (kept, skipped) if best >= ALIKE else (recording.size, 0)


def _find(known: NDArray[np.float64], theirs: NDArray[np.float64], piece: NDArray[np.float64]) -> tuple[int, float]:
    """Where in the recording the piece stands, and how surely (correlation); ``theirs``: the energy up to each sample."""
    least = int(LEAST * EAR_RATE)
    if known.size < least:
        return 0, 0.0
    size = 1 << int(known.size + piece.size).bit_length()
    products = np.fft.irfft(np.fft.rfft(known, size) * np.conj(np.fft.rfft(piece, size)), size)
    places = np.arange(known.size - least + 1)
    common = np.minimum(piece.size, known.size - places)
    ours = np.concatenate([[0.0], np.cumsum(piece**2)])
    energy = (theirs[places + common] - theirs[places]) * ours[common]
    alike = products[places] / np.sqrt(np.maximum(energy, 1.0))
    alike -= np.where(common < piece.size, ALIKE_AT_THE_END - ALIKE, 0.0)
    best = int(np.argmax(alike))
    return best, float(alike[best])


class Recordings:
    """Those that have come, by who sent them and the track that they begin."""

    def __init__(self) -> None:
        self._by_track: dict[tuple[str, str], asyncio.Future[NDArray[np.int16]]] = {}
        self._over: set[tuple[str, str]] = set()

    def came(self, identity: str, track: str, samples: NDArray[np.int16]) -> None:
        """Raises ``AudioError`` where its track has begun without it or has one, or too many wait for theirs."""
        future = self._of(identity, track)
        if (identity, track) in self._over or future.done():
            raise AudioError("It came too late, or twice: the track has begun.")
        if sum(each.done() for each in self._by_track.values()) >= MOST_WAITING:
            raise AudioError("Too many recordings wait for their tracks.")
        future.set_result(samples)

    async def take(self, identity: str, track: str, within: float) -> NDArray[np.int16]:
        """The recording of a track, waited for so many seconds; empty: none came."""
        found: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        if (identity, track) in self._over:
            return found
        with suppress(TimeoutError):
            found = await asyncio.wait_for(asyncio.shield(self._of(identity, track)), within)
        self._over.add((identity, track))
        self._by_track.pop((identity, track), None)
        return found

    def _of(self, identity: str, track: str) -> asyncio.Future[NDArray[np.int16]]:
        if (identity, track) not in self._by_track:
            self._by_track[identity, track] = asyncio.get_running_loop().create_future()
        return self._by_track[identity, track]
