"""What UDP costs a media process: packets sent from the plane's tick or by the network's loop, and taken by either.

``python benchmarks/webrtc_network.py [--legs 1 20] [--seconds 5] [--out FILE]``: CPU of the process, in ms per leg and second
of call, at 50 packets a second. An empty tick is in every row and has one of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

TICK = 0.02
PACKET = bytes([0x80, 111]) + bytes(110)


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return sock


def ticking(seconds: float, tick: Callable[[], None]) -> float:
    """CPU seconds of the process while ``tick`` runs 50 times a second."""
    begin, used = time.monotonic(), time.process_time()
    for number in range(1, round(seconds / TICK)):
        tick()
        time.sleep(max(0.0, begin + number * TICK - time.monotonic()))
    return time.process_time() - used


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def open(self, sock: socket.socket, take: Callable[[bytes], object]) -> Any:
        class Endpoint(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                take(data)

        async def endpoint() -> Any:
            return (await self.loop.create_datagram_endpoint(Endpoint, sock=sock))[0]

        return asyncio.run_coroutine_threadsafe(endpoint(), self.loop).result()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


def nothing(legs: int, seconds: float) -> float:
    return ticking(seconds, lambda: None)


def sent_by_the_tick(legs: int, seconds: float) -> float:
    socks, target = [udp() for _ in range(legs)], udp().getsockname()

    def tick() -> None:
        for sock in socks:
            sock.sendto(PACKET, target)

    return ticking(seconds, tick)


def sent_by_the_loop(legs: int, seconds: float) -> float:
    network, target = Loop(), udp().getsockname()
    transports = [network.open(udp(), len) for _ in range(legs)]

    def send() -> None:
        for transport in transports:
            transport.sendto(PACKET, target)

    try:
        return ticking(seconds, lambda: network.loop.call_soon_threadsafe(send) and None)
    finally:
        network.close()


def callers(addresses: list[Any], seconds: float) -> None:
    """Another process: a packet to each address, 50 times a second, never at the same moment."""
    sock, begin, step = udp(), time.monotonic(), TICK / len(addresses)
    for number in range(int(seconds / step)):
        sock.sendto(PACKET, addresses[number % len(addresses)])
        time.sleep(max(0.0, begin + number * step - time.monotonic()))


def called(socks: list[socket.socket], seconds: float, tick: Callable[[], None]) -> float:
    addresses = [sock.getsockname() for sock in socks]
    process = multiprocessing.get_context("spawn").Process(target=callers, args=(addresses, seconds + 3.0))
    process.start()
    time.sleep(1.5)
    try:
        return ticking(seconds, tick)
    finally:
        process.terminate()
        process.join()


def taken_by_the_tick(legs: int, seconds: float) -> float:
    socks = [udp() for _ in range(legs)]
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, 35, 1)  # Linux: the kernel stamps each packet

    def tick() -> None:
        for sock in socks:
            try:
                while True:
                    sock.recvmsg(2048, 64)
            except BlockingIOError:
                continue

    return called(socks, seconds, tick)


def taken_by_the_loop(legs: int, seconds: float) -> float:
    network, socks = Loop(), [udp() for _ in range(legs)]
    rings: list[deque[tuple[float, bytes]]] = [deque(maxlen=256) for _ in socks]
    for sock, ring in zip(socks, rings, strict=True):
        network.open(sock, lambda data, ring=ring: ring.append((time.monotonic(), data)))  # type: ignore[misc]

    def tick() -> None:
        for ring in rings:
            while ring:
                ring.popleft()

    try:
        return called(socks, seconds, tick)
    finally:
        network.close()


WAYS: dict[str, Callable[[int, float], float]] = {
    "empty tick": nothing,
    "sent by the tick": sent_by_the_tick,
    "sent by the loop": sent_by_the_loop,
    "taken by the tick": taken_by_the_tick,
    "taken by the loop": taken_by_the_loop,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--legs", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--out", default="")
    options = parser.parse_args()
    rows = {
        name: {legs: round(1000 * way(legs, options.seconds) / options.seconds / legs, 3) for legs in options.legs}
        for name, way in WAYS.items()
    }
    print("ms of CPU per leg and second".ljust(32) + "".join(f"{legs:>4} legs" for legs in options.legs))
    for name, row in rows.items():
        print(name.ljust(32) + "".join(f"{value:9.2f}" for value in row.values()))
    if options.out:
        Path(options.out).write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
