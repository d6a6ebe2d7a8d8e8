"""A bad network between a page and its leg: a UDP relay that loses, doubles, delays and swaps packets, goes dead, or changes the
page's address. Both sides know only the relay: it rewrites the candidates in what they tell each other."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from typing import Any

from antiphon.transport.webrtc import signals
from antiphon.transport.webrtc.demux import protocol

_CANDIDATE = re.compile(r"a=candidate:[^\r\n]*\r\n")
_HOST = re.compile(r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host[^\r\n]*")

Address = tuple[str, int]


class _Side(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Address], None]) -> None:
        self.take = take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    @property
    def port(self) -> int:
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.take(data, (addr[0], addr[1]))


class LossyRelay:
    """Fractions of the packets: ``lost``, ``doubled``, ``late`` (by ``lateness`` seconds; a packet that is late is overtaken
    by the next ones). ``dead``: nothing passes. ``drop``: protocols that do not pass."""

    def __init__(self, *, seed: int = 1) -> None:
        self.lost = self.doubled = self.late = 0.0
        self.lateness = 0.03
        self.dead = False
        self.drop: set[str] = set()
        self.passed = 0
        self._dice = random.Random(seed)
        self._page: Address | None = None
        self.leg: Address | None = None

    async def open(self) -> None:
        self._to_page = await self._side(self._from_page)
        self._to_leg = await self._side(self._from_leg)

    @property
    def page_port(self) -> int:
        """Where the page finds the leg."""
        return self._to_page.port

    async def change_address(self) -> None:
        """From now on the page's packets come from another port, as after a change of network."""
        self._to_leg.transport.close()
        self._to_leg = await self._side(self._from_leg)

    def inject(self, data: bytes) -> None:
        """Something the page never sent, from its address."""
        assert self.leg is not None
        self._to_leg.transport.sendto(data, self.leg)

    def offer(self, text: str) -> str:
        """The page's signal, as the leg gets it."""
        signal = signals.read(text)
        if not isinstance(signal, signals.Offer):
            return text
        return signals.write(signals.Offer(signal.id, self._through(signal.sdp, self._to_leg.port)))

    def answer(self, text: str) -> str:
        """The leg's signal, as the page gets it."""
        signal = signals.read_from_leg(text)
        if isinstance(signal, signals.LocalCandidate) and signal.candidate:
            return signals.write(signals.LocalCandidate(signal.id, None))
        if not isinstance(signal, signals.Answer):
            return text
        hosts = [(match[1], int(match[2])) for match in _HOST.finditer(signal.sdp)]
        self.leg = next(address for address in hosts if address[0] == "127.0.0.1")
        return signals.write(signals.Answer(signal.id, self._through(signal.sdp, self._to_page.port)))

    def close(self) -> None:
        self._to_page.transport.close()
        self._to_leg.transport.close()

    def _from_page(self, data: bytes, address: Address) -> None:
        self._page = address
        if self.leg is not None:
            self._pass(data, lambda: self._to_leg, self.leg)

    def _from_leg(self, data: bytes, address: Address) -> None:
        if self._page is not None:
            self._pass(data, lambda: self._to_page, self._page)

    def _pass(self, data: bytes, side: Callable[[], _Side], address: Address) -> None:
        kind = protocol(data)
        if self.dead or kind in self.drop:
            return
        self.passed += 1
        media = kind in ("rtp", "rtcp")
        dice = self._dice.random()
        if media and dice < self.lost:
            return
        times = 2 if media and self._dice.random() < self.doubled else 1
        wait = self.lateness if media and self._dice.random() < self.late else 0.0
        for _ in range(times):
            asyncio.get_running_loop().call_later(wait, self._send, side, data, address)

    @staticmethod
    def _send(side: Callable[[], _Side], data: bytes, address: Address) -> None:
        if not side().transport.is_closing():
            side().transport.sendto(data, address)

    @staticmethod
    async def _side(take: Callable[[bytes, Address], None]) -> _Side:
        loop = asyncio.get_running_loop()
        _, side = await loop.create_datagram_endpoint(lambda: _Side(take), local_addr=("127.0.0.1", 0))
        return side

    @staticmethod
    def _through(sdp: str, port: int) -> str:
        only = f"a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host\r\n"
        sdp = _CANDIDATE.sub("", sdp).replace("a=end-of-candidates\r\n", "")
        return sdp.replace("a=setup:", f"{only}a=end-of-candidates\r\na=setup:", 1)
