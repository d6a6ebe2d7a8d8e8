"""The plane as a process of its own: ``python -m antiphon.audio.plane_main FD [VAD_MODEL] [--listen PATH]``.

Started by ``ProcessPlane`` with one end of a socket pair. Ends when the other end closes or its parent is gone; with
``--listen``, when it has no lines left besides. Messages whose line is empty speak of the plane itself: ``LineUp`` (ready)
and a fatal ``LineError`` (cannot start, or cannot read what came). Signals that ask a whole group of processes to end are
left to the others: whoever drains needs its lines to the last.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import signal
import socket
import sys

from antiphon.audio import driver
from antiphon.audio.framing import frame
from antiphon.audio.media_host import LINGER, PATIENCE, MediaHost
from antiphon.audio.plane import Plane
from antiphon.audio.plane_server import PlaneServer
from antiphon.audio.seam import LineError
from antiphon.errors import AntiphonError
from antiphon.models.vad import VADModel


def main(arguments: list[str]) -> int:
    """Serve until nobody is left to serve. Returns the exit status."""
    for asking in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asking, signal.SIG_IGN)
    asked = _read(arguments)
    keeper = socket.socket(fileno=asked.fd)
    try:
        host = MediaHost(Plane(_load_vad(asked.vad)), linger=asked.linger)
        server = PlaneServer(host, keeper, asked.listen, patience=asked.patience)
    except Exception as error:
        hint = error.hint if isinstance(error, AntiphonError) else ""
        text = error.message if isinstance(error, AntiphonError) else f"{type(error).__name__}: {error}"
        keeper.sendall(frame([LineError(line="", at=driver.now(), error=text, hint=hint, fatal=True)]))
        return 1
    gc.collect()
    gc.freeze()
    _give_back()
    driver.raise_priority()
    driver.raise_group_priority()
    server.run()
    return 0


def _give_back() -> None:
    """What loading the model took for a while goes back to the system, where the C library keeps it (glibc: 5 MB)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("fd", type=int, help="one end of a socket pair")
    parser.add_argument("vad", nargs="?", default="", help="the detector's model file (none: no verdicts)")
    parser.add_argument("--listen", default="", metavar="PATH", help="a Unix socket for further clients")
    parser.add_argument("--linger", type=float, default=LINGER, help="seconds that a line waits for another owner")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds that a client may leave unread")
    return parser.parse_args(arguments)


def _load_vad(path: str) -> VADModel | None:
    if not path:
        return None
    from antiphon.audio.vad import SileroVAD

    return SileroVAD(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
