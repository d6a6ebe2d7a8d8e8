"""The real LiveKit server, one for all tests that ask for it: built by ``scripts/install-test-servers``."""

from __future__ import annotations

import json
import os
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
    """``url``: of the server that runs."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
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
    program = find()
    port = free_port()
    config = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {"tcp_port": free_port(), "udp_port": free_port(socket.SOCK_DGRAM), "node_ip": "127.0.0.1"},
        "keys": {KEY: SECRET},
        "logging": {"level": "warn"},
    }
    environment = {**os.environ, "LIVEKIT_CONFIG": json.dumps(config)}
    with (folder / "livekit.log").open("wb") as log:
        process = subprocess.Popen([program], env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            _wait(process, port, folder)
            yield LiveKitProcess(f"ws://127.0.0.1:{port}", process)
        finally:
            process.kill()  # asked to end, it waits for its rooms
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise AssertionError(f"the LiveKit server ended: {(folder / 'livekit.log').read_text()}")
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    raise AssertionError("the LiveKit server did not answer within 30 s")
