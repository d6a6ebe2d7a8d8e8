"""How long people pause inside their turns: prints ``MEAN_PAUSE`` of ``src/antiphon/turns/delay_table.py``.

    python -m training.turn_heads.pauses DATA

General: pauses of MRDA's training meetings, in mid-sentence and after a sentence; digits: pauses of AN4 (spelled names,
numbers) and of MRDA after a number or a single letter. The survival of the pauses is printed beside the fitted exponential.
"""

from __future__ import annotations

import gzip
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SHORTEST, LONGEST = 0.2, 5.0
"""Seconds. A gap that is shorter is no pause, one that is longer is a change of topic."""
NUMBERS = {
    "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty",
    "fifty", "sixty", "seventy", "eighty", "ninety", "hundred",
}  # fmt: skip


def meetings(data: Path) -> list[dict[str, Any]]:
    """The pauses inside turns of MRDA's training meetings."""
    with gzip.open(data / "mrda_pauses.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [r for r in rows if r["lab"] == "hold" and r["sp"] == "train" and SHORTEST <= r["gap"] <= LONGEST]


def an4(data: Path) -> list[float]:
    """The pauses inside AN4's utterances, seconds."""
    with (data / "an4.jsonl").open(encoding="utf-8") as lines:
        spans = [span for line in lines for span in json.loads(line)["spans"] if span["label"] == "hold"]
    lengths = [span["end"] - span["start"] for span in spans]
    return [length for length in lengths if SHORTEST <= length <= LONGEST]


def complete(row: dict[str, Any]) -> bool:
    """Whether the pause follows a finished unit that is neither a filler nor a floor holder nor abandoned."""
    last = row["da"].split("|")[-1]
    return bool(row["uend"]) and "%" not in row["da"] and not last.startswith(("fh", "fg", "h"))


def spelled(row: dict[str, Any]) -> bool:
    """Whether the last word is a number or a single letter ("x_" in MRDA's spelling)."""
    word = row["text"].split()[-1]
    return not row["uend"] and (word in NUMBERS or (len(word) == 2 and word.endswith("_")))


def mean_beyond(lengths: Iterable[float]) -> float:
    """The maximum-likelihood mean of an exponential that starts at ``SHORTEST``."""
    beyond = [length - SHORTEST for length in lengths]
    return round(sum(beyond) / len(beyond), 3)


def mean_pauses(data: Path) -> dict[str, tuple[float, float]]:
    """``MEAN_PAUSE``, computed."""
    rows = meetings(data)
    digits = mean_beyond([*an4(data), *(r["gap"] for r in rows if spelled(r))])
    broken_off = mean_beyond(r["gap"] for r in rows if not r["uend"])
    return {"general": (broken_off, mean_beyond(r["gap"] for r in rows if complete(r))), "digits": (digits, digits)}


def main() -> None:
    data = Path(sys.argv[1])
    print("MEAN_PAUSE =", mean_pauses(data))
    rows = meetings(data)
    for name, kept in (
        ("mid-sentence", [r["gap"] for r in rows if not r["uend"]]),
        ("after a sentence", [r["gap"] for r in rows if complete(r)]),
        ("numbers", [*an4(data), *(r["gap"] for r in rows if spelled(r))]),
    ):
        mean = mean_beyond(kept)
        print(f"{name}: {len(kept)} pauses, longer than  " + "  ".join(
            f"{d:g} s {sum(k > d for k in kept) / len(kept):.3f} (fit {math.exp(-(d - SHORTEST) / mean):.3f})"
            for d in (0.3, 0.6, 1.0, 1.5, 2.0)
        ))  # fmt: skip


if __name__ == "__main__":
    main()
