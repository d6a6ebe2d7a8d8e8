"""The calibrated delay: how long to wait, given how likely it is that the turn is over and what an interruption costs.

Theory. Waiting until ``d`` seconds of silence costs ``d`` where the caller has finished (probability ``s``), and
``cost`` where the caller has not, but goes on only after ``d``. The best delay is

    argmin over d of   s * d + cost * (1 - s) * P(pause > d)

A pause inside a turn that has lasted ``at`` seconds lasts as long again as an exponential variable with mean ``m``
(measured: ``MEAN_PAUSE``), so the minimum has a closed form, ``at + m * log(cost * (1 - s) / (s * m))``: the delay is
linear in the log-odds of the score. There is no threshold that a small error of the score could cross.

Owns the numbers and the formula. It knows no policy: limits, expectation and text are ``endpointing``'s.
"""

from __future__ import annotations

import math
from typing import Literal

Profile = Literal["general", "digits"]

SCORED_AT = 0.2
"""Seconds of silence after which a pause is scored first; shorter gaps are no pauses."""

MEAN_PAUSE: dict[Profile, tuple[float, float]] = {"general": (0.334, 0.566), "digits": (0.243, 0.243)}
"""What a pause inside a turn lasts beyond ``SCORED_AT`` on average, seconds: where the words break off in mid-sentence, and
where they make a sentence (people who could have stopped there pause longer). Printed by
``training/turn_heads/pauses.py``; general: natural meetings; digits: between numbers, letters and their groups."""

SURE = 0.01
"""A score counts as no nearer than this to 0 and 1: no model is surer than the data that calibrated it."""


def best_delay(score: float, cost: float, profile: Profile = "general", *, at: float = SCORED_AT) -> float:
    """Seconds of silence, counted from the last speech sample, after which the turn should end. Never below ``at``.

    ``score``: probability that the turn is over, calibrated for as many ends as pauses, made when the silence had lasted
    ``at`` seconds. ``cost``: what one interruption costs, in seconds of waiting (0.2: answers at once unless the score
    says otherwise; 1: balanced; 10: interrupts least). Falls with ``score``, rises with ``cost``.
    """
    sure = min(max(score, SURE), 1.0 - SURE)
    broken_off, complete = MEAN_PAUSE[profile]
    mean = broken_off + (complete - broken_off) * sure
    worth = cost * (1.0 - sure) / (sure * mean)
    return at + mean * math.log(worth) if worth > 1.0 else at
