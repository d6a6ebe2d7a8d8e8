"""The example with MCP servers: its servers are real, its model is scripted."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path
from typing import Any

from antiphon import AgentSession
from antiphon.chat.items import FunctionCallOutput
from antiphon.testing import ScriptedLLM, calls, text_context

EXAMPLE = Path(__file__).parents[2] / "examples" / "mcp_tools.py"


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
