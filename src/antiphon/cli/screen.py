"""The terminal: lines that stay, and one status line under them that is redrawn. Without a terminal: the lines alone."""

from __future__ import annotations

import shutil
import unicodedata
from typing import TextIO

BLOCKS = " ▏▎▍▌▋▊▉█"
CLEAR_LINE = "\r\x1b[K"
STYLES = {"dim": "2", "bold": "1", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


class Screen:
    """Writes to one stream. ``colour`` and the status line are on only where the stream is a terminal."""

    def __init__(self, out: TextIO, *, live: bool | None = None) -> None:
        self._out = out
        self.live = out.isatty() if live is None else live
        self._status = ""
        self._drawn = False

    def style(self, text: str, *names: str) -> str:
        """``text`` in the given styles, unchanged without a terminal."""
        if not self.live or not names:
            return text
        return f"\x1b[{';'.join(STYLES[name] for name in names)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        """Add lines that stay."""
        self._erase()
        self._out.write(f"{text}\n")
        self._draw()
        self._out.flush()

    def status(self, text: str) -> None:
        """Replace the status line. It is cut to the terminal's width; without a terminal nothing is shown."""
        if not self.live or text == self._status:
            return
        self._status = text
        self._erase()
        self._draw()
        self._out.flush()

    def close(self) -> None:
        """Take the status line away."""
        self._status = ""
        self._erase()
        self._out.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._out.write(CLEAR_LINE)
            self._drawn = False

    def _draw(self) -> None:
        if self.live and self._status:
            self._out.write(cut(self._status, shutil.get_terminal_size().columns - 1))
            self._drawn = True


def cut(text: str, width: int) -> str:
    """The part of ``text`` that fits into ``width`` columns; escape sequences take none and are kept."""
    shown, taken, index = [], 0, 0
    while index < len(text):
        if text[index] == "\x1b":
            end = text.index("m", index) + 1
            shown.append(text[index:end])
            index = end
            continue
        columns = 2 if unicodedata.east_asian_width(text[index]) in "WF" else 1
        if taken + columns <= width:
            shown.append(text[index])
            taken += columns
        index += 1
    return "".join(shown)


def meter(level: float, width: int = 8, *, floor: float = -60.0) -> str:
    """A bar for a level in dBFS: empty at ``floor`` and below, full at 0."""
    eighths = round(max(0.0, min(1.0, (level - floor) / -floor)) * width * 8)
    full, rest = divmod(eighths, 8)
    bar = BLOCKS[8] * full + (BLOCKS[rest] if rest else "")
    return bar.ljust(width)


def clock(seconds: float) -> str:
    """Session time as ``m:ss.t``."""
    tenths = round(max(0.0, seconds) * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def progress_bar(done: int, total: int, width: int = 24) -> str:
    """``[####----]`` for ``done`` of ``total``."""
    filled = width if total <= 0 else min(width, done * width // total)
    return f"[{'#' * filled}{'-' * (width - filled)}]"
