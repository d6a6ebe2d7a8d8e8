"""MCP: tools of Model Context Protocol servers, through the official `mcp` package (extra `mcp`)."""
