"""Barge-in: how soon the agent falls silent, and what a hum does to it.

    python benchmarks/barge_in.py [--turns N] [--plane-only] [--out FILE]

First the plane alone, on a clock driven by hand, with the real detector on real voices: exact, the same on every machine. It
counts from the voice's first sample to the sample at which the agent is ducked or silent, for voices that begin at any
point of a tick; and it hums over the agent. Then whole frameworks in real time (``harness``): ours, livekit-agents and
pipecat-ai, the user's loop free and blocked for 300 ms each second, two at a time, one a core.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from harness.core import load_clips, percentile
from report import Result, Table, bargein
from run import OUT, Job, present, run_jobs

from antiphon.audio.frames import EAR_RATE, PLAY_RATE, AudioFrame
from antiphon.audio.plane import Plane
from antiphon.audio.seam import ArmReflex, LegSpec, OpenLine, PlaySpeech, PushAudio, Reflex, ReflexSettings, Settled
from antiphon.audio.vad import SileroVAD
from antiphon.local.store import Store
from antiphon.transport.memory import MemoryLeg

SETTINGS = ReflexSettings()
AT = 2.0
"""Seconds into the agent's speech at which the caller's voice begins."""
STEP = 40
"""Samples between two beginnings that are tried, over two ticks."""
AGENT = np.full(6 * PLAY_RATE, 10_000, dtype=np.int16)
ROOM = 12.0
"""Root mean square of the noise around the voice."""


def talk_over(vad: SileroVAD, voice: np.ndarray, phase: int, room: float) -> tuple[dict[str, float], int, int]:
    """When the reflex did what, from the voice's first sample; samples of the agent that were heard; how often it was
    stopped. Nobody decides, so that a paused agent goes on by itself."""
    begin = round(AT * EAR_RATE) + phase
    sound = np.random.default_rng(5).normal(0, room, begin + voice.size + 2 * EAR_RATE)
    sound[begin : begin + voice.size] += voice
    leg = MemoryLeg(np.clip(sound, -32_768, 32_767).astype(np.int16))
    plane, now, found = Plane(vad, lambda _: lambda _: leg), 100.0, list[Any]()
    plane.receive([
        OpenLine(line="a", leg=LegSpec("x")), ArmReflex(line="a", armed=True),
        PushAudio(line="a", speech="s", frame=AudioFrame.pcm(AGENT.tobytes(), PLAY_RATE), last=True),
        PlaySpeech(line="a", speech="s"),
    ])  # fmt: skip
    end = now + 9.0
    while now < end:
        messages, wake = plane.advance(now)
        found += messages
        now = now + 0.02 if wake is None else max(wake, now + 1e-6)
    acts: dict[str, float] = {}
    for message in found:
        if isinstance(message, Reflex):
            acts.setdefault(message.action, message.at - 100.0 - begin / EAR_RATE)
    (settled,) = [message for message in found if isinstance(message, Settled)]
    return acts, settled.position, int(settled.reason == "stopped")


def voices() -> list[np.ndarray]:
    return [np.frombuffer(clip, dtype="<i2") for clip in load_clips()]


def plane_alone(vad: SileroVAD) -> dict[str, Any]:
    """Times above the settings, and what hums of several lengths do."""
    data: dict[str, Any] = {}
    for room in (ROOM, 5 * ROOM):
        ducks, pauses = list[float](), list[float]()
        for voice in voices():
            for phase in range(0, 640, STEP):
                acts, _, _ = talk_over(vad, voice[:EAR_RATE], phase, room)
                ducks.append(acts["ducked"])
                pauses.append(acts["paused"])
        data[f"room {room:g}"] = {
            "n": len(pauses),
            "ducked_ms": spread(ducks),
            "silent_ms": spread(pauses),
            "above_setting_ms": spread([value - SETTINGS.pause_after for value in pauses]),
        }
    for seconds in (0.2, 0.3, 0.4, 0.5):
        paused = stopped = lost = count = 0
        for voice in voices():
            for phase in range(0, 640, STEP):
                acts, heard, stops = talk_over(vad, voice[: round(seconds * EAR_RATE)], phase, ROOM)
                count += 1
                paused += "paused" in acts
                stopped += stops
                lost += AGENT.size - heard
        data[f"hum {seconds * 1000:.0f} ms"] = {"n": count, "paused": paused, "stopped": stopped, "samples_lost": lost}
    return data


def spread(values: list[float]) -> dict[str, float]:
    spots = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    return {name: round(1000 * (percentile(values, share) or 0.0), 1) for name, share in spots.items()}


def frameworks(turns: int) -> list[Result]:
    """The same caller over each framework, in real time."""
    names = [name for name in ("antiphon", "livekit", "pipecat") if present(name)]
    order = [(name, block) for block in (0.0, 0.3) for name in names]
    OUT.mkdir(exist_ok=True)
    jobs = [
        Job(name, "bargein", {"turns": turns, "block": block}, OUT / f"barge_in.{name}.{block:g}.json")
        for name, block in order
    ]
    found = run_jobs(jobs, 60.0 + 20.0 * turns)
    return [
        Result("bargein", name, {"blocked": block}, result) for (name, block), result in zip(order, found, strict=True)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--plane-only", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    vad = SileroVAD(str(Store().path("silero-vad", "silero_vad.onnx")))
    alone = plane_alone(vad)
    for name, figures in alone.items():
        print(f"{name:12} " + "  ".join(f"{key} {value}" for key, value in figures.items()))
    results = [] if options.plane_only else frameworks(options.turns)
    table = Table()
    bargein(table, results)
    print("\n".join(table.lines()))
    for result in results:
        if "failed" in result.data:
            print(f"not measured: {result.name} {result.case}: {result.data['failed']}")
    if options.out:
        data = {"plane": alone, "frameworks": [result.as_dict() for result in results]}
        options.out.write_text(json.dumps(data, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
