"""Second step: trains the heads, writes them into the package, and prints what held-out speakers say of them.

    python -m training.turn_heads.train ENCODED.npz

Writes ``src/antiphon/local/turn_heads.json`` (trained on every speaker) and ``training/turn_heads/folds.json`` (five pairs
of heads, each trained without a fifth of the speakers, for figures on speakers that a head never heard). All that is printed is
of held-out speakers, or of a whole set that was left out. Nothing is drawn by chance: the same input gives the same heads.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from antiphon.bench.turn_data import Pause
from antiphon.bench.turn_metric import figures
from antiphon.local.turn_heads import SCORED_AT, Head, Heads, digest_of, log_odds
from training.turn_heads.folds import FOLDS, fold_of, reads_out

ROOT = Path(__file__).parents[2]
STRENGTH = 0.003
"""Inverse of the L2 penalty on weights of standardised features: strong, since voices outside will differ."""
OWN = 0.8
"""Share of the head in the log-odds; the rest is the model's own verdict, which has heard far more than we have. Chosen on
transfers between the sets, where some of the verdict helps, not on held-out speakers of the same set, where none does."""
ELSEWHERE = 0.2
"""Weight of a turn that is not read out, in the training of the head for what is."""
HEADS = ("general", "digits")

Floats = NDArray[np.float64]


class Table:
    """The encoded windows as columns."""

    def __init__(self, file: Path) -> None:
        with np.load(file) as stored:
            self.features = stored["features"].astype(np.float32)
            facts = json.loads(str(stored["facts"]))
        self.group = np.array([f["set"] for f in facts])
        self.speaker = np.array([f["speaker"] for f in facts])
        self.fold = np.array([fold_of(f["set"], f["speaker"]) for f in facts])
        self.ends = np.array([f["length"] is None for f in facts])
        self.recorded = np.array([f["line"] == "recorded" for f in facts])
        self.at = np.array([f["at"] for f in facts])
        self.read_out = np.array([reads_out(f["set"], f["text"]) != "" for f in facts])
        self.verdict = np.array([log_odds(f["verdict"]) for f in facts])
        self.pauses = [
            Pause(f["set"], f["turn"], f["speaker"], np.inf if f["length"] is None else f["length"]) for f in facts
        ]

    def weights(self, which: str, rows: NDArray[np.bool_]) -> Floats:
        """How much each window counts: sets alike, and in each as many ends as pauses at the first score. A pause keeps
        its weight when it is scored again, so that the probability learns that long pauses are rarer."""
        weight = np.zeros(len(rows))
        for group in set(self.group[rows]):
            for ends in (False, True):
                kind = rows & (self.group == group) & (self.ends == ends)
                first = kind & self.recorded & (self.at == SCORED_AT)
                weight[kind] = 1.0 / max(int(first.sum()), 40)
        if which == "digits":
            weight[rows & ~self.read_out] *= ELSEWHERE
        return weight[rows] / weight[rows].mean()


def train(table: Table, which: str, rows: NDArray[np.bool_]) -> Head:
    """A head from these rows, not yet calibrated."""
    looked_at = table.features[rows]
    middle, spread = looked_at.mean(axis=0), looked_at.std(axis=0) + 1e-6
    longer = (table.at[rows] - SCORED_AT)[:, None]
    columns = np.concatenate([(looked_at - middle) / spread, longer * 5.0], axis=1)
    model = LogisticRegression(C=STRENGTH, max_iter=500)
    model.fit(columns, table.ends[rows], sample_weight=table.weights(which, rows))
    weights = model.coef_[0, :-1] / spread
    scale = float(np.abs(weights).max())
    return Head(
        weights=base64.b64encode((weights / scale).astype("<f2").tobytes()).decode(),
        scale=scale,
        bias=float(model.intercept_[0] - weights @ middle),
        per_second=float(model.coef_[0, -1] * 5.0),
        own=OWN,
        slope=1.0,
        shift=0.0,
    )


def scores(table: Table, head: Head, rows: NDArray[np.bool_]) -> Floats:
    """The head's probabilities for these rows."""
    verdicts = 1 / (1 + np.exp(-table.verdict[rows]))
    columns = zip(table.features[rows], verdicts, table.at[rows], strict=True)
    return np.array([head.probability(looked_at, float(verdict), float(at)) for looked_at, verdict, at in columns])


