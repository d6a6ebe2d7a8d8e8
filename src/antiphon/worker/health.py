"""The worker's own small web server: is it alive, is it ready, how busy is it. On loopback unless told otherwise.

``/livez`` (and ``/healthz``): the supervisor answers. ``/startupz``: an agent process has loaded its models. ``/readyz``: it is
registered and takes jobs (503 while it drains). ``/metrics``: figures in Prometheus's text format.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aiohttp import web

from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.worker.supervisor import Supervisor


class Health:
    """Serves ``server``'s state. Belongs to the core's loop."""

    def __init__(self, server: Supervisor) -> None:
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
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"{host}:{port} cannot be served: {getattr(error, 'strerror', '') or error}.",
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
        draining = server.admission.draining
        state = {"registered": server.registered, "draining": draining, "models_loaded": server.ready}
        return _answer(server.registered and server.ready and not draining, state)

    async def _metrics(self, request: web.Request) -> web.Response:
        text = "".join(_lines(self._server))
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _answer(good: bool, state: dict[str, bool]) -> web.Response:
    return web.json_response(state, status=200 if good else 503)


def _lines(server: Supervisor) -> Iterator[str]:
    load, counts, children = server.admission.load(), server.counts, server.pool.children
    for name, kind, text, value in (
        ("sessions_active", "gauge", "Calls that run here.", load.jobs),
        ("sessions_capacity", "gauge", "Calls that may run here at once.", server.server.capacity),
        (
            "worker_saturation",
            "gauge",
            "Calls, as a share of the capacity.",
            round(load.jobs / server.server.capacity, 4),
        ),
        ("worker_load", "gauge", "As told to the dispatcher, 0 to 1.", round(load.value, 4)),
        ("worker_open", "gauge", "1: takes another call.", int(load.open)),
        ("worker_registered", "gauge", "Registrations in force.", sum(bool(r.worker_id) for r in server.registrations)),
        ("worker_processes", "gauge", "Agent processes.", len(children)),
        (
            "loop_lag_seconds",
            "gauge",
            "How late the slowest loop was, of late at its worst.",
            round(server.admission.lag, 6),
        ),
        ("jobs_taken_total", "counter", "Jobs taken since the start.", counts.taken),
        ("jobs_refused_total", "counter", "Jobs refused since the start.", server.admission.refused),
        ("jobs_failed_total", "counter", "Jobs that failed.", counts.failed),
        ("handovers_total", "counter", "Sessions that one process left to another.", counts.handovers),
        ("last_handover_seconds", "gauge", "From one process to the next, the last time.", counts.last_handover),
        ("process_deaths_total", "counter", "Agent processes that died with calls.", counts.died),
        ("takeovers_total", "counter", "Sessions that another process went on with.", counts.takeovers),
        ("takeover_seconds_total", "counter", "Until they ran again, all together.", round(counts.takeover_seconds, 3)),
        ("takeover_last_seconds", "gauge", "Until the last one ran again.", round(counts.last_takeover, 3)),
        (
            "sessions_crash_looped_total",
            "counter",
            "Sessions that made process after process crash.",
            counts.crash_looped,
        ),
    ):
        yield f"{_head(name, kind, text)}antiphon_{name} {value}\n"
    yield _head("agent_lag_seconds", "gauge", "How late an agent process's core was, of late at its worst.")
    for child in children:
        yield f'antiphon_agent_lag_seconds{{pid="{child.pid}"}} {child.beat.lag:.6f}\n'
    yield _head("agent_memory_bytes", "gauge", "Memory of an agent process.")
    for child in children:
        yield f'antiphon_agent_memory_bytes{{pid="{child.pid}"}} {child.beat.rss}\n'
    yield _head("agent_sessions", "gauge", "Calls of an agent process.")
    for child in children:
        yield f'antiphon_agent_sessions{{pid="{child.pid}"}} {len(child.jobs)}\n'


def _head(name: str, kind: str, text: str) -> str:
    return f"# HELP antiphon_{name} {text}\n# TYPE antiphon_{name} {kind}\n"
