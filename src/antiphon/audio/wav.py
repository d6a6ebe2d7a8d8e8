"""WAV files: a reader that takes what the world sends, and a writer whose file is whole after a crash.

Reads RIFF and RF64 with integer PCM of 8, 16, 24 or 32 bits, 32- and 64-bit float, A-law and mu-law, any rate and
number of channels, plain or WAVE_FORMAT_EXTENSIBLE; a truncated file gives what is there. Anything else is an
``AudioError`` that says what was found. Sources: Microsoft's RIFF and WAVEFORMATEX documents, EBU Tech 3306 (RF64),
ITU-T G.711.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from antiphon.audio.resample import resample, to_int16
from antiphon.errors import AudioError

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_HINT = "Give a WAV file; others can be converted, for example with: ffmpeg -i FILE out.wav"
_HEADER = 44


def read_wav(path: str, rate: int | None = None) -> tuple[NDArray[np.int16], int]:
    """The sound of a file as ``(samples,) int16`` mono (channels averaged) and its rate in Hz; with ``rate``, converted
    to it. Raises ``AudioError``."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise AudioError(
            f"Cannot read {path}: {error.strerror or error}.", hint="Check the path and its permissions."
        ) from error
    samples, own_rate = parse_wav(data, path)
    if rate is None or rate == own_rate:
        return samples, own_rate
    return resample(samples, own_rate, rate), rate


def parse_wav(data: bytes, name: str = "the recording") -> tuple[NDArray[np.int16], int]:
    """The same from bytes in memory."""
    if not data:
        raise AudioError(f"{name} is empty.", hint=_HINT)
    if data[:4] not in (b"RIFF", b"RF64") or data[8:12] != b"WAVE":
        raise AudioError(f"{name} is not a WAV file.", hint=_HINT)
    form: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        body = at + 8
        if kind == b"fmt ":
            form = _parse_format(data[body : body + size], name)
        elif kind == b"data":
            if form is None:
                raise AudioError(f"{name} has sound but does not say in which format.", hint=_HINT)
            unknown = size in (0, 0xFFFFFFFF)
            return _decode(data[body:] if unknown else data[body : body + size], form, name), form[2]
        at = body + size + (size & 1)
    raise AudioError(f"{name} holds no sound.", hint=_HINT)


def _parse_format(chunk: bytes, name: str) -> tuple[int, int, int, int]:
    """(codec, channels, rate, bits a sample)"""
    if len(chunk) < 16:
        raise AudioError(f"{name} is cut off inside its header.", hint=_HINT)
    codec, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if codec == _EXTENSIBLE and len(chunk) >= 26:
        codec = struct.unpack_from("<H", chunk, 24)[0]
    if not 1 <= channels <= 64 or not 1000 <= rate <= 768_000:
        raise AudioError(f"{name} claims {channels} channels at {rate} Hz.", hint=_HINT)
    known = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _ALAW: (8,), _MULAW: (8,)}
    if bits not in known.get(codec, ()):
        raise AudioError(f"{name} is in a format that is not read here (code {codec}, {bits} bits).", hint=_HINT)
    return codec, channels, rate, bits


def _decode(data: bytes, form: tuple[int, int, int, int], name: str) -> NDArray[np.int16]:
    codec, channels, _, bits = form
    whole = len(data) // (channels * bits // 8) * (channels * bits // 8)
    if whole == 0:
        raise AudioError(f"{name} holds no sound.", hint=_HINT)
    data = data[:whole]
    if codec == _PCM and bits == 16 and channels == 1:
        return np.frombuffer(data, dtype="<i2").astype(np.int16)
    if codec == _FLOAT:
        raw = np.frombuffer(data, dtype="<f4" if bits == 32 else "<f8").astype(np.float64)
        values = np.clip(np.nan_to_num(raw, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0) * 32767.0
    elif codec == _ALAW:
        values = _alaw()[np.frombuffer(data, dtype=np.uint8)]
    elif codec == _MULAW:
        values = _mulaw()[np.frombuffer(data, dtype=np.uint8)]
    elif bits == 8:
        values = (np.frombuffer(data, dtype=np.uint8).astype(np.float64) - 128.0) * 256.0
    elif bits == 24:
        octets = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3).astype(np.int32)
        wide = (octets[:, 0] << 8) | (octets[:, 1] << 16) | (octets[:, 2] << 24)
        values = wide / 65536.0
    else:
        values = np.frombuffer(data, dtype="<i2" if bits == 16 else "<i4") / (1.0 if bits == 16 else 65536.0)
    return to_int16(values.reshape(-1, channels).mean(axis=1))


def _mulaw() -> NDArray[np.float64]:
    """Value of each mu-law octet."""
    code = ~np.arange(256) & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.float64)


def _alaw() -> NDArray[np.float64]:
    """Value of each A-law octet."""
    code = np.arange(256) ^ 0x55
    exponent = (code & 0x70) >> 4
    size = (code & 0x0F) << 4
    size = np.where(exponent == 0, size + 8, (size + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.float64)


class WavWriter:
    """An int16 WAV that grows. The header is written anew by each ``commit``, so that the file can be read at any
    time. Raises ``OSError``."""

    def __init__(self, path: str, rate: int, channels: int) -> None:
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._file: BinaryIO = open(path, "w+b", buffering=0)  # noqa: SIM115  (lives as long as the writer)
        self._rate, self._channels = rate, channels
        self._size = 0
        self.commit()

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append ``(n,)`` or ``(n, channels)`` samples."""
        data = memoryview(samples.astype("<i2", copy=False).tobytes())
        self._file.seek(_HEADER + self._size)
        while data:
            written = self._file.write(data)
            if not written:
                raise OSError("nothing could be written")
            self._size += written
            data = data[written:]

    def commit(self) -> None:
        """Make the header say what the file holds."""
        frame = 2 * self._channels
        size = min(self._size, 0xFFFFFF00)
        riff = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, _PCM, self._channels, self._rate, self._rate * frame, frame, 16)
        self._file.seek(0)
        self._file.write(riff + form + struct.pack("<4sI", b"data", size))

    def close(self) -> None:
        """Complete the file."""
        try:
            self.commit()
        finally:
            self._file.close()
