"""The appointment form: its talk with a scripted model, and its recorded caller on the real local recogniser and voice."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from antiphon.agents.fields.answer import UNREAD, Found
from antiphon.local.store import Store
from antiphon.testing import Caller, ScriptedLLM, calls, simulate

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "appointment_form.py"
CALLERS = ROOT / "examples" / "appointment_callers"
SMALL = ("silero-vad", "smart-turn-v3.2", "moonshine-base-en", "piper-joe", "smollm2-135m")
WISH = {"appointment": calls("book_appointment"), "what for": "We call only if something changes.", ...: "Hm."}


def call(*lines: str) -> tuple[Any, Any]:
    """The receptionist after a call of these lines, and the call."""
    receptionist = runpy.run_path(str(EXAMPLE))["Receptionist"]()
    caller = Caller().waits_for_agent()
    for line in lines:
        caller = caller.says(line).waits_for_agent()
    return receptionist, simulate(receptionist, caller, llm=ScriptedLLM(WISH))


def says() -> list[str]:
    return [one["says"] for one in json.loads((CALLERS / "callers.json").read_text())["callers"]]


def test_the_recorded_callers_words_book_it() -> None:
    receptionist, result = call(*says())
    (booked,) = receptionist.calendar
    when = booked.pop("when")
    assert booked == {"name": "Emma Carter", "contact": "phone", "number": "+14155552642"}
    assert (when.date() - datetime.now().date()).days in (0, 1) and (when.hour, when.minute) == (16, 30)
    assert result.heard.endswith("number 1. Goodbye!"), result.story()


def test_by_e_mail_with_a_question_and_going_back() -> None:
    receptionist, result = call(
        "An appointment please", "Bo Li", "what for", "e-mail", "bo at example dot com", "yes",
        "tomorrow at eight in the evening", "at five", "yes", "wait, my e-mail is wrong", "bo dot li at example dot com", "yes", "yes",
    )  # fmt: skip
    (booked,) = receptionist.calendar
    assert (booked["name"], booked["address"]) == ("Bo Li", "bo.li@example.com"), result.story()
    assert "between nine in the morning and six in the evening" in result.heard


def test_nothing_is_booked_without_the_callers_yes() -> None:
    for last in ("no thank you", "I'd rather not say"):
        receptionist, result = call(
            "An appointment", "Bo Li", "by phone", "415 555 2671", "yes", "tomorrow at four", "yes", last
        )
        assert receptionist.calendar == [] and result.tools[0].output.startswith("Not booked"), result.story()


def test_names_are_read() -> None:
    read = runpy.run_path(str(EXAMPLE))["NameReader"]().read
    for said in ("My name is Emma Carter.", "it's emma carter", "Emma Carter", "Hi, this is Emma Carter"):
        assert read(said, "en") == Found("Emma Carter")
    assert read("why do you want to know?", "en") == UNREAD


def test_the_callers_recordings_are_those_of_the_list() -> None:
    names = [one["file"] for one in json.loads((CALLERS / "callers.json").read_text())["callers"]]
    assert sorted(path.name for path in CALLERS.glob("*.wav")) == names
    assert sum(path.stat().st_size for path in CALLERS.glob("*.wav")) < 1_000_000


PROGRAM = """
import runpy
from antiphon import AgentSession, GetPhoneNumberTask, run

Receptionist = runpy.run_path({example!r})["Receptionist"]

class Direct(Receptionist):
    async def on_enter(self):
        self.session.say("The number is " + await GetPhoneNumberTask())

async def entrypoint(ctx):
    await AgentSession(llm="local/smollm2-135m").start(Direct(), ctx)

run(entrypoint)
"""


def test_a_recorded_caller_corrects_a_number_on_local_models(tmp_path: Path) -> None:
    store = Store()
    if not all(store.installed(name) for name in SMALL):
        if os.environ.get("CI") != "true":
            pytest.skip(f"models are missing: antiphon models pull {' '.join(SMALL)}")
        store.ensure(SMALL)
    app = tmp_path / "direct.py"
    app.write_text(PROGRAM.format(example=str(EXAMPLE)))
    clips = [str(CALLERS / name) for name in ("4-number.wav", "5-correction.wav", "6-yes.wav")]
    command = [sys.executable, str(app), "console", "--wav", *clips, "--report", "call.json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    replies = [turn["reply"] for turn in json.loads((tmp_path / "call.json").read_text())["turns"]]
    assert any("two six four two. Is that right?" in (reply or "") for reply in replies), done.stdout
    assert re.search(r"The number is \+14155552642", done.stdout), done.stdout
