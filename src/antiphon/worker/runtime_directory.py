"""The private folder of a running worker: its media and control sockets. Others of this user find the worker by it.

Under ``XDG_RUNTIME_DIR`` where there is one, else under the folder for temporary files; nobody else may enter it.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from antiphon.errors import ConfigurationError

CONTROL = "control"
"""Name of a worker's control socket."""


def root() -> Path:
    """Where the folders of this user's workers are; made where there is none. Raises ``ConfigurationError``."""
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    path = Path(base, "antiphon") if base else Path(tempfile.gettempdir(), f"antiphon-{os.getuid()}")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ConfigurationError(
            f"The folder for sockets {path} cannot be made: {error.strerror or error}.",
            hint="Set XDG_RUNTIME_DIR to a folder of this user.",
        ) from error
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
        raise ConfigurationError(
            f"{path} is not a folder that this user alone may enter.", hint="Set XDG_RUNTIME_DIR to one that is."
        )
    return path


def make() -> Path:
    """A new folder for this process. Those of workers that are gone are swept away."""
    parent = root()
    for left in parent.iterdir():
        if not _used(left):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))


def control_sockets() -> Iterator[Path]:
    """Of the workers that run here."""
    for folder in sorted(root().iterdir()):
        if (folder / CONTROL).exists():
            yield folder / CONTROL


def _used(folder: Path) -> bool:
    """Whether its worker lives, or its media process, which has lines for a while longer."""
    pid = folder.name.partition("-")[0]
    if not pid.isdecimal():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return any(_listens(path) for path in folder.iterdir())
    except PermissionError:
        return True
    return True


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
