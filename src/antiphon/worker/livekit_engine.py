"""The LiveKit engine: registers with a LiveKit server (self-hosted or Cloud) and takes its jobs. Runs on the core's loop.

A connection that is lost is made anew after a random wait (full jitter, so that a server that restarts is not met by all its
workers at once), for as long as the worker runs: jobs that run do not need it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Callable
from contextlib import suppress

import aiohttp
from yarl import URL

from antiphon import __version__
from antiphon.errors import ConfigurationError
from antiphon.worker import agent_protocol as proto
from antiphon.worker.engine import Acceptance, Assignment, JobOffer, JobStatus, Refusal, Worker, WorkerPermissions
from antiphon.worker.room_token import sign

logger = logging.getLogger("antiphon")

CONNECT_WITHIN = 10.0
REGISTER_WITHIN = 10.0
ASSIGN_WITHIN = 7.5
"""Seconds from a job's acceptance until it has gone to somebody else."""
STATUS_EVERY = 2.5
HEARTBEAT = 15.0
"""Seconds between two pings; a server that answers none for half of that is gone."""
LONGEST_WAIT = 10.0
MOST_WAITING = 1024


class LiveKitEngine:
    """``url``: ws(s) or http(s). ``agent_name``: under which jobs are dispatched explicitly; empty: every new room has one.
    ``jitter``: a random number from 0 to 1."""

    def __init__(
        self,
        worker: Worker,
        *,
        url: str,
        key: str,
        secret: str,
        agent_name: str = "",
        permissions: WorkerPermissions | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.agent_name = agent_name
        self.worker_id = ""
        """As the server calls this worker; empty while it is not registered."""
        self._worker, self._url, self._key, self._secret = worker, _base(url), key, secret
        self._permissions, self._jitter = permissions or WorkerPermissions(), jitter
        self._instance = uuid.uuid4().hex
        self._out: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
        self._accepted: dict[str, tuple[JobOffer, Acceptance, asyncio.TimerHandle]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    def __repr__(self) -> str:
        return f"LiveKitEngine({self._url}, agent_name={self.agent_name!r})"

    # --- Engine --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """See ``Engine``."""
        failed = 0
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_WITHIN)) as http:
            while not self._closing.is_set():
                registered = False
                try:
                    async with http.ws_connect(
                        self._url / "agent",
                        headers={"Authorization": f"Bearer {self._token()}"},
                        heartbeat=HEARTBEAT,
                        max_msg_size=proto.MOST_MESSAGE,
                    ) as socket:
                        registered = await self._serve(socket)
                        reason = f"The server closed the connection ({socket.close_code})."
                except aiohttp.WSServerHandshakeError as error:
                    if error.status in (401, 403):
                        raise ConfigurationError(
                            f"{self._url.host} does not know this API key, or its secret is another ({error.status}).",
                            hint="Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET.",
                        ) from error
                    reason = f"{self._url.host} answers {error.status}: is this the address of a LiveKit server?"
                except (aiohttp.ClientError, OSError, TimeoutError, proto.ProtocolError) as error:
                    reason = f"{self._url.host} cannot be reached: {error or type(error).__name__}"
                self._lost()
                if self._closing.is_set():
                    return
                self._worker.disconnected(reason)
                failed = 0 if registered else failed + 1
                wait = self._jitter() * min(LONGEST_WAIT, 0.5 * 2 ** min(failed, 10))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), wait)

    def report(self, job: str, status: JobStatus, error: str = "") -> None:
        """See ``Engine``. Dropped while there is no connection: jobs that run are told anew with the next."""
        self._send(proto.job_status(job, status, error))

    def load_changed(self) -> None:
        """See ``Engine``."""
        self._send(proto.status(self._worker.load()))

    async def aclose(self) -> None:
        """See ``Engine``."""
        self._closing.set()

    # --- one connection ------------------------------------------------------------------------------------------------

    def _token(self) -> str:
        return sign({"video": {"agent": True}}, key=self._key, secret=self._secret, lifetime=3600)

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> bool:
        """Until the connection ends. True: the server took the registration."""
        await socket.send_bytes(
            proto.register(
                agent_name=self.agent_name,
                version=__version__,
                instance=self._instance,
                permissions=self._permissions,
            )
        )
        first = await asyncio.wait_for(socket.receive(), REGISTER_WITHIN)
        if first.type is not aiohttp.WSMsgType.BINARY:
            return False
        said = proto.read(first.data)
        if not isinstance(said, proto.Registered):
            raise proto.ProtocolError("The server did not answer the registration.")
        self.worker_id = said.worker_id
        if jobs := self._worker.running():
            self._send(proto.still_running(jobs))
        self.load_changed()
        self._worker.connected(said.worker_id)
        talking = [
            asyncio.create_task(self._write(socket), name="engine: write"),
            asyncio.create_task(self._tell_load(), name="engine: load"),
            asyncio.create_task(self._closed(socket), name="engine: close"),
        ]
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._take(message.data)
        finally:
            for task in talking:
                task.cancel()
            await asyncio.gather(*talking, return_exceptions=True)
        return True

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await socket.send_bytes(await self._out.get())

    async def _tell_load(self) -> None:
        while True:
            await asyncio.sleep(STATUS_EVERY)
            self.load_changed()

    async def _closed(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await self._closing.wait()
        await socket.close()

    def _lost(self) -> None:
        """What belongs to the connection that is gone."""
        self.worker_id = ""
        while not self._out.empty():
            self._out.get_nowait()
        for task in self._answering:
            task.cancel()
        for job in list(self._accepted):
            self._withdraw(job)

    def _send(self, data: bytes) -> None:
        if self.worker_id and not self._out.full():
            self._out.put_nowait(data)

    # --- what the server says ------------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        try:
            said = proto.read(data)
        except proto.RefusedOfferError as error:
            logger.warning("job %s is refused: %s", error.job, error)
            self._send(proto.refuse(error.job, Refusal(terminate=True)))
            return
        match said:
            case proto.Offered(offer=offer):
                task = asyncio.get_running_loop().create_task(self._answer(offer), name=f"offer {offer.id}")
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case proto.Assigned(job=job, url=url, token=token):
                self._assigned(job, url, token)
            case proto.Terminated(job=job):
                self._worker.terminated(job)
            case _:
                return

    async def _answer(self, offer: JobOffer) -> None:
        answer = await self._worker.offered(offer)
        if isinstance(answer, Refusal):
            self._send(proto.refuse(offer.id, answer))
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(ASSIGN_WITHIN, self._withdraw, offer.id)
        self._accepted[offer.id] = (offer, answer, timer)
        self._send(proto.accept(offer.id, answer))

    def _withdraw(self, job: str) -> None:
        offer, _, timer = self._accepted.pop(job)
        timer.cancel()
        self._worker.withdrawn(offer)

    def _assigned(self, job: str, url: str, token: str) -> None:
        if job not in self._accepted:
            return  # too late, twice, or never offered: it is somebody else's
        offer, acceptance, timer = self._accepted.pop(job)
        timer.cancel()
        where = url or str(self._url.with_scheme("wss" if self._url.scheme == "https" else "ws"))
        self._worker.assigned(Assignment(offer, acceptance, where, token))


def _base(url: str) -> URL:
    """The server's address by http(s). Raises ``ConfigurationError``."""
    try:
        made = URL(url)
        known = made.scheme in ("ws", "wss", "http", "https") and bool(made.host)
    except ValueError:
        known = False
    if not known:
        raise ConfigurationError(
            f"{url!r} is not the address of a LiveKit server.",
            hint="Write LIVEKIT_URL=wss://HOST or ws://127.0.0.1:7880.",
        )
    return made.with_scheme({"ws": "http", "wss": "https"}.get(made.scheme, made.scheme))
