"""The network thread: one event loop for the sockets and handshakes of all WebRTC legs of a process.

Its ticker drives what waits for time. What takes long to import (cryptography, aioice) is imported here, beside the plane.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Protocol

from antiphon.audio import driver
from antiphon.transport.loop_thread import LoopThread

if TYPE_CHECKING:
    from antiphon.transport.webrtc.dtls import Certificate

TICK = 0.05
"""Seconds between two looks at what waits for time."""

_RENEW_AFTER = 7 * 24 * 3600.0
_log = logging.getLogger(__name__)


class Timed(Protocol):
    """Something with timers of its own."""

    def advance(self, now: float) -> None: ...


class Network(LoopThread):
    """The loop, its ticker, and the certificate of this process."""

    name = "webrtc"

    def __init__(self) -> None:
        super().__init__()
        self._timed: list[Timed] = []
        self._next = 0.0
        self._certificate: Certificate | None = None
        self._made_at = 0.0

    @property
    def certificate(self) -> Certificate:
        """This process's; a new one each week."""
        from antiphon.transport.webrtc.dtls import Certificate

        if self._certificate is None or driver.now() - self._made_at > _RENEW_AFTER:
            self._certificate, self._made_at = Certificate(), driver.now()
        return self._certificate

    def watch(self, timed: Timed) -> None:
        """Let ``timed`` have its ``advance`` until ``forget``."""
        self._timed.append(timed)

    def forget(self, timed: Timed) -> None:
        with contextlib.suppress(ValueError):
            self._timed.remove(timed)

    def begin(self) -> None:
        import antiphon.transport.webrtc.peer_connection  # noqa: F401  (so that the first offer finds it)

        self._next = driver.now()
        self.loop.call_soon(self._tick)

    def _tick(self) -> None:
        now = driver.now()
        for timed in list(self._timed):
            try:
                timed.advance(now)
            except Exception:
                _log.exception("A timer of the WebRTC network failed.")
                self.forget(timed)
        self._next = max(self._next + TICK, now)
        self.loop.call_later(max(0.0, self._next - now), self._tick)
