"""Server-sent events come out the same, however the network cuts them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import ModelError
from antiphon.wire.sse import SSEParser, SSEvent


def parse(*chunks: bytes) -> list[SSEvent]:
    parser = SSEParser()
    return [event for chunk in chunks for event in parser.feed(chunk)] + parser.close()


def test_events_comments_and_types() -> None:
    data = b"\xef\xbb\xbf: warm\ndata: one\n\nevent: done\ndata:two\ndata: three\nid: 4\nretry: 10\n\n: end\n\n"
    assert parse(data) == [SSEvent("one"), SSEvent("two\nthree", "done")]


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_every_line_ending(ending: bytes) -> None:
    data = ending.join([b"data: a", b"", b"data: b", b"data", b"", b""])
    assert parse(data) == [SSEvent("a"), SSEvent("b\n")]


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"])
def test_blank_lines_without_end_are_read_in_the_time_it_takes_to_read_them(ending: bytes) -> None:
    flood = ending * 4_000_000
    assert parse(b"data: a", flood, b"data: b", flood) == [SSEvent("a"), SSEvent("b")]


def test_an_event_without_the_last_blank_line_counts_but_half_a_line_does_not() -> None:
    assert parse(b"data: [DONE]\n") == [SSEvent("[DONE]")]
    assert parse(b'data: a\n\ndata: {"cu') == [SSEvent("a")]


def test_bytes_that_are_not_utf8_do_not_stop_the_stream() -> None:
    assert parse(b"data: \xff\xfe!\n\ndata: b\n\n") == [SSEvent("��!"), SSEvent("b")]


def test_a_line_that_never_ends_is_refused() -> None:
    parser = SSEParser(max_event=1000)
    with pytest.raises(ModelError, match="1000 bytes"):
        for _ in range(100):
            parser.feed(b"data: " + b"x" * 50)
    parser = SSEParser(max_event=1000)
    with pytest.raises(ModelError):
        for _ in range(100):
            parser.feed(b"data: " + b"x" * 50 + b"\n")


lines = st.lists(
    st.sampled_from(
        [b"data: a", b"data:", b": c", b"event: e", b"", b"data: \xc3\xa4\xf0\x9f\x98\x80", b"x: y", b"data"]
    )
)


@settings(max_examples=300, deadline=None)
@given(lines, st.lists(st.sampled_from([b"\n", b"\r\n", b"\r"]), min_size=1, max_size=3), st.data())
def test_any_chunking_gives_the_same_events(parts: list[bytes], endings: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(part + endings[n % len(endings)] for n, part in enumerate(parts))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=12)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert parse(*chunks) == parse(whole) == parse(*(whole[n : n + 1] for n in range(len(whole))))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=10))
def test_garbage_never_raises(chunks: list[bytes]) -> None:
    assert parse(*chunks) == parse(b"".join(chunks))
