"""Every error Antiphon raises on purpose: what went wrong, and what to do next."""

from __future__ import annotations


class AntiphonError(Exception):
    """Base of all typed errors. ``hint`` says what the reader can do next; it is part of ``str()``."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class NotSupportedError(AntiphonError):
    """A name or option that this version knows of but does not serve yet."""


class ConfigurationError(AntiphonError):
    """A setting, key or component is missing or contradicts another one."""


class AudioError(AntiphonError):
    """Audio that cannot be read, written or played."""


class PacketError(AudioError):
    """A network packet that is not what its protocol says: it is counted and dropped, the call goes on."""


class SessionClosedError(AntiphonError):
    """The session is not running: the call made on it cannot be carried out."""


class ModelError(AntiphonError):
    """A speech or language model failed.

    ``retryable`` says whether the same request may succeed when made again; ``status`` is the
    HTTP status where there was one; ``retry_after`` is the wait in seconds that the service asked for;
    ``code`` is the service's own word for what happened, where it has one.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        retryable: bool = True,
        status: int | None = None,
        retry_after: float | None = None,
        code: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable
        self.status = status
        self.retry_after = retry_after
        self.code = code


class ContextLengthError(ModelError):
    """The conversation is longer than the model can read. Made again it fails again: shorten it (``ChatContext.truncate``,
    a summary) or take a model that reads more."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "Shorten the conversation (ChatContext.truncate) or take a model that reads more.",
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint, retryable=False, status=status)


class RefusedError(ModelError):
    """The model, or the service's filter, would not answer and said nothing that could be spoken. ``category``: the
    service's own word for why, where it gives one."""

    def __init__(self, message: str, *, hint: str = "", category: str = "", status: int | None = None) -> None:
        super().__init__(message, hint=hint, retryable=False, status=status)
        self.category = category


class AllModelsFailedError(ModelError):
    """Every model of a ``FallbackAdapter`` or ``Hedged`` failed. ``failures``: (model, what it said), in the order tried."""

    def __init__(self, kind: str, failures: list[tuple[str, Exception]]) -> None:
        said = "; ".join(f"{name}: {error}" for name, error in failures)
        super().__init__(
            f"Every {kind} failed: {said}",
            hint="Look at each one's error; a model on this machine as the last of the list needs no service.",
            retryable=any(getattr(error, "retryable", False) for _, error in failures),
        )
        self.failures = tuple((name, str(error)) for name, error in failures)


class ModelMissingError(ConfigurationError):
    """Model weights are not on this machine (``antiphon models pull`` fetches them)."""


class ToolError(AntiphonError):
    """Raised by a tool: the message is what the language model reads as the tool's (failed) result."""


class StopResponse(Exception):  # noqa: N818  (the field's name: it is a signal, not a failure)
    """Raised by a tool or by ``on_user_turn_completed``: no reply is made for this turn or result."""


class TaskError(AntiphonError):
    """An ``AgentTask`` cannot be awaited or completed this way, or came to nothing."""


class TaskDeclinedError(TaskError):
    """The caller will not give what the task asks for; the message says why. For ``AgentTask.complete``."""


class TaskCancelledError(TaskError):
    """The task ended without a result: the conversation was handed over, or a task around it ended first."""


class FormatError(AntiphonError):
    """A file is not what it should be: another format, another version, or damaged."""


class MCPServerError(AntiphonError):
    """An MCP server cannot be started, reached or understood; the call goes on without its tools."""


class StoreError(AntiphonError):
    """The store of conversations cannot do what it was asked.

    ``reason``: ``full`` (no space), ``read_only``, ``locked`` (another process holds the file too long), ``io`` (the disk
    failed), ``damaged`` (the file is broken, or no store), ``newer`` (written by a later version), ``clock`` (this
    machine's clock is behind the store's), ``unknown``, ``exists`` or ``ended`` (of a session), ``behind`` (more waits to
    be written than may), ``held``, ``fenced`` (the classes below), ``closed``.
    """

    def __init__(self, message: str, *, hint: str = "", reason: str) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason

    @property
    def passing(self) -> bool:
        """The same may work a little later."""
        return self.reason in ("full", "read_only", "locked", "io")


class LeaseHeldError(StoreError):
    """Another owner holds the session's lease. ``remaining``: seconds until it runs out, unless it is renewed."""

    def __init__(self, message: str, *, owner: str, remaining: float) -> None:
        super().__init__(message, hint="Wait for its lease to end.", reason="held")
        self.owner, self.remaining = owner, remaining


class FencedError(StoreError):
    """The session has another owner now: nothing of the former one counts any more, and it must fall silent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="Stop speaking and leave the call: somebody else has it.", reason="fenced")
