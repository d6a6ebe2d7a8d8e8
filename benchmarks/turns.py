"""Unwanted interruptions at equal latency: silence alone, Smart Turn as published, and ours, on speakers our heads never heard.

    python -m benchmarks.turns DATA [--out FILE]

DATA is the folder of the turn-taking data (``an4.jsonl``, ``speechocean762_pauses.jsonl``, ``barista.jsonl`` and their audio;
``mrda_pauses.jsonl.gz``). The figures are those of ``antiphon bench turns``. Every speaker is judged by the heads of the fold that
left them out (``training/turn_heads/folds.json``); the shipped heads are trained on all of them and are not measured here.
"Told what was asked" is the same with the head for what is read out, where the words are numbers or spelled. The last part
is the CPU time of one decision, both models turn and turn about on the same windows.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from antiphon.bench.turn_data import Turn, Written, heard, pauses_of, read_rows, read_sound
from antiphon.bench.turn_report import TurnReport, as_text, report
from antiphon.bench.turn_scores import Choose, score_rows
from antiphon.local import TURN_MODEL
from antiphon.local.smart_turn import SmartTurn
from antiphon.local.store import Store
from antiphon.local.turn_detector import head_for
from antiphon.models.turn_detector import TurnDetector, TurnEvidence
from training.turn_heads.folds import fold_heads, fold_of, reads_out

SETS = ("speechocean762_pauses.jsonl", "an4.jsonl", "barista.jsonl")
DECISIONS = 300


class Direct(TurnDetector):
    """A loaded model, asked in this thread. ``head`` empty: the one for what was asked."""

    def __init__(self, model: SmartTurn, head: str = "") -> None:
        self._model = model
        self._head = head

    async def predict(self, evidence: TurnEvidence) -> float:
        pcm = b"".join(frame.data for frame in evidence.audio)
        return self._model.score(pcm, self._head or head_for(evidence.expects), evidence.silence)


def held_out(models: Sequence[SmartTurn]) -> Choose:
    """For a turn, the heads that were trained without its speaker."""
    detectors = [Direct(model) for model in models]

    def choose(row: Turn) -> TurnDetector:
        return detectors[fold_of(row.group, row.speaker if row.speaker != "?" else row.id)]

    return choose


def measured(name: str, rows: Sequence[Turn | Written], data: Path, choose: Choose | None) -> TurnReport:
    return report(name, asyncio.run(score_rows(rows, data, choose)))


def cpu(rows: Sequence[Turn], data: Path, model: SmartTurn, decisions: int) -> dict[str, float]:
    """Milliseconds of CPU for a decision, Smart Turn as published and ours, on the same windows in turn."""
    windows: list[bytes] = []
    for row in rows:
        sound = read_sound(data / row.audio)
        windows += [heard(sound, row, span, 0.2).astype("<i2").tobytes() for _, span in pauses_of(row)]
        if len(windows) >= decisions:
            break
    spent: dict[str, list[float]] = {"stock": [], "general": []}
    for number, window in enumerate(windows[:decisions]):
        for head, times in spent.items():
            began = time.thread_time()
            model.score(window, head)
            if number >= 5:
                times.append(1000 * (time.thread_time() - began))
    result = {}
    for part in (50, 95):
        stock, ours = (float(np.percentile(spent[head], part)) for head in ("stock", "general"))
        result |= {f"stock_p{part}": stock, f"ours_p{part}": ours, f"ratio_p{part}": ours / stock}
    return {key: round(value, 3) for key, value in result.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--decisions", type=int, default=DECISIONS, help="for the CPU figures")
    parser.add_argument("--full", action="store_true", help="print every table of each detector")
    options = parser.parse_args()
    store = Store()
    file = store.path(TURN_MODEL) / store.catalog[TURN_MODEL].final_files[0]
    models = [SmartTurn(file, heads=heads) for heads in fold_heads()]
    rows = [row for name in SETS for row in read_rows(options.data / name) if isinstance(row, Turn)]
    told = [msgspec.structs.replace(row, expects=reads_out(row.group, row.text)) for row in rows if row.group == "an4"]
    reports = [
        measured("smart-turn", rows, options.data, lambda row: Direct(models[0], "stock")),
        measured("antiphon", rows, options.data, held_out(models)),
        measured("antiphon, told what was asked", told, options.data, held_out(models)),
    ]
    written = measured(
        "words and silence", read_rows(options.data / "mrda_pauses.jsonl.gz", {"sp": "val"}), options.data, None
    )
    spent = cpu(rows, options.data, models[0], options.decisions)
    print(table(reports))
    print(policies([*reports, written]))
    print(
        f"CPU of one decision, ms: Smart Turn {spent['stock_p50']:.1f} (p95 {spent['stock_p95']:.1f}), "
        f"ours {spent['ours_p50']:.1f} (p95 {spent['ours_p95']:.1f}); ratio {spent['ratio_p50']:.2f} (p95 {spent['ratio_p95']:.2f})"
    )
    if options.full:
        print("\n".join(as_text(one) for one in [*reports, written]))
    if options.out:
        results: dict[str, Any] = {"reports": reports, "written": written, "cpu_ms": spent}
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))


def table(reports: Sequence[TurnReport]) -> str:
    """The eot-bench figures, one line for each set and detector."""
    lines = [f"{'held-out speakers':46} holds  ends   at 300 ms   at 600 ms    at 5 %   at 10 %"]
    for group in reports[0].sets:
        rows = [("silence alone", reports[0].vad[group])]
        rows += [(one.detector, one.sets[group]) for one in reports if group in one.sets]
        for name, own in rows:
            marks = [f"{100 * mark:.1f} %" if mark is not None else "-" for mark in (own.cut_300, own.cut_600)]
            marks += [f"{1000 * mark:.0f} ms" if mark is not None else "-" for mark in (own.lat_5, own.lat_10)]
            cells = f"{marks[0]:>11} {marks[1]:>11} {marks[2]:>9} {marks[3]:>9}"
            lines.append(f"{group + ': ' + name:46} {own.holds:5} {own.ends:5} {cells}")
    return "\n".join(lines)


def policies(reports: Sequence[TurnReport]) -> str:
    """The policy of a call at its default, one line for each set and detector."""
    lines = [f"{'policy at its default':46} cut-offs    mean     p95  silence alone at that mean"]
    for one in reports:
        for group, own in one.policy.items():
            cells = f"{100 * own.cut:6.1f} % {own.mean:6.2f} s {own.p95:5.2f} s {100 * own.vad_at_mean:6.1f} %"
            lines.append(f"{group + ': ' + one.detector:46} {cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
