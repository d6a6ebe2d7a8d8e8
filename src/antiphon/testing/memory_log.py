"""An event log in memory, in the format of the file: two lanes, one gapless count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from antiphon import __version__
from antiphon.kernel.events import AnyEvent
from antiphon.kernel.facts import AnyFact
from antiphon.models.log import Lane, LogEntry, LogHeader
from antiphon.store.event_log import entry_of
from antiphon.store.log_reader import RecordedLog


class MemoryLog:
    """``facts`` and ``inputs``: the two lanes as typed objects, oldest first."""

    def __init__(self) -> None:
        self._kept: list[tuple[Lane, float, msgspec.Struct]] = []
        self.on_input: Callable[[int], None] | None = None
        """Told the number of inputs after each one."""
        self._inputs = 0
        self.closed = False

    def append(self, lane: Lane, at: float, body: msgspec.Struct | dict[str, object]) -> int:
        assert isinstance(body, msgspec.Struct)
        self._kept.append((lane, at, body))
        if lane == "input":
            self._inputs += 1
            if self.on_input is not None:
                self.on_input(self._inputs)
        return len(self._kept)

    async def aclose(self) -> None:
        self.closed = True

    @property
    def facts(self) -> list[AnyFact]:
        return [body for lane, _, body in self._kept if lane == "fact"]  # type: ignore[misc]

    @property
    def inputs(self) -> list[AnyEvent]:
        return [body for lane, _, body in self._kept if lane == "input"]  # type: ignore[misc]

    @property
    def entries(self) -> list[LogEntry]:
        """As they would stand in the file."""
        return [entry_of(seq, lane, at, body) for seq, (lane, at, body) in enumerate(self._kept, start=1)]

    def recorded(self) -> RecordedLog:
        """The log as ``read_log`` would give it."""
        return RecordedLog(header=LogHeader(build=__version__), entries=self.entries)

    def to_bytes(self) -> bytes:
        """The file's content."""
        lines = [msgspec.json.encode(LogHeader(build=__version__)), *map(msgspec.json.encode, self.entries)]
        return b"\n".join(lines) + b"\n"

    def write(self, path: str | Path) -> None:
        """Write the file, to be read by ``antiphon replay`` or ``read_log``."""
        Path(path).write_bytes(self.to_bytes())
