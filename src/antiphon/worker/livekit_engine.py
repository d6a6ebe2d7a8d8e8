"""The LiveKit engine: registers with a LiveKit server (self-hosted or Cloud) and takes its jobs. Runs on the core's loop.

A connection that is lost is made anew after a random wait (full jitter, so that a server that restarts is not met by all its
workers at once), for as long as the worker runs: jobs that run do not need it. What the server says of jobs is ``Offers``'.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import uuid
from collections.abc import Callable
from contextlib import suppress

import aiohttp

from antiphon import __version__
from antiphon.errors import ConfigurationError
from antiphon.worker import agent_protocol as proto
from antiphon.worker.engine import JobStatus, Refusal, Worker, WorkerPermissions
from antiphon.worker.offers import Offers
from antiphon.worker.room_token import sign
from antiphon.worker.server_address import server_address

logger = logging.getLogger("antiphon")

CONNECT_WITHIN = 10.0
"""Seconds until the server has answered, however far it came."""
REGISTER_WITHIN = 10.0
STATUS_EVERY = 2.5
HEARTBEAT = 15.0
"""Seconds between two pings; a server that answers none for half of that is gone."""
LONGEST_WAIT = 10.0
MOST_WAITING = 1024
TOKEN_FOR = 600
"""Seconds. A token is for one connection; clocks may differ by as much."""
SHORTEST_SECRET = 32
"""Characters of an API secret, as LiveKit servers ask for."""
TOO_BIG = 1009
"""How a WebSocket is closed for a message that is too long."""


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
        self._worker, self._url, self._key, self._secret = worker, server_address(url), key, secret
        self._permissions, self._jitter = permissions or WorkerPermissions(), jitter
        self._instance = uuid.uuid4().hex
        self._out: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue(MOST_WAITING)
        """Messages, and whether each outlives the connection."""
        self._offers = Offers(worker, self._send, str(self._url.with_scheme("wss" if self._secure else "ws")))
        self._known = False
        """The server has taken this key before."""
        self._closing = asyncio.Event()

    def __repr__(self) -> str:
        return f"LiveKitEngine({self._url}, agent_name={self.agent_name!r})"

    # --- Engine --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """See ``Engine``."""
        failed = 0
        self._warn()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
            while not self._closing.is_set():
                registered, reason, status = await self._connect(http)
                self._lost()
                if self._closing.is_set():
                    return
                if status in (401, 403) and not self._known:
                    raise ConfigurationError(
                        f"{self._url.host} does not know this API key, or its secret is another ({status}).",
                        hint="Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and this machine's clock.",
                    )
                self._worker.disconnected(reason)
                failed = 0 if registered else failed + 1
                wait = self._jitter() * min(LONGEST_WAIT, 0.5 * 2 ** min(failed, 10))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), wait)

    def report(self, job: str, status: JobStatus, error: str = "") -> None:
        """See ``Engine``. While there is no connection, jobs that end are remembered for the next; those that run are told
        anew with it."""
        self._send(proto.job_status(job, status, error), keep=status != "running")

    def load_changed(self) -> None:
        """See ``Engine``."""
        self._send(proto.status(self._worker.load()))

    async def aclose(self) -> None:
        """See ``Engine``."""
        self._closing.set()

    # --- one connection ------------------------------------------------------------------------------------------------

    def _warn(self) -> None:
        """Of what is unsafe where the server is not on this machine."""
        if _here(self._url.host or ""):
            return
        if len(self._secret) < SHORTEST_SECRET:
            logger.warning(
                "the API secret of %s is shorter than %d characters: it can be guessed", self._url.host, SHORTEST_SECRET
            )
        if not self._secure:
            logger.warning(
                "the connection to %s is not encrypted: use wss://, or a network of your own", self._url.host
            )

    @property
    def _secure(self) -> bool:
        return self._url.scheme == "https"

    def _token(self) -> str:
        video = {"agent": True, "canPublish": False, "canSubscribe": False, "canPublishData": False}
        return sign({"video": video}, key=self._key, secret=self._secret, lifetime=TOKEN_FOR)

    async def _connect(self, http: aiohttp.ClientSession) -> tuple[bool, str, int]:
        """One connection, to its end: whether the server took the registration, why it ended, and what the server answered
        instead (an HTTP status)."""
        host = self._url.host
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                socket = await http.ws_connect(
                    self._url / "agent",
                    headers={"Authorization": f"Bearer {self._token()}"},
                    heartbeat=HEARTBEAT,
                    max_msg_size=proto.MOST_MESSAGE,
                )
            async with socket:
                await self._serve(socket)
                if socket.close_code == TOO_BIG:
                    return False, f"{host} sent a message of more than {proto.MOST_MESSAGE} bytes.", 0
                return True, f"The server closed the connection ({socket.close_code}).", 0
        except aiohttp.WSServerHandshakeError as error:
            return False, f"{host} answers {error.status}: is this the address of a LiveKit server?", error.status
        except (aiohttp.ClientError, OSError, TimeoutError, proto.ProtocolError) as error:
            return False, f"{host} cannot be reached: {str(error) or type(error).__name__}", 0

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Until the connection ends."""
        await socket.send_bytes(
            proto.register(
                agent_name=self.agent_name,
                version=__version__,
                instance=self._instance,
                permissions=self._permissions,
            )
        )
        first = await asyncio.wait_for(socket.receive(), REGISTER_WITHIN)
        said = proto.read(first.data) if first.type is aiohttp.WSMsgType.BINARY else None
        if not isinstance(said, proto.Registered):
            raise proto.ProtocolError("The server did not answer the registration.")
        self.worker_id, self._known = said.worker_id, True
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

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            data, _ = await self._out.get()
            await socket.send_bytes(data)

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
        waited = [self._out.get_nowait() for _ in range(self._out.qsize())]
        for data, keep in waited:
            self._send(data, keep=keep)
        self._offers.lost()

    def _send(self, data: bytes, *, keep: bool = False) -> None:
        if (self.worker_id or keep) and not self._out.full():
            self._out.put_nowait((data, keep))

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
                self._offers.offered(offer)
            case proto.Assigned(job=job, url=url, token=token):
                self._offers.assigned(job, url, token)
            case proto.Terminated(job=job):
                self._offers.terminated(job)
            case _:
                return


def _here(host: str) -> bool:
    """Whether it is this machine: a server that was started for trying things out."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
