"""How fast the simulator is: seconds of call per second of wall time, with symbolic audio and with samples.

The call is the ordinary one: real kernel, plane and session, a caller who asks ten questions and talks over one answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from harness.adapters.antiphon import ScriptedSTT as LoudnessSTT

from antiphon import Agent
from antiphon.testing import Caller, simulate

ANSWER = "We are open from nine to five, on Saturdays until two, and the shop is closed on Sundays."


def caller(turns: int) -> Caller:
    made = Caller()
    for _ in range(turns):
        made.says("When are you open this week?").waits_for_agent()
        made.stays_silent(8.0)
    return made.says("And now a last one.").talks_over("no, wait a moment", after_word=4).waits_for_agent().hangs_up()


def measure(*, pcm: bool, turns: int) -> dict[str, Any]:
    begun = time.perf_counter()
    hears = {"stt": LoudnessSTT()} if pcm else {}
    result = simulate(Agent(instructions="You work in a shop."), caller(turns), llm=ANSWER, pcm=pcm, **hears)
    real = time.perf_counter() - begun
    assert len(result.turns) >= turns, result.story()
    return {"call_s": round(result.duration, 1), "real_s": round(real, 3), "times": round(result.duration / real, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=18)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    measure(pcm=False, turns=1)
    rows = []
    for pcm in (False, True):
        runs = [measure(pcm=pcm, turns=options.turns) for _ in range(options.runs)]
        middle = statistics.median(run["times"] for run in runs)
        row = {"audio": "samples" if pcm else "symbolic", **runs[0], "times": middle}
        rows.append(row)
        print(
            f"{row['audio']:9} a call of {row['call_s']:6.1f} s in {row['real_s']:6.3f} s: {row['times']:7.1f} times real time"
        )
    if options.out:
        options.out.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
