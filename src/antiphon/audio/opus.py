"""Opus by ctypes: one encoder and one decoder a stream over libopus, mono or stereo, any of Opus' own rates.

The library is the one inside ``opuslib-next-bundled`` (the ``webrtc`` extra), else the system's. ctypes lets go of the
GIL during each call, so that other threads run while a frame is coded. A codec's state is memory of this process and is
freed with the object. Knows nothing of packets' order or time. Sources: RFC 6716, the API documents of libopus.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes.util import find_library
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from antiphon.errors import AudioError, ConfigurationError

RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Hz that Opus encodes from and decodes to by itself."""

LONGEST = 0.12
"""Seconds: the longest packet."""

_MOST_BYTES = 1275
_FULL_PATH_LOSS, _FULL_PATH_BITRATE = 0.15, 24_000
_APPLICATIONS = {"voip": 2048, "audio": 2049}
_SET_BITRATE, _SET_COMPLEXITY, _SET_FEC, _SET_LOSS, _SET_DTX, _SET_SIGNAL = 4002, 4010, 4012, 4014, 4016, 4024
_GET_LOOKAHEAD = 4027
_SIGNAL_VOICE = 3001
_HINT = "Run: pip install 'antiphon[webrtc]' (or, on Debian and Ubuntu: sudo apt-get install libopus0)."


class OpusEncoder:
    """Encodes frames of 2.5, 5, 10, 20, 40 or 60 ms, at a variable bit rate around ``bitrate`` (bits a second), without
    discontinuous transmission: silence is sent too.

    ``complexity``: 0 to 10, CPU against sound. ``fec``: each packet carries a coarse copy of the one before it, as
    much of it as ``expected_loss`` (a fraction of packets) makes worth while.
    """

    def __init__(
        self,
        rate: int = 24_000,
        channels: Literal[1, 2] = 1,
        *,
        bitrate: int = 32_000,
        complexity: int = 5,
        fec: bool = True,
        expected_loss: float = 0.05,
        application: Literal["voip", "audio"] = "voip",
    ) -> None:
        """Raises ``ConfigurationError`` where there is no libopus or it does not take a value."""
        self._library = load_opus()
        self.rate, self.channels = rate, channels
        self._state = ctypes.create_string_buffer(self._library.opus_encoder_get_size(channels))
        _check(self._library, self._library.opus_encoder_init(self._state, rate, channels, _APPLICATIONS[application]))
        self._wanted, self._bitrate, self._loss = bitrate, 0, -1
        self.set_bitrate(bitrate)
        self.set_expected_loss(expected_loss)
        self._set(_SET_COMPLEXITY, complexity)
        self._set(_SET_FEC, int(fec))
        self._set(_SET_DTX, 0)
        if application == "voip":
            self._set(_SET_SIGNAL, _SIGNAL_VOICE)
        self._packet = ctypes.create_string_buffer(_MOST_BYTES)

    @property
    def bitrate(self) -> int:
        """Bits a second."""
        return self._bitrate

    @property
    def expected_loss(self) -> float:
        """The fraction of packets it prepares for."""
        return self._loss / 100

    @property
    def lookahead(self) -> int:
        """Samples by which decoded sound lags (the pre-skip of a file)."""
        value = ctypes.c_int32()
        _check(self._library, self._library.opus_encoder_ctl(self._state, _GET_LOOKAHEAD, ctypes.byref(value)))
        return value.value

    def set_bitrate(self, bitrate: int) -> None:
        """From the next frame on."""
        if bitrate != self._bitrate:
            self._set(_SET_BITRATE, bitrate)
            self._bitrate = bitrate

    def set_expected_loss(self, fraction: float) -> None:
        """From the next frame on; 0 to 1."""
        percent = round(100 * min(1.0, max(0.0, fraction)))
        if percent != self._loss:
            self._set(_SET_LOSS, percent)
            self._loss = percent

    def encode(self, pcm: bytes) -> bytes:
        """One packet from one frame: int16 little-endian, channels interleaved. Raises ``AudioError`` for a frame of
        another length."""
        samples = len(pcm) // (2 * self.channels)
        length = self._library.opus_encode(self._state, pcm, samples, self._packet, _MOST_BYTES)
        if length < 0:
            raise AudioError(
                f"Opus cannot encode {samples} samples at {self.rate} Hz: {_reason(self._library, length)}."
            )
        return ctypes.string_at(self._packet, length)

    def adapt(self, loss: float) -> None:
        """Fit the next frames to the loss that the far end reports (a fraction of packets, smoothed): copies worth it,
        and a smaller stream where the path seems to be full."""
        self.set_expected_loss(min(0.3, max(0.02, loss)))
        self.set_bitrate(min(self._wanted, _FULL_PATH_BITRATE) if loss > _FULL_PATH_LOSS else self._wanted)

    def _set(self, request: int, value: int) -> None:
        _check(self._library, self._library.opus_encoder_ctl(self._state, request, ctypes.c_int32(value)))


