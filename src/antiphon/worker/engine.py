"""Engines: who offers jobs to a worker. The contract between one (``LiveKitEngine``, ``BrowserEngine``) and the worker that serves
(``Registration``, for its ``Supervisor``).

An engine knows the dispatcher's protocol and its connection; it decides nothing: whether a job is taken, and what is told of
this worker's load, are the worker's answers.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import msgspec

JobStatus = Literal["running", "success", "failed"]


class JobOffer(msgspec.Struct, frozen=True):
    """A job as a dispatcher describes it. ``participant``: identity of the one it is about, where it is about one.
    ``metadata``, ``attributes``: the dispatch's. ``resuming``: the job ran before, elsewhere."""

    id: str
    room: str
    room_sid: str = ""
    room_metadata: str = ""
    participant: str = ""
    agent_name: str = ""
    metadata: str = ""
    attributes: dict[str, str] = {}
    dispatch_id: str = ""
    resuming: bool = False


class Acceptance(msgspec.Struct, frozen=True):
    """The agent's participant in the room."""

    identity: str
    name: str = ""
    metadata: str = ""
    attributes: dict[str, str] = {}


class WorkerPermissions(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent's participant may do in its rooms. ``hidden``: nobody sees it there (an agent that only listens: without a
    voice, ``can_publish=False`` and ``RoomOptions(audio_output=False)``)."""

    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_update_metadata: bool = True
    hidden: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """``terminate``: nobody else shall be asked either."""

    terminate: bool = False


class Assignment(msgspec.Struct, frozen=True):
    """The job is this worker's: where its room is, and the token to join it. ``line``: a browser's call instead, whose line is
    open in the media process that listens at ``media``; its leg's signals stay with the engine."""

    offer: JobOffer
    acceptance: Acceptance
    url: str
    token: str
    line: str = ""
    media: str = ""

    def __repr__(self) -> str:
        return f"Assignment({self.offer!r}, {self.acceptance!r}, {self.url!r})"


class Load(msgspec.Struct, frozen=True):
    """``value``: 0 (idle) to 1 (nothing more can be taken). ``jobs``: running now. ``open``: another one may be offered. ``draining``: none ever
    will be again."""

    value: float = 0.0
    jobs: int = 0
    open: bool = True
    draining: bool = False


class Worker(Protocol):
    """What an engine asks of whoever serves. Called on the core's lane."""

    def load(self) -> Load: ...

    async def offered(self, offer: JobOffer) -> Acceptance | Refusal: ...

    def assigned(self, assignment: Assignment) -> None: ...

    def withdrawn(self, offer: JobOffer) -> None:
        """The offer came to nothing: what was accepted did not come, or nobody waits for the answer any more. Also told of an
        offer that ``offered`` had not promised anything for yet."""
        ...

    def terminated(self, job: str, reason: str = "", *, drain: bool = False) -> None:
        """End this job; one that does not run here is none of this worker's. ``reason``: empty
        where the dispatcher says none. ``drain``: after what is being said."""
        ...

    def running(self) -> list[str]:
        """Ids of the jobs that run."""
        ...

    def connected(self, worker_id: str) -> None: ...

    def disconnected(self, reason: str) -> None: ...


class Engine(Protocol):
    """One connection to a dispatcher."""

    async def run(self) -> None:
        """Serve until ``aclose``. Raises ``ConfigurationError`` for what waiting does not mend: a key that was never known. One
        that was known and is not any more is tried on: jobs may run."""
        ...

    def report(self, job: str, status: JobStatus, error: str = "") -> None:
        """Tell how a job goes."""
        ...

    def load_changed(self) -> None:
        """Tell the load now, not at its next time."""
        ...

    async def aclose(self) -> None:
        """Leave the dispatcher."""
        ...


@runtime_checkable
class Pages(Protocol):
    """An engine whose callers have a page that shows what is said."""

    def show(self, job: str, text: str) -> None:
        """A message for the page of this job, as JSON."""
        ...
