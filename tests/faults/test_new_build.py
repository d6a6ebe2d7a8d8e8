"""A call goes on in a changed program: all agent processes are killed while it is in a sub-dialogue inside a tool that writes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.takeover.checking import read_calls
from tests.takeover.diary import EFFECTS, read
from tests.takeover.words import plain
from tests.takeover.worker import campaign_worker

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "takeover" / "trip_program.py"


def test_killed_in_a_task_in_a_tool_that_writes_the_call_goes_on_in_the_new_program(tmp_path: Path) -> None:
    program = tmp_path / "trip_program.py"
    old = PROGRAM.read_text().replace("Path(__file__).parents[2]", f"Path({str(ROOT)!r})")
    program.write_text(old)
    record = tmp_path / "call.jsonl"
    with campaign_worker(tmp_path, program) as worker:
        worker.offer("call", ["note", "trip", "paris"], seed=1)
        assert worker.until(lambda: any(line.get("text") == "t2b" for line in read(record))), worker.said
        program.write_text(old.replace('BUILD = "old"', 'BUILD = "new"'))
        for pid in worker.agents():
            os.kill(pid, signal.SIGKILL)
        assert worker.until(worker.ended, 40.0), worker.said
        assert worker.ended() == {"call": "success"}, worker.said
    (call,) = asyncio.run(read_calls(tmp_path, ["call"]))
    assert [line["build"] for line in call.events if line["kind"] == "serving"] == ["old", "new"]
    assert not [line for line in call.events if line["kind"] == "error"], call.events
    assert [line["kind"] for line in read(tmp_path / EFFECTS)] == ["reserve"], "the step is not done again"
    outputs = [fact["output"] for fact in call.facts("tool.result") if fact["name"] == "trip"]
    assert outputs == ["R2 to Paris (new)"]
    assert call.facts("agent.state")[-1]["state"] == '{"noted":[1],"booked":["R2 to Paris (new)"]}'
    heard = [plain(line["text"]) for line in call.record if line["kind"] == "word" and line["whole"]]
    assert "build-new" in heard and "build-old" not in heard
    assert [word for word in heard if word.startswith("t2")] == sorted({w for w in heard if w.startswith("t2")}), heard
