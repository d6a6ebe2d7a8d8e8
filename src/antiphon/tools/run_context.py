"""What a tool may know and do while it runs."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from antiphon.chat.items import FunctionCall

T = TypeVar("T")


class RunContext(Generic[T]):
    """The context of one tool call.

    ``session``: the ``AgentSession``; ``agent``: the agent whose model made the call; ``call_id``: the call's id;
    ``idempotency_key``: fixed when the call was recorded, the same when a new owner runs it again.
    """

    def __init__(
        self,
        *,
        session: Any,
        agent: Any,
        speech_handle: Any,
        function_call: FunctionCall,
        idempotency_key: str,
    ) -> None:
        self.session = session
        self.agent = agent
        self.speech_handle = speech_handle
        self.function_call = function_call
        self.idempotency_key = idempotency_key

    @property
    def call_id(self) -> str:
        return self.function_call.call_id

    @property
    def userdata(self) -> T:
        """The session's ``userdata``."""
        data: T = self.session.userdata
        return data

    def disallow_interruptions(self) -> None:
        """The speech that called this tool may no longer be interrupted."""
        self.speech_handle.allow_interruptions = False

    async def wait_for_playout(self) -> None:
        """Wait until what was said before the call has been heard (or was interrupted)."""
        await self.speech_handle.wait_for_step(self.function_call.call_id)

    def foreground(self) -> AbstractAsyncContextManager[None]:
        """``async with ctx.foreground():`` waits until nobody speaks and nothing is queued, then holds the floor: of the
        agent's speech only what this block asks for, answers to the caller and what hooks say sound until it is left
        (or the tool is over, its deadline included). The caller may speak and interrupt as ever. Raises
        ``SessionClosedError`` where the session ends, or the tool is past its deadline, before the floor is free."""
        return self.session.hold_floor(self.function_call.call_id)  # type: ignore[no-any-return]

    def update(self, message: str) -> None:
        """Report progress: goes to ``tool_execution_updated`` and the log."""
        self.session.tool_progress(self.function_call.call_id, message)
