"""Which store a worker's sessions are kept in, as a program or a command line says it."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Union

from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.models.store import SessionStore

StoreChoice = Union[str, "os.PathLike[str]", "SessionStore"]
SQLITE = "sqlite:///"


def check_store(choice: StoreChoice) -> None:
    """Raises ``ConfigurationError`` for what can be no store."""
    if isinstance(choice, str | os.PathLike):
        _path(os.fspath(choice))
    elif not callable(getattr(choice, "claim_orphans", None)):
        raise ConfigurationError(f"{type(choice).__name__} is no store of sessions.", hint=HINT)


def open_store(choice: StoreChoice) -> SessionStore:
    """The store itself, opened. Raises ``ConfigurationError`` and ``StoreError``."""
    check_store(choice)
    if isinstance(choice, str | os.PathLike):
        store: SessionStore = import_module("antiphon.store.sqlite").SQLiteStore(_path(os.fspath(choice)))
        return store
    return choice


def store_file(choice: StoreChoice) -> str:
    """The absolute path of its file; empty where it is an object that the program made."""
    return str(_path(os.fspath(choice)).resolve()) if isinstance(choice, str | os.PathLike) else ""


HINT = "Write store='sqlite:///calls.db' (sqlite:////var/lib/calls.db for an absolute path), a path, or pass a SessionStore."


def _path(text: str) -> Path:
    scheme, found, _ = text.partition("://")
    if text.startswith(SQLITE) and len(text) > len(SQLITE):
        path = Path(text.removeprefix(SQLITE))
    elif not found and text:
        path = Path(text)
    else:
        what = f"{scheme}:// is not served by this version" if found and scheme != "sqlite" else "it names no file"
        raise ConfigurationError(f"{text!r} is no store of sessions: {what}.", hint=HINT)
    if path.is_dir():
        raise ConfigurationError(f"{str(path)!r} is a folder, not a store's file.", hint=HINT)
    return path
