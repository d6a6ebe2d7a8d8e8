"""Keys of a phone: told once each, whatever is lost or repeated."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import PacketError
from antiphon.transport.rtp.dtmf import DIGITS, TelephoneEvents
from antiphon.transport.rtp.packet import RtpPacket


def press(key: str | int, at: int, *, updates: int = 4) -> list[RtpPacket]:
    """The packets of a key: begin, updates, and the end three times."""
    event = DIGITS.index(key) if isinstance(key, str) else key
    packets = []
    for number in range(updates + 3):
        end = number >= updates
        payload = struct.pack("!BBH", event, 0x8A if end else 0x0A, 160 * (min(number, updates) + 1))
        packets.append(RtpPacket(101, number, at & 0xFFFFFFFF, 1, payload, marker=number == 0))
    return packets


def told(events: TelephoneEvents, packets: list[RtpPacket]) -> str:
    return "".join(events.receive(packet) for packet in packets)


def test_a_number_is_dialled() -> None:
    events = TelephoneEvents()
    packets = [packet for at, key in enumerate("0123456789*#ABCD") for packet in press(key, 8000 * (at + 1))]
    assert told(events, packets) == "0123456789*#ABCD"


def test_the_same_key_twice_is_two() -> None:
    assert told(TelephoneEvents(), press("5", 1000) + press("5", 3000)) == "55"


def test_a_key_is_told_when_its_first_packets_are_lost() -> None:
    assert told(TelephoneEvents(), press("7", 1000)[-1:]) == "7"


def test_packets_that_come_late_tell_nothing_new() -> None:
    one, two = press("1", 1000), press("2", 5000)
    events = TelephoneEvents()
    assert told(events, one[:3] + two + one[3:]) == "12"
    assert events.counts["old"] == len(one[3:])


def test_the_clock_wraps_between_two_keys() -> None:
    assert told(TelephoneEvents(), press("1", 2**32 - 100) + press("2", 4000)) == "12"


def test_a_key_held_for_long_is_one() -> None:
    first = press("9", 1000)[:4]
    segment = [RtpPacket(101, each.sequence, 1000 + 0xFFFF, 1, each.payload) for each in press("9", 0, updates=3)]
    assert told(TelephoneEvents(), first + segment) == "9"


def test_a_flash_is_counted_and_not_told() -> None:
    events = TelephoneEvents()
    assert told(events, press(16, 1000)) == ""
    assert events.counts == {"unknown": 1}


def test_a_short_payload_is_refused() -> None:
    with pytest.raises(PacketError):
        TelephoneEvents().receive(RtpPacket(101, 0, 0, 0, b"\x01\x80\x00"))


@given(st.text(DIGITS, min_size=1, max_size=12), st.integers(0, 2**32 - 1), st.integers(0, 999))
def test_loss_and_repetition_change_nothing_while_one_packet_of_each_key_comes(keys: str, at: int, seed: int) -> None:
    chance = random.Random(seed)
    packets = []
    for number, key in enumerate(keys):
        pressed = press(key, at + 4000 * number)
        kept = [packet for packet in pressed if chance.random() < 0.5] or pressed[-1:]
        packets += [packet for packet in kept for _ in range(chance.choice((1, 1, 2)))]
    assert told(TelephoneEvents(), packets) == keys
