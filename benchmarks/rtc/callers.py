"""N callers of one server: light senders of packets that were encoded before, over real ICE, DTLS and SRTP.

Runs in aiortc's environment and uses its connections, not its media: packets are handed to the encryption as they are,
and what comes is counted, not decoded (but for the first call's, in which tones are looked for, afterwards). The first
caller is silent but for a tone every two seconds; ``talk``: the others talk without a break, ``turns``: all speak 3 s in 10.
Lost packets are lost here, by chance with a seed; those that carry a tone's begin are not.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import json
import random
import struct
import time
from pathlib import Path
from typing import Any

import aioice.ice
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame, CodecContext, Packet

from rtc.sounds import CYCLE, TONE_AT, Onsets, cycle, speech
from rtc.wire import Wire

RATE = 48_000
BLOCK = RATE // 50
MARK = round(TONE_AT * 50)
CLEAN = 100
"""Packets at a call's begin that are never lost."""

aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


def encoded(sound: np.ndarray) -> list[bytes]:
    """Opus packets of 20 ms, 32 kbit/s mono, with copies for 5 % loss."""
    codec = CodecContext.create("libopus", "w")
    codec.bit_rate, codec.format, codec.layout, codec.sample_rate = 32_000, "s16", "mono", RATE
    codec.time_base = fractions.Fraction(1, RATE)
    codec.options = {"application": "voip", "frame_duration": "20", "fec": "1", "packet_loss": "5"}
    packets: list[bytes] = []
    for at in range(0, sound.size - BLOCK + 1, BLOCK):
        frame = AudioFrame(format="s16", layout="mono", samples=BLOCK)
        frame.planes[0].update(np.ascontiguousarray(sound[at : at + BLOCK]).tobytes())
        frame.pts, frame.sample_rate, frame.time_base = at, RATE, codec.time_base
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return packets


class Idle(MediaStreamTrack):
    """Keeps aiortc's own sender quiet."""

    kind = "audio"

    async def recv(self) -> Any:
        await asyncio.Event().wait()


class Caller:
    """``arrived``: when each RTP packet came, and for the first caller what it held."""

    def __init__(self, number: int, packets: list[bytes], loss: float) -> None:
        self.number, self.sent = number, 0
        self.marks: list[float] = []
        self.arrived: list[tuple[float, bytes]] = []
        self._packets, self._loss, self._chance = packets, loss, random.Random(number)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._up = asyncio.Event()

    async def connect(self, wire: Wire) -> None:
        sender = self._peer.addTransceiver(Idle(), direction="sendrecv").sender
        self._peer.on("connectionstatechange", self._on_state)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        answer = await wire.ask("offer", sdp=self._peer.localDescription.sdp)
        await self._peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        await asyncio.wait_for(self._up.wait(), 15)
        self._ssrc, self._transport = sender._ssrc, sender.transport
        codecs = self._peer.getTransceivers()[0]._codecs
        self._type = next(codec.payloadType for codec in codecs if codec.mimeType.lower() == "audio/opus")
        self._transport._handle_rtp_data = self._on_rtp

    async def send(self) -> None:
        """The next packet of 20 ms."""
        number, self.sent = self.sent, self.sent + 1
        mark = self.number == 0 and number % round(CYCLE * 50) == MARK
        if mark:
            self.marks.append(time.monotonic())
        elif number > CLEAN and self._chance.random() < self._loss:
            return
        head = struct.pack("!BBHII", 0x80, self._type, number & 0xFFFF, number * BLOCK & 0xFFFFFFFF, self._ssrc)
        await self._transport._send_rtp(head + self._packets[number % len(self._packets)])

    async def close(self) -> None:
        await self._peer.close()

    def _on_state(self) -> None:
        if self._peer.connectionState == "connected":
            self._up.set()

    async def _on_rtp(self, data: bytes, arrival_time_ms: int) -> None:
        self.arrived.append((time.monotonic(), data if self.number == 0 else b""))

    def answered(self) -> list[float]:
        """When the packets arrived in which a tone begins."""
        codec = CodecContext.create("libopus", "r")
        codec.format, codec.layout, codec.sample_rate = "s16", "mono", RATE
        onsets, found = Onsets(RATE), []
        for at, data in self.arrived:
            for frame in codec.decode(Packet(payload(data))):
                if onsets.feed(frame.to_ndarray()[0]):
                    found.append(at)
        return found


