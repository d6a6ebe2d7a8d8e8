"""The one thread that writes a SQLite store: whatever waits, of all sessions, goes into one transaction.

Theory of operation. While a commit waits for the disk, appends of all sessions gather; the next commit takes them
together (group commit), so the number of syncs does not grow with the number of sessions. Facts and questions about leases are written
at once, inputs within ``LINGER``. A batch of a session is one fenced update of its row: epoch and count must be what they
were, or nothing of it is written.

Owns: the connection, the transactions, what waits. Never: the meaning of a question (``sqlite``).
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from antiphon.errors import FencedError, StoreError
from antiphon.kernel.facts import SessionEnded
from antiphon.models.store import StoreMetrics
from antiphon.store.event_log import entry_of
from antiphon.store.session_log import SqliteSessionLog, Waiting
from antiphon.store.sqlite_file import store_error

LINGER = 0.1
"""Seconds that inputs may wait for company."""
RETRY = 0.25
"""Seconds between two tries while the disk is full or the file locked."""
BATCH = 2_000
"""Entries of one transaction."""

_CLOCK = (
    "insert into meta values ('clock', ?) on conflict (key) do update"
    " set value = max(cast(value as real), cast(excluded.value as real))"
)
"""The latest time that any process has seen."""

Question = Callable[[sqlite3.Connection], Any]


class SqliteWriter:
    """``clock``, ``wall``, ``stopwatch``: the store's. Runs until ``stop``."""

    def __init__(
        self,
        db: sqlite3.Connection,
        path: Path,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        stopwatch: Callable[[], float],
    ) -> None:
        self.lock = threading.Condition()
        self.logs: list[SqliteSessionLog] = []
        self._db, self._path = db, path
        self._clock, self._wall, self._stopwatch = clock, wall, stopwatch
        self._questions: deque[tuple[Question, Future[Any]]] = deque()
        self._urgent = self._waits = self._stopping = False
        self._broken: StoreError | None = None
        self._times: deque[tuple[float, float]] = deque(maxlen=1_000)
        self._commits = self._entries = self._largest = self._fenced = self._failed = 0
        self._thread = threading.Thread(target=self._run, name="antiphon-store", daemon=True)
        self._thread.start()

    # --- for everybody -------------------------------------------------------------------------------------------

    def wake(self, urgent: bool) -> None:
        """Something waits; the caller holds the lock."""
        if (urgent and not self._urgent) or not self._waits:
            self._urgent |= urgent
            self._waits = True
            self.lock.notify_all()

    def ask(self, question: Question) -> Future[Any]:
        """Have a question answered inside the next transaction. It raises ``StoreError`` before it has changed anything."""
        future: Future[Any] = Future()
        with self.lock:
            if self._broken is not None or self._stopping:
                future.set_exception(self._broken or StoreError(f"The store {self._path} is closed.", reason="closed"))
            else:
                self._questions.append((question, future))
                self.wake(True)
        return future

    def stop(self, timeout: float) -> None:
        """Write what waits, then end; waits at most ``timeout`` seconds."""
        with self.lock:
            self._stopping = True
            self.lock.notify_all()
        self._thread.join(timeout)

    def metrics(self) -> StoreMetrics:
        with self.lock:
            commits = sorted(commit for commit, _ in self._times)
            stored = sorted(stored for _, stored in self._times if stored)
            return StoreMetrics(
                commits=self._commits,
                entries=self._entries,
                largest=self._largest,
                waiting=sum(len(log.waiting) for log in self.logs),
                fenced=self._fenced,
                failed=self._failed,
                commit_p50=_quantile(commits, 0.5),
                commit_p99=_quantile(commits, 0.99),
                stored_p50=_quantile(stored, 0.5),
                stored_p99=_quantile(stored, 0.99),
            )

    # --- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self.lock:
                self.lock.wait_for(lambda: self._waits or self._stopping)
                self.lock.wait_for(lambda: self._urgent or self._stopping, LINGER)
                stopping = self._stopping
                questions = [(ask, future) for ask, future in self._questions if future.set_running_or_notify_cancel()]
                self._questions.clear()
                batches = self._take()
                self._urgent = self._waits = False
            error = self._write(batches, questions) if batches or questions else None
            full = sum(len(batch) for _, batch in batches) >= BATCH
            with self.lock:
                left = any(log.waiting for log in self.logs)
                if stopping and (error is not None or not left):
                    self._close(error)
                    return
                if left and (error is not None or full):
                    self._urgent = self._waits = True
                if error is not None:
                    self.lock.wait_for(lambda: self._stopping, RETRY)

    def _take(self) -> list[tuple[SqliteSessionLog, list[Waiting]]]:
        batches, room = [], BATCH
        for log in self.logs:
            if log.waiting and room > 0:
                batch = list(log.waiting)[:room]
                room -= len(batch)
                batches.append((log, batch))
        return batches

    def _write(
        self, batches: list[tuple[SqliteSessionLog, list[Waiting]]], questions: list[tuple[Question, Future[Any]]]
    ) -> StoreError | None:
        """One transaction; returns why it failed."""
        began = self._stopwatch()
        answers: list[tuple[Future[Any], Any, StoreError | None]] = []
        fenced: list[tuple[SqliteSessionLog, StoreError]] = []
        db = self._db
        try:
            db.execute("begin immediate")
            for log, batch in batches:
                if (refusal := self._append(log, batch)) is not None:
                    fenced.append((log, refusal))
            for question, future in questions:
                try:
                    answers.append((future, question(db), None))
                except StoreError as exc:
                    answers.append((future, None, exc))
            db.execute(_CLOCK, (self._clock(),))
            db.execute("commit")
        except sqlite3.Error as exc:
            return self._failed_with(store_error(self._path, exc), batches, questions)
        except Exception as exc:  # a defect of ours must not leave everybody waiting
            return self._failed_with(StoreError(f"The store failed: {exc!r}.", reason="damaged"), batches, questions)
        ended = self._stopwatch()
        with self.lock:
            self._fenced += len(fenced)
            for log, refusal in fenced:
                log.fail(refusal)
            oldest = min((batch[0].since for _, batch in batches), default=ended)
            for log, batch in batches:
                if log.error is None:
                    self._entries += len(batch)
                    log.stored(batch[-1].seq)
            self._commits += 1
            self._largest = max(self._largest, sum(len(batch) for _, batch in batches))
            self._times.append((ended - began, ended - oldest if batches else 0.0))
        for future, answer, refused in answers:
            future.set_exception(refused) if refused is not None else future.set_result(answer)
        return None

    def _append(self, log: SqliteSessionLog, batch: list[Waiting]) -> StoreError | None:
        """The fenced step; returns why nothing was written."""
        lease, first, last = log.lease, batch[0], batch[-1]
        end = next((w.body for w in batch if isinstance(w.body, SessionEnded)), None)
        done = self._db.execute(
            "update session set seq = ?, facts = ?, expires = max(expires, ?), updated = ?,"
            " status = case when ? then 'ended' else status end, reason = case when ? then ? else reason end"
            " where id = ? and epoch = ? and seq = ? returning number",
            (
                last.seq, last.position, self._clock() + lease.ttl, self._wall(),
                end is not None, end is not None, "" if end is None else end.reason,
                lease.session, lease.epoch, first.seq - 1,
            ),
        ).fetchone()  # fmt: skip
        if done is None:
            return self._refusal(log, batch)
        rows = [(done[0], w.seq, lease.epoch, w.at, w.lane, *_encoded(w)) for w in batch]
        self._db.executemany("insert into entry values (?, ?, ?, ?, ?, ?, ?)", rows)
        return None

    def _refusal(self, log: SqliteSessionLog, batch: list[Waiting]) -> StoreError | None:
        """Why the row was not as it must be; ``None``: it was only that the commit before had seemed to fail."""
        lease = log.lease
        row = self._db.execute("select epoch, seq, owner from session where id = ?", (lease.session,)).fetchone()
        if row is None or row[0] != lease.epoch:
            return fenced(lease.session, lease.epoch, row)
        if row[1] == log.tried:
            rest = [waiting for waiting in batch if waiting.seq > row[1]]
            return self._append(log, rest) if rest else None
        said = f"The log of session {lease.session} ends at entry {row[1]}: {batch[0].seq} cannot be written next."
        return StoreError(said, hint="Open one log for a lease.", reason="damaged")

    def _failed_with(
        self,
        error: StoreError,
        batches: list[tuple[SqliteSessionLog, list[Waiting]]],
        questions: list[tuple[Question, Future[Any]]],
    ) -> StoreError:
        try:
            if self._db.in_transaction:
                self._db.execute("rollback")
        except sqlite3.Error:
            error = StoreError(str(error), reason="damaged")
        with self.lock:
            self._failed += 1
            if not error.passing:
                self._broken = error
            for log, batch in batches:
                log.tried = batch[-1].seq
                log.tell(error) if error.passing else log.fail(error)
        for _, future in questions:
            future.set_exception(error)
        return error

    def _close(self, error: StoreError | None) -> None:
        """The caller holds the lock."""
        closed = error or StoreError(f"The store {self._path} is closed.", reason="closed")
        for log in self.logs:
            if log.waiting:
                log.fail(closed)
        while self._questions:
            self._questions.popleft()[1].set_exception(closed)
        self._db.close()


def fenced(session: str, epoch: int, row: tuple[Any, ...] | None) -> StoreError:
    """``row``: epoch, seq and owner of the session now."""
    if row is None:
        return StoreError(f"There is no session {session} in the store.", reason="unknown")
    owner = f" {row[2]!r}" if row[2] else ""
    return FencedError(
        f"Session {session} is at epoch {row[0]} and has another owner{owner}; this one had epoch {epoch}."
    )


def _encoded(waiting: Waiting) -> tuple[str, bytes]:
    try:
        entry = entry_of(waiting.seq, waiting.lane, waiting.at, waiting.body)
        return entry.kind, msgspec.json.encode(entry.body)
    except (TypeError, ValueError, RecursionError) as error:
        return "log.unwritable", msgspec.json.encode({"error": f"{type(error).__name__}: {error}"})


def _quantile(ordered: list[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0
