"""Our own WebRTC legs: the rows of ``webrtc.py`` that ask what a whole agent costs and how many one core holds."""

from __future__ import annotations

import webrtc

from rooms.bench import Bench
from rooms.figures import OURS, Figure, Target

COST, SIZES = 5, (10, 20, 30)
SECONDS = 20.0


def legs(bench: Bench) -> list[Figure]:
    """CPU of an agent over WebRTC, and how many are held by one core. Antiphon alone: the peer has no such legs."""
    if not webrtc.AIORTC.exists():
        return [Figure("WebRTC legs", "", {OURS: None}, notes={OURS: "needs benchmarks/peers/setup aiortc"})]
    seconds = 8.0 if bench.quick else SECONDS
    found, most = {}, None
    for size in (1, 2) if bench.quick else (COST, *SIZES):
        row = webrtc.run(webrtc.server(OURS, "agent", 5), size, seconds=seconds, load="turns")
        found[size] = row
        kept = webrtc.held(row)
        bench.say(f"legs: {size}: {row.get('failed') or row['cpu_s_per_call_minute']} {'held' if kept else 'not held'}")
        if not kept:
            break
        most = float(size)
    first = next(iter(found.values()))
    raw = {str(size): row for size, row in found.items()}
    return [
        Figure(f"WebRTC legs: CPU of a session-minute, {next(iter(found))} legs", "CPU-s",
               {OURS: first.get("cpu_s_per_call_minute")}, Target(2.4), {OURS: first["failed"]} if "failed" in first else {}, raw),
        Figure("WebRTC legs that one core holds", "", {OURS: most}, None if bench.quick else Target(20, less=False)),
    ]  # fmt: skip
