"""Durability: the sessions of one process in a store: made, taken over, kept, and given away.

Owns: leases and who is told when one is another's. A lease is renewed once a second, or each third of its time where that is less, on the
core's lane, which user code cannot block. Never: what a session does then (the kernel says), nor which process shall have it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from antiphon.errors import FencedError, StoreError
from antiphon.kernel.facts import AnyFact
from antiphon.models.store import Lease, SessionLog, SessionStore, StoredLog
from antiphon.session.lanes import Lane
from antiphon.session.resumption import Resumption
from antiphon.store.log_reader import fact_of
from antiphon.store.recovery import Recovered, recover
from antiphon.worker.runtime import default_runtime

logger = logging.getLogger("antiphon")

RENEW_EVERY = 1.0
"""Seconds between two renewals of a lease, at most."""


class Durability:
    """``owner``: who holds the leases (processes of one supervisor share it). ``build``: of the program, as ``StoredSession`` shows it.
    ``ttl``: seconds that a lease outlives its process. ``core``: the lane that leases are renewed on, the process's core
    unless told otherwise."""

    def __init__(
        self, store: SessionStore, *, owner: str, build: str, ttl: float = 3.0, core: Lane | None = None
    ) -> None:
        self._store, self._owner, self._build, self._ttl = store, owner, build, ttl
        self._core = default_runtime().core if core is None else core
        self._holds: set[Hold] = set()

    async def create(self, session: str, about: dict[str, str]) -> Hold:
        """A new session. Raises ``StoreError``."""
        lease = await self._store.create(session, owner=self._owner, ttl=self._ttl, build=self._build, about=about)
        return self._hold(lease, None)

    async def take_over(self, session: str, *, attach: bool) -> Hold:
        """Go on with a session whose process is gone. ``attach``: its line lives in the plane. Raises ``StoreError``
        (``LeaseHeldError``: somebody has it; ``ended``: it is over), ``FormatError`` for a log that cannot be read."""
        lease = await self._store.claim(session, owner=self._owner, ttl=self._ttl)
        try:
            stored = await self._store.read(session)
            found, facts = await asyncio.to_thread(self._recovered, stored)  # other calls go on meanwhile
        except BaseException:
            with suppress(StoreError):
                await self._store.release(lease)
            raise
        if found.ended:
            await self._store.end(lease, found.ended)
            raise StoreError(f"Session {session} has ended ({found.ended}).", reason="ended")
        if found.why:
            logger.warning("session %s goes on with its conversation alone: %s", session, found.why)
        resumption = Resumption(
            kernel=found.kernel,
            exact=found.exact,
            facts=(*facts, *found.unwritten),
            unwritten=found.unwritten,
            age=lease.age,
            attach=attach,
        )
        return self._hold(lease, resumption)

    def _recovered(self, stored: StoredLog) -> tuple[Recovered, tuple[AnyFact, ...]]:
        found = recover(stored.header, stored.entries, build=self._build)
        return found, tuple(fact_of(entry) for entry in stored.entries if entry.lane == "fact")

    async def aclose(self) -> None:
        """Let go of all that is held, so that others may go on at once; the store stays open."""
        for hold in list(self._holds):
            with suppress(StoreError):
                await hold.release()

    def _hold(self, lease: Lease, resumption: Resumption | None) -> Hold:
        hold = Hold(self._store, lease, resumption, self._core, left=self._holds.discard)
        self._holds.add(hold)
        return hold


class Hold:
    """One session that this process owns. It is the session's ``Ownership`` too. ``left``: told when it is let go."""

    def __init__(
        self,
        store: SessionStore,
        lease: Lease,
        resumption: Resumption | None,
        core: Lane,
        *,
        left: Callable[[Hold], None],
    ) -> None:
        self.lease, self.resumption = lease, resumption
        self.fenced = False
        """Somebody else owns it."""
        self._store, self._core, self._left = store, core, left
        self._told: Callable[[bool], None] = lambda ours: None
        self._seen = core.loop.time()
        self._renewing: asyncio.Task[None] | None = None
        self._over = False
        self.log: SessionLog = store.log(lease, on_error=self._trouble)
        core.run(self._begin)

    def job_options(self) -> dict[str, Any]:
        """Keyword arguments for the ``JobContext`` of its entrypoint."""
        return {
            "id": self.lease.session,
            "log": self.log,
            "epoch": self.lease.epoch,
            "resumption": self.resumption,
            "ownership": self,
        }

    async def end(self, reason: str) -> None:
        """It is over for good. Raises ``StoreError``."""
        await self._let_go()
        await self._store.end(self.lease, reason)

    async def release(self) -> None:
        """Somebody else may go on at once; when the lease is over, where the log's last entries could not be stored: then the store has
        time to be well again. Raises ``StoreError``."""
        await self._let_go()
        if self.log.dropped and not self.fenced:
            said = "session %s goes on elsewhere without the last %d entries of its log, which could not be stored"
            logger.error(said, self.lease.session, self.log.dropped)
            return
        await self._store.release(self.lease)

    # --- Ownership, for the session, on the core's lane -----------------------------------------------------------

    @property
    def sure(self) -> bool:
        """Whether this process has not stood still for as long as its lease lasts."""
        return self._core.loop.time() - self._seen <= self.lease.ttl

    def listen(self, told: Callable[[bool], None]) -> None:
        """``told(True)``: it is ours after all; ``told(False)``: it is another's for good."""
        self._told = told
        if self.fenced:
            told(False)

    # --- the lease -------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if not self._over:
            self._tick()
            self._renewing = self._core.loop.create_task(self._renew(), name=f"antiphon:lease:{self.lease.session}")

    def _tick(self) -> None:
        """A process that was stopped for longer than its lease finds itself late here, and waits for a renewal."""
        if self._over:
            return
        if self.sure:
            self._seen = self._core.loop.time()
        self._core.loop.call_later(self.lease.ttl / 3, self._tick)

    async def _renew(self) -> None:
        said = ""
        while True:
            await asyncio.sleep(min(self.lease.ttl / 3, RENEW_EVERY))
            try:
                self.lease = await self._store.renew(self.lease)
            except FencedError:
                self._lost()
                return
            except StoreError as exc:  # nobody says that another has it: the call goes on
                if exc.reason != said:
                    logger.warning("the lease of session %s could not be renewed: %s", self.lease.session, exc)
                said = exc.reason
                continue
            said, was_sure = "", self.sure
            self._seen = self._core.loop.time()
            if not was_sure:
                self._told(True)

    def _trouble(self, error: StoreError) -> None:
        """The log cannot be written; in the store's thread."""
        if isinstance(error, FencedError):
            self._core.post(self._lost)
        else:
            logger.warning("the log of session %s: %s", self.lease.session, error)

    def _lost(self) -> None:
        if not self.fenced:
            self.fenced = True
            self._told(False)

    async def _let_go(self) -> None:
        self._left(self)
        await self.log.aclose()
        self._over = True
        self._core.run(self._stop)

    def _stop(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
