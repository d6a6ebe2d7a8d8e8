"""The real LiveKit server, one for all tests that ask for it: built by ``scripts/install-test-servers``."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

KEY, SECRET = "test-key", "a-secret-that-is-long-enough-for-sha256"
PATH = Path(__file__).parents[2] / ".cache" / "livekit" / "server"


class LiveKitProcess:
    """``url``: of the server that runs, the same after ``restart``."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder, self._port = program, folder, lasting_port()
        config = {
            "port": self._port,
            "bind_addresses": ["127.0.0.1"],
            "rtc": {
                "tcp_port": lasting_port(),
                "udp_port": lasting_port(socket.SOCK_DGRAM),
                "node_ip": "127.0.0.1",
            },
            "keys": {KEY: SECRET},
            "logging": {"level": "warn"},
        }
        self._environment = {**os.environ, "LIVEKIT_CONFIG": json.dumps(config)}
        self.url = f"ws://127.0.0.1:{self._port}"
        self.process = self._start()

    def restart(self) -> None:
        """Kill it, and start it anew where it was; returns when it answers."""
        self.process.kill()
        self.process.wait()
        self.process = self._start()

    def stop(self) -> None:
        self.process.kill()  # asked to end, it waits for its rooms
        self.process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        with (self._folder / "livekit.log").open("ab") as log:
            process = subprocess.Popen([self._program], env=self._environment, stdout=log, stderr=log, cwd=self._folder)
        try:
            _wait(process, self._port, self._folder)
        except BaseException:
            process.kill()
            process.wait()
            raise
        return process


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def lasting_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """One that is free, and that nobody is given to connect from: a server that starts anew finds it free again."""
    chance = random.SystemRandom()
    while True:
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind(("", chance.randrange(20_000, 32_000)))
            return int(probe.getsockname()[1])


def find() -> str:
    """The server's program. Skips the test where there is none; with ``CI`` set, fails it."""
    found = str(PATH) if PATH.exists() else shutil.which("livekit-server")
    if found:
        return found
    reason = "the LiveKit server is not here: run scripts/install-test-servers (it needs Go)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def serve(folder: Path) -> Iterator[LiveKitProcess]:
    """A server on free ports of this machine, for as long as the generator is held."""
    server = LiveKitProcess(find(), folder)
    try:
        yield server
    finally:
        server.stop()


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise AssertionError(f"the LiveKit server ended: {(folder / 'livekit.log').read_text()}")
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    raise AssertionError("the LiveKit server did not answer within 30 s")
