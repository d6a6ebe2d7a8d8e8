"""CPU of the media plane a line: real speech in, speech out, resampling, voice activity detection, ledger, reflex.

The plane is driven by hand as fast as it goes, tick by tick, so that nothing but its own work is counted. Callers speak
a third of the time; the agent speaks half of the time. Rows: number of lines, with and without detection.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.line import TICK
from antiphon.audio.plane import Plane
from antiphon.audio.seam import ArmReflex, LegSpec, LineConfig, OpenLine, PlaySpeech, PushAudio
from antiphon.audio.vad import SileroVAD
from antiphon.audio.wav import read_wav
from antiphon.local.store import Store
from antiphon.transport.memory import MemoryLeg

CALLERS = Path(__file__).parent.parent / "examples" / "coffee" / "callers"
LINES = (1, 5, 10, 20)
WARM_UP = 50
"""Ticks that are not counted."""


class DeafLeg(MemoryLeg):
    """Lets what was played go."""

    def heard(self, now: float) -> int:
        count = super().heard(now)
        self.played.clear()
        return count


def measure(lines: int, vad: SileroVAD | None, seconds: float, sounds: list[np.ndarray], rate: int) -> dict[str, Any]:
    made = 0

    def leg(_: Any) -> DeafLeg:
        nonlocal made
        made += 1
        return DeafLeg(np.roll(sounds[made % len(sounds)], made * 7_919), in_rate=rate, out_rate=PLAY_RATE, repeat=True)

    plane = Plane(vad, lambda _: leg)
    names = [f"line-{n}" for n in range(lines)]
    for name in names:
        plane.receive([OpenLine(line=name, leg=LegSpec("x"), config=LineConfig()), ArmReflex(line=name, armed=False)])
    block = (4000 * np.sin(np.arange(PLAY_RATE // 5) / 17)).astype(np.int16).tobytes()
    frame = AudioFrame.pcm(block, PLAY_RATE)
    ticks = []
    now = 1000.0
    began = 0.0
    for tick in range(WARM_UP + round(seconds / TICK)):
        if tick == WARM_UP:
            began = time.process_time()
            ticks.clear()
        if tick % 500 == 0:
            for name in names:
                speech = f"s{tick}"
                plane.receive([PlaySpeech(line=name, speech=speech)])
                plane.receive([PushAudio(line=name, speech=speech, frame=frame, last=n == 24) for n in range(25)])
        start = time.perf_counter()
        plane.advance(now)
        ticks.append(time.perf_counter() - start)
        now += TICK
    cpu = time.process_time() - began
    return {
        "lines": lines,
        "vad": vad is not None,
        "in_rate": rate,
        "cpu_ms_per_line_second": round(1000 * cpu / seconds / lines, 2),
        "tick_ms_p50": round(1000 * float(np.percentile(ticks, 50)), 2),
        "tick_ms_p99": round(1000 * float(np.percentile(ticks, 99)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of call, each row")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    vad = SileroVAD(str(Store().path("silero-vad", "silero_vad.onnx")))
    rows = []
    print(f"{'lines':>5} {'detection':>9} {'in':>6}   ms CPU/line-second   tick p50   p99 ms")
    for rate, detector in ((16_000, None), (16_000, vad), (48_000, vad)):
        speech = [read_wav(str(path), rate)[0] for path in sorted(CALLERS.glob("*.wav"))]
        sounds = [np.concatenate((sound, np.zeros(2 * sound.size, dtype=np.int16))) for sound in speech]
        for lines in LINES:
            row = measure(lines, detector, options.seconds, sounds, rate)
            rows.append(row)
            print(
                f"{lines:5d} {'Silero' if row['vad'] else 'off':>9} {rate:6d} {row['cpu_ms_per_line_second']:20.2f}"
                f" {row['tick_ms_p50']:10.2f} {row['tick_ms_p99']:8.2f}",
                flush=True,
            )
    if options.out:
        options.out.write_text(json.dumps({"seconds": options.seconds, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
