"""Our heads on Smart Turn's encoder: what they look at, and the probability that they give.

A head is a linear model of the encoder's state in four stretches of the sound and of the model's own verdict; its log-odds are
then calibrated, for as many ends of turns as pauses. ``training/turn_heads`` makes ``turn_heads.json`` and has the
card: data, licences, figures, limits. Heads are small on purpose: what they learn must hold for voices they never heard.
"""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from antiphon.errors import ConfigurationError

HEARD_SECONDS = 4.0
"""Seconds of sound that the encoder hears."""
WIDTH = 384
STEP = 0.02
"""Seconds that one position of the encoder covers."""
WORD_END = 25
"""Positions before the silence that hold the end of the last word: 0.5 s."""
BEFORE = 75
"""Positions before the silence at which the stretch before that begins: 1.5 s."""
FEATURES = 5 * WIDTH
SCORED_AT = 0.2
LONGEST_SILENCE = 0.8
"""Seconds. What heads were trained on; a longer silence counts as this."""
SUREST = 7.0
"""Log-odds of the model's own verdict are held between these."""

Floats = NDArray[np.float32]


class Encoded(NamedTuple):
    """What the encoder says of one window. ``early``, ``late``: (positions, 384) the states after the first and the last
    layer; ``pooled``: (384,); ``verdict``: the model's own probability."""

    early: Floats
    late: Floats
    pooled: Floats
    verdict: float


class Head(msgspec.Struct, frozen=True):
    """``weights``: base64 of little-endian float16, (1920,), in units of ``scale``. ``per_second``: log-odds for each second
    of silence beyond ``SCORED_AT``. ``own``: share of the head's log-odds, the rest is the model's own verdict's.
    ``slope``, ``shift``: the calibration."""

    weights: str
    scale: float
    bias: float
    per_second: float
    own: float
    slope: float
    shift: float

    def probability(self, looked_at: Floats, verdict: float, silence: float) -> float:
        """Probability that the turn is over, for ``features()`` of a window that ends with ``silence`` seconds of it."""
        longer = min(max(silence, SCORED_AT), LONGEST_SILENCE) - SCORED_AT
        own = float(looked_at @ _weights(self.weights)) * self.scale + self.bias + self.per_second * longer
        mixed = self.own * own + (1.0 - self.own) * log_odds(verdict)
        return 1.0 / (1.0 + math.exp(-min(max(self.slope * mixed + self.shift, -30.0), 30.0)))


class Heads(msgspec.Struct, frozen=True):
    """``digest``: sha256 of everything else."""

    format: int
    heads: dict[str, Head]
    digest: str

    def named(self, name: str) -> Head:
        """A head by its name. Raises ``ConfigurationError``."""
        if name not in self.heads:
            raise ConfigurationError(
                f"There is no end-of-turn head {name!r}.", hint=f"There are: {', '.join(self.heads)}."
            )
        return self.heads[name]


def parse_heads(document: bytes) -> Heads:
    """Heads as a training script wrote them. Raises ``ConfigurationError`` for a file that is not whole."""
    try:
        heads = msgspec.json.decode(document, type=Heads)
        whole = digest_of(heads) == heads.digest
        sizes = {len(_weights(head.weights)) for head in heads.heads.values()}
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigurationError(
            f"The end-of-turn heads cannot be read: {error}.", hint="Install antiphon again."
        ) from error
    if not whole or sizes != {FEATURES}:
        raise ConfigurationError("The end-of-turn heads are damaged.", hint="Install antiphon again.")
    return heads


def digest_of(heads: Heads) -> str:
    """The ``digest`` that these heads must have."""
    rest: dict[str, Any] = msgspec.to_builtins(heads)
    del rest["digest"]
    return hashlib.sha256(msgspec.json.encode(rest, order="deterministic")).hexdigest()


@cache
def shipped_heads() -> Heads:
    """The heads in this package."""
    return parse_heads(resources.files("antiphon.local").joinpath("turn_heads.json").read_bytes())


def features(encoded: Encoded, silence: float) -> Floats:
    """(1920,) what a head looks at: the pooled state; the last layer at the last word's end, before that, and over all; the
    first layer, which still has the melody, at the last word's end."""
    end = max(1, len(encoded.late) - round(max(silence, SCORED_AT) / STEP))
    word, before = slice(max(0, end - WORD_END), end), slice(max(0, end - BEFORE), max(1, end - WORD_END))
    parts = (
        encoded.pooled,
        encoded.late[word].mean(axis=0),
        encoded.late[before].mean(axis=0),
        encoded.late.mean(axis=0),
        encoded.early[word].mean(axis=0),
    )
    return np.concatenate(parts, dtype=np.float32)


def log_odds(probability: float) -> float:
    """Of a probability, held between -7 and 7."""
    sure = min(max(probability, 1e-6), 1.0 - 1e-6)
    return min(max(math.log(sure / (1.0 - sure)), -SUREST), SUREST)


@cache
def _weights(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)
