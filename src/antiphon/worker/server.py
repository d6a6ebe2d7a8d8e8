"""AgentServer: a worker as a program describes it: its entrypoints and its limits. ``Supervisor`` is one at work."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, Literal

import msgspec

from antiphon.errors import ConfigurationError
from antiphon.worker.engine import Acceptance, JobOffer, Refusal, WorkerPermissions
from antiphon.worker.served_job import Entrypoint
from antiphon.worker.store_choice import StoreChoice, check_store, store_file

OnRequest = Callable[[JobOffer], Acceptance | Refusal | Awaitable[Acceptance | Refusal | None] | None]
DRAIN_WITHIN = 3600.0
KEEP_ENDED = 30 * 86_400.0
HANG_TIMEOUT = 5.0
MIN_HANG_TIMEOUT = 2.0
LEASE_BEYOND_HANG = 3.0
"""Seconds that a lease outlives ``hang_timeout``: since its last renewal, for the stacks, for the process that goes on."""
LONGEST_LEASE = 20.0
"""Seconds: a line that nobody has attached to is closed soon after."""


class LiveKitServer(msgspec.Struct, frozen=True):
    """Where a LiveKit server is, and an API key of it."""

    url: str
    key: str
    secret: str

    def __repr__(self) -> str:
        return f"LiveKitServer({self.url!r})"

    @classmethod
    def known(cls, url: str = "", key: str = "", secret: str = "") -> LiveKitServer | None:
        """As ``from_environment``; ``None`` where neither says anything of a server. Raises ``ConfigurationError`` where they say a
        part."""
        said = any((url, key, secret)) or bool(os.environ.get("LIVEKIT_URL", "").strip())
        return cls.from_environment(url, key, secret) if said else None

    @classmethod
    def from_environment(cls, url: str = "", key: str = "", secret: str = "") -> LiveKitServer:
        """What is not given is taken from ``LIVEKIT_URL``, ``LIVEKIT_API_KEY`` and ``LIVEKIT_API_SECRET``. Raises
        ``ConfigurationError``."""
        found = {
            "LIVEKIT_URL": url,
            "LIVEKIT_API_KEY": key,
            "LIVEKIT_API_SECRET": secret,
        }
        made = {name: value or os.environ.get(name, "").strip() for name, value in found.items()}
        if missing := [name for name, value in made.items() if not value]:
            raise ConfigurationError(
                f"The LiveKit server is not known: {', '.join(missing)} is not set.",
                hint="Set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET; without a server: dev.",
            )
        import_module("antiphon.worker.server_address").server_address(made["LIVEKIT_URL"])
        return cls(*made.values())


class AgentServer:
    """A worker.

    ``max_sessions``: calls at once in one agent process. ``processes``: agent processes at most (default: one for each core; with
    ``isolation="process"``: ``max_sessions``). ``isolation``: ``shared``, many calls in a process, or ``process``, each in one of its own,
    of which ``idle_processes`` wait for the next calls. ``store``: where sessions are kept, so that another process goes on with the calls of
    one that dies: ``"sqlite:///calls.db"``, a path, a ``SessionStore``. ``keep_ended``: seconds that it keeps those that have ended (``None``:
    for ever). ``memory_limit``: MB of an agent process; with more it is
    ended. ``hang_timeout``: seconds without a sign of life after which it is. ``load_threshold``: from this load on no further call is taken.
    ``sessions_per_media_process``: calls whose sound shares a process, before another one is started.
    ``drain_timeout``: seconds that calls have to end by themselves when the worker is stopped. ``plane``: sound in a ``process`` of its own
    or in a ``thread`` of each agent process. ``on_request``: decides on each offer (``None``: taken as it is). ``permissions``: of the
    agent's participants.

    Raises ``ConfigurationError`` for what cannot be.
    """

    def __init__(
        self,
        *,
        max_sessions: int = 20,
        processes: int | None = None,
        isolation: Literal["shared", "process"] = "shared",
        idle_processes: int = 1,
        sessions_per_media_process: int = 10,
        store: StoreChoice | None = None,
        keep_ended: float | None = KEEP_ENDED,
        memory_limit: float | None = None,
        hang_timeout: float = HANG_TIMEOUT,
        load_threshold: float = 0.8,
        drain_timeout: float = DRAIN_WITHIN,
        plane: Literal["thread", "process"] = "process",
        on_request: OnRequest | None = None,
        permissions: WorkerPermissions | None = None,
    ) -> None:
        self.max_sessions, self.isolation, self.idle_processes = max_sessions, isolation, idle_processes
        self.most_processes = processes
        self.sessions_per_media_process = sessions_per_media_process
        self.store, self.keep_ended = store, keep_ended
        self.memory_limit, self.hang_timeout = memory_limit, hang_timeout
        self.load_threshold, self.drain_timeout = load_threshold, drain_timeout
        self.plane, self.on_request = plane, on_request
        self.permissions = permissions or WorkerPermissions()
        self.entrypoints: dict[str, Entrypoint] = {}
        """By agent name."""
        self.safe_entrypoint: Entrypoint | None = None
        """Of sessions that make processes crash; ``None``: the built-in one."""
        self.check()

    def check(self) -> None:
        """Raises ``ConfigurationError`` for a setting that cannot be."""
        least = {
            "max_sessions": self.max_sessions,
            "processes": self.most_processes,
            "idle_processes": self.idle_processes,
            "sessions_per_media_process": self.sessions_per_media_process,
            "memory_limit": self.memory_limit,
        }
        for name, value in least.items():
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} is less than 1.", hint="Leave it out, or allow one at least.")
        if not self.load_threshold > 0:
            raise ConfigurationError(
                f"load_threshold={self.load_threshold:g} would take no call.",
                hint="0.8 is the default, 1 a full machine.",
            )
        if not self.drain_timeout >= 0:
            raise ConfigurationError(
                f"drain_timeout={self.drain_timeout:g} is less than 0.", hint="Seconds; 0 ends the calls at once."
            )
        if self.keep_ended is not None and not self.keep_ended >= 0:
            raise ConfigurationError(
                f"keep_ended={self.keep_ended:g} is less than 0.", hint="Seconds; None keeps ended sessions for ever."
            )
        if self.isolation not in ("shared", "process"):
            raise ConfigurationError(
                f"There is no isolation {self.isolation!r}.", hint="It is 'shared' (many calls a process) or 'process'."
            )
        if self.hang_timeout < MIN_HANG_TIMEOUT:
            raise ConfigurationError(
                f"hang_timeout={self.hang_timeout:g} is too short.",
                hint=f"A process shows that it lives twice a second: hang_timeout is {MIN_HANG_TIMEOUT:g} s at least.",
            )
        if self.store is not None:
            check_store(self.store)

    @property
    def store_key(self) -> str:
        """Names the file that sessions are kept in, the same in all processes; empty where it is none."""
        return store_file(self.store) if self.store is not None else ""

    @property
    def lease_ttl(self) -> float:
        """Seconds that a session belongs to this worker without a renewal: so long that a process of it that hangs is replaced here before
        another worker may go on with its calls."""
        return min(LONGEST_LEASE, self.hang_timeout + LEASE_BEYOND_HANG)

    @property
    def sessions_a_process(self) -> int:
        """Calls at once in one agent process."""
        return 1 if self.isolation == "process" else self.max_sessions

    @property
    def processes(self) -> int:
        """Agent processes at most that serve calls."""
        return self.most_processes or (self.max_sessions if self.isolation == "process" else cores())

    @property
    def capacity(self) -> int:
        """Calls at once in all of them."""
        return self.processes * self.sessions_a_process

    def rtc_session(self, entrypoint: Entrypoint | None = None, *, agent_name: str = "") -> Any:
        """Serve jobs of ``agent_name`` by this entrypoint (a decorator, with or without arguments). Without a name: every new
        room has a job."""
        if entrypoint is None:
            return lambda given: self.rtc_session(given, agent_name=agent_name)
        if agent_name in self.entrypoints:
            what = f"for {agent_name!r}" if agent_name else "without a name"
            raise ConfigurationError(
                f"There is an entrypoint {what} already.", hint="Give each an agent_name of its own."
            )
        self.entrypoints[agent_name] = entrypoint
        return entrypoint

    def safe(self, entrypoint: Entrypoint) -> Entrypoint:
        """Serve by this entrypoint (a decorator) a call that made one process after the other crash: in the place of its own, once, then
        it is over. It should do little: say a word, transfer the call."""
        if self.safe_entrypoint is not None:
            raise ConfigurationError("There is a safe entrypoint already.", hint="A server has one for all its calls.")
        self.safe_entrypoint = entrypoint
        return entrypoint


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
