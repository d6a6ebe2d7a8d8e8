"""What the imports cost: CPU and memory of fresh processes, each framework in its own environment, interleaved."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
LIVEKIT, PIPECAT = (str(PEERS / f".venv-{name}" / "bin" / "python") for name in ("livekit", "pipecat"))

CASES = {
    "bare interpreter": (sys.executable, "pass"),
    "antiphon, import antiphon": (sys.executable, "import antiphon"),
    "antiphon, an agent's file": (
        sys.executable,
        "from antiphon import Agent, AgentSession, JobContext, RunContext, function_tool, run",
    ),
    "livekit-agents, an agent's file": (
        LIVEKIT,
        "from livekit.agents import Agent, AgentServer, AgentSession, JobContext, RunContext, cli, function_tool\n"
        "from livekit.plugins import silero",
    ),
    "pipecat-ai, an agent's file": (
        PIPECAT,
        "from pipecat.audio.vad.silero import SileroVADAnalyzer\n"
        "from pipecat.pipeline.pipeline import Pipeline\n"
        "from pipecat.pipeline.worker import PipelineParams, PipelineWorker\n"
        "from pipecat.processors.aggregators.llm_context import LLMContext\n"
        "from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair\n"
        "from pipecat.services.llm_service import LLMService\n"
        "from pipecat.services.stt_service import STTService\n"
        "from pipecat.services.tts_service import TTSService\n"
        "from pipecat.transports.base_transport import BaseTransport, TransportParams\n"
        "from pipecat.workers.runner import WorkerRunner",
    ),
}
"""What the first lines of a voice agent's program import, for each framework."""

REPORT = """
import os
status = open("/proc/self/status").read().split("VmRSS:")[1].split()[0]
os.write(1, ("@@" + status).encode())
os._exit(0)
"""


def measure(python: str, code: str) -> tuple[float, float]:
    """CPU seconds and resident MB of one fresh process."""
    process = subprocess.Popen(
        [python, "-c", f"{code}\n{REPORT}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if "@@" not in output:
        raise RuntimeError(f"the imports failed under {python}")
    return usage.ru_utime + usage.ru_stime, int(output.split("@@")[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cases = {name: case for name, case in CASES.items() if Path(case[0]).exists()}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for run in range(options.runs + 1):
        for name, (python, code) in cases.items():
            sample = measure(python, code)
            if run:  # the first fills the disk cache and compiles
                found[name].append(sample)
    rows = [
        {
            "case": name,
            "cpu_s": round(statistics.median(cpu for cpu, _ in samples), 3),
            "cpu_s_min": round(min(cpu for cpu, _ in samples), 3),
            "rss_mb": round(statistics.median(rss for _, rss in samples), 1),
        }
        for name, samples in found.items()
    ]
    for row in rows:
        print(f"{row['case']:36} {row['cpu_s']:6.2f} s CPU  {row['rss_mb']:6.1f} MB")
    if options.out:
        options.out.write_text(json.dumps({"runs": options.runs, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
