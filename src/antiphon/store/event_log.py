"""The event log as a file: JSON Lines, written by a thread of its own.

Owns: the file, its order, what happens when the disk fails. Never: the meaning of an entry.
A first line ``{"format", "version", "build"}``, then ``{"seq", "at", "lane", "kind", "body"}`` a line.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.models.log import Lane, LogEntry, LogHeader
from antiphon.models.redaction import Redaction

MAX_WAITING = 20_000
"""Entries that may wait for a slow disk; more are dropped and counted."""


def entry_of(seq: int, lane: Lane, at: float, body: msgspec.Struct | dict[str, Any]) -> LogEntry:
    """An entry around a tagged struct, or around plain data that has a ``kind``."""
    data = dict(body) if isinstance(body, dict) else msgspec.to_builtins(body)
    return LogEntry(seq=seq, at=at, lane=lane, kind=str(data.pop("kind", "")), body=data)


def redacted(entry: LogEntry, redaction: Redaction | None) -> LogEntry:
    """The entry as it may be written."""
    if redaction is None:
        return entry
    body = redaction.data({"kind": entry.kind, **entry.body})
    body.pop("kind", None)
    changed = msgspec.json.encode(body) != msgspec.json.encode(entry.body)
    return msgspec.structs.replace(entry, body=body, redacted=changed)


class FileEventLog:
    """Appends from the core loop cost a queue operation; encoding, redaction and writing happen in the writer thread.

    A write that fails (full disk, lost mount) is reported once through ``on_error`` (called in the writer thread); the file keeps its whole lines,
    later entries are counted in ``dropped``, and the call goes on. What was flushed survives a crash of the process.
    The file is readable by its owner only. Raises ``ConfigurationError`` when it cannot be created.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        build: str = "",
        redaction: Redaction | None = None,
        on_error: Callable[[AntiphonError], None] | None = None,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.path = Path(path)
        self.dropped = 0
        self.error: AntiphonError | None = None
        self._redaction = redaction
        self._on_error = on_error
        self._max = max_waiting
        self._waiting: deque[tuple[int, Lane, float, Any]] = deque()
        self._seq = 0
        self._queued = 0
        self._written = 0
        self._closing = False
        self._wake = threading.Condition()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.fchmod(self._fd, 0o600)  # it may have been there before
        except OSError as error:
            full = error.errno in (errno.EMFILE, errno.ENFILE)
            raise ConfigurationError(
                f"The event log {self.path} cannot be written: {error.strerror}.",
                hint="Raise the limit of open files (ulimit -n)." if full else "Choose another path.",
            ) from error
        self._size = 0
        self._write(msgspec.json.encode(LogHeader(build=build)) + b"\n")
        self._thread = threading.Thread(target=self._run, name="antiphon-event-log", daemon=True)
        self._thread.start()

    def append(self, lane: Lane, at: float, body: msgspec.Struct | dict[str, Any]) -> int:
        # A struct is frozen and may be encoded later; a dict belongs to the caller, who may change it.
        held = body if isinstance(body, msgspec.Struct) else msgspec.to_builtins(body)
        with self._wake:
            self._seq += 1
            if self._closing or self.error is not None or len(self._waiting) >= self._max:
                self.dropped += 1
            else:
                self._waiting.append((self._seq, lane, at, held))
                self._queued = self._seq
                self._wake.notify_all()
            return self._seq

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until everything accepted so far is with the operating system. False: it took longer, or failed."""
        with self._wake:
            target = self._queued
            self._wake.wait_for(lambda: self._written >= target or self.error is not None, timeout)
            return self.error is None and self._written >= target

    def close(self, timeout: float = 2.0) -> None:
        """Write out what is left, sync it to the disk, free the file; waits at most ``timeout`` seconds."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join(timeout)

    async def aclose(self, timeout: float = 2.0) -> None:
        if self._thread.is_alive():
            await asyncio.get_running_loop().run_in_executor(None, self.close, timeout)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._waiting or self._closing)
                batch = list(self._waiting)
                self._waiting.clear()
                if not batch:
                    break
            if self.error is None:
                self._write(b"".join(self._line(item) for item in batch))
            with self._wake:
                if self.error is not None:
                    self.dropped += len(batch)
                self._written = batch[-1][0]
                self._wake.notify_all()
        try:
            if self.error is None:
                os.fsync(self._fd)
        except OSError as error:
            self._fail(error)
        finally:
            os.close(self._fd)

    def _line(self, item: tuple[int, Lane, float, Any]) -> bytes:
        seq, lane, at, body = item
        try:
            return msgspec.json.encode(redacted(entry_of(seq, lane, at, body), self._redaction)) + b"\n"
        except (TypeError, ValueError, RecursionError) as error:
            note = {"kind": "log.unwritable", "error": f"{type(error).__name__}: {error}"}
            return msgspec.json.encode(entry_of(seq, lane, at, note)) + b"\n"

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            self._size += len(data)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.error = AntiphonError(
            f"The event log {self.path} is incomplete: {error.strerror}.",
            hint="Free space on the disk; the call goes on without a log.",
        )
        with suppress(OSError):  # the reader allows for a torn last line
            os.ftruncate(self._fd, self._size)
        if self._on_error is not None:
            with suppress(Exception):
                self._on_error(self.error)


class MemoryEventLog:
    """A log that stays in memory: for tests, and for sessions whose log is taken over by a store."""

    def __init__(self, *, build: str = "", redaction: Redaction | None = None) -> None:
        self.header = LogHeader(build=build)
        self.entries: list[LogEntry] = []
        self._redaction = redaction

    def append(self, lane: Lane, at: float, body: msgspec.Struct | dict[str, Any]) -> int:
        self.entries.append(redacted(entry_of(len(self.entries) + 1, lane, at, body), self._redaction))
        return len(self.entries)

    async def aclose(self) -> None:
        """Nothing to free."""
