"""Recorded turns with their silences, and what a detector may hear of one: the data of the turn-taking bench.

A row is one turn: ``{id, audio, speaker, text, spans: [{start, end, label}]}``, times in seconds; ``hold`` is a silence
inside the turn, ``eot`` the silence after it. A row without audio is one pause of a transcript: ``{m, spk, lab, gap,
text}``, ``text`` being the turn's words up to the pause.

Causal by construction: of a pause that is scored ``at`` seconds after it began, nothing later is read. Files that end
soon after the speech are longer inside than at their end; so that their length gives nothing away, each silence of
a file is only as real as the file's last one, and goes on with quiet frames from before it, holds and ends alike.
"""

from __future__ import annotations

import gzip
import importlib
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE
from antiphon.audio.resample import resample, to_int16
from antiphon.audio.wav import read_wav
from antiphon.errors import AudioError, ConfigurationError
from antiphon.turns.expectation import OPEN, Expectation

SHORTEST, LONGEST = 0.2, 5.0
"""Seconds. Silences inside a turn that are shorter are no pauses, longer ones are not counted (as in eot-bench)."""
FRAME = 480
"""Samples of a quiet frame: 30 ms."""
QUIET_SHARE, QUIET_LEAST, QUIET_RANGE = 0.05, 4, 4.0
"""The room is the quietest share of the frames, at least so many, but none with more than this times the least energy."""

Label = Literal["hold", "eot"]


class Span(msgspec.Struct, frozen=True):
    """A silence, seconds from the start of the file."""

    start: float
    end: float
    label: Label


class Turn(msgspec.Struct, frozen=True):
    """A row with audio. ``set``: what it is reported under, else the first folder of ``audio``; ``slice``: a part of the
    set to report by itself; ``expects``: the kind of answer that the caller was asked for, if any."""

    id: str
    spans: tuple[Span, ...]
    audio: str
    speaker: str = "?"
    text: str = ""
    set: str = ""
    slice: str = ""
    expects: Literal["", "open", "yes_no", "digits", "spelling", "email"] = ""
    language: str = ""

    @property
    def group(self) -> str:
        """The name of its set."""
        return self.set or (self.audio.split("/")[0] if "/" in self.audio else "all")


class Written(msgspec.Struct, frozen=True):
    """A row without audio: a pause of a transcribed conversation ``m``. ``da``: dialogue acts of its last unit, ``uend``:
    whether that unit ends here."""

    m: str
    spk: str
    lab: Label
    gap: float
    text: str
    da: str = ""
    uend: bool = True
    set: str = "written"


class Pause(msgspec.Struct, frozen=True):
    """One silence to judge. ``length``: seconds, infinite after the end of a turn; ``spoken``: seconds of the turn before
    it; ``turn`` and ``speaker`` group pauses; ``text``: words so far, where they are known to belong before the pause."""

    group: str
    turn: str
    speaker: str
    length: float
    index: int = 0
    spoken: float = 0.0
    text: str = ""
    expects: Expectation = OPEN
    language: str = ""
    slices: tuple[str, ...] = ()

    @property
    def ends(self) -> bool:
        """Whether the turn is over."""
        return math.isinf(self.length)


def read_rows(file: Path, where: dict[str, str] | None = None) -> list[Turn | Written]:
    """The rows of a JSON Lines file (``.gz`` or not) whose fields have the values of ``where``. Raises
    ``ConfigurationError`` that names the line."""
    rows: list[Turn | Written] = []
    try:
        with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    rows += _row(line, f"{file}, line {number}", where or {})
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Cannot read {file}: {error}.", hint="Give a JSON Lines file with --data.") from error
    if not rows:
        raise ConfigurationError(
            f"{file} has no rows{' that match' if where else ''}.", hint="See `antiphon bench turns --help`."
        )
    return rows


def _row(line: str, place: str, where: dict[str, str]) -> list[Turn | Written]:
    try:
        plain: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        if any(str(plain.get(key)) != value for key, value in where.items()):
            return []
        kind: type[Turn] | type[Written] = Turn if "spans" in plain else Written
        row = msgspec.convert(plain, kind)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(
            f"{place}: {error}.", hint="See `antiphon bench turns --help` for a row's fields."
        ) from error
    if isinstance(row, Turn) and [span.label for span in row.spans].count("eot") > 1:
        raise ConfigurationError(f"{place}: a turn ends once, this one has several spans `eot`.")
    return [row]