class OpusDecoder:
    """Decodes to ``rate`` and ``channels``, whatever was encoded, and makes up what was lost."""

    def __init__(self, rate: int = 16_000, channels: Literal[1, 2] = 1) -> None:
        """Raises ``ConfigurationError`` where there is no libopus or it does not take a value."""
        self._library = load_opus()
        self.rate, self.channels = rate, channels
        self._state = ctypes.create_string_buffer(self._library.opus_decoder_get_size(channels))
        _check(self._library, self._library.opus_decoder_init(self._state, rate, channels))
        self._most = round(LONGEST * rate)
        self._unit = rate // 400
        self._pcm = ctypes.create_string_buffer(2 * channels * self._most)

    def samples(self, packet: bytes) -> int:
        """How long a packet is, at ``rate``. Raises ``AudioError`` for one that is malformed."""
        count: int = self._library.opus_packet_get_nb_samples(packet, len(packet), self.rate)
        return self._checked(count)

    def decode(self, packet: bytes) -> bytes:
        """The packet's sound, int16 little-endian. Raises ``AudioError`` for one that is malformed."""
        if not packet:
            raise AudioError("An Opus packet is empty.")
        return self._decode(packet, self._most, 0)

    def carries_copy(self, packet: bytes) -> bool:
        """Whether a packet holds a copy of the one before it (in-band FEC). Told for packets of one frame, or of two of
        one size, which is what senders of 20 ms send; others count as without (RFC 6716, 3.1 and 4.2.4)."""
        if len(packet) < 2 or packet[0] >= 0x80 or packet[0] & 3 > 1:
            return False
        kind = packet[0] >> 3
        frames = max(1, kind & 3) if kind < 12 else 1  # of 20 ms, in one of the packet's
        if packet[1] >> (7 - frames) & 1:
            return True
        return bool(packet[0] & 4) and bool(packet[1] >> (6 - 2 * frames) & 1)

    def recover(self, following: bytes, samples: int) -> bytes:
        """The last ``samples`` before the packet ``following``, from the copy inside it where it has one, else made
        up. ``samples``: a multiple of 2.5 ms."""
        return self._decode(following, self._fitting(samples), 1) if following else self.conceal(samples)

    def conceal(self, samples: int) -> bytes:
        """Sound for ``samples`` that are lost, made up from what came before; it fades within some 60 ms. A multiple of
        2.5 ms."""
        return self._decode(None, self._fitting(samples), 0)

    def _fitting(self, samples: int) -> int:
        if not 0 < samples <= self._most or samples % self._unit:
            raise AudioError(
                f"Opus makes up 2.5 to 120 ms in steps of 2.5 ms, not {samples} samples at {self.rate} Hz."
            )
        return samples

    def _decode(self, packet: bytes | None, room: int, fec: int) -> bytes:
        length = len(packet) if packet else 0
        samples = self._checked(self._library.opus_decode(self._state, packet, length, self._pcm, room, fec))
        return ctypes.string_at(self._pcm, 2 * self.channels * samples)

    def _checked(self, result: int) -> int:
        if result < 0:
            raise AudioError(f"An Opus packet cannot be decoded: {_reason(self._library, result)}.")
        return result


@lru_cache(maxsize=1)
def load_opus() -> Any:
    """The library, its functions declared. Raises ``ConfigurationError`` where there is none."""
    library = _open()
    pointer, data, int32, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int
    for name, result, arguments in (
        ("opus_encoder_get_size", number, [number]),
        ("opus_encoder_init", number, [pointer, int32, number, number]),
        ("opus_encoder_ctl", number, [pointer, number]),  # a variable argument follows
        ("opus_encode", int32, [pointer, data, number, pointer, int32]),
        ("opus_decoder_get_size", number, [number]),
        ("opus_decoder_init", number, [pointer, int32, number]),
        ("opus_decode", number, [pointer, data, int32, pointer, number, number]),
        ("opus_packet_get_nb_samples", number, [data, int32, int32]),
        ("opus_strerror", data, [number]),
        ("opus_get_version_string", data, []),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _open() -> Any:
    names = []
    bundled = find_spec("opuslib_next")
    if bundled is not None and bundled.origin is not None:
        file = {"darwin": "libopus.dylib", "win32": "opus.dll"}.get(sys.platform, "libopus.so")
        names.append(str(Path(bundled.origin).parent / "_native" / file))
    system = find_library("opus")
    if system is not None:
        names.append(system)
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise ConfigurationError("There is no Opus library.", hint=_HINT)


def _reason(library: Any, code: int) -> str:
    return str(library.opus_strerror(code).decode())


def _check(library: Any, code: int) -> None:
    if code < 0:
        raise ConfigurationError(f"libopus does not take this setting: {_reason(library, code)}.")
