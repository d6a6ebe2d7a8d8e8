"""Which speakers a fold leaves out, and what a turn of the training sets was asked for: the same for training and figures."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec

from antiphon.local.turn_heads import Heads

FOLDS = 5
FILE = Path(__file__).with_name("folds.json")


def fold_of(group: str, speaker: str) -> int:
    """The fold that leaves this speaker of a set out."""
    return zlib.crc32(f"{group}/{speaker}".encode()) % FOLDS


def fold_heads() -> list[Heads]:
    """For each fold, heads that were trained without its speakers."""
    return msgspec.json.decode(FILE.read_bytes(), type=list[Heads])


NUMBERS = {
    "ZERO", "OH", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN", "ELEVEN", "TWELVE",
    "THIRTEEN", "FOURTEEN", "FIFTEEN", "SIXTEEN", "SEVENTEEN", "EIGHTEEN", "NINETEEN", "TWENTY", "THIRTY", "FORTY", "FIFTY",
    "SIXTY", "SEVENTY", "EIGHTY", "NINETY", "HUNDRED", "THOUSAND",
}  # fmt: skip


def reads_out(group: str, text: str) -> str:
    """What the speaker of an AN4 turn was asked for, as its words show: ``digits``, ``spelling`` or nothing of the kind."""
    words = text.upper().split()
    if group != "an4" or not words:
        return ""
    letters, numbers = sum(len(w) == 1 for w in words), sum(w in NUMBERS for w in words)
    if (letters + numbers) / len(words) < 0.6:
        return ""
    return "spelling" if letters > numbers else "digits"