def calibrated(head: Head, log: Floats, ends: NDArray[np.bool_], weight: Floats) -> Head:
    """The head with a slope and a shift that make held-out log-odds ``log`` probabilities."""
    model = LogisticRegression(C=1e6).fit(log[:, None], ends, sample_weight=weight)
    return msgspec.structs.replace(head, slope=float(model.coef_[0, 0]), shift=float(model.intercept_[0]))


def log_of(probabilities: Floats) -> Floats:
    kept = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.log(kept / (1 - kept))


def bundle(heads: dict[str, Head]) -> Heads:
    made = Heads(1, heads, "")
    return msgspec.structs.replace(made, digest=digest_of(made))


def show(title: str, pauses: Sequence[Pause], probabilities: Floats) -> None:
    """One line of figures."""
    own = figures(pauses, probabilities.tolist())
    cells = [
        f"{own.cut_300:.3f}" if own.cut_300 is not None else "-",
        f"{own.cut_600:.3f}" if own.cut_600 is not None else "-",
    ]
    cells += [f"{mark:.2f}" if mark is not None else "-" for mark in (own.lat_5, own.lat_10)]
    print(f"{title:58} {own.holds:5} {own.ends:5}  " + "  ".join(f"{cell:>6}" for cell in cells), flush=True)


def show_sets(table: Table, title: str, probabilities: Floats, rows: NDArray[np.bool_]) -> None:
    """One line for each set, of the windows at the first score."""
    for group in dict.fromkeys(table.group[rows]):
        chosen = rows & (table.group == group) & (table.at == SCORED_AT)
        show(f"{group}: {title}", [table.pauses[n] for n in np.flatnonzero(chosen)], probabilities[chosen])


def reliability(table: Table, probabilities: Floats) -> None:
    """Whether a probability means what it says, by bins, with sets and outcomes weighted as in training."""
    rows = table.recorded
    weight = np.zeros(len(rows))
    weight[rows] = table.weights("general", rows)
    for low in np.arange(0, 1, 0.1):
        inside = rows & (probabilities >= low) & (probabilities < low + 0.1)
        if inside.any():
            said = np.average(probabilities[inside], weights=weight[inside])
            was = np.average(table.ends[inside], weights=weight[inside])
            print(f"  said {said:.2f}, was {was:.2f} ({inside.sum()} windows)")


def main() -> None:
    table = Table(Path(sys.argv[1]))
    everyone = np.ones(len(table.fold), bool)
    shipped: dict[str, Head] = {}
    folds: list[dict[str, Head]] = [{} for _ in range(FOLDS)]
    print(f"{'held-out speakers':58} holds  ends  at 300  at 600     5 %    10 %")
    verdicts = 1 / (1 + np.exp(-table.verdict))
    show_sets(table, "the model's own verdict, 4 s, exact", verdicts, table.recorded)
    for which in HEADS:
        raw = np.zeros(len(everyone))
        for fold in range(FOLDS):
            folds[fold][which] = train(table, which, table.fold != fold)
            held = table.fold == fold
            raw[held] = log_of(scores(table, folds[fold][which], held))
        weight = table.weights(which, everyone)
        for fold in range(FOLDS):
            others = table.fold != fold
            folds[fold][which] = calibrated(folds[fold][which], raw[others], table.ends[others], weight[others])
        shipped[which] = calibrated(train(table, which, everyone), raw, table.ends, weight)
        held_out = np.zeros(len(everyone))
        for fold in range(FOLDS):
            held = table.fold == fold
            head = folds[fold][which]
            held_out[held] = 1 / (1 + np.exp(-(head.slope * raw[held] + head.shift)))
        show_sets(table, f"head {which}", held_out, table.recorded)
        show_sets(table, f"head {which}, over another line", held_out, ~table.recorded)
        if which == "digits":
            show_sets(table, "head digits, only what is read out", held_out, table.recorded & table.read_out)
        else:
            reliability(table, held_out)
    for left_out in dict.fromkeys(table.group):
        head = train(table, "general", table.group != left_out)
        rows = table.recorded & (table.group == left_out)
        probabilities = np.zeros(len(everyone))
        probabilities[rows] = scores(table, head, rows)
        show_sets(table, "head general, trained on the other sets alone", probabilities, rows)
    write(ROOT / "src" / "antiphon" / "local" / "turn_heads.json", bundle(shipped))
    write(ROOT / "training" / "turn_heads" / "folds.json", [bundle(heads) for heads in folds])


def write(file: Path, made: Any) -> None:
    file.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
