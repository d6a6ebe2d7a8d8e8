"""Endpointing: how long a pause must last before it is the end of the caller's turn.

Theory. Evidence moves the delay inside ``[min_delay, max_delay]``; nothing moves it outside. The end-of-turn score
gives the delay that costs least: expected waiting on one side, cutting in on the other, weighed by the one knob
``latency`` (1 answers fastest, 0 interrupts least). Text works one way only: words that show that a sentence, a number
or an address goes on lengthen the wait. A sentence that looks complete never shortens it (a quarter of real pauses
inside turns follow one); a structured answer that is complete does, where the audio agrees. The caller's own pauses
inside turns raise the floor.
"""

from __future__ import annotations

import msgspec

from antiphon.kernel.policy import TurnPolicy
from antiphon.turns.delay_table import Profile, best_delay
from antiphon.turns.expectation import OPEN, Expectation
from antiphon.turns.languages import language
from antiphon.turns.structured import Form, form
from antiphon.turns.words import words_of

COST = (10.0, 0.2)
"""What one interruption costs, in seconds of waiting, at ``latency`` 0 and 1."""
PAUSE_MARGIN = 1.25
"""The floor is this much above the caller's usual pause inside a turn."""
PAUSE_WEIGHT = 0.3
"""Weight of the newest pause in the running average."""
PAUSE_MOST = 2.5
"""Seconds; a longer pause (push-to-talk, a search for a paper) says nothing about the next."""
READING = 0.6
"""Share of the range before which nobody who reads something out is cut, where no score helps."""
READ_OUT = ("digits", "spelling", "email")
"""What people read out, with pauses between groups."""
NEUTRAL = 0.5
"""The score that stands in where there is none."""
AGREES = 0.5
"""Score from which the audio says the same as a complete answer's words."""
LIKELY = 0.3
"""Score above which a reply is worth preparing; up to it the caller surely goes on."""
UNCERTAIN = (0.05, 0.85)
"""Scores between these are asked for again while the pause lasts."""
SCORE_EVERY = 0.2
SCORES = 3
"""Seconds between two scores of a pause, and how many it gets at most."""


class Evidence(msgspec.Struct, frozen=True):
    """What is known at a pause. ``score``: probability that the turn is over, None where nobody said; ``scored_at``:
    seconds of silence that it was made after (0: the policy's ``score_after``). ``usual_pause``:
    running average of the caller's pauses inside such turns, seconds, 0 where none was seen. ``expects``: what the
    caller was asked for. ``language``: BCP 47 tag of the words."""

    text: str = ""
    score: float | None = None
    scored_at: float = 0.0
    usual_pause: float = 0.0
    expects: Expectation = OPEN
    language: str = "en"


def unfinished(text: str, policy: TurnPolicy, tag: str) -> bool:
    """Whether the last word shows that the speaker surely goes on. ``tag``: of the language."""
    words = words_of(text)
    if not words:
        return False
    last = policy.unfinished or language(tag).unfinished
    return words[-1] in last or text.rstrip().endswith((",", "...", "…", "-"))


def goes_on(policy: TurnPolicy, evidence: Evidence) -> bool:
    """Whether the words are surely not all."""
    answer = _form(evidence)
    if answer == "read out" and len(words_of(evidence.text)[-1]) == 1:
        return False  # the last letter of "A N N A" is no article
    return answer == "open" or unfinished(evidence.text, policy, evidence.language)


def delay(policy: TurnPolicy, evidence: Evidence) -> float:
    """Seconds of silence, counted from the last speech sample, after which the turn is over."""
    low, high = policy.min_delay, max(policy.min_delay, policy.max_delay)
    if goes_on(policy, evidence):
        return high
    answer = _form(evidence)
    score = None if evidence.score is None else min(max(evidence.score, 0.0), 1.0)
    if answer == "complete" and score is not None and score >= AGREES:
        return low
    profile: Profile = "digits" if reads_out(evidence) else "general"
    known = NEUTRAL if score is None else score
    best = best_delay(known, cost(policy.latency), profile, at=evidence.scored_at or policy.score_after)
    floor = evidence.usual_pause * PAUSE_MARGIN * (1.0 - known)
    if profile == "digits" and answer != "complete" and score is None:
        floor = max(floor, low + READING * (high - low))
    return min(max(best, floor, low), high)


def cost(latency: float) -> float:
    """What one interruption costs, in seconds of waiting. Each step of the knob changes it by the same factor."""
    most, least = COST
    weight: float = most * (least / most) ** min(max(latency, 0.0), 1.0)
    return weight


def _form(evidence: Evidence) -> Form:
    return form(evidence.expects, evidence.text, evidence.language)


def likely(policy: TurnPolicy, evidence: Evidence) -> bool:
    """Whether a reply is worth preparing: the turn may well be over, or nobody can tell."""
    return (evidence.score is None or evidence.score > LIKELY) and not goes_on(policy, evidence)


def reads_out(evidence: Evidence) -> bool:
    """Whether these are the pauses of somebody who reads something out, and not of anybody."""
    return evidence.expects.kind in READ_OUT and _form(evidence) != ""


def again(score: float | None, asked: int) -> bool:
    """Whether a pause scored ``asked`` times is to be scored once more."""
    return score is not None and UNCERTAIN[0] < score < UNCERTAIN[1] and asked < SCORES


def learn_pause(usual: float, pause: float) -> float:
    """The running average after another pause inside a turn."""
    if not 0.0 < pause <= PAUSE_MOST:
        return usual
    return pause if usual <= 0.0 else usual + PAUSE_WEIGHT * (pause - usual)


def exceeds_limits(policy: TurnPolicy, text: str, duration: float) -> bool:
    """Whether the caller's turn is longer than the policy's limits (words, seconds)."""
    too_many = policy.max_words > 0 and len(words_of(text)) > policy.max_words
    return too_many or (policy.max_duration > 0.0 and duration > policy.max_duration)
