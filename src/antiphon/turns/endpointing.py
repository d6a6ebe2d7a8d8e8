"""Endpointing: how long a pause must last before it is the end of the caller's turn.

Theory. Evidence moves the delay inside ``[min_delay, max_delay]``; nothing moves it outside. The end-of-turn score
decides between the two ends, bent by the one knob ``latency`` (1 answers fastest, 0 interrupts least). Text works
one way only: words that show that a sentence goes on lengthen the wait, words never shorten it. The caller's own
pauses inside turns raise the floor, and so does an expectation (somebody who reads out digits pauses between groups).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from antiphon.kernel.policy import TurnPolicy
from antiphon.turns.languages import language
from antiphon.turns.words import words_of

Expectation = Literal["", "yes_no", "digits", "spelling"]

PAUSE_MARGIN = 1.25
"""The floor is this much above the caller's usual pause inside a turn."""
PAUSE_WEIGHT = 0.3
"""Weight of the newest pause in the running average."""
EXPECTED = {"": 0.0, "yes_no": 0.0, "digits": 0.6, "spelling": 0.6}
"""Share of the range that an expectation adds to the floor."""
NEUTRAL = 0.5
"""The score that stands in where there is none."""


class Evidence(msgspec.Struct, frozen=True):
    """What is known at a pause. ``score``: probability that the turn is over, None where nobody said.
    ``usual_pause``: running average of the caller's pauses inside turns, seconds, 0 where none was seen."""

    text: str = ""
    score: float | None = None
    usual_pause: float = 0.0
    expectation: Expectation = ""


def unfinished(text: str, policy: TurnPolicy) -> bool:
    """Whether the last word shows that the speaker surely goes on."""
    words = words_of(text)
    if not words:
        return False
    last = policy.unfinished or language(policy.language).unfinished
    return words[-1] in last or text.rstrip().endswith((",", "...", "…", "-"))


def delay(policy: TurnPolicy, evidence: Evidence) -> float:
    """Seconds of silence, counted from the last speech sample, after which the turn is over."""
    low, high = policy.min_delay, max(policy.min_delay, policy.max_delay)
    if unfinished(evidence.text, policy):
        return high
    span = high - low
    score = NEUTRAL if evidence.score is None else min(max(evidence.score, 0.0), 1.0)
    doubt: float = (1.0 - score) ** (0.5 + 3.0 * min(max(policy.latency, 0.0), 1.0))
    floor = max(low + EXPECTED[evidence.expectation] * span, evidence.usual_pause * PAUSE_MARGIN * (1.0 - score))
    return min(max(low + doubt * span, floor), high)


def learn_pause(usual: float, pause: float) -> float:
    """The running average after another pause inside a turn."""
    return pause if usual <= 0.0 else usual + PAUSE_WEIGHT * (pause - usual)


def exceeds_limits(policy: TurnPolicy, text: str, duration: float) -> bool:
    """Whether the caller's turn is longer than the policy's limits (words, seconds)."""
    too_many = policy.max_words > 0 and len(words_of(text)) > policy.max_words
    return too_many or (policy.max_duration > 0.0 and duration > policy.max_duration)
