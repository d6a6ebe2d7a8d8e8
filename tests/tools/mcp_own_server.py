"""A server of both eras over streamable HTTP, with a token to read and a list of tools that grows. Run it with a port."""

from __future__ import annotations

import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("own")


@server.tool()
async def token(ctx: Context) -> str:
    """The authorisation this request came with."""
    request = ctx.request_context.request
    return str(request.headers.get("authorization", "none")) if request is not None else "none"


@server.tool()
async def grow(ctx: Context) -> str:
    """Offer one more tool."""

    def grown() -> str:
        """A tool that was not there before."""
        return "I am new"

    server.add_tool(grown)
    await ctx.session.send_tool_list_changed()  # 2025-11-25
    await ctx.notify_tools_changed()  # 2026-07-28
    return "grown"


if __name__ == "__main__":
    server.run("streamable-http", port=int(sys.argv[1]))
