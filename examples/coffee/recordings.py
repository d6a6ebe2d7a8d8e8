"""The callers' recordings of the demo: a folder of WAV or FLAC files, with what each ordered where that is known."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from orders import Order, order_of

from antiphon import AudioError, ConfigurationError

SOUND = (".wav", ".flac")


class Caller(msgspec.Struct, frozen=True):
    """``order``: what the recording asks for, ``None`` where nobody wrote it down. Read after the call, to score it."""

    path: Path
    order: Order | None = None


def find_callers(folder: Path, limit: int = 0) -> list[Caller]:
    """The recordings of a folder by name, at most ``limit`` of them (0: all).

    ``callers.json`` beside them may hold ``{"callers": [{"file": ..., "order": {...}}, ...]}``.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"There is no folder {str(folder)!r}.", hint="--callers takes a folder of recordings.")
    orders = _orders(folder / "callers.json")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SOUND)
    if not found:
        raise ConfigurationError(f"{str(folder)!r} holds no WAV or FLAC files.", hint="Record some callers first.")
    return [Caller(path, orders.get(path.name)) for path in found[: limit or None]]


def _orders(labels: Path) -> dict[str, Order]:
    if not labels.exists():
        return {}
    try:
        return {
            row["file"]: order_of(row["order"]) for row in json.loads(labels.read_text())["callers"] if "order" in row
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{labels} cannot be read: {error}.", hint="See examples/coffee/callers.") from error


def as_wav(path: Path, scratch: Path) -> Path:
    """A WAV file of the recording: itself, or a FLAC file decoded into ``scratch``."""
    if path.suffix.lower() == ".wav":
        return path
    try:
        import soundfile
    except ImportError as error:
        raise AudioError("Reading FLAC needs the soundfile library.", hint="pip install soundfile") from error
    samples, rate = soundfile.read(path, dtype="int16")
    target = scratch / f"{path.stem}.wav"
    soundfile.write(target, samples, rate, subtype="PCM_16")
    return target
