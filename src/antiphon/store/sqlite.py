"""The store on one machine: SQLite, one file for all sessions, any number of processes.

What was reported durable survives the death of the process, of the machine, and a loss of power (write-ahead log, ``synchronous =
FULL``), as far as the disk keeps what it has confirmed. The file must lie on a disk of this machine.

Owns: leases, listings, retention. Never: the transactions (``sqlite_writer``), the file (``sqlite_file``).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from antiphon.errors import LeaseHeldError, StoreError
from antiphon.models.log import LOG_VERSION, LogEntry, LogHeader
from antiphon.models.store import Lease, SessionStatus, StoredLog, StoredSession, StoreMetrics
from antiphon.store.clock import boot_id, machine_clock, stopwatch, wall_clock
from antiphon.store.session_log import MAX_WAITING, SqliteSessionLog
from antiphon.store.sqlite_file import open_file, open_reader, store_error
from antiphon.store.sqlite_writer import SqliteWriter, fenced

BEHIND = 1.0
"""Seconds by which this process's clock may be behind the store's before it may not claim anything."""
FORGET_AT_ONCE = 20
"""Sessions deleted in one transaction: others may write in between."""

_COLUMNS = "id, status, owner, epoch, expires, seq, facts, build, created, updated, reason, about"

_WITH_STATUS: dict[SessionStatus, str] = {
    "live": "status = 'live' and expires > :now and owner != ''",
    "orphaned": "status = 'live' and (expires <= :now or owner = '')",
    "ended": "status = 'ended'",
}


class SQLiteStore:
    """``path``: of the file. Opening it makes it where there is none. ``clock``, ``boot``: what leases run by, and which
    start of the machine it counts from; only tests set them. ``max_waiting``: entries of a session that may wait while the disk is full.

    Implements ``models.store.SessionStore``. Raises ``StoreError``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], float] = machine_clock,
        boot: Callable[[], str] = boot_id,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.path = Path(path)
        self._clock, self._max_waiting = clock, max_waiting
        db = open_file(self.path, boot=boot(), clock=clock(), wall=wall_clock())
        self._writer = SqliteWriter(db, self.path, clock=clock, wall=wall_clock, stopwatch=stopwatch)

    def now(self) -> float:
        return self._clock()

    # --- leases --------------------------------------------------------------------------------------------------

    async def create(
        self, session: str, *, owner: str, ttl: float, build: str = "", about: dict[str, str] | None = None
    ) -> Lease:
        def question(db: sqlite3.Connection) -> Lease:
            now, wall = self._clock(), wall_clock()
            try:
                db.execute(
                    "insert into session(id, build, log_version, about, status, owner, epoch, expires, began, created, updated)"
                    " values (?, ?, ?, ?, 'live', ?, 1, ?, ?, ?, ?)",
                    (session, build, LOG_VERSION, _json(about or {}), owner, now + ttl, now, wall, wall),
                )
            except sqlite3.IntegrityError:
                raise StoreError(
                    f"There is a session {session} already.", hint="Choose another id, or claim it.", reason="exists"
                ) from None
            return Lease(session=session, owner=owner, epoch=1, expires=now + ttl, ttl=ttl)

        lease: Lease = await self._ask(question)
        return lease

    async def claim(self, session: str, *, owner: str, ttl: float) -> Lease:
        def question(db: sqlite3.Connection) -> Lease:
            now = self._claiming_clock(db)
            row = db.execute("select status, reason, owner, expires from session where id = ?", (session,)).fetchone()
            if row is None:
                raise StoreError(f"There is no session {session} in the store.", reason="unknown")
            status, reason, holder, expires = row
            if status == "ended":
                raise StoreError(f"Session {session} has ended ({reason}).", reason="ended")
            if holder and holder != owner and expires > now:
                said = f"Session {session} belongs to {holder!r} for another {expires - now:.1f} s."
                raise LeaseHeldError(said, owner=holder, remaining=expires - now)
            return self._take_over(db, session, owner, ttl, now)

        lease: Lease = await self._ask(question)
        return lease

    async def claim_orphans(self, *, owner: str, ttl: float, limit: int = 1) -> list[Lease]:
        def question(db: sqlite3.Connection) -> list[Lease]:
            now = self._claiming_clock(db)
            rows = db.execute(
                "select id from session where status = 'live' and (expires <= ? or owner = '') order by expires, number limit ?",
                (now, limit),
            ).fetchall()
            return [self._take_over(db, row[0], owner, ttl, now) for row in rows]

        leases: list[Lease] = await self._ask(question)
        return leases

    async def renew(self, lease: Lease) -> Lease:
        def question(db: sqlite3.Connection) -> Lease:
            expires = self._clock() + lease.ttl
            self._fenced_update(db, lease, "expires = max(expires, ?)", expires)
            return msgspec.structs.replace(lease, expires=expires)

        renewed: Lease = await self._ask(question)
        return renewed

    async def release(self, lease: Lease) -> None:
        await self._ask(lambda db: self._fenced_update(db, lease, "owner = '', expires = ?", self._clock()))

    async def end(self, lease: Lease, reason: str) -> None:
        await self._ask(lambda db: self._fenced_update(db, lease, "status = 'ended', reason = ?", reason))

    def _take_over(self, db: sqlite3.Connection, session: str, owner: str, ttl: float, now: float) -> Lease:
        row = db.execute(
            "update session set owner = ?, epoch = epoch + 1, expires = ?, updated = ? where id = ?"
            " returning epoch, seq, facts, began",
            (owner, now + ttl, wall_clock(), session),
        ).fetchone()
        epoch, seq, facts, began = row
        return Lease(
            session=session,
            owner=owner,
            epoch=epoch,
            expires=now + ttl,
            ttl=ttl,
            seq=seq,
            position=facts,
            age=now - began,
        )

    def _fenced_update(self, db: sqlite3.Connection, lease: Lease, change: str, value: float | str) -> None:
        done = db.execute(
            f"update session set {change}, updated = ? where id = ? and epoch = ?",
            (value, wall_clock(), lease.session, lease.epoch),
        )
        if done.rowcount == 0:
            row = db.execute("select epoch, seq, owner from session where id = ?", (lease.session,)).fetchone()
            raise fenced(lease.session, lease.epoch, row)

    def _claiming_clock(self, db: sqlite3.Connection) -> float:
        """Now, unless this process's clock cannot be the store's: who is behind would see live leases as they are not."""
        now = self._clock()
        row = db.execute("select value from meta where key = 'clock'").fetchone()
        if row is not None and now < float(row[0]) - BEHIND:
            raise StoreError(
                f"This process's clock is {float(row[0]) - now:.1f} s behind the store {self.path}.",
                hint="All processes of a store must run on one machine, with its clock.",
                reason="clock",
            )
        return now

    # --- logs ----------------------------------------------------------------------------------------------------

    def log(self, lease: Lease, *, on_error: Callable[[StoreError], None] | None = None) -> SqliteSessionLog:
        writer = self._writer
        made = SqliteSessionLog(
            lease,
            lock=writer.lock,
            wake=writer.wake,
            stopwatch=stopwatch,
            left=self._log_closed,
            on_error=on_error,
            max_waiting=self._max_waiting,
        )
        with writer.lock:
            writer.logs.append(made)
        return made

    def _log_closed(self, log: SqliteSessionLog) -> None:
        with self._writer.lock:
            if log in self._writer.logs:
                self._writer.logs.remove(log)

    async def read(self, session: str, *, after: int = 0) -> StoredLog:
        def question(db: sqlite3.Connection) -> StoredLog:
            row = db.execute("select number, build, log_version from session where id = ?", (session,)).fetchone()
            if row is None:
                raise StoreError(f"There is no session {session} in the store.", reason="unknown")
            number, build, version = row
            if version > LOG_VERSION:
                raise StoreError(
                    f"The log of session {session} is of version {version}; this build reads up to {LOG_VERSION}.",
                    hint=f"Use the build that wrote it ({build or 'not named'}), or a later one.",
                    reason="newer",
                )
            rows = db.execute(
                "select seq, at, lane, kind, body, epoch from entry where session = ? and seq > ? order by seq",
                (number, after),
            ).fetchall()
            return StoredLog(
                header=LogHeader(version=version, build=build),
                entries=[LogEntry(r[0], r[1], r[2], r[3], msgspec.json.decode(r[4])) for r in rows],
                epochs=[r[5] for r in rows],
            )

        log: StoredLog = await self._look(question)
        return log

    # --- all sessions --------------------------------------------------------------------------------------------

    async def sessions(self, status: SessionStatus | None = None) -> list[StoredSession]:
        def question(db: sqlite3.Connection) -> list[StoredSession]:
            now = self._clock()
            where = "" if status is None else f"where {_WITH_STATUS[status]}"
            rows = db.execute(f"select {_COLUMNS} from session {where} order by number", {"now": now}).fetchall()
            return [_session(row, now) for row in rows]

        sessions: list[StoredSession] = await self._look(question)
        return sessions

    async def forget(self, *, older_than: float) -> int:
        def question(db: sqlite3.Connection) -> int:
            rows = db.execute(
                "select number from session where status = 'ended' and updated <= ? limit ?",
                (wall_clock() - older_than, FORGET_AT_ONCE),
            ).fetchall()
            for row in rows:
                db.execute("delete from entry where session = ?", row)
                db.execute("delete from session where number = ?", row)
            return len(rows)

        forgotten = 0
        while (count := await self._ask(question)) > 0:
            forgotten += count
        if forgotten:
            await self._ask(lambda db: db.execute("pragma incremental_vacuum").fetchall())
        return forgotten

    def metrics(self) -> StoreMetrics:
        return self._writer.metrics()

    async def aclose(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._writer.stop, 3.0)

    # --- asking --------------------------------------------------------------------------------------------------

    async def _ask(self, question: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.wrap_future(self._writer.ask(question))

    async def _look(self, question: Callable[[sqlite3.Connection], Any]) -> Any:
        """On a thread and a connection of its own: reading a long log keeps nobody from writing."""

        def look() -> Any:
            db = open_reader(self.path)
            try:
                return question(db)
            except sqlite3.Error as error:
                raise store_error(self.path, error) from error
            except (msgspec.DecodeError, RecursionError) as error:
                raise StoreError(f"The store {self.path} holds what is no entry: {error}.", reason="damaged") from error
            finally:
                db.close()

        return await asyncio.get_running_loop().run_in_executor(None, look)


def _session(row: tuple[Any, ...], now: float) -> StoredSession:
    id, status, owner, epoch, expires, seq, facts, build, created, updated, reason, about = row
    if status == "live" and (expires <= now or not owner):
        status = "orphaned"
    return StoredSession(
        id=id, status=status, owner=owner, epoch=epoch, remaining=expires - now, seq=seq, position=facts, build=build,
        created=created, updated=updated, reason=reason, about=msgspec.json.decode(about, type=dict[str, str]),
    )  # fmt: skip


def _json(value: dict[str, str]) -> str:
    return msgspec.json.encode(value).decode()
