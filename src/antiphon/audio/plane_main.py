"""The plane as a process of its own: ``python -m antiphon.audio.plane_main FD [VAD_MODEL]``.

Started by ``ProcessPlane`` with one end of a socket pair. Ends when the other end closes or its parent is gone.
Messages whose line is empty speak of the plane itself: ``LineUp`` (ready) and a fatal ``LineError`` (cannot start).
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys

from antiphon.audio import driver
from antiphon.audio.outbox import Outbox
from antiphon.audio.plane import Plane
from antiphon.audio.plane_frames import Unpacker, pack, to_plane
from antiphon.audio.seam import LineError, LineUp
from antiphon.errors import AntiphonError
from antiphon.models.vad import VADModel

_CHUNK = 1 << 20
_PARENT_EVERY = 1.0


def main(arguments: list[str]) -> int:
    """Serve until the other end closes. Returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    link = socket.socket(fileno=int(arguments[0]))
    now = driver.now()
    try:
        plane = Plane(_load_vad(arguments[1] if len(arguments) > 1 else ""))
    except Exception as error:
        hint = error.hint if isinstance(error, AntiphonError) else ""
        text = error.message if isinstance(error, AntiphonError) else f"{type(error).__name__}: {error}"
        link.sendall(pack([LineError(line="", at=now, error=text, hint=hint, fatal=True)]))
        return 1
    link.sendall(pack([LineUp(line="", at=now, quality="paced")]))
    gc.collect()
    gc.freeze()
    driver.raise_priority()
    driver.raise_group_priority()
    link.setblocking(False)
    _serve(plane, link)
    link.close()
    return 0


def _load_vad(path: str) -> VADModel | None:
    if not path:
        return None
    from antiphon.audio.vad import SileroVAD

    return SileroVAD(path)


def _serve(plane: Plane, link: socket.socket) -> None:
    unpacker, outbox = to_plane(), Outbox()
    unsent = memoryview(b"")
    parent = os.getppid()
    look_at_parent = driver.now() + _PARENT_EVERY
    wake: float | None = None
    while True:
        now = driver.now()
        until = look_at_parent if wake is None else min(wake, look_at_parent)
        readable, _, _ = select.select([link], [link] if unsent else [], [], max(0.0, until - now))
        if readable and not _receive(plane, link, unpacker):
            break
        now = driver.now()
        if now >= look_at_parent:
            look_at_parent = now + _PARENT_EVERY
            if os.getppid() != parent:
                break
        out, wake = plane.advance(now)
        outbox.add(out)
        unsent = _write(link, unsent, outbox)
    outbox.add(plane.close(driver.now()))
    link.setblocking(True)
    link.settimeout(0.5)
    try:
        link.sendall(bytes(unsent) + pack(outbox.take()))
    except OSError:
        return


def _receive(plane: Plane, link: socket.socket, unpacker: Unpacker) -> bool:
    """Take all that has come. False: the other end is closed."""
    while True:
        try:
            data = link.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        plane.receive(unpacker.feed(data))
        if len(data) < _CHUNK:
            return True


def _write(link: socket.socket, unsent: memoryview, outbox: Outbox) -> memoryview:
    """One write a tick; what does not go now goes first at the next."""
    if not unsent:
        messages = outbox.take()
        if not messages:
            return unsent
        unsent = memoryview(pack(messages))
    try:
        return unsent[link.send(unsent) :]
    except BlockingIOError:
        return unsent
    except OSError:
        return memoryview(b"")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
