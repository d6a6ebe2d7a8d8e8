"""What a codec has to offer to be sent and received by RTP. ``audio/opus.py`` does."""

from __future__ import annotations

from typing import Protocol


class FrameEncoder(Protocol):
    """``rate``: Hz of the sound it takes. One frame in, one payload out."""

    rate: int

    def encode(self, pcm: bytes) -> bytes: ...

    def adapt(self, loss: float) -> None:
        """The far end loses this fraction of the packets."""
        ...


class FrameDecoder(Protocol):
    """``rate``: Hz of the sound it gives: mono, int16 little-endian. Payloads that are malformed: ``AudioError``."""

    rate: int

    def samples(self, payload: bytes) -> int: ...

    def decode(self, payload: bytes) -> bytes: ...

    def carries_copy(self, payload: bytes) -> bool:
        """Whether ``recover`` gets real sound out of it."""
        ...

    def recover(self, following: bytes, samples: int) -> bytes:
        """The sound before ``following``, out of its copy where it has one; ``samples``: a multiple of 2.5 ms."""
        ...

    def conceal(self, samples: int) -> bytes:
        """Sound made up; ``samples``: a multiple of 2.5 ms, 120 ms at most."""
        ...
