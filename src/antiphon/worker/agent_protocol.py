"""The LiveKit agent protocol (``livekit_agent.proto``) as plain data: what a worker and a server say to each other, from and to
protobuf. No socket, no clock.

What is not known is skipped, as the protocol's newer fields are to an older server; what is malformed raises ``ProtocolError``.
"""

from __future__ import annotations

import unicodedata

import msgspec
from google.protobuf.message import DecodeError
from livekit.protocol import agent, models

from antiphon.errors import AntiphonError
from antiphon.worker.engine import Acceptance, JobOffer, JobStatus, Load, Refusal, WorkerPermissions

MOST_MESSAGE = 2 * 1024 * 1024
"""Bytes of one message, as the server has it."""
MOST_METADATA = 512 * 1024
"""Bytes of a job's metadata, and of its room's."""
MOST_ATTRIBUTES = 64 * 1024
"""Bytes of a job's attributes, names and values together."""
MOST_NAME = 256
"""Bytes of a room's, participant's, agent's or job's name."""

TARGET_LOAD = 0.7
"""``agents.target_load`` of a LiveKit server, as it comes."""

_STATUS = {"running": agent.JS_RUNNING, "success": agent.JS_SUCCESS, "failed": agent.JS_FAILED}


class ProtocolError(AntiphonError):
    """A message of the dispatcher that is not what its protocol says."""


class Registered(msgspec.Struct, frozen=True):
    worker_id: str
    version: str = ""


class Offered(msgspec.Struct, frozen=True):
    offer: JobOffer


class Assigned(msgspec.Struct, frozen=True):
    """``url`` empty: the server's own."""

    job: str
    url: str
    token: str

    def __repr__(self) -> str:
        return f"Assigned({self.job!r}, {self.url!r})"


class Terminated(msgspec.Struct, frozen=True):
    job: str


AnyFromServer = Registered | Offered | Assigned | Terminated


def read(data: bytes) -> AnyFromServer | None:
    """A server's message; ``None``: of a kind that is nothing to us. Raises ``ProtocolError``."""
    if len(data) > MOST_MESSAGE:
        raise ProtocolError(f"A message of {len(data)} bytes is longer than the protocol allows.")
    message = agent.ServerMessage()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ProtocolError(f"This is no message of the agent protocol: {error}.") from error
    match message.WhichOneof("message"):
        case "register":
            worker = message.register.worker_id
            if not worker or _unfit(worker):
                raise ProtocolError("The server gave this worker no proper id.")
            return Registered(worker, message.register.server_info.version)
        case "availability":
            return Offered(_offer(message.availability))
        case "assignment":
            given = message.assignment
            return Assigned(given.job.id, given.url if given.HasField("url") else "", given.token)
        case "termination":
            return Terminated(message.termination.job_id)
        case _:
            return None


def _offer(asked: agent.AvailabilityRequest) -> JobOffer:
    job = asked.job
    if not job.id or _unfit(job.id):
        raise ProtocolError("The server offered a job without a proper id.")
    if not job.room.name:
        raise RefusedOfferError(job.id, "The job has no room.")
    for what, text in (
        ("room's name", job.room.name),
        ("room's id", job.room.sid),
        ("participant's name", job.participant.identity),
        ("agent's name", job.agent_name),
        ("dispatch's id", job.dispatch_id),
    ):
        if _unfit(text):
            raise RefusedOfferError(job.id, f"The {what} is too long or has control characters in it.")
    for what, text in (("job", job.metadata), ("room", job.room.metadata)):
        if len(text.encode()) > MOST_METADATA:
            raise RefusedOfferError(job.id, f"The {what}'s metadata is longer than {MOST_METADATA} bytes.")
    if sum(len(name.encode()) + len(value.encode()) for name, value in job.attributes.items()) > MOST_ATTRIBUTES:
        raise RefusedOfferError(job.id, f"The job's attributes are longer than {MOST_ATTRIBUTES} bytes.")
    return JobOffer(
        id=job.id,
        room=job.room.name,
        room_sid=job.room.sid,
        room_metadata=job.room.metadata,
        participant=job.participant.identity,
        agent_name=job.agent_name,
        metadata=job.metadata,
        attributes=dict(job.attributes),
        dispatch_id=job.dispatch_id,
        resuming=asked.resuming,
    )


def _unfit(name: str) -> bool:
    """Too long for a name, or with what would break a line of a log."""
    return len(name.encode()) > MOST_NAME or any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in name)


class RefusedOfferError(ProtocolError):
    """An offer that must not be taken; ``job``: which."""

    def __init__(self, job: str, message: str) -> None:
        super().__init__(message)
        self.job = job


# --- what a worker says ----------------------------------------------------------------------------------------------


def register(*, agent_name: str, version: str, instance: str, permissions: WorkerPermissions) -> bytes:
    """The first message."""
    message = agent.WorkerMessage()
    message.register.type = agent.JT_ROOM
    message.register.agent_name = agent_name
    message.register.version = version
    message.register.instance_id = instance
    message.register.allowed_permissions.CopyFrom(
        models.ParticipantPermission(
            can_publish=permissions.can_publish,
            can_subscribe=permissions.can_subscribe,
            can_publish_data=permissions.can_publish_data,
            can_update_metadata=permissions.can_update_metadata,
            hidden=permissions.hidden,
            agent=True,
        )
    )
    return bytes(message.SerializeToString())


def accept(job: str, acceptance: Acceptance) -> bytes:
    message = agent.WorkerMessage()
    answer = message.availability
    answer.job_id, answer.available = job, True
    answer.participant_identity = acceptance.identity
    answer.participant_name = acceptance.name
    answer.participant_metadata = acceptance.metadata
    answer.participant_attributes.update(acceptance.attributes)
    return bytes(message.SerializeToString())


def refuse(job: str, refusal: Refusal) -> bytes:
    message = agent.WorkerMessage()
    message.availability.job_id, message.availability.available = job, False
    message.availability.terminate = refusal.terminate
    return bytes(message.SerializeToString())


def status(load: Load) -> bytes:
    """A server offers nothing from its own target load (0.7) on, whatever the worker says it can take: an open worker is
    always below."""
    message = agent.WorkerMessage()
    report = message.update_worker
    report.status = agent.WS_AVAILABLE if load.open else agent.WS_FULL
    report.load = TARGET_LOAD * min(load.value, 0.99) if load.open else 1.0
    report.job_count, report.draining = load.jobs, load.draining
    return bytes(message.SerializeToString())


def job_status(job: str, status: JobStatus, error: str = "") -> bytes:
    message = agent.WorkerMessage()
    message.update_job.job_id, message.update_job.status = job, _STATUS[status]
    message.update_job.error = error[:1024].encode(errors="replace").decode()
    return bytes(message.SerializeToString())


def still_running(jobs: list[str]) -> bytes:
    """After a new connection: these jobs go on here."""
    message = agent.WorkerMessage()
    message.migrate_job.job_ids.extend(jobs)
    return bytes(message.SerializeToString())
