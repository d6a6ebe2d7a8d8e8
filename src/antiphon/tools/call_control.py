"""Ready tools that end a call: hang up, and hand the caller to another line. Both act after the last word was heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from antiphon.errors import ConfigurationError, ToolError
from antiphon.tools.function_tool import FunctionTool, ToolOptions
from antiphon.tools.run_context import RunContext


class EndCallTool(FunctionTool):
    """Lets the model hang up. ``when``: added to the description, says when it should. ``goodbye``: said first where the
    model hangs up without a word of its own. The session closes with the reason ``agent_hung_up``."""

    def __init__(self, *, when: str = "", goodbye: str = "Goodbye.", name: str = "end_call") -> None:
        self._goodbye = goodbye
        description = (
            "End the call. Say goodbye first, in the same answer. Only when the conversation is over or the caller "
            f"asks for it. {when}"
        )
        super().__init__(self._end, ToolOptions(name=name, description=description.strip(), effect="terminal"))

    async def _end(self, ctx: RunContext[Any]) -> None:
        if self._goodbye and not (ctx.speech_handle and ctx.speech_handle.heard):
            await ctx.session.say(self._goodbye, allow_interruptions=False)
        ctx.session.shutdown(reason="agent_hung_up")


Transfer = Callable[[RunContext[Any], str], Awaitable[Any]]


class TransferTool(FunctionTool):
    """Lets the model hand the caller to another line. ``destinations``: name to address (a number, a SIP URI).
    ``transfer(ctx, address)``: does it; where it raises ``ToolError`` the conversation goes on and the model reads why.
    The session closes with the reason ``transferred``."""

    def __init__(
        self, destinations: Mapping[str, str], *, transfer: Transfer, when: str = "", name: str = "transfer_call"
    ) -> None:
        if not destinations:
            raise ConfigurationError("TransferTool has no destinations.", hint="Pass at least one name and address.")
        self._destinations, self._transfer = dict(destinations), transfer
        description = (
            "Transfer the call to another line. Tell the caller first, in the same answer. Nothing can be said "
            f"afterwards. {when}"
        )
        parameters = {
            "type": "object",
            "properties": {"destination": {"type": "string", "enum": list(destinations)}},
            "required": ["destination"],
        }
        options = ToolOptions(
            name=name, description=description.strip(), effect="terminal", raw_schema={"parameters": parameters}
        )
        super().__init__(self._transfer_call, options)

    async def _transfer_call(self, ctx: RunContext[Any], raw_arguments: dict[str, Any]) -> None:
        destination = str(raw_arguments.get("destination", ""))
        if destination not in self._destinations:
            raise ToolError(
                f"There is no destination {destination!r}.", hint=f"Use one of: {', '.join(self._destinations)}."
            )
        try:
            await self._transfer(ctx, self._destinations[destination])
        except ToolError:
            raise
        except Exception as exc:
            raise ToolError(f"The transfer to {destination} failed.", hint="Offer the caller something else.") from exc
        ctx.session.shutdown(reason="transferred")
