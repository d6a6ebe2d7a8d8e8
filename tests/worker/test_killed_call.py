"""A process is killed in the middle of its call, and another one goes on from the file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("killed_call.py")
STORY = "Once there was a king. He had three daughters. They lived by the sea. Nobody knew why."


def killed_and_went_on(folder: Path, said: list[str], until: str, then: list[str]) -> dict[str, Any]:
    """``until``: the line of the first process behind which it is killed. ``then``: what is said to the second one."""
    command = [sys.executable, str(SCRIPT)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*command, "first", str(folder / "calls.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    ) as first:  # fmt: skip
        assert first.stdin is not None and first.stdout is not None
        first.stdin.write("\n".join(said) + "\n")
        first.stdin.flush()
        heard = []
        for line in first.stdout:
            heard.append(line.strip())
            if line.startswith(until):
                break
        time.sleep(0.2)  # it is on the disk, and the answer is under way
        first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL, heard
    second = subprocess.run(
        [*command, "second", str(folder / "calls.db")], input="\n".join(then) + "\n" if then else "",
        capture_output=True, text=True, timeout=60, env=environment, check=False,
    )  # fmt: skip
    assert second.returncode == 0, second.stderr
    lines = second.stdout.splitlines()
    assert not [line for line in lines if line.startswith("error")], lines
    told: dict[str, Any] = json.loads(lines[-1])
    return told


def test_killed_while_it_answers_the_answer_is_given_once(tmp_path: Path) -> None:
    told = killed_and_went_on(tmp_path, ["Tell me a story."], "item Tell me a story.", ["Bye."])
    assert told["exact"] and told["status"] == ["ended"]
    assert told["history"] == [
        ["assistant", "Hello there."], ["user", "Tell me a story."], ["assistant", STORY], ["user", "Bye."],
        ["assistant", "Goodbye."],
    ]  # fmt: skip
    assert told["agent"] == "__main__:desk"


def test_killed_in_a_task_in_a_tool_that_writes_the_effect_happens_once(tmp_path: Path) -> None:
    told = killed_and_went_on(tmp_path, ["I want a trip."], "item Which city please?", ["Paris."])
    assert told["exact"] and told["outputs"].count("R1 to Paris") == 1, told
    assert told["booked"] == ["R1 to Paris"] and (tmp_path / "effects").read_text() == "reserved\n"
    said = [text for role, text in told["history"] if role == "assistant"]
    assert said == ["Hello there.", "Which city please?", "All booked."], told
