"""``console --text``: typed turns with scripted models, as a user runs it, and the errors on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PROGRAM = """
    from antiphon import Agent, AgentSession, JobContext, function_tool, run
    from antiphon.testing import ScriptedLLM, calls

    class Counter(Agent):
        async def on_enter(self) -> None:
            self.session.say("Welcome. What can I get you?")

        @function_tool
        async def brew(self, drink: str) -> str:
            '''Make a drink.'''
            if drink == "gin":
                raise ValueError("we have no licence")
            return f"One {drink}, coming up."

    answers = {"latte": [calls("brew", drink="latte"), "One latte, coming up."], "gin": [calls("brew", drink="gin"), "Sorry."],
               ...: "Anything else?"}

    async def entrypoint(ctx: JobContext) -> None:
        session = AgentSession(stt=None, tts=None, llm=ScriptedLLM(answers))
        await session.start(Counter(instructions="Take orders."), ctx)

    if __name__ == "__main__":
        run(entrypoint)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "counter.py"
    path.write_text(textwrap.dedent(PROGRAM))
    return path


def antiphon(*words: object, typed: str = "", folder: Path) -> subprocess.CompletedProcess[str]:
    """``antiphon WORDS`` in a process of its own."""
    command = [sys.executable, "-m", "antiphon.cli.main", *map(str, words)]
    return subprocess.run(command, input=typed, capture_output=True, text=True, cwd=folder, timeout=30, check=False)


def test_a_typed_conversation_and_its_files(app: Path, tmp_path: Path) -> None:
    words = ("console", app, "--text", "--report", "call.json", "--log", "call.jsonl")
    done = antiphon(*words, typed="a latte please\n\nno thanks\n", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line]
    for part in ("Welcome. What can I get you?", "a latte please", "brew(drink='latte')", "Anything else?"):
        assert any(part in line for line in said), done.stdout
    assert "\x1b" not in done.stdout
    report = json.loads((tmp_path / "call.json").read_text())
    assert [turn["text"] for turn in report["turns"]] == ["a latte please", "no thanks"]
    again = antiphon("replay", "call.jsonl", folder=tmp_path)
    assert again.returncode == 0, again.stdout
    assert "same facts" in again.stdout


def test_python_app_console_is_the_same(app: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(app), "console", "--text"]
    done = subprocess.run(command, input="hello", capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "Anything else?" in done.stdout


def test_a_tool_that_raises_shows_its_traceback_once_and_the_call_goes_on(app: Path, tmp_path: Path) -> None:
    done = antiphon("console", app, "--text", typed="a gin\nhello\n", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    everything = done.stdout + done.stderr
    assert everything.count("Traceback") == 1
    assert "we have no licence" in everything
    assert "Anything else?" in done.stdout


def test_ctrl_c_closes_and_writes_the_files(app: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(app), "console", "--text", "--report", "call.json", "--log", "call.jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
        assert process.stdout is not None
        while "Welcome" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(10) == 0
    assert "closing the call" in rest
    assert json.loads((tmp_path / "call.json").read_text())["close_reason"]
    assert (tmp_path / "call.jsonl").stat().st_size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--wav", "nobody.wav"), "There is no file 'nobody.wav'"),
        (("--out", "agent.wav"), "--out goes with --wav"),
        (("--text", "--record", "call.wav"), "no sound to record"),
        (("--text", "--report", "nowhere/call.json"), "there is no folder 'nowhere'"),
    ],
)
def test_what_cannot_work_is_refused_at_once(words: tuple[str, ...], message: str, app: Path, tmp_path: Path) -> None:
    done = antiphon("console", app, *words, folder=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("antiphon:") == 1


def test_an_entrypoint_without_a_session(tmp_path: Path) -> None:
    path = tmp_path / "empty.py"
    path.write_text("from antiphon import run\nasync def entrypoint(ctx): ...\nrun(entrypoint)\n")
    done = antiphon("console", path, "--text", folder=tmp_path)
    assert done.returncode == 1
    assert "without starting a session" in done.stderr


def test_missing_models_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    path = tmp_path / "hello.py"
    path.write_text(
        "from antiphon import Agent, AgentSession, run\n"
        "async def entrypoint(ctx):\n    await AgentSession().start(Agent(instructions='Hi.'), ctx)\nrun(entrypoint)\n"
    )
    command = [sys.executable, str(path), "console", "--text"]
    environment = {**os.environ, "ANTIPHON_MODELS": str(tmp_path / "models")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30, check=False)
    assert done.returncode == 1
    assert "antiphon models pull" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_sound_device_it_offers_wav_and_text(app: Path, tmp_path: Path) -> None:
    from antiphon.cli.devices import need_devices
    from antiphon.errors import AudioError

    try:
        need_devices()
    except AudioError:
        done = antiphon("console", app, folder=tmp_path)
        assert done.returncode == 1
        assert "--wav FILE" in done.stderr
        assert "--text" in done.stderr
    else:
        pytest.skip("this machine has a microphone and a loudspeaker")
