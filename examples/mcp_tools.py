"""An agent with the tools of two MCP servers: the time of day anywhere, and a folder of files.

    python examples/mcp_tools.py console                                    talk with it
    python examples/mcp_tools.py console --text                             type instead
    python examples/mcp_tools.py console --wav examples/mcp_callers/*.wav   a recorded caller

Needs: pip install 'antiphon[local,console,mcp]' mcp-server-time. The files are served where npm's server-filesystem
is installed (scripts/install-test-servers).
"""

import sys
from pathlib import Path

from antiphon import Agent, AgentSession, EndCallTool, JobContext, MCPServerStdio, MCPToolOptions, run

ROOT = Path(__file__).parents[1]
FILES = ROOT / ".cache/mcp-servers/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"

INSTRUCTIONS = """You are a voice assistant. Answer in one short sentence, without lists.
For the time in a place call get_current_time with an IANA time zone, such as Europe/Paris or Asia/Tokyo."""


def servers() -> list[MCPServerStdio]:
    """The clock; and, where it is installed, the files of this folder, for reading only."""
    clock = MCPServerStdio(
        sys.executable,
        ["-m", "mcp_server_time"],
        name="clock",
        allow=["get_current_time"],
        trust=True,  # what it says of its tools is right: they only read
        filler="Let me look.",
    )
    files = MCPServerStdio(
        "node",
        [str(FILES), str(ROOT / "examples")],
        name="files",
        allow=["list_directory"],
        options={"list_directory": MCPToolOptions(effect="read", result_limit=1_000)},
    )
    return [clock, files] if FILES.exists() else [clock]


class Assistant(Agent):
    def __init__(self) -> None:
        super().__init__(instructions=INSTRUCTIONS, tools=[EndCallTool()], mcp_servers=servers())

    async def on_enter(self) -> None:
        self.session.say("Hello! Ask me for the time, anywhere.")


async def entrypoint(ctx: JobContext) -> None:
    session = AgentSession()
    await session.start(Assistant(), ctx)


if __name__ == "__main__":
    run(entrypoint)
