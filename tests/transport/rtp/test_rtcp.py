"""RTCP: reports there and back, what is not understood passed over, rubbish refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import PacketError
from antiphon.transport.rtp.rtcp import (
    Goodbye,
    OtherReport,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    build_rtcp,
    parse_rtcp,
)

WORD = st.integers(0, 0xFFFFFFFF)
BLOCKS = st.lists(
    st.builds(ReportBlock, WORD, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), WORD, WORD, WORD, WORD),
    max_size=31,
).map(tuple)
TEXT = st.text(max_size=60)
REPORTS = st.one_of(
    st.builds(SenderReport, WORD, st.integers(0, 2**64 - 1), WORD, WORD, WORD, BLOCKS),
    st.builds(ReceiverReport, WORD, BLOCKS),
    st.builds(SourceDescription, st.dictionaries(WORD, TEXT, max_size=5)),
    st.builds(Goodbye, st.lists(WORD, max_size=5).map(tuple), TEXT),
    st.builds(
        OtherReport,
        st.sampled_from([204, 205, 206, 207]),
        st.integers(0, 31),
        st.binary(max_size=10).map(lambda data: data * 4),
    ),
)


def test_a_compound_of_a_browser_is_read() -> None:
    data = bytes.fromhex(
        "81c9 0007 0000abcd 00001234 40000005 00010064 00000030 11112222 00008000"  # RR, a quarter lost
        "81ca 0004 0000abcd 01 06 616c69636531 00 00 00 00"  # SDES: alice1
        "81cd 0003 0000abcd 00001234 00640000"  # a NACK
        "8fce 0004 0000abcd 00000000 52454d42 01020304"  # REMB
    )
    rr, sdes, nack, remb = parse_rtcp(data)
    block = ReportBlock(0x1234, 0x40, 5, 0x10064, 0x30, last_sr=0x11112222, delay=0x8000)
    assert rr == ReceiverReport(0xABCD, (block,))
    assert sdes == SourceDescription({0xABCD: "alice1"})
    assert isinstance(nack, OtherReport) and (nack.packet_type, nack.count) == (205, 1)
    assert isinstance(remb, OtherReport) and (remb.packet_type, remb.count) == (206, 15)


@given(st.lists(REPORTS, min_size=1, max_size=4))
def test_what_is_built_is_read_again(reports: list) -> None:
    try:
        data = build_rtcp(reports)
        assert list(parse_rtcp(data)) == reports
    except PacketError as error:
        assert "refused" in str(error), "only for being too long"


def test_the_reason_of_a_goodbye_and_text_in_any_tongue() -> None:
    reports = (Goodbye((1, 2), "bis später"), SourceDescription({3: "日本"}))
    assert parse_rtcp(build_rtcp(reports)) == reports


def test_a_loss_below_zero_and_one_beyond_the_field() -> None:
    def there_and_back(lost: int) -> int:
        (report,) = parse_rtcp(build_rtcp([ReceiverReport(1, (ReportBlock(2, 0, lost, 0, 0),))]))
        assert isinstance(report, ReceiverReport)
        return report.reports[0].lost

    assert there_and_back(-3) == -3
    assert there_and_back(20_000_000) == 0x7FFFFF


def test_padding_only_on_the_last_packet() -> None:
    body = build_rtcp([ReceiverReport(1)])
    padded = bytes([body[0] | 0x20, *body[1:3], body[3] + 1]) + body[4:] + bytes([0, 0, 0, 4])
    assert parse_rtcp(body + padded) == (ReceiverReport(1), ReceiverReport(1))
    with pytest.raises(PacketError, match="padding"):
        parse_rtcp(padded + body)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "80c9",
        "40c90001 00000001",
        "80c90005 00000001",
        "81c90001 00000001",
        "80c80002 00000001 00000002",
        "81ca0001 00000001",
        "81ca0002 00000001 01ff6161",
        "82cb0001 00000001",
        "81cb0002 00000001 ff616161",
        "a0c90001 00000000",
    ],
)
def test_what_does_not_fit_is_refused(data: str) -> None:
    with pytest.raises(PacketError):
        parse_rtcp(bytes.fromhex(data))


def test_fields_that_do_not_fit_are_refused() -> None:
    for report in (
        ReceiverReport(-1),
        ReceiverReport(1, (ReportBlock(1, 0, 0, 0, 0),) * 32),
        OtherReport(204, 0, b"a"),
    ):
        with pytest.raises(PacketError):
            build_rtcp([report])


@settings(max_examples=500)
@given(st.binary(max_size=120), st.sampled_from([200, 201, 202, 203, 205]), st.integers(0, 31))
def test_rubbish_is_read_or_refused(data: bytes, kind: int, count: int) -> None:
    headed = bytes([0x80 | count, kind]) + (len(data) // 4).to_bytes(2, "big") + data
    for each in (data, headed):
        try:
            parse_rtcp(each)
        except PacketError:
            continue
