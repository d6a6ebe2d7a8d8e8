"""Where a media host meets its clients: sockets, waiting, writing without waiting. One thread, which is the plane's.

A client whose bytes are no messages, or who reads nothing for as long as the host keeps sound, is cut off; its lines wait
for another owner.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import selectors
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

from antiphon.audio import driver
from antiphon.audio.framing import frame
from antiphon.audio.media_host import KEEPER, PATIENCE, Client, MediaHost
from antiphon.audio.plane_frames import to_plane
from antiphon.audio.seam import FromPlane, LineError
from antiphon.errors import AudioError

_CHUNK = 1 << 20
_PARENT_EVERY = 1.0
_FAREWELL = 0.5
_MOST_CLIENTS = 256


class PlaneServer:
    """``keeper``: the socket of whoever started the plane. ``path``: of a socket that others connect to (empty: none; then
    the plane ends with its keeper). ``patience``: seconds. Raises ``AudioError`` where it cannot listen."""

    def __init__(self, host: MediaHost, keeper: socket.socket, path: str = "", *, patience: float = PATIENCE) -> None:
        self._host, self._path, self._patience = host, path, patience
        self._ready = selectors.DefaultSelector()
        self._clients: dict[Client, _Connection] = {}
        self._next: Client = KEEPER
        self._listener = listen(path) if path else None
        if self._listener is not None:
            self._ready.register(self._listener, selectors.EVENT_READ, None)
        self._join(keeper)

    def run(self) -> None:
        """Serve until nobody is left to serve; then close every line, and the sockets."""
        parent = os.getppid()
        look_at_parent = driver.now() + _PARENT_EVERY
        wake: float | None = driver.now()
        while not self._host.over:
            self._wait(look_at_parent if wake is None else min(wake, look_at_parent))
            now = driver.now()
            if now >= look_at_parent:
                look_at_parent = now + _PARENT_EVERY
                if os.getppid() != parent and KEEPER in self._clients:
                    self._leave(KEEPER)
                self._cut_off_who_does_not_read(now)
            wake = self._host.advance(now)
            for client in self._clients.values():
                self._write(client, now)
        self._host.close(driver.now())
        self._end()

    def _wait(self, until: float) -> None:
        """Let sockets be served until then: to the microsecond, where epoll's own wait knows milliseconds."""
        with contextlib.suppress(InterruptedError):
            select.select([self._ready], [], [], max(0.0, until - driver.now()))
        for key, _ in self._ready.select(0):
            client: _Connection | None = key.data
            if client is None:
                self._accept()
            elif client.number in self._clients:
                self._read(client)

    # --- who comes and goes ------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            link, _ = self._listener.accept()
        except OSError:  # it went again
            return
        if len(self._clients) >= _MOST_CLIENTS:
            link.close()
            return
        self._join(link)

    def _join(self, link: socket.socket) -> None:
        link.setblocking(False)
        client = self._clients[self._next] = _Connection(self._next, link)
        self._next += 1
        self._ready.register(link, selectors.EVENT_READ, client)
        self._host.joined(driver.now(), client.number)

    def _leave(self, number: Client) -> None:
        client = self._clients.pop(number)
        self._ready.unregister(client.link)
        client.link.close()
        self._host.left(driver.now(), number, client.batch)
        if number == KEEPER and self._listener is None:
            self._host.end()

    def _cut_off_who_does_not_read(self, now: float) -> None:
        for client in list(self._clients.values()):
            if client.unsent and now - client.since > self._patience and client.number != KEEPER:
                self._leave(client.number)

    # --- bytes -------------------------------------------------------------------------------------------------------

    def _read(self, client: _Connection) -> None:
        try:
            data = client.link.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._leave(client.number)
            return
        try:
            messages = client.unpacker.feed(data)
        except AudioError as error:
            farewell = LineError(line="", at=driver.now(), error=error.message, hint=error.hint, fatal=True)
            if not client.unsent:
                with contextlib.suppress(OSError):
                    client.link.send(frame([farewell]))
            self._leave(client.number)
            return
        self._host.receive(driver.now(), client.number, messages)

    def _write(self, client: _Connection, now: float) -> None:
        """All that waits, as far as the socket takes it."""
        while client.unsent or self._fill(client, now):
            try:
                client.unsent = client.unsent[client.link.send(client.unsent) :]
            except BlockingIOError:
                break
            except OSError:  # what it said before it went is still to be read, then its end
                return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        if events != client.events:
            client.events = events
            self._ready.modify(client.link, events, client)

    def _fill(self, client: _Connection, now: float) -> bool:
        client.batch = self._host.take(client.number)
        if client.batch:
            client.unsent, client.since = memoryview(frame(client.batch)), now
        return bool(client.batch)

    def _end(self) -> None:
        """The last words, to whoever takes them soon."""
        until = driver.now() + _FAREWELL
        for client in self._clients.values():
            with contextlib.suppress(OSError):
                while client.unsent or self._fill(client, until):
                    client.link.settimeout(max(0.001, until - driver.now()))
                    client.unsent = client.unsent[client.link.send(client.unsent) :]
            client.link.close()
        if self._listener is not None:
            self._listener.close()
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        self._ready.close()


class _Connection:
    """``batch``: what is being written, ``unsent`` its rest, ``since`` when it began."""

    def __init__(self, number: Client, link: socket.socket) -> None:
        self.number, self.link = number, link
        self.unpacker = to_plane()
        self.batch: Sequence[FromPlane] = ()
        self.unsent = memoryview(b"")
        self.since = 0.0
        self.events = selectors.EVENT_READ


def listen(path: str) -> socket.socket:
    """A Unix socket for this user alone, in a directory that is. Takes the place of one that nobody serves any more.
    Raises ``AudioError``."""
    folder = Path(path).parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise AudioError(f"The media plane cannot listen at {path}: {error.strerror or error}.") from error
    try:
        about = os.fstat(held)
        if about.st_uid != os.getuid() or stat.S_IMODE(about.st_mode) & 0o077:
            raise AudioError(
                f"The media plane does not listen in {folder}: others may enter it.",
                hint="Name a directory of your own that is closed to others (chmod 700).",
            )
        fcntl.flock(held, fcntl.LOCK_EX)  # two that start at once: one finds the other's socket
        return _bind(path)
    finally:
        os.close(held)


def _bind(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            else:
                raise AudioError(f"Another media plane listens at {path}.", hint="Connect to it, or name another path.")
        if os.path.lexists(path):
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise AudioError(f"The media plane cannot listen at {path}: it is a file.", hint="Name another path.")
            os.unlink(path)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(64)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise AudioError(
            f"The media plane cannot listen at {path}: {error.strerror or error}.",
            hint="The path must be short (about 100 characters) and writable.",
        ) from error
    except AudioError:
        listener.close()
        raise
    return listener
