"""``antiphon check``: what of a program another process could not take over."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from antiphon.cli.main import main

APP = '''
from antiphon import Agent, AgentTask, RunContext, function_tool, run


class GetCity(AgentTask[str]):
    def __init__(self, country: str) -> None:
        super().__init__(instructions=f"Ask for a city of {country}.")


class Fine(Agent):
    def __init__(self, tone: str = "kind") -> None:
        super().__init__(instructions="Be kind.", state={"count": 0})
        self.tone = tone

    async def on_enter(self) -> None:
        self.state["count"] = 1

    @function_tool(retry="replay")
    async def book(self, ctx: RunContext) -> str:
        """Book."""
        return await GetCity("France")


class Named(Agent):
    def __init__(self, name: str) -> None:
        super().__init__(instructions=f"You are {name}.")


class Restored(Named):
    @classmethod
    def restore(cls, state):
        return cls(state["name"])


class Forgetful(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Count.")
        self.count = 0

    async def on_enter(self) -> None:
        self.count += 1

    @function_tool
    async def book(self, ctx: RunContext) -> str:
        """Book."""
        return await GetCity("France")


async def entrypoint(ctx):
    raise AssertionError("it does not run")


if __name__ == "__main__":
    run(entrypoint)
'''


def checked(tmp_path: Path, text: str, name: str) -> int:
    app = tmp_path / f"{name}.py"
    app.write_text(text)
    try:
        return main(["check", str(app)])
    finally:
        sys.modules.pop(name, None)


def test_what_would_be_lost_is_listed_with_what_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, APP, "checked_app") == 1
    shown = capsys.readouterr().out
    lines = [line.split(maxsplit=2) for line in shown.splitlines() if line.startswith("  !")]
    assert [line[1] for line in lines] == ["Named", "Forgetful.count", "Forgetful.book"], shown
    assert "wants name" in lines[0][2] and "on_enter sets self.count" in lines[1][2] and "GetCity" in lines[2][2]
    assert shown.count("mend:") == 3 and "restore(state)" in shown and 'retry="replay"' in shown


def test_a_program_that_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = APP[: APP.index("class Named")] + APP[APP.index("async def entrypoint") :]
    assert checked(tmp_path, text, "careful_app") == 0
    assert "2 agents: nothing would be lost" in capsys.readouterr().out


def test_no_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.py")]) == 1
    assert "There is no Python program" in capsys.readouterr().err
