"""How late the media plane sends, as a thread and as a process, beside a busy neighbour in the user's own code.

Twenty lines send and hear sound without a break, with voice activity detection on, next to a thread that parses JSON
and searches with regular expressions over a heap of 300 MB. Lateness is the time from the tick at which a block was
due to be sent until the leg had it. A leg has 40 ms of sound left at that moment: what is later is a gap in the sound.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.line import TICK
from antiphon.audio.playout import LEAD
from antiphon.audio.process_plane import ProcessPlane
from antiphon.audio.seam import (
    AnyFromPlane,
    AnyToPlane,
    CloseLine,
    LegSpec,
    LineClosed,
    MicAudio,
    OpenLine,
    PlaySpeech,
    PushAudio,
)
from antiphon.audio.thread_plane import ThreadPlane
from antiphon.audio.vad import SileroVAD
from antiphon.audio.wav import read_wav
from antiphon.local.store import Store
from antiphon.transport.memory import MemoryLeg

CALLERS = Path(__file__).parent.parent / "examples" / "coffee" / "callers"
WARM_UP = 1.0


class TimedLeg(MemoryLeg):
    """Notes when each block arrived, against the tick at which it was due."""

    def __init__(self, sound: np.ndarray, folder: str) -> None:
        super().__init__(sound, repeat=True)
        self._folder = folder
        self._late: list[float] = []
        self._cpu = time.process_time()
        self._since = time.monotonic()

    def play(self, now: float, frame: AudioFrame) -> None:
        arrived = time.monotonic()
        before = now - LEAD
        due = (int(before / TICK + 1e-3) + 1) * TICK
        if arrived - self._since > WARM_UP:
            self._late.append(arrived - due)
        super().play(now, frame)
        self.played.clear()

    def close(self) -> None:
        super().close()
        cpu = (time.process_time() - self._cpu) / (time.monotonic() - self._since)
        np.savez(f"{self._folder}/{id(self)}.npz", late=np.array(self._late), cpu=cpu)


def timed_leg(options: Mapping[str, Any]) -> TimedLeg:
    """Made inside the plane, thread or process."""
    return TimedLeg(read_wav(options["wav"], 16_000)[0], options["folder"])


def neighbour(stop: threading.Event, rounds: list[int]) -> None:
    """What a tool might do: parse documents of 1 MB, search a text of 240 kB."""
    document = json.dumps([{"a": n, "b": "x" * 50, "c": [1, 2, 3]} for n in range(12_000)])
    pattern, text = re.compile(r"(\w+)\s+(\w+)\s+(\d+)"), "foo bar 12 " * 22_000
    while not stop.is_set():
        json.loads(document)
        pattern.findall(text)
        rounds[0] += 1


async def measure(form: str, busy: bool, lines: int, seconds: float, vad: str) -> dict[str, Any]:
    plane: Any = ProcessPlane(vad) if form == "process" else ThreadPlane(lambda: SileroVAD(vad))
    await plane.start()
    stop, rounds = threading.Event(), [0]
    worker = threading.Thread(target=neighbour, args=(stop, rounds))
    closed: set[str] = set()
    all_closed = asyncio.Event()
    mic = 0

    def deliver(messages: Any) -> None:
        nonlocal mic
        message: AnyFromPlane
        for message in messages:
            if isinstance(message, MicAudio):
                mic += message.frame.samples
            elif isinstance(message, LineClosed):
                closed.add(message.line)
                if len(closed) == lines:
                    all_closed.set()

    block = (4000 * np.sin(np.arange(5 * PLAY_RATE) / 17)).astype(np.int16).tobytes()
    wavs = sorted(str(path) for path in CALLERS.glob("*.wav"))
    with tempfile.TemporaryDirectory() as folder:
        names = [f"line-{n}" for n in range(lines)]
        for n, name in enumerate(names):
            plane.subscribe(name, deliver)
            options = {"wav": wavs[n % len(wavs)], "folder": folder}
            opening: list[AnyToPlane] = [OpenLine(line=name, leg=LegSpec("plane_neighbours:timed_leg", options))]
            speech = PushAudio(line=name, speech="s", frame=AudioFrame.pcm(block, PLAY_RATE))
            opening += [speech] * int(seconds / 5 + 2)
            for message in (*opening, PlaySpeech(line=name, speech="s")):
                plane.send(message)
        if busy:
            worker.start()
        await asyncio.sleep(seconds + WARM_UP)
        stop.set()
        if busy:
            worker.join()
        for name in names:
            plane.send(CloseLine(line=name))
        await all_closed.wait()
        await plane.aclose()
        found = [np.load(entry.path) for entry in os.scandir(folder)]
        late = 1000 * np.concatenate([entry["late"] for entry in found])
        cpu = float(np.mean([entry["cpu"] for entry in found]))
    row: dict[str, Any] = {
        "plane": form,
        "neighbour": "JSON, regex, 300 MB" if busy else "none",
        "lines": lines,
        "blocks": int(late.size),
        **{f"p{p:g}_ms": round(float(np.percentile(late, p)), 2) for p in (50, 99, 99.9)},
        "max_ms": round(float(late.max()), 2),
        "gaps": int(np.count_nonzero(late > 1000 * (LEAD - TICK))),
        "neighbour_rounds": rounds[0],
        "mic_seconds": round(mic / 16_000, 1),
    }
    if form == "process":
        row["plane_cpu_ms_per_line_second"] = round(1000 * cpu / lines, 2)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each row")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    vad = str(Store().path("silero-vad", "silero_vad.onnx"))
    heap = [{"n": n, "text": str(n), "more": [n]} for n in range(650_000)]
    rows = []
    print(f"{'plane':8} {'neighbour':22} {'p50':>8} {'p99':>8} {'p99.9':>8} {'max':>8} ms late   gaps heard")
    for form, busy in (("process", False), ("process", True), ("thread", False), ("thread", True)):
        row = asyncio.run(measure(form, busy, options.lines, options.seconds, vad))
        rows.append(row)
        late = " ".join(f"{row[key]:8.2f}" for key in ("p50_ms", "p99_ms", "p99.9_ms", "max_ms"))
        print(f"{row['plane']:8} {row['neighbour']:22} {late}           {row['gaps']}", flush=True)
    result = {"lines": options.lines, "heap_objects": len(heap), "cores": os.cpu_count(), "rows": rows}
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))
    else:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
