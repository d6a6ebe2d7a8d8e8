"""The policy as it runs in a call, on scored pauses: one fixed setting, nothing chosen on the data.

The delay is ``turns.endpointing``'s. Silence alone is compared twice, at the policy's mean latency and at its 95th
percentile, since a mean hides long waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from antiphon.bench.turn_metric import SLACK, cut_by_silence, cut_turns, slices
from antiphon.bench.turn_scores import SCORED_AT, ScoredPause
from antiphon.kernel.policy import TurnPolicy
from antiphon.turns import endpointing

LATENCIES = tuple(step / 10 for step in range(11))
"""Settings of the knob that make the curve."""


class PolicyFigures(msgspec.Struct):
    """The policy at one setting of its knob. ``cut``: share of pauses; ``mean``, ``p50``, ``p95``: latency of ends in
    seconds; ``per_turn``: share of turns cut at least once; ``vad_at_mean``, ``vad_at_p95``: what silence alone cuts
    when it waits that long; ``limit``: share of the ends that waited as long as the policy allows."""

    latency: float
    cut: float
    mean: float
    p50: float
    p95: float
    per_turn: float
    vad_at_mean: float
    vad_at_p95: float
    limit: float
    slices: dict[str, dict[str, float]] = {}


def policy_figures(scored: Sequence[ScoredPause], policy: TurnPolicy) -> PolicyFigures | None:
    """What ``policy`` does with these pauses; ``None`` where there are no ends or no pauses."""
    pauses = [s.pause for s in scored]
    ended = [ended_at(s, policy) for s in scored]
    waits = [end for end, p in zip(ended, pauses, strict=True) if p.ends]
    cut = [p.length > end + SLACK for end, p in zip(ended, pauses, strict=True) if not p.ends]
    if not waits or not cut:
        return None
    mean, p95 = float(np.mean(waits)), float(np.percentile(waits, 95))
    return PolicyFigures(
        latency=policy.latency,
        cut=sum(cut) / len(cut),
        mean=mean,
        p50=float(np.median(waits)),
        p95=p95,
        per_turn=cut_turns(pauses, ended),
        vad_at_mean=cut_by_silence(pauses, mean),
        vad_at_p95=cut_by_silence(pauses, p95),
        limit=sum(wait > policy.max_delay - SLACK for wait in waits) / len(waits),
        slices=slices(pauses, ended),
    )


def policy_curve(scored: Sequence[ScoredPause]) -> list[PolicyFigures]:
    """The policy along its knob, fewest interruptions first; the other settings at their defaults."""
    settings = [policy_figures(scored, TurnPolicy(latency=knob)) for knob in LATENCIES]
    return [figures for figures in settings if figures is not None]


def ended_at(scored: ScoredPause, policy: TurnPolicy) -> float:
    """Seconds of silence after which the policy ends the turn, if the caller has not gone on by then."""
    pause = scored.pause
    known = endpointing.Evidence(text=pause.text, expects=pause.expects, language=pause.language or policy.language)
    due = endpointing.delay(policy, known)
    for asked, (at, score) in enumerate(zip(SCORED_AT, scored.scores, strict=False), 1):
        if asked > 1 and at >= due - SLACK:
            break  # the turn was over before this score
        known = msgspec.structs.replace(known, score=score, scored_at=at)
        due = max(at, endpointing.delay(policy, known))
        if not endpointing.again(score, asked):
            break
    return due
