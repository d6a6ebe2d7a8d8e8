"""How long callers were without the agent after a fault: from their own records."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.takeover.words import answer, plain


class Silence(msgspec.Struct):
    """Of one caller, where the agent had the floor at the fault. Seconds from the fault to any sound of the agent's, and to the first word that
    a new process made (``None``: what had been made before was enough)."""

    job: str
    to_audio: float
    to_sentence: float | None


def silence(record: list[dict[str, Any]], job: str, at: float, dead: set[int]) -> Silence | None:
    """``at``: of the fault; ``dead``: processes that it ended. ``None``: it was not the agent's turn, or it never spoke again."""
    said = [line for line in record if line["kind"] == "said" and line["until"] <= at]
    last = plain(answer(said[-1]["turn"])[-1]) if said else "gz"
    words = [line for line in record if line["kind"] == "word"]
    if any(line["kind"] == "said" and line["at"] <= at < line["until"] for line in record):
        return None
    if any(plain(word["text"]) == last and word["whole"] and word["end"] <= at for word in words):
        return None
    over = next((word["end"] for word in words if plain(word["text"]) == last and word["end"] > at), float("inf"))
    later = [word for word in words if at < word["end"] <= over]
    if not later:
        return None
    made_anew = next((word for word in later if word["by"] not in dead and word["made"] > at), None)
    return Silence(
        job, max(0.0, later[0]["start"] - at), None if made_anew is None else max(0.0, made_anew["start"] - at)
    )


def percentile(values: list[float], share: float) -> float:
    """Nearest rank; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
