"""Barge-in: what the caller's voice over the agent's means.

Theory. Three things sound alike in the first 300 ms: noise, a backchannel ("mhm") and somebody who takes the floor.
The plane's reflex has paused by then; words and duration tell the rest. A command word or enough words that are no
backchannel interrupt at once. Backchannel words never do, however long they take. Sound without words keeps the agent
paused for a while (``hold``), then counts as false: the speech goes on at the word where it stopped.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from antiphon.kernel.policy import BargeInPolicy
from antiphon.turns.languages import language
from antiphon.turns.words import words_of

Verdict = Literal["undecided", "hold", "backchannel", "interruption", "false"]

WORDLESS_HOLD = 3.0
"""Seconds for which sound without words may keep the agent paused."""


class Overlap(msgspec.Struct, frozen=True):
    """The caller sounds while the agent does. ``duration``: seconds since it began. ``voiced``: still going on.
    ``quiet``: seconds since it stopped. ``continues``: the caller had only just given the floor away."""

    text: str
    duration: float
    voiced: bool
    quiet: float = 0.0
    continues: bool = False


def is_backchannel(text: str, policy: BargeInPolicy) -> bool:
    """Whether ``text`` shows that somebody listens, and is no command."""
    said = " ".join(words_of(text))
    return said in (policy.backchannels or language(policy.language).backchannels) and not is_command(text, policy)


def is_command(text: str, policy: BargeInPolicy) -> bool:
    """Whether ``text`` is, or begins with, an utterance that always takes the floor."""
    said = words_of(text)
    for command in policy.commands or language(policy.language).commands:
        words = command.split()
        if said[: len(words)] == words:
            return True
    return False


def too_little(text: str, policy: BargeInPolicy) -> bool:
    """Whether ``text`` over the agent's voice is no turn: a backchannel, or fewer words than an interruption needs."""
    if is_command(text, policy):
        return False
    return is_backchannel(text, policy) or len(words_of(text)) < policy.min_words


def wordless_limit(policy: BargeInPolicy) -> float:
    """Seconds of voice without words after which it is ruled on."""
    return policy.wordless_after or WORDLESS_HOLD


def judge(policy: BargeInPolicy, overlap: Overlap) -> Verdict:
    """The verdict on what is known so far."""
    if words_of(overlap.text):
        if is_command(overlap.text, policy) or (overlap.continues and not is_backchannel(overlap.text, policy)):
            return "interruption"
        if not too_little(overlap.text, policy):
            return "interruption"
        if overlap.voiced or overlap.quiet < policy.false_timeout:
            return "undecided"
        return "backchannel"
    if overlap.voiced:
        if overlap.duration < policy.decide_by:
            return "undecided"
        if overlap.duration < wordless_limit(policy):
            return "hold"
        return "interruption" if policy.wordless_after else "false"
    return "undecided" if overlap.quiet < policy.false_timeout else "false"
