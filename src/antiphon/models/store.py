"""The contract of the store: the logs of all sessions, and who owns each.

The durable log is the session's own event log. Three rules make it one that another process can go on from: entries of
a session are gapless; each carries its owner's epoch, and a stale epoch's are refused in the same transaction; a lease runs by the store's
clock, never by an owner's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from antiphon.errors import StoreError
from antiphon.models.log import EventLog, LogEntry, LogHeader

SessionStatus = Literal["live", "orphaned", "ended"]
"""``orphaned``: not ended, and nobody holds its lease."""


class Lease(msgspec.Struct, frozen=True):
    """The right to write a session's log. ``epoch``: the fencing token, one higher with each owner. ``expires``: on the
    store's clock. ``ttl``: seconds for which each renewal holds. ``seq``, ``position``: of the log's last entry and last
    fact when the lease was given. ``age``: seconds since the session began, on the store's clock."""

    session: str
    owner: str
    epoch: int
    expires: float
    ttl: float
    seq: int = 0
    position: int = 0
    age: float = 0.0


class StoredSession(msgspec.Struct, frozen=True):
    """A session as the store knows it. ``remaining``: seconds left of its lease (negative: since when it is over).
    ``created``, ``updated``: seconds since 1970, for people to read. ``reason``: of its end. ``about``: what its
    creator wrote down with it."""

    id: str
    status: SessionStatus
    owner: str
    epoch: int
    remaining: float
    seq: int
    position: int
    build: str
    created: float
    updated: float
    reason: str = ""
    about: dict[str, str] = {}


class StoredLog(msgspec.Struct, frozen=True):
    """A session's log as read: gapless, oldest first. ``epochs``: of each entry."""

    header: LogHeader
    entries: list[LogEntry]
    epochs: list[int]


class StoreMetrics(msgspec.Struct, frozen=True):
    """What a store has done since it was opened. Times in seconds, of the newest 1,000 commits: ``commit`` from begin to
    synced, ``stored`` from an entry's append until it was durable (the slowest of its commit). ``waiting``: entries not
    written yet."""

    commits: int = 0
    entries: int = 0
    largest: int = 0
    waiting: int = 0
    fenced: int = 0
    failed: int = 0
    commit_p50: float = 0.0
    commit_p99: float = 0.0
    stored_p50: float = 0.0
    stored_p99: float = 0.0


@runtime_checkable
class SessionLog(EventLog, Protocol):
    """The log of one session under one lease. ``append`` costs a queue operation. ``position``: facts appended;
    ``durable``: facts that survive a loss of power. ``dropped``: entries that were not stored and will not be. ``error``: why nothing
    more can be stored."""

    @property
    def position(self) -> int: ...

    @property
    def durable(self) -> int: ...

    @property
    def dropped(self) -> int: ...

    @property
    def error(self) -> StoreError | None: ...

    async def until_durable(self, position: int, timeout: float = ...) -> None:
        """Wait for a barrier: the fact at ``position`` (an effect's ``after``), and all before it, are durable. Raises
        ``TimeoutError``, and ``StoreError`` where they never will be (``FencedError``: another owner has the session)."""
        ...


class SessionStore(Protocol):
    """One store, any number of sessions, any number of processes. Everything raises ``StoreError``."""

    def now(self) -> float:
        """The store's clock, in seconds: what leases run by."""
        ...

    async def create(
        self, session: str, *, owner: str, ttl: float, build: str = "", about: dict[str, str] | None = None
    ) -> Lease:
        """A new session, owned at once, with epoch 1."""
        ...

    async def claim(self, session: str, *, owner: str, ttl: float) -> Lease:
        """Become the owner of a session whose lease has run out or was released (or is one's own): the epoch goes up by
        one. Raises ``LeaseHeldError`` while somebody else has it."""
        ...

    async def claim_orphans(self, *, owner: str, ttl: float, limit: int = 1) -> list[Lease]:
        """Claim what nobody owns, longest orphaned first. What others claim at the same moment is theirs."""
        ...

    async def renew(self, lease: Lease) -> Lease:
        """Hold it for another ``ttl``. Appends renew too. Raises ``FencedError``."""
        ...

    async def release(self, lease: Lease) -> None:
        """Let go: anybody may claim it at once. Raises ``FencedError``."""
        ...

    async def end(self, lease: Lease, reason: str) -> None:
        """The session is over: nobody will claim it. (The fact ``session.ended`` says the same.) Raises ``FencedError``."""
        ...

    def log(self, lease: Lease, *, on_error: Callable[[StoreError], None] | None = None) -> SessionLog:
        """The log to append to. ``on_error``: told once of each trouble, in the thread that meets it; a ``passing`` error
        may still end well, then what waited is stored in order."""
        ...

    async def read(self, session: str, *, after: int = 0) -> StoredLog:
        """All entries, or those behind ``after``."""
        ...

    async def sessions(self, status: SessionStatus | None = None) -> Sequence[StoredSession]:
        """All of them, or those of one kind, oldest first."""
        ...

    async def forget(self, *, older_than: float) -> int:
        """Delete sessions that ended at least so many seconds ago, logs and all; returns how many."""
        ...

    def metrics(self) -> StoreMetrics: ...

    async def aclose(self) -> None:
        """Write what waits, bounded, and free everything. Leases stay: release them first."""
        ...
