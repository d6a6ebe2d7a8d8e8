"""Trains the backchannel model and prints how it does on meetings it never saw.

    python training/backchannel/train.py mrda_overlaps.jsonl.gz [--write]

Needs scikit-learn (`pip install "antiphon[training]"`). Fits on the rows with ``sp`` = train, reports on ``sp`` = val; ``--write``
replaces ``src/antiphon/turns/backchannel_weights.py``. What a model sees at a moment is what a session knows then: words that
had ended ``lag`` before it (the recogniser's delay), and a voice whose end is known ``lag`` after it (the voice detector's).
It is fitted without and with such a delay of 200 ms. Deterministic: no chance is involved.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "src"))

from antiphon.turns.backchannel import Heard, features  # noqa: E402

MOMENTS = (0.3, 0.5, 0.8)
LAGS = (0.0,)
RARE = 2
"""A feature seen in fewer examples is left out."""
LEAST = 5
"""Hundredths; a smaller weight is left out."""
STRENGTH = 0.3
"""Inverse of the regularisation, chosen with ``RARE`` by six-fold cross-validation over the training meetings."""
TARGET = ROOT / "src" / "antiphon" / "turns" / "backchannel_weights.py"
GAP = 0.1
"""Seconds without words that end a stretch of voice."""


def heard(
    row: dict[str, Any], moment: float, lag: float, noise: float = 0.0, chance: random.Random | None = None
) -> Heard:
    """What is known of the row ``moment`` seconds after its onset. ``noise``: share of the words that are misheard."""
    words = [word for word, _, end in row["text"] if end <= moment - lag]
    if chance is not None:
        words = ["something" if chance.random() < noise else word for word in words]
    stretches: list[list[float]] = []
    for _, start, end in row["text"]:
        if start >= moment:
            break
        if stretches and start - stretches[-1][1] < GAP:
            stretches[-1][1] = max(stretches[-1][1], min(end, moment))
        else:
            stretches.append([start, min(end, moment)])
    first, last = stretches[-1]
    voiced = last > moment - lag - 1e-6 if lag else last >= moment - 1e-6
    newest = max((end for _, _, end in row["text"] if end <= moment - lag), default=-lag)
    return Heard(
        text=" ".join(words),
        elapsed=moment,
        voiced=voiced,
        quiet=0.0 if voiced else moment - last,
        burst=(moment if voiced else last) - first,
        bursts=len(stretches),
        silent_words=moment - (newest + lag),
        floor=row["floor_text"],
    )


def kept_and_rejected(scores: np.ndarray, bargein: np.ndarray, kept: float) -> tuple[float, float, float]:
    """The highest threshold that keeps this share of barge-ins; the shares kept and rejected there."""
    ordered = np.sort(scores[bargein])
    threshold = float(ordered[int((1 - kept) * ordered.size + 1e-9)])
    return threshold, float((scores[bargein] >= threshold).mean()), float((scores[~bargein] < threshold).mean())


def fit(rows: list[dict[str, Any]], moment: float) -> tuple[int, dict[str, int]]:
    """Bias and weights in hundredths."""
    found = [dict.fromkeys(sorted(features(heard(row, moment, lag))), 1.0) for lag in LAGS for row in rows]
    often = Counter(name for each in found for name in each)
    kept = [{name: 1.0 for name in each if often[name] >= RARE} for each in found]
    vectors = DictVectorizer(sort=True)
    model = LogisticRegression(C=STRENGTH, max_iter=5000)
    model.fit(vectors.fit_transform(kept), [row["label"] == "bargein" for _ in LAGS for row in rows])
    weights = zip(vectors.get_feature_names_out(), model.coef_[0], strict=True)
    rounded = {str(name): round(float(weight) * 100) for name, weight in weights}
    return round(float(model.intercept_[0]) * 100), {
        name: weight for name, weight in rounded.items() if abs(weight) >= LEAST
    }


def scores(model: tuple[int, dict[str, int]], seen: Iterable[Heard]) -> np.ndarray:
    bias, weights = model
    return np.array([bias + sum(weights.get(name, 0) for name in features(each)) for each in seen]) / 100


def report(rows: list[dict[str, Any]], models: dict[float, tuple[int, dict[str, int]]]) -> None:
    bargein = np.array([row["label"] == "bargein" for row in rows])
    print(f"{bargein.sum()} barge-ins, {(~bargein).sum()} backchannels; backchannels rejected at barge-ins kept of")
    print(
        f"{'moment':>7} {'lag':>5} {'noise':>6} " + "".join(f"{kept:>8.0%}" for kept in (0.99, 0.98, 0.97, 0.95, 0.9))
    )
    for moment, model in models.items():
        for lag, noise in ((0.0, 0.0), (0.0, 0.15), (0.2, 0.0), (0.2, 0.15), (0.3, 0.0)):
            chance = random.Random(1)
            found = scores(model, [heard(row, moment, lag, noise, chance) for row in rows])
            curve = [kept_and_rejected(found, bargein, kept)[2] for kept in (0.99, 0.98, 0.97, 0.95, 0.9)]
            print(f"{moment * 1000:>5.0f}ms {lag:>5.1f} {noise:>6.0%} " + "".join(f"{value:>8.1%}" for value in curve))
        for kept in (0.98, 0.95):
            threshold, share, rejected = kept_and_rejected(
                scores(model, [heard(r, moment, 0.0) for r in rows]), bargein, kept
            )
            print(f"   threshold {1 / (1 + np.exp(-threshold)):.3f}: {share:.1%} kept, {rejected:.1%} rejected")


def write(models: dict[float, tuple[int, dict[str, int]]]) -> None:
    biases = {moment: bias for moment, (bias, _) in models.items()}
    lines = [
        '"""Weights of the backchannel model, in hundredths. Written by ``training/backchannel/train.py``; do not edit."""',
        "",
        "from __future__ import annotations",
        "",
        f"BIASES: dict[float, int] = {biases}",
        "",
        "_PACKED: dict[float, str] = {",
    ]
    for moment, (_, weights) in models.items():
        lines.append(f"    {moment}: (")
        line = ""
        for name in sorted(weights):
            entry = f"{name} {weights[name]} "
            if len(line) + len(entry) > 104:
                lines.append(f'        "{line}"')
                line = ""
            line += entry
        lines += [f'        "{line}"', "    ),"]
    lines += [
        "}",
        "",
        "",
        "def _unpacked(text: str) -> dict[str, int]:",
        "    parts = text.split()",
        "    return dict(zip(parts[::2], map(int, parts[1::2]), strict=True))",
        "",
        "",
        "WEIGHTS: dict[float, dict[str, int]] = {moment: _unpacked(text) for moment, text in _PACKED.items()}",
        "",
    ]
    TARGET.write_text("\n".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with gzip.open(options.data, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    models = {moment: fit([row for row in rows if row["sp"] == "train"], moment) for moment in MOMENTS}
    report([row for row in rows if row["sp"] == "val"], models)
    if options.write:
        write(models)


if __name__ == "__main__":
    main()
