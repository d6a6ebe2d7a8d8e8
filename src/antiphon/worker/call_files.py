"""The files that a worker leaves of each call, where it is asked to: event log, report, recording."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec

from antiphon.errors import ConfigurationError
from antiphon.models.store import SessionStore

LONGEST_NAME = 200


class CallFiles:
    """``folder``: where to (``None``: nowhere). Each file is named after its session."""

    def __init__(self, folder: Path | None, *, record: bool = False) -> None:
        self._folder, self._record = folder, record

    def make(self) -> None:
        """Make the folder. Raises ``ConfigurationError``."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"The folder {self._folder} cannot be made: {error.strerror}.", hint="Choose another by --log."
            ) from error

    def options(self, session: str, *, stored: bool) -> dict[str, Any]:
        """For the ``JobContext``. ``stored``: its log goes to a store; ``write_log`` copies it."""
        if self._folder is None:
            return {}
        stem = self._folder / _name(session)
        made: dict[str, Any] = {"report": f"{stem}.json"}
        if self._record:
            made["record"] = f"{stem}.wav"
        if not stored:
            made["log"] = f"{stem}.jsonl"
        return made

    async def write_log(self, session: str, store: SessionStore) -> None:
        """The whole log out of the store, whoever wrote which part. Raises ``StoreError``, ``OSError``."""
        if self._folder is None:
            return
        stored = await store.read(session)
        lines = [stored.header, *stored.entries]
        path = self._folder / f"{_name(session)}.jsonl"
        await asyncio.get_running_loop().run_in_executor(None, _write, path, lines)


def _name(session: str) -> str:
    """A file's name and nothing else, whatever a dispatcher calls its jobs: a session's own part is at the end."""
    return re.sub(r"[^\w.-]", "_", session, flags=re.ASCII)[-LONGEST_NAME:]


def _write(path: Path, lines: list[Any]) -> None:
    path.touch(mode=0o600)
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
