"""Scores of recorded pauses, by any end-of-turn detector, as a call would ask for them.

A pause is scored 0.2 s into its silence and again 0.2 and 0.4 s later while it lasts, each time from what had been heard
until then. Owns the asking; what may be heard is ``turn_data``'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.bench.turn_data import SHORTEST, Pause, Span, Turn, Written, heard, pauses_of, read_sound, written_pauses
from antiphon.errors import AntiphonError, ConfigurationError, ModelError
from antiphon.models.turn_detector import TurnDetector, TurnEvidence

SCORED_AT = (SHORTEST, 0.4, 0.6)
"""Seconds of silence after which a pause is scored."""

Choose = Callable[[Turn], TurnDetector]
"""The detector for a turn: the same for all, or one that has not been trained on its speaker."""


class ScoredPause(msgspec.Struct, frozen=True):
    """A pause and its scores: one for each moment of ``SCORED_AT`` that it lasted to; none without a detector."""

    pause: Pause
    scores: tuple[float, ...] = ()


class Scored(msgspec.Struct):
    """All pauses of a file. ``unreadable``: turns left out, each with the reason; ``milliseconds``: of each decision, by
    the clock."""

    pauses: list[ScoredPause] = []
    unreadable: list[str] = []
    milliseconds: list[float] = []


async def score_rows(
    rows: Sequence[Turn | Written],
    audio: Path | None,
    choose: Choose | None,
    *,
    skip_unreadable: bool = False,
    on_row: Callable[[int], None] = lambda done: None,
) -> Scored:
    """Score every pause that counts. ``choose`` ``None``: silence alone, and no sound is read. Turns whose sound cannot be
    read are an error, or, with ``skip_unreadable``, left out and counted. Raises ``ConfigurationError``."""
    result = Scored()
    written = written_pauses([row for row in rows if isinstance(row, Written)])
    if written and choose is not None:
        raise ConfigurationError(
            "Rows without audio can be judged by silence and words only.", hint="Use --detector vad for them."
        )
    result.pauses += [ScoredPause(pause) for pause in written]
    turns = [row for row in rows if isinstance(row, Turn)]
    if choose is None:
        result.pauses += [ScoredPause(pause) for row in turns for pause, _ in pauses_of(row)]
        return result
    if turns and audio is None:
        raise ConfigurationError("These rows have audio.", hint="Say where it is with --audio DIR.")
    for number, row in enumerate(turns, 1):
        try:
            sound = read_sound((audio or Path()) / row.audio)
        except ConfigurationError:
            raise
        except AntiphonError as error:
            result.unreadable.append(f"{row.id}: {error.message}")
        else:
            await _score_turn(row, sound, choose(row), result)
        on_row(number)
    if result.unreadable and not skip_unreadable:
        raise ConfigurationError(
            f"{len(result.unreadable)} of {len(turns)} rows have no readable audio. The first: {result.unreadable[0]}",
            hint="Check --audio, or leave those rows out (they are counted) with --skip-unreadable.",
        )
    return result


async def _score_turn(row: Turn, sound: NDArray[np.int16], detector: TurnDetector, result: Scored) -> None:
    for pause, span in pauses_of(row):
        scores = []
        for at in SCORED_AT:
            if at > pause.length + 1e-6:
                break
            begun = time.perf_counter()
            scores.append(await _ask(row, span, at, sound, detector))
            result.milliseconds.append(1000 * (time.perf_counter() - begun))
        result.pauses.append(ScoredPause(pause, tuple(scores)))


async def _ask(row: Turn, span: Span, at: float, sound: NDArray[np.int16], detector: TurnDetector) -> float:
    if not detector.audio_seconds:
        raise ConfigurationError(
            f"{type(detector).__name__} reads words, and rows with audio do not say which were known at each pause.",
            hint="Measure detectors that listen; try this one in a simulated call.",
        )
    samples = heard(sound, row, span, at)[-round(detector.audio_seconds * EAR_RATE) :]
    audio = (AudioFrame.pcm(samples.astype("<i2").tobytes(), EAR_RATE),)
    try:
        return await detector.predict(TurnEvidence(audio=audio, language=row.language, silence=at, expects=row.expects))
    except ModelError as error:
        raise ConfigurationError(
            f"The detector gave no score for {row.id} at {span.start:g} s: {error.message}"
        ) from error
