"""Audio that arrives cut anywhere, joined to whole 16-bit samples.

Owns: the odd byte between two pieces. Never: what the audio is.
"""

from __future__ import annotations


class WholeSamples:
    """One stream of int16 PCM."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """The samples that ``piece`` completes."""
        data = self._rest + piece if self._rest else piece
        whole = len(data) & ~1
        self._rest = data[whole:]
        return data[:whole]
