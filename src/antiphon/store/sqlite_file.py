"""The SQLite file: opened safely, its schema, and its failures as errors of ours.

Owns: pragmas, tables, versions, which error means what. Never: leases, entries.
Sources: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_synchronous, sqlite.org/rescode.html.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from antiphon.errors import StoreError

APPLICATION = 0x416E7470
"""Marks the file as one of ours ("Antp")."""
SCHEMA = 1
"""Goes up with each change of the tables; a file of an earlier one is brought up to date when it is opened."""
LOCK_TIMEOUT = 2.0
"""Seconds a transaction waits for another process's."""

_TABLES = """
create table meta(key text primary key, value text not null) without rowid;
create table session(
  number integer primary key, id text not null unique, build text not null, log_version integer not null,
  about text not null, status text not null, reason text not null default '', owner text not null,
  epoch integer not null, expires real not null, seq integer not null default 0, facts integer not null default 0,
  began real not null, created real not null, updated real not null);
create index by_lease on session(status, expires);
create table entry(
  session integer not null, seq integer not null, epoch integer not null, at real not null, lane text not null,
  kind text not null, body blob not null, primary key(session, seq)) without rowid;
"""

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "glusterfs", "fuse.glusterfs", "lustre"}

_TOO_MANY = (errno.EMFILE, errno.ENFILE)
_FILES = ("io", "This process has too many files open.", "Raise its limit (ulimit -n), or serve fewer calls at once.")

_REASONS = {
    sqlite3.SQLITE_FULL: ("full", "There is no space left on its disk.", "Free some: what waits is written then."),
    sqlite3.SQLITE_READONLY: (
        "read_only",
        "It may not be written.",
        "Check the permissions of the file and its folder.",
    ),
    sqlite3.SQLITE_CANTOPEN: ("read_only", "It cannot be opened.", "Check that the folder exists and may be written."),
    sqlite3.SQLITE_PERM: ("read_only", "It may not be opened.", "Check the permissions of the file and its folder."),
    sqlite3.SQLITE_BUSY: ("locked", "Another process holds it.", "Do not open it with other tools while calls run."),
    sqlite3.SQLITE_LOCKED: ("locked", "Another process holds it.", "Do not open it with other tools while calls run."),
    sqlite3.SQLITE_CORRUPT: (
        "damaged",
        "The file is damaged.",
        "Move it away; `sqlite3 FILE .recover` saves what it can.",
    ),
    sqlite3.SQLITE_NOTADB: ("damaged", "The file is no database.", "Choose another path."),
}


def store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """SQLite's error as ours."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_IOERR) & 0xFF
    reason, said, hint = _REASONS.get(code, ("io", f"Its disk failed ({error}).", "Check the disk."))
    if code == sqlite3.SQLITE_CANTOPEN and _out_of_files():
        reason, said, hint = _FILES
    return StoreError(f"The store {path}: {said}", hint=hint, reason=reason)


def open_file(path: Path, *, boot: str, clock: float, wall: float) -> sqlite3.Connection:
    """A connection for writing, from any one thread; the file is made where there is none, readable by its owner only.
    ``boot``: the machine's start; leases of an earlier one are over, and its clock begins anew. Raises ``StoreError``."""
    if (kind := _file_system(path)) in _NETWORK:
        raise StoreError(
            f"The store {path} would lie on a network file system ({kind}), where SQLite cannot keep it whole.",
            hint="Choose a path on a disk of this machine.",
            reason="io",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    except OSError as error:
        reason, said, hint = "read_only", f"It cannot be opened: {error.strerror}.", "Choose another path."
        if error.errno in _TOO_MANY:
            reason, said, hint = _FILES
        raise StoreError(f"The store {path}: {said}", hint=hint, reason=reason) from error
    try:
        _prepare(db, path, boot, clock - wall)
    except sqlite3.Error as error:
        db.close()
        raise store_error(path, error) from error
    except BaseException:
        db.close()
        raise
    return db


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises ``StoreError``."""
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT, isolation_level=None
        )
    except sqlite3.Error as error:
        raise store_error(path, error) from error


def _prepare(db: sqlite3.Connection, path: Path, boot: str, ahead: float) -> None:
    application = db.execute("pragma application_id").fetchone()[0]
    version = db.execute("pragma user_version").fetchone()[0]
    empty = db.execute("select count(*) from sqlite_schema").fetchone()[0] == 0
    if application != APPLICATION and not (empty and application == version == 0):
        raise StoreError(f"{path} is the database of something else.", hint="Choose another path.", reason="damaged")
    if version > SCHEMA:
        raise StoreError(
            f"The store {path} is of version {version}; this build reads up to {SCHEMA}.",
            hint="Use the build that wrote it, or a later one.",
            reason="newer",
        )
    if empty:
        db.execute("pragma auto_vacuum = incremental")
    mode = db.execute("pragma journal_mode = wal").fetchone()[0]
    db.execute("pragma synchronous = full")
    db.execute("pragma fullfsync = on")  # macOS: the disk's own cache too
    if mode != "wal" or db.execute("pragma synchronous").fetchone()[0] != 2:
        raise StoreError(
            f"The store {path} cannot be made durable here (journal {mode}).",
            hint="Choose a path on a disk of this machine.",
            reason="io",
        )
    db.execute("begin immediate")
    try:
        if db.execute("select count(*) from sqlite_schema").fetchone()[0] == 0:  # nobody was faster
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.execute(f"pragma application_id = {APPLICATION}")
            db.execute(f"pragma user_version = {SCHEMA}")
        known = db.execute("select value from meta where key = 'boot'").fetchone()
        if known is None or known[0] != boot:
            db.execute("insert or replace into meta values ('boot', ?)", (boot,))
            db.execute("update session set expires = 0, began = created + ?", (ahead,))
            db.execute("delete from meta where key = 'clock'")
        db.execute("commit")
    except BaseException:
        db.execute("rollback")
        raise


def _out_of_files() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in _TOO_MANY
    return False


def _file_system(path: Path) -> str:
    """The kind of the file system that the path lies on; empty where the machine does not say."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
        here = path.parent.resolve()
    except OSError:
        return ""
    found = ("", "")
    for fields in (line.split() for line in mounts):
        point = Path(fields[1].replace("\\040", " "))
        if (point == here or point in here.parents) and len(str(point)) >= len(found[0]):
            found = (str(point), fields[2])
    return found[1]
