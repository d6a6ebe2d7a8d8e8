"""The LiveKit server, alone on free ports of this machine: what ``scripts/install-test-servers`` built."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

KEY, SECRET = "bench-key", "a-secret-that-is-long-enough-for-sha256"
PATH = Path(__file__).parents[2] / ".cache" / "livekit" / "server"
FIRST = ["nice", "-n", "-10"]
"""Server and callers come before the workers, where that is allowed: what they are late is nobody's figure."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("", 0))  # on all addresses: the server takes its UDP port on each
        return int(probe.getsockname()[1])


class Server:
    """Runs until ``close``. ``url``: where; ``pid``: whose."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        config = {
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "rtc": {"tcp_port": free_port(), "udp_port": free_port(socket.SOCK_DGRAM), "node_ip": "127.0.0.1"},
            "keys": {KEY: SECRET},
            "logging": {"level": "info", "json": True},
        }
        self.url = f"ws://127.0.0.1:{port}"
        self._log = folder / "livekit.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*FIRST, str(PATH)], env={**os.environ, "LIVEKIT_CONFIG": json.dumps(config)}, cwd=folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.pid = self._process.pid
        for _ in range(300):
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1):
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.close()
        raise RuntimeError(f"the LiveKit server did not start: {self._log.read_text()[-500:]}")

    def registrations(self) -> int:
        """Workers that have registered since the server's start."""
        return self._log.read_bytes().count(b"worker registered")

    def close(self) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()


def environment(server: Server) -> dict[str, Any]:
    """What a worker is told of the server."""
    return {"LIVEKIT_URL": server.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
