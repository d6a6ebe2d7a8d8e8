"""Barge-in: what the caller's voice over the agent's means.

Theory. Three things sound alike in the first 300 ms: noise, a backchannel ("mhm") and somebody who takes the floor.
The plane's reflex has paused by then; words and duration tell the rest. A command word interrupts at once, and so do
enough words that are no backchannel: by the language's list, and in English by ``backchannel``'s model, which also knows
that "that's right" is none. Words of the list never interrupt, however long they take. From ``decide_by`` on there is a
verdict: an interruption; a backchannel, once the voice has stopped and the model is sure; else ``hold``, the agent stays
paused. Sound without words is held for a while, then counts as false. What was no interruption goes on at the word
where it stopped.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from antiphon.kernel.policy import BargeInPolicy
from antiphon.turns.backchannel import Heard, takes_floor
from antiphon.turns.languages import LANGUAGES, language
from antiphon.turns.words import words_of

Verdict = Literal["undecided", "hold", "backchannel", "interruption", "false"]

WORDLESS_HOLD = 3.0
"""Seconds for which sound without words, or with words that do not interrupt, may keep the agent paused."""
LONGEST = 5
"""Words that an entry of a list has at most."""
EPSILON = 1e-6


class Overlap(msgspec.Struct, frozen=True):
    """The caller sounds while the agent does. ``duration``: seconds from the first sound to the last. ``voiced``: still
    going on. ``quiet``: seconds since it stopped. ``continues``: the caller had only just given the floor away.
    ``burst``: length of the newest stretch of voice, ``bursts``: stretches so far; ``words_ago``: seconds since the newest word
    was said, as far as that is known. ``floor``: what the agent has just said."""

    text: str
    duration: float
    voiced: bool
    quiet: float = 0.0
    continues: bool = False
    burst: float = 0.0
    bursts: int = 1
    words_ago: float = 0.0
    floor: str = ""

    @property
    def elapsed(self) -> float:
        return self.duration + self.quiet


def is_backchannel(text: str, policy: BargeInPolicy) -> bool:
    """Whether ``text`` shows that somebody listens, and is no command: utterances of the list, one after the other."""
    listed = policy.backchannels or language(policy.language).backchannels
    ends = {0}
    words = words_of(text)
    for end in range(1, len(words) + 1):
        if any(begin in ends and " ".join(words[begin:end]) in listed for begin in range(max(0, end - LONGEST), end)):
            ends.add(end)
    return bool(words) and len(words) in ends and not is_command(text, policy)


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


def only_listens(policy: BargeInPolicy, overlap: Overlap) -> bool:
    """Whether the model takes it for a backchannel. It knows English, and stands back where the user gave lists."""
    if language(policy.language) is not LANGUAGES["en"] or policy.backchannels or policy.min_chance <= 0:
        return False
    heard = Heard(
        overlap.text, overlap.elapsed, overlap.voiced, overlap.quiet, overlap.burst or overlap.duration, overlap.bursts,
        overlap.words_ago, overlap.floor,
    )  # fmt: skip
    return takes_floor(heard) < policy.min_chance


def wordless_limit(policy: BargeInPolicy) -> float:
    """Seconds of voice without words after which it is ruled on."""
    return policy.wordless_after or WORDLESS_HOLD


def judge(policy: BargeInPolicy, overlap: Overlap) -> Verdict:
    """The verdict on what is known so far."""
    if not words_of(overlap.text):
        return _wordless(policy, overlap)
    if is_command(overlap.text, policy) or (overlap.continues and not is_backchannel(overlap.text, policy)):
        return "interruption"
    listens = only_listens(policy, overlap)
    if not listens and not too_little(overlap.text, policy):
        return "interruption"
    if overlap.elapsed < policy.decide_by - EPSILON:
        return "undecided"
    if overlap.voiced:
        return "hold" if overlap.duration < WORDLESS_HOLD else "backchannel"
    return "backchannel" if listens or overlap.quiet >= policy.false_timeout else "undecided"


def _wordless(policy: BargeInPolicy, overlap: Overlap) -> Verdict:
    if overlap.voiced:
        if overlap.duration < policy.decide_by:
            return "undecided"
        if overlap.duration < wordless_limit(policy):
            return "hold"
        return "interruption" if policy.wordless_after else "false"
    return "undecided" if overlap.quiet < policy.false_timeout else "false"
