"""Reads event logs, whoever wrote them.

Owns: the format's check, torn and missing lines, entries -> events and facts. Never: writing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import msgspec

from antiphon.errors import FormatError
from antiphon.kernel.events import AnyEvent
from antiphon.kernel.facts import AnyFact
from antiphon.models.log import LOG_FORMAT, LOG_VERSION, LogEntry, LogHeader


class RecordedLog(msgspec.Struct, frozen=True):
    """A log as read. ``torn``: the last line was cut off (the process died while it wrote) and is left out.
    ``missing``: how many entries are not there, by the gaps in ``seq`` (a disk that failed or was too slow)."""

    header: LogHeader
    entries: list[LogEntry]
    torn: bool = False
    missing: int = 0

    def events(self) -> list[AnyEvent]:
        """The ``input`` lane as the kernel's events. Raises ``FormatError`` for a kind this build does not know."""
        return [event_of(entry) for entry in self.entries if entry.lane == "input"]

    def facts(self) -> list[AnyFact]:
        """The ``fact`` lane, in order. Raises ``FormatError`` for a kind this build does not know."""
        return [fact_of(entry) for entry in self.entries if entry.lane == "fact"]


def read_log(path: str | os.PathLike[str]) -> RecordedLog:
    """Read a log file. Raises ``FormatError`` for anything that is not a log of this version."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {error.strerror}.") from error
    return parse_log(data, name=str(path))


def parse_log(data: bytes, *, name: str = "the log") -> RecordedLog:
    """Read a log from bytes; ``name`` is how errors call it."""
    lines = data.split(b"\n")
    torn = bool(lines.pop())
    if not lines:
        raise FormatError(f"{name} is empty.", hint="A log begins with a line that names its format.")
    header = _header(lines[0], name)
    entries: list[LogEntry] = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            entries.append(msgspec.json.decode(line, type=LogEntry))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if number == len(lines) and not torn:
                torn = True
                break
            raise FormatError(f"{name}, line {number}: {error}.", hint="The file is damaged.") from error
    return RecordedLog(header=header, entries=entries, torn=torn, missing=_missing(entries, name))


def event_of(entry: LogEntry) -> AnyEvent:
    """The kernel's event in an entry of the ``input`` lane."""
    return _convert(entry, _EVENTS)  # type: ignore[no-any-return]


def fact_of(entry: LogEntry) -> AnyFact:
    """The fact in an entry of the ``fact`` lane."""
    return _convert(entry, _FACTS)  # type: ignore[no-any-return]


def _kinds(union: Any) -> dict[str, Any]:
    """The types of a tagged union by their tags. All are prepared here, by the one thread that imports: msgspec does it when it
    first meets a type, and a process that takes many sessions over reads their logs in several threads."""
    msgspec.json.Decoder(union)
    return {kind.__struct_config__.tag: kind for kind in get_args(union)}


_EVENTS, _FACTS = _kinds(AnyEvent), _kinds(AnyFact)


def _convert(entry: LogEntry, kinds: dict[str, Any]) -> Any:
    try:
        return msgspec.convert({**entry.body, "kind": entry.kind}, kinds[entry.kind])
    except (msgspec.ValidationError, KeyError) as error:
        why = error if isinstance(error, msgspec.ValidationError) else "no such kind"
        raise FormatError(
            f"Entry {entry.seq} ({entry.lane} {entry.kind!r}) is not one this build knows: {why}.",
            hint="Read it with the build that wrote it (the log's first line names it).",
        ) from error


def _header(line: bytes, name: str) -> LogHeader:
    try:
        header = msgspec.json.decode(line, type=dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        header = {}
    if header.get("format") != LOG_FORMAT:
        raise FormatError(
            f"{name} is not an event log.", hint=f'Its first line must be {{"format": "{LOG_FORMAT}", ...}}.'
        )
    version = header.get("version")
    if version != LOG_VERSION:
        raise FormatError(
            f"{name} is an event log of version {version}; this build reads version {LOG_VERSION}.",
            hint=f"Read it with the build that wrote it ({header.get('build') or 'not named'}).",
        )
    return LogHeader(build=str(header.get("build") or ""))


def _missing(entries: Iterable[LogEntry], name: str) -> int:
    last = missing = 0
    for entry in entries:
        if entry.seq <= last:
            raise FormatError(f"{name}: entry {entry.seq} follows entry {last}.", hint="The file is damaged.")
        missing += entry.seq - last - 1
        last = entry.seq
    return missing
