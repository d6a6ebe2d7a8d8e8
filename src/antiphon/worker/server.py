"""AgentServer: a worker as a program describes it: its entrypoints and its limits. ``RunningServer`` is one at work."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from antiphon.errors import ConfigurationError
from antiphon.worker.engine import Acceptance, JobOffer, Refusal
from antiphon.worker.served_job import Entrypoint

OnRequest = Callable[[JobOffer], Acceptance | Refusal | Awaitable[Acceptance | Refusal | None] | None]
DRAIN_WITHIN = 3600.0


class LiveKitServer(msgspec.Struct, frozen=True):
    """Where a LiveKit server is, and an API key of it."""

    url: str
    key: str
    secret: str

    def __repr__(self) -> str:
        return f"LiveKitServer({self.url!r})"

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
        return cls(*made.values())


class AgentServer:
    """A worker.

    ``max_sessions``: calls at once in this process. ``load_threshold``: from this load on no further call is taken.
    ``drain_timeout``: seconds that calls have to end by themselves when the worker is stopped. ``plane``: sound as a
    ``process`` or a ``thread``. ``on_request``: decides on each offer (``None``: taken as it is).
    """

    def __init__(
        self,
        *,
        max_sessions: int = 20,
        load_threshold: float = 0.8,
        drain_timeout: float = DRAIN_WITHIN,
        plane: Literal["thread", "process"] = "process",
        on_request: OnRequest | None = None,
    ) -> None:
        if max_sessions < 1:
            raise ConfigurationError("max_sessions is less than 1.", hint="Leave it out, or allow one call at least.")
        self.max_sessions, self.load_threshold, self.drain_timeout = max_sessions, load_threshold, drain_timeout
        self.plane, self.on_request = plane, on_request
        self.entrypoints: dict[str, Entrypoint] = {}
        """By agent name."""

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
