"""RTP packets: every field there and back, the RFCs' own examples, and nothing but a typed error for rubbish."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import PacketError
from antiphon.transport.rtp.packet import (
    MOST_BYTES,
    RtpPacket,
    audio_level,
    build_extension,
    build_rtp,
    extension_elements,
    is_rtcp,
    parse_rtp,
)

WORD = st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=WORD,
    ssrc=WORD,
    payload=st.binary(max_size=200),
    marker=st.booleans(),
    csrcs=st.lists(WORD, max_size=15).map(tuple),
)
ELEMENTS = st.one_of(
    st.dictionaries(st.integers(1, 14), st.binary(min_size=1, max_size=16), max_size=4),
    st.dictionaries(st.integers(1, 255), st.binary(max_size=255), max_size=4),
)


def test_a_plain_packet_is_read_as_the_rfc_draws_it() -> None:
    data = bytes.fromhex("80ef 1234 00000bb8 deadbeef") + b"sound"
    assert parse_rtp(data) == RtpPacket(111, 0x1234, 3000, 0xDEADBEEF, b"sound", marker=True)


@given(PACKETS, ELEMENTS)
def test_what_is_built_is_read_again(packet: RtpPacket, elements: dict[int, bytes]) -> None:
    profile, extension = build_extension(elements)
    packet = RtpPacket(
        packet.payload_type,
        packet.sequence,
        packet.timestamp,
        packet.ssrc,
        packet.payload,
        packet.marker,
        packet.csrcs,
        profile,
        extension,
    )
    read = parse_rtp(build_rtp(packet))
    assert read == packet
    assert extension_elements(read) == elements


def test_padding_is_taken_off() -> None:
    packet = build_rtp(RtpPacket(0, 1, 2, 3, b"abc"))
    padded = bytes([packet[0] | 0x20]) + packet[1:] + bytes([0, 0, 3])
    assert parse_rtp(padded).payload == b"abc"


@pytest.mark.parametrize("padding", [0, 7, 255])
def test_padding_that_does_not_fit_is_refused(padding: int) -> None:
    packet = build_rtp(RtpPacket(0, 1, 2, 3, b"abc"))
    with pytest.raises(PacketError, match="padding"):
        parse_rtp(bytes([packet[0] | 0x20]) + packet[1:] + bytes([0, 0, padding]))


def test_elements_of_both_forms_with_padding_between() -> None:
    one = RtpPacket(0, 0, 0, 0, b"", profile=0xBEDE, extension=bytes.fromhex("10aa 0000 51bbcc 00 f0ffff"))
    assert extension_elements(one) == {1: b"\xaa", 5: b"\xbb\xcc"}, "number 15 ends the one-byte form"
    two = RtpPacket(0, 0, 0, 0, b"", profile=0x1003, extension=bytes.fromhex("0100 00 0502bbcc"))
    assert extension_elements(two) == {1: b"", 5: b"\xbb\xcc"}
    other = RtpPacket(0, 0, 0, 0, b"", profile=0x4242, extension=b"\x10\xaa\x00\x00")
    assert extension_elements(other) == {}


@pytest.mark.parametrize("profile, data", [(0xBEDE, "1fff"), (0x1000, "05"), (0x1000, "0510ff")])
def test_elements_that_run_over_are_refused(profile: int, data: str) -> None:
    with pytest.raises(PacketError, match="within an element"):
        extension_elements(RtpPacket(0, 0, 0, 0, b"", profile=profile, extension=bytes.fromhex(data)))


def test_an_audio_level_is_read() -> None:
    assert audio_level(b"\x9e") == (True, -30)
    assert audio_level(b"\x7f\x00") == (False, -127)
    with pytest.raises(PacketError):
        audio_level(b"")


def test_rtcp_on_the_same_port_is_told_apart() -> None:
    assert is_rtcp(bytes([0x80, 200]))
    assert not is_rtcp(build_rtp(RtpPacket(111, 0, 0, 0, b"", marker=True)))
    assert not is_rtcp(b"\x80")


def test_fields_that_do_not_fit_are_refused() -> None:
    for packet in (
        RtpPacket(0, 70_000, 0, 0, b""),
        RtpPacket(300, 0, 0, 0, b""),
        RtpPacket(0, 0, 0, 0, b"", csrcs=(1,) * 16),
    ):
        with pytest.raises(PacketError):
            build_rtp(packet)
    with pytest.raises(PacketError):
        build_extension({300: b""})


def test_a_giant_is_refused() -> None:
    with pytest.raises(PacketError, match="refused"):
        parse_rtp(build_rtp(RtpPacket(0, 0, 0, 0, bytes(MOST_BYTES))))


@settings(max_examples=500)
@given(st.binary(max_size=80))
def test_rubbish_is_read_or_refused(data: bytes) -> None:
    is_rtcp(data)
    for first in (data, b"\x90" + data, b"\xbf" + data):
        try:
            extension_elements(parse_rtp(first))
        except PacketError:
            continue


@given(PACKETS, st.data())
def test_a_packet_cut_short_is_a_shorter_packet_or_refused(packet: RtpPacket, data: st.DataObject) -> None:
    built = build_rtp(packet)
    cut = built[: data.draw(st.integers(0, len(built)))]
    try:
        assert parse_rtp(cut).payload == packet.payload[: len(cut) - (len(built) - len(packet.payload))]
    except PacketError:
        assert len(cut) < len(built) - len(packet.payload)
