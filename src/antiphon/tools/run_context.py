"""What a tool may know and do while it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from antiphon.errors import SessionClosedError

if TYPE_CHECKING:
    from antiphon.chat.items import FunctionCall

T = TypeVar("T")

FillerSource = str | Sequence[str] | Callable[[], str | Awaitable[str]]


class ToolHost(Protocol):
    """What the session does for one call."""

    def progress(self, message: str, tell: bool) -> None: ...

    async def step(self, name: str, function: Callable[[], Any]) -> Any: ...

    def filler(
        self, source: FillerSource, *, delay: float, interval: float | None, max_steps: int
    ) -> AbstractAsyncContextManager[None]: ...


class RunContext(Generic[T]):
    """The context of one tool call.

    ``session``: the ``AgentSession``; ``agent``: the agent whose model made the call; ``function_call``: the call;
    ``idempotency_key``: fixed when the call was recorded, the same when a new owner runs it again: pass it on to
    services that take one. ``resumed``: a new owner runs it again.
    """

    def __init__(
        self,
        *,
        session: Any,
        agent: Any,
        speech_handle: Any,
        function_call: FunctionCall,
        idempotency_key: str,
        host: ToolHost | None = None,
        resumed: bool = False,
    ) -> None:
        self.session = session
        self.agent = agent
        self.speech_handle = speech_handle
        self.function_call = function_call
        self.idempotency_key = idempotency_key
        self.resumed = resumed
        self._session_host = host

    @property
    def _host(self) -> ToolHost:
        if self._session_host is None:
            raise SessionClosedError("This call is not part of a session.", hint="Run the tool in a session.")
        return self._session_host

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

    async def update(self, message: str, *, silent: bool = False) -> None:
        """Report progress, to ``tool_execution_updated`` and the log.

        The model is told as well: it says so to the caller, who may go on talking while this tool goes on; what the
        tool returns is told when it comes. ``silent``: the model is not told, and waits for the result as before."""
        self._host.progress(message, not silent)

    async def step(self, name: str, function: Callable[[], Any]) -> Any:
        """Do a part of the work once: ``function`` (sync, then in a thread, or async) runs, and what it returns is
        recorded under ``name``. A new owner that runs this tool again (``retry="replay"``) gets the record instead. A process
        that ends between the two has no record: what must not happen twice takes ``idempotency_key`` as well.

        Returns the result as recorded: plain JSON data. Raises ``ToolError`` for a result that has no JSON form."""
        return await self._host.step(name, function)

    def with_filler(
        self, source: FillerSource, *, delay: float = 1.0, interval: float | None = None, max_steps: int = 1
    ) -> AbstractAsyncContextManager[None]:
        """``async with ctx.with_filler("One moment."):`` says it if the body takes longer than ``delay`` seconds and
        nobody speaks; again every ``interval`` seconds (none: once), at most ``max_steps`` times. ``source``: a text,
        several to be said in turn, or a function that makes one. What is still queued when the body ends is not said.
        """
        return self._host.filler(source, delay=delay, interval=interval, max_steps=max_steps)
