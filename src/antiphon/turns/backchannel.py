"""Whether a caller who sounds over the agent takes the floor, or only shows that they listen: a small linear model.

Theory. Three seconds later everybody knows; half a second in, what tells is the words so far, how long the voice has
gone on, whether it has stopped, and where in its sentence the agent is. Each becomes a named feature; a model is a
weight per name, one model for each moment at which one may ask. Weights come from ``backchannel_weights``, which
``training/backchannel/train.py`` writes; that script uses ``features`` of this file, so there is one definition. English only:
words of other languages have no weights.
"""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from antiphon.turns.backchannel_weights import BIASES, WEIGHTS
from antiphon.turns.words import words_of

SPELLINGS = {
    "mm hmm": "mhm", "mm hm": "mhm", "mm mm": "mhm", "uh huh": "uhhuh", "o k": "okay", "all right": "alright",
    "mmhm": "mhm", "mmhmm": "mhm", "ok": "okay", "hm": "hmm", "mm": "mmm",
}  # fmt: skip
"""Spellings of one sound that recognisers do not agree on."""


class Heard(msgspec.Struct, frozen=True):
    """What is known of the caller's voice at a moment; times in seconds.

    ``elapsed``: since it began; ``voiced``: it goes on; ``quiet``: since it stopped; ``burst``: length of its newest stretch;
    ``bursts``: stretches so far; ``silent_words``: since the newest word came (``elapsed`` where none did). ``floor``: what
    the agent has just said."""

    text: str
    elapsed: float
    voiced: bool
    quiet: float
    burst: float
    bursts: int
    silent_words: float
    floor: str = ""


def spelled(text: str) -> list[str]:
    """The words of ``text``, each sound in one spelling."""
    left, found = words_of(text), list[str]()
    while left:
        pair = SPELLINGS.get(" ".join(left[:2])) if len(left) > 1 else None
        found.append(pair or SPELLINGS.get(left[0], left[0]))
        left = left[2 if pair else 1 :]
    return found


def features(heard: Heard) -> set[str]:
    """The names of what holds."""
    words = spelled(heard.text)
    count, voiced = len(words), int(heard.voiced)
    state = "v" if heard.voiced else f"q{min(4, int(heard.quiet * 10 + 1e-6))}"
    since = min(6, int(heard.silent_words * 10 + 1e-6))
    length = heard.elapsed - heard.quiet
    found = {
        f"n{min(count, 5)}",
        f"state={state}",
        f"n{min(count, 5)}|{state}",
        f"since{since}|{state}",
        f"since{since}|n{min(count, 3)}|{voiced}",
        f"voice{min(10, int(length * 20 + 1e-6))}|{voiced}",
        f"bursts{min(heard.bursts, 3)}|{voiced}",
        f"burst{min(10, int(heard.burst * 10 + 1e-6))}|{voiced}|n{min(count, 3)}",
    }
    found.update(f"w={word}" for word in words)
    found.update(f"w={one}_{two}" for one, two in pairwise(words))
    if words:
        said = "_".join(words[:4])
        found |= {f"first={words[0]}", f"last={words[-1]}", f"all={said}", f"all|{voiced}={said}"}
        found.add(f"last|{voiced}|since{since}={words[-1]}")
    floor = words_of(heard.floor)
    if floor:
        found.add(f"floor={floor[-1]}")
    return found


def takes_floor(heard: Heard) -> float:
    """The chance, 0 to 1, that this caller takes the floor."""
    moment = max((at for at in WEIGHTS if at <= heard.elapsed + 1e-6), default=min(WEIGHTS))
    weights = WEIGHTS[moment]
    total = BIASES[moment] + sum(weights.get(name, 0) for name in features(heard))
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total / 100))))
