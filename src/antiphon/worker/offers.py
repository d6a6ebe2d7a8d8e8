"""Offers under way: from a job's offer to its assignment or its end. One of these belongs to one engine, on the core's loop.

Every offer ends in exactly one of four: it was refused, it was withdrawn, its job was assigned, or the connection that it came
by is gone (it is withdrawn then). A job is started once, by the assignment that follows its acceptance; whatever else the
server says of a job (twice, late, in another order, of one that it never offered) starts nothing and holds no slot.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from antiphon.worker import agent_protocol as proto
from antiphon.worker.engine import Acceptance, Assignment, JobOffer, Refusal, Worker

logger = logging.getLogger("antiphon")

ASSIGN_WITHIN = 7.5
"""Seconds from a job's acceptance until it has gone to somebody else."""
MOST_ANSWERING = 256
"""Offers that wait for the worker's answer; more are refused."""
MOST_GIVEN_UP = 1024


class Offers:
    """``send``: a message for the server. ``url``: where rooms are unless an assignment says otherwise."""

    def __init__(self, worker: Worker, send: Callable[[bytes], None], url: str) -> None:
        self._worker, self._send, self._url = worker, send, url
        self._answering: dict[str, asyncio.Task[None]] = {}
        self._accepted: dict[str, tuple[JobOffer, Acceptance, asyncio.TimerHandle]] = {}
        self._given_up: deque[str] = deque(maxlen=MOST_GIVEN_UP)
        """Accepted, and not assigned in time."""

    @property
    def under_way(self) -> int:
        """Offers that are neither refused nor assigned nor withdrawn."""
        return len(self._answering.keys() | self._accepted.keys())

    def offered(self, offer: JobOffer) -> None:
        """Ask the worker, and answer."""
        if offer.id in self._accepted:
            self._send(proto.accept(offer.id, self._accepted[offer.id][1]))
        elif offer.id in self._answering:
            return
        elif offer.id in self._worker.running() or len(self._answering) >= MOST_ANSWERING:
            self._send(proto.refuse(offer.id, Refusal()))
        else:
            task = asyncio.get_running_loop().create_task(self._answer(offer), name=f"offer {offer.id}")
            self._answering[offer.id] = task
            task.add_done_callback(lambda _: self._answered(offer.id, task))

    def assigned(self, job: str, url: str, token: str) -> None:
        """The server gives the job to this worker."""
        if job in self._accepted:
            offer, acceptance, timer = self._accepted.pop(job)
            timer.cancel()
            try:
                self._worker.assigned(Assignment(offer, acceptance, url or self._url, token))
            except Exception as error:  # one job's trouble is not the others'
                logger.exception("job %s cannot be started", job)
                self._send(proto.job_status(job, "failed", f"{type(error).__name__}: {error}"))
        elif job in self._given_up:
            self._given_up.remove(job)
            logger.warning("job %s was assigned too late: nobody takes it", job)
            self._send(proto.job_status(job, "failed", f"The assignment took longer than {ASSIGN_WITHIN} s."))

    def terminated(self, job: str) -> None:
        """The server ends the job, wherever it is."""
        if job in self._accepted:
            self._withdraw(job)
        elif job in self._answering:
            self._answering[job].cancel()
            self._send(proto.refuse(job, Refusal()))
        else:
            self._worker.terminated(job)

    def lost(self) -> None:
        """The connection is gone, and with it all that is under way."""
        for task in self._answering.values():
            task.cancel()
        for job in list(self._accepted):
            self._withdraw(job)
        self._given_up.clear()

    async def _answer(self, offer: JobOffer) -> None:
        try:
            answer = await self._worker.offered(offer)
            said = proto.accept(offer.id, answer) if isinstance(answer, Acceptance) else proto.refuse(offer.id, answer)
        except asyncio.CancelledError:
            self._worker.withdrawn(offer)
            raise
        except Exception:
            logger.exception("job %s cannot be answered: it is refused", offer.id)
            self._worker.withdrawn(offer)
            self._send(proto.refuse(offer.id, Refusal()))
            return
        if isinstance(answer, Acceptance):
            timer = asyncio.get_running_loop().call_later(ASSIGN_WITHIN, self._expired, offer.id)
            self._accepted[offer.id] = (offer, answer, timer)
        self._send(said)

    def _answered(self, job: str, task: asyncio.Task[None]) -> None:
        if self._answering.get(job) is task:
            del self._answering[job]

    def _expired(self, job: str) -> None:
        self._given_up.append(job)
        self._withdraw(job)

    def _withdraw(self, job: str) -> None:
        offer, _, timer = self._accepted.pop(job)
        timer.cancel()
        self._worker.withdrawn(offer)