def pauses_of(row: Turn) -> Iterator[tuple[Pause, Span]]:
    """The silences of a turn that count."""
    for index, span in enumerate(row.spans):
        length = span.end - span.start
        if span.label == "hold" and not SHORTEST <= length + 1e-6 <= LONGEST:
            continue
        spoken = span.start - _first_sound(row)
        pause = Pause(
            group=row.group,
            turn=row.id,
            speaker=row.speaker if row.speaker != "?" else row.id,
            length=length if span.label == "hold" else math.inf,
            index=index,
            spoken=spoken,
            expects=Expectation(row.expects) if row.expects else OPEN,
            language=row.language,
            slices=(_length_slice(spoken), *filter(None, [row.slice])),
        )
        yield pause, span


def written_pauses(rows: Sequence[Written]) -> list[Pause]:
    """The pauses of transcripts that count: ends that follow a unit that was abandoned or holds the floor are left out
    (another speaker took the turn, it was not given)."""
    turns: dict[tuple[str, str], int] = {}
    pauses = []
    for row in rows:
        key = (row.m, row.spk)
        number = turns.setdefault(key, 0)
        last = row.da.split("|")[-1]
        if row.lab == "eot":
            turns[key] = number + 1
            if not row.uend or "%" in row.da or last.startswith(("fh", "fg", "h")):
                continue
        elif not SHORTEST <= row.gap <= LONGEST:
            continue
        after = "after a unit's end" if row.uend else "inside a unit"
        length = row.gap if row.lab == "hold" else math.inf
        turn = f"{row.m} {row.spk} {number}"
        pauses.append(Pause(row.set, turn, row.m, length, text=row.text, slices=(after,) if row.lab == "hold" else ()))
    return pauses


def read_sound(file: Path) -> NDArray[np.int16]:
    """A file as (samples,) int16 mono at 16 kHz. WAV always, other formats through ``soundfile``. Raises ``AudioError``,
    and ``ConfigurationError`` where that package is missing."""
    if file.suffix.lower() == ".wav":
        return read_wav(str(file), EAR_RATE)[0]
    try:
        soundfile: Any = importlib.import_module("soundfile")
    except (ImportError, OSError) as error:
        raise ConfigurationError(
            f"{file.suffix or 'This'} audio needs the package soundfile, which cannot be loaded here ({error}).",
            hint="Run `pip install soundfile`, or convert the recordings to WAV.",
        ) from error
    try:
        samples, rate = soundfile.read(str(file), dtype="float32", always_2d=True)
    except (RuntimeError, OSError) as error:
        raise AudioError(f"Cannot read {file}: {error}.", hint="Check the path and the file.") from error
    if not len(samples):
        raise AudioError(f"{file} holds no sound.")
    mono = to_int16(samples.mean(axis=1) * 32768.0)
    return mono if rate == EAR_RATE else resample(mono, int(rate), EAR_RATE)


def heard(samples: NDArray[np.int16], row: Turn, span: Span, at: float) -> NDArray[np.int16]:
    """What has been heard ``at`` seconds after ``span`` began: (samples,) int16 mono at 16 kHz from the start of the file."""
    end = next((s.start for s in row.spans if s.label == "eot"), None)
    tail = math.inf if end is None else max(0.0, len(samples) / EAR_RATE - end)
    real = samples[: round((span.start + min(at, tail)) * EAR_RATE)]
    missing = round((span.start + at) * EAR_RATE) - len(real)
    if missing <= 0:
        return real
    frames = real[: len(real) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return np.concatenate([real, np.zeros(missing, np.int16)])
    energy = (frames.astype(np.float64) ** 2).mean(axis=1)
    order = np.argsort(energy, kind="stable")[: max(QUIET_LEAST, int(len(frames) * QUIET_SHARE))]
    quiet = frames[order[energy[order] <= QUIET_RANGE * energy[order[0]]]]
    chance = np.random.default_rng(zlib.crc32(f"{row.id} {span.start}".encode()))
    room = quiet[chance.integers(len(quiet), size=missing // FRAME + 1)].ravel()
    return np.concatenate([real, room[:missing]])


def _first_sound(row: Turn) -> float:
    """Files begin with the turn, or with a silence that is a span."""
    first = row.spans[0] if row.spans else None
    return first.end if first is not None and first.start <= 0.0 and first.label == "hold" else 0.0


def _length_slice(spoken: float) -> str:
    if spoken < 1.5:
        return "turn so far < 1.5 s"
    return "turn so far 1.5-4 s" if spoken < 4.0 else "turn so far > 4 s"
