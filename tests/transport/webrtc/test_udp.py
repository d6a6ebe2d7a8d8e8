"""A UDP socket of the leg's: what does not go is dropped, and nobody's task ends by it."""

from __future__ import annotations

import asyncio
import socket

from antiphon.transport.webrtc.udp import UdpTransport


def test_a_datagram_that_has_no_way_is_dropped() -> None:
    async def story() -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        udp = UdpTransport(asyncio.get_running_loop(), sock, asyncio.DatagramProtocol())
        for address in (("192.0.2.1", 9), ("255.255.255.255", 9)):  # routed, and not permitted
            assert not udp.try_send(b"x", address)
            udp.sendto(b"x", address)
        udp.close()
        await asyncio.sleep(0)
        udp.sendto(b"x", ("127.0.0.1", 9))  # closed meanwhile

    asyncio.run(story())
