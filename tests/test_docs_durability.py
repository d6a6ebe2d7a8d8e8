"""The pages on durability and security: the code of the first runs, and each test that they name is there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from antiphon import Agent, AgentSession
from antiphon.store.sqlite import SQLiteStore
from antiphon.testing.llm import ScriptedLLM

ROOT = Path(__file__).parents[1]
PAGE, SECURITY = ((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("durability", "security"))


class Short(Agent):
    """Says hello and ends the call."""

    async def on_enter(self) -> None:
        await self.session.say("Hello.")
        self.session.shutdown()


def test_a_session_is_written_and_another_goes_on_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        exec(compile(code, "durability.md", "exec"), names)

    async def story() -> list[Any]:
        session: AgentSession[None] = AgentSession(llm=ScriptedLLM("Hello."), stt=None, tts=None, turn_detector=None)
        await names["converse"](Short(instructions="Sell tea."), session)
        store = SQLiteStore(tmp_path / "calls.db")
        stored = await store.read("call-17")
        await store.create("call-18", owner="worker-1", ttl=0.0)
        kernel = await names["conversation_of"](store, "call-18")
        assert kernel.state.position == 0
        await store.aclose()
        return [entry.kind for entry in stored.entries if entry.lane == "fact"]

    kinds = asyncio.run(asyncio.wait_for(story(), 30.0))
    assert kinds[0] == "session.started" and kinds[-1] == "session.ended" and "speech.heard" in kinds


def named_tests() -> list[tuple[str, str]]:
    """(file, test): a test without a file is of the file named before it."""
    found, file = set(), ""
    for path, name in re.findall(r"`(tests/\S+?\.py)?(?:::(\w+))?`", PAGE + SECURITY):
        file = path or file
        if path or name:
            found.add((file, name))
    return sorted(found)


@pytest.mark.parametrize("named", named_tests())
def test_each_test_that_they_name_is_there(named: tuple[str, str]) -> None:
    path, name = named
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8") or not name
