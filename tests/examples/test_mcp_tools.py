"""The example with MCP servers: its servers are real, its model is scripted, and the default one by voice."""

from __future__ import annotations

import asyncio
import json
import runpy
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from antiphon import AgentSession
from antiphon.chat.items import FunctionCallOutput
from antiphon.testing import ScriptedLLM, calls, text_context

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "mcp_tools.py"
CALLERS = ROOT / "examples" / "mcp_callers"
SPOKEN = """
import sys
sys.path.insert(0, "examples")
import mcp_tools
from antiphon import AgentSession, run
from antiphon.testing import ScriptedLLM, calls

SCRIPT = {
    "tokyo": [calls("get_current_time", timezone="Asia/Tokyo"), "It is early in Tokyo."],
    "thank you": calls("end_call"),
}

async def entrypoint(ctx):
    assistant = mcp_tools.Assistant()
    for server in assistant.tools[1:]:
        server.wait = 20
    await AgentSession(llm=ScriptedLLM(SCRIPT)).start(assistant, ctx)

run(entrypoint)
"""


def test_the_assistant_has_the_clock_and_can_hang_up() -> None:
    names: dict[str, Any] = runpy.run_path(str(EXAMPLE))

    async def main() -> list[str]:
        agent = names["Assistant"]()
        llm = ScriptedLLM(
            {"tokyo": [calls("get_current_time", timezone="Asia/Tokyo"), "It is late."], "bye": calls("end_call")}
        )
        session: AgentSession[None] = AgentSession(llm=llm, stt=None, tts=None, turn_detector=None)
        for server in agent.tools[1:]:
            server.wait = 20
        await session.start(agent, text_context())
        await session.run(user_input="what time is it in Tokyo")
        await session.run(user_input="bye")
        assert await session.wait_closed() == "agent_hung_up"
        return [item.output for item in session.history.items if isinstance(item, FunctionCallOutput)]

    outputs = asyncio.run(asyncio.wait_for(main(), 60))
    assert "Asia/Tokyo" in outputs[0]


def test_the_callers_recordings_are_those_of_the_list() -> None:
    names = [one["file"] for one in json.loads((CALLERS / "callers.json").read_text())["callers"]]
    assert sorted(path.name for path in CALLERS.glob("*.wav")) == names


def test_a_recorded_caller_is_told_what_the_clock_says_and_hung_up_on_when_done(heard: Callable[..., str]) -> None:
    told = heard([CALLERS / "1-tokyo.wav", CALLERS / "3-bye.wav"], "-c", SPOKEN)
    called, result, answer = (
        told.index(part) for part in ("Asia/Tokyo", '"timezone": "Asia/Tokyo"', "early in Tokyo.")
    )
    assert called < result < answer, told
    assert "tool    end_call()" in told and "agent   Goodbye." in told, told


def test_the_default_model_asks_the_clock_by_voice(
    heard_by_the_default_model: Callable[..., str], tmp_path: Path
) -> None:
    """Right tool, right place. Its words are not held: a model of this size may read the time out wrong.

    A recorded caller takes "One moment, please." for the answer; this one is silent for a while before hanging up.
    """
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "wb") as clip:
        clip.setparams((1, 2, 16_000, 0, "NONE", ""))
        clip.writeframes(bytes(2 * 16_000 * 25))
    told = heard_by_the_default_model([CALLERS / "1-tokyo.wav", silence], "examples/mcp_tools.py")
    assert "get_current_time(timezone='Asia/Tokyo')" in told, told
    assert '"timezone": "Asia/Tokyo"' in told, told
