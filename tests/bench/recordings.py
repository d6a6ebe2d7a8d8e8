"""Small recordings made for the tests: a hum where somebody talks, a faint hiss where nobody does."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000


def talk(*stretches: tuple[str, float], seed: int = 0) -> NDArray[np.int16]:
    """``("voice" | "quiet", seconds)`` after one another."""
    chance = np.random.default_rng(seed)
    parts = []
    for kind, seconds in stretches:
        count = round(seconds * RATE)
        hiss = chance.normal(0, 20, count)
        hum = 6000 * np.sin(np.arange(count) * 2 * np.pi * 140 / RATE) if kind == "voice" else 0.0
        parts.append(hum + hiss)
    return np.concatenate(parts).astype(np.int16)


def save(file: Path, sound: NDArray[np.int16]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(sound.tobytes())


def small_set(folder: Path, turns: int = 6) -> Path:
    """``turns`` turns of three speakers, each with a pause of 0.3 to 1.0 s and half a second after its end."""
    rows: list[dict[str, Any]] = []
    for number in range(turns):
        pause = 0.3 + 0.7 * number / max(turns - 1, 1)
        sound = talk(("voice", 0.8), ("quiet", pause), ("voice", 0.6), ("quiet", 0.5), seed=number)
        save(folder / "calls" / f"{number}.wav", sound)
        spans = [
            {"start": 0.8, "end": 0.8 + pause, "label": "hold"},
            {"start": 1.4 + pause, "end": 1.9 + pause, "label": "eot"},
        ]
        rows.append({"id": str(number), "audio": f"calls/{number}.wav", "speaker": f"s{number % 3}", "spans": spans})
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
