"""Echo by words: whether what the recogniser heard is the agent's own voice, come back through the caller's microphone.

Theory. An echo says the words that sound at that moment, in their order, with a word misheard here and there. A caller
says others, or the same ones later ("tea or coffee?" "Coffee."). A caller who says a command, and nothing else, is always heard.
Pure; who calls knows which words sounded while the voice did.
"""

from __future__ import annotations

from antiphon.kernel.policy import BargeInPolicy
from antiphon.turns.barge_in import is_command
from antiphon.turns.words import words_of

ALIKE = 0.75
"""Share of the heard words that the agent is saying, in order, from which they are an echo."""


def is_echo(heard: str, saying: str, policy: BargeInPolicy) -> bool:
    """Whether ``heard`` is what the agent is ``saying``."""
    words, own = words_of(heard), words_of(saying)
    if not words or not own:
        return False
    if len(words) == 1:
        return words[0] in own and not is_command(heard, policy)
    return in_order(words, own) >= ALIKE * len(words)


def in_order(words: list[str], others: list[str]) -> int:
    """The most of ``words`` that stand in ``others`` in the same order."""
    best = [0] * (len(others) + 1)
    for word in words:
        left = 0
        for n, other in enumerate(others, 1):
            above = best[n]
            best[n] = left + 1 if word == other else max(above, best[n - 1])
            left = above
    return best[-1]
