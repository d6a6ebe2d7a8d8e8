"""The terminal: lines stay, the status line is redrawn under them, and a pipe sees plain lines only."""

from __future__ import annotations

import io

from antiphon.cli.screen import Screen, clock, cut, meter, progress_bar


def test_a_pipe_gets_plain_lines() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.status("moving")
    screen.line(screen.style("hello", "red"))
    screen.close()
    assert out.getvalue() == "hello\n"


def test_a_line_goes_above_the_status_line() -> None:
    out = io.StringIO()
    screen = Screen(out, live=True)
    screen.status("state")
    screen.line("said")
    screen.close()
    assert out.getvalue() == "state\r\x1b[Ksaid\nstate\r\x1b[K"


def test_an_unchanged_status_is_not_written_again() -> None:
    out = io.StringIO()
    screen = Screen(out, live=True)
    for _ in range(3):
        screen.status("state")
    assert out.getvalue() == "state"


def test_cut_counts_columns_and_keeps_escapes() -> None:
    assert cut("\x1b[31mabcdef\x1b[0m", 3) == "\x1b[31mabc\x1b[0m"
    assert cut("日本語", 4) == "日本"


def test_meter_and_clock() -> None:
    assert meter(-90.0) == " " * 8
    assert meter(0.0) == "█" * 8
    assert len(meter(-31.0)) == 8
    assert clock(0) == "0:00.0"
    assert clock(61.26) == "1:01.3"
    assert clock(59.96) == "1:00.0"


def test_progress_bar_of_nothing_is_full() -> None:
    assert progress_bar(0, 0, 4) == "[####]"
    assert progress_bar(1, 2, 4) == "[##--]"