def payload(data: bytes) -> bytes:
    """What an RTP packet carries."""
    start = 12 + 4 * (data[0] & 15)
    if data[0] & 0x10:
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    return data[start:]


async def tick(callers: list[Caller], stop: asyncio.Event) -> None:
    """Every caller's packet, every 20 ms."""
    begin, number = time.monotonic(), 0
    while not stop.is_set():
        for caller in list(callers):
            try:
                await caller.send()
            except ConnectionError:  # the server let it go: what is missing shows in the counts
                callers.remove(caller)
        number += 1
        wait = begin + number * 0.02 - time.monotonic()
        if wait < -0.5:
            begin -= wait
        await asyncio.sleep(max(0.0, wait))


def spread(values: list[float]) -> dict[str, float | int | None]:
    ordered = sorted(values)

    def at(share: float) -> float | None:
        return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None

    return {"p50": at(0.5), "p95": at(0.95), "max": at(1.0), "n": len(ordered)}


def delays(asked: list[float], answered: list[float], since: float) -> list[float]:
    """From each moment to the first one after it that belongs to it."""
    found = []
    for at in asked:
        after = [other for other in answered if 0.0 <= other - at < CYCLE * 0.9]
        if at >= since and after:
            found.append(after[0] - at)
    return found


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    loop = encoded(np.tile(cycle(RATE), 3))[round(CYCLE * 50) : 2 * round(CYCLE * 50)]
    words = speech(RATE)
    if options.load == "turns":
        words = np.concatenate((np.resize(words, 3 * RATE), np.zeros(7 * RATE, dtype=np.int16)))
    talk = encoded(words)
    callers: list[Caller] = []
    wire, stop, running = await Wire.connect(options.port), asyncio.Event(), list[Caller]()
    ticker = asyncio.create_task(tick(running, stop))
    setups = []
    for number in range(options.calls):
        mine = loop if number == 0 and options.load == "talk" else talk
        shift = 7 * number * 50 // max(1, options.calls)
        caller = Caller(number, mine if mine is loop else mine[shift:] + mine[:shift], options.loss)
        begun = time.monotonic()
        await caller.connect(wire)
        setups.append(time.monotonic() - begun)
        callers.append(caller)
        running.append(caller)
        await asyncio.sleep(0.1)
    await asyncio.sleep(options.settle)
    before = await wire.ask("measure")
    received = [len(caller.arrived) for caller in callers]
    mine = time.process_time()
    await asyncio.sleep(options.seconds)
    after = await wire.ask("measure")
    received = [len(caller.arrived) - count for caller, count in zip(callers, received, strict=True)]
    wall, mine = after["at"] - before["at"], time.process_time() - mine
    gaps = [
        b[0] - a[0]
        for caller in callers
        for a, b in zip(caller.arrived, caller.arrived[1:], strict=False)
        if a[0] > before["at"]
    ]
    await asyncio.sleep(1.0)
    last = await wire.ask("measure")
    stop.set()
    await ticker
    cpu = after["cpu"] - before["cpu"]
    heard = [(b - a) / wall for a, b in zip(before["heard"], after["heard"], strict=True)]
    first = callers[0]
    since = before["at"]
    result = {
        "calls": options.calls,
        "loss": options.loss,
        "seconds": round(wall, 1),
        "cpu_ms_per_call_second": round(1000 * cpu / wall / options.calls, 2),
        "cpu_s_per_call_minute": round(60 * cpu / wall / options.calls, 3),
        "cores": round(cpu / wall, 3),
        "heard_least": round(min(heard), 4) if heard else None,
        "sent_least": round(min(received) / (50 * wall), 4),
        "packet_gap_ms": spread(gaps),
        "in_ms": spread(delays(first.marks, last["onsets"], since)),
        "out_ms": spread(delays(last["onsets"], first.answered(), since)),
        "mouth_to_mouth_ms": spread(delays(first.marks, first.answered(), since)),
        "connect_ms": spread(setups),
        "threads": after["threads"],
        "callers_cores": round(mine / wall, 3),
        "gone": len(callers) - len(running),
    }
    wire.quit()
    await asyncio.gather(*(caller.close() for caller in callers), return_exceptions=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--loss", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=4.0)
    parser.add_argument("--load", choices=("talk", "turns"), default="talk")
    options = parser.parse_args()
    options.out.write_text(json.dumps(asyncio.run(measure(options)), indent=1))


if __name__ == "__main__":
    main()
