"""The worker's own small web server: is it alive, is it ready, how busy is it. On loopback unless told otherwise.

``/livez`` (and ``/healthz``): the process answers. ``/startupz``: models are loaded. ``/readyz``: it is registered and takes
jobs (503 while it drains). ``/metrics``: figures in Prometheus's text format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aiohttp import web

from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.worker.running_server import RunningServer


class Health:
    """Serves ``server``'s state. Belongs to the core's loop."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Open the port (0: any); returns it. Raises ``ConfigurationError``."""
        app = web.Application()
        app.router.add_get("/livez", self._alive)
        app.router.add_get("/healthz", self._alive)
        app.router.add_get("/startupz", self._started)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"{host}:{port} cannot be served: {error.strerror or error}.",
                hint="Another worker may hold the port: choose one by --health-port (0: none).",
            ) from error
        return int(runner.addresses[0][1])

    async def aclose(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _alive(self, request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _started(self, request: web.Request) -> web.Response:
        return _answer(self._server.ready, {"models_loaded": self._server.ready})

    async def _ready(self, request: web.Request) -> web.Response:
        server = self._server
        registered = len(server.workers) == len(server.server.entrypoints)
        state = {"registered": registered, "draining": server.draining, "models_loaded": server.ready}
        return _answer(registered and server.ready and not server.draining, state)

    async def _metrics(self, request: web.Request) -> web.Response:
        text = "".join(_lines(self._server))
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _answer(good: bool, state: dict[str, bool]) -> web.Response:
    return web.json_response(state, status=200 if good else 503)


def _lines(server: RunningServer) -> Iterator[str]:
    load = server.load()
    for name, kind, text, value in (
        ("sessions_active", "gauge", "Calls that run here.", load.jobs),
        ("sessions_capacity", "gauge", "Calls that may run here at once.", server.server.max_sessions),
        ("worker_load", "gauge", "As told to the dispatcher, 0 to 1.", round(load.value, 4)),
        ("worker_open", "gauge", "1: takes another call.", int(load.open)),
        ("worker_registered", "gauge", "Registrations in force.", len(server.workers)),
        (
            "loop_lag_seconds",
            "gauge",
            "How late the core's loop was, of late at its worst.",
            round(server.meter.lag, 6),
        ),
        ("jobs_taken_total", "counter", "Jobs taken since the start.", server.taken),
        ("jobs_refused_total", "counter", "Jobs refused since the start.", server.refused),
        ("jobs_failed_total", "counter", "Jobs whose entrypoint failed.", server.failed),
    ):
        yield f"# HELP antiphon_{name} {text}\n# TYPE antiphon_{name} {kind}\nantiphon_{name} {value}\n"
