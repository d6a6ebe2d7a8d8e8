"""The HTTP client of all provider traffic: pooled sockets, deadlines, one streamed request.

Owns: ``aiohttp`` sessions (one per event loop) and every wait on a socket. Never: formats, retries.
"""

from __future__ import annotations

import asyncio
import ipaddress
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Container
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import ClientMiddlewareType
from yarl import URL

from antiphon.errors import ModelError
from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.wire.deadlines import Deadlines as Deadlines
from antiphon.wire.faults import Service, connection_error, deadline_error, status_error
from antiphon.wire.per_loop import PerLoop
from antiphon.wire.sse import SSEParser, SSEvent

ERROR_BODY = 64 * 1024
"""Bytes of an error's body that are read."""
WHOLE_BODY = 16 * 1024 * 1024
"""Bytes of an answer that is not a stream."""
WHOLE_STREAM = 64 * 1024 * 1024
"""Bytes of one stream: an answer that is longer does not end."""
DRAIN = 0.05
"""Seconds that the end of an answer may take to arrive after its last event."""


class HttpPool:
    """Sockets kept open between requests. Used from several event loops it keeps one session for each."""

    def __init__(
        self, *, keepalive: float = 60.0, middlewares: tuple[ClientMiddlewareType, ...] = (), decompress: bool = True
    ) -> None:
        self._keepalive, self._middlewares, self._decompress = keepalive, middlewares, decompress
        self._sessions = PerLoop(
            self._new_session,
            lambda session: session.close(),
            spent=lambda session: session.closed,
            forget=lambda session: session.detach(),
        )

    def session(self) -> aiohttp.ClientSession:
        """The running loop's session, made on first use."""
        return self._sessions.here()

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=self._keepalive),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=self._decompress,
            middlewares=self._middlewares,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def aclose(self) -> None:
        """Close every socket. Sessions of other running loops are closed on their own loop."""
        await self._sessions.aclose()


class Stream:
    """A running request whose answer is read event by event."""

    def __init__(
        self, response: aiohttp.ClientResponse, service: Service, deadlines: Deadlines, first_by: float
    ) -> None:
        self._response = response
        self._service = service
        self._deadlines = deadlines
        self._due, self._what, self._limit = first_by, "token", deadlines.first

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    async def drain(self) -> None:
        """Read over what is left, if it comes at once: only a socket at its answer's end can be used again."""
        try:
            async with asyncio.timeout(DRAIN):
                await read_body(self._response, WHOLE_BODY)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return

    def progressed(self, what: str = "further token") -> None:
        """A piece of the answer has come: the next one, ``what`` is waited for, has its own time."""
        now = asyncio.get_running_loop().time()
        self._due, self._what, self._limit = now + self._deadlines.between, what, self._deadlines.between

    async def events(self) -> AsyncGenerator[SSEvent, None]:
        """The events; an answer that is not a stream is one event. Raises ``ModelError``, also when nothing has
        ``progressed`` in time, whatever else arrives."""
        if self._response.content_type != "text/event-stream":
            yield SSEvent(data=await self._whole())
            return
        parser = SSEParser()
        size = 0
        while chunk := await self._next():
            size += len(chunk)
            if size > WHOLE_STREAM:
                raise ModelError(f"{self._service.name} sent an answer that does not end.", retryable=False)
            for event in parser.feed(chunk):
                yield event
        for event in parser.close():
            yield event

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives, whatever it is. Raises ``ModelError``."""
        while chunk := await self._next():
            yield chunk
            self.progressed("further data")

    async def body(self, limit: int = WHOLE_BODY) -> bytes:
        """The whole body, cut after ``limit`` bytes. Raises ``ModelError``."""
        try:
            async with asyncio.timeout_at(self._due):
                return await read_body(self._response, limit)
        except TimeoutError:
            raise deadline_error(self._service, "answer", self._limit) from None
        except (aiohttp.ClientError, OSError) as error:
            raise connection_error(self._service, error) from None

    async def _next(self) -> bytes:
        """What has arrived; nothing at the end."""
        try:
            async with asyncio.timeout_at(self._due):
                # What has arrived already is given without a wait: a flood would hold up the deadline and all else.
                await asyncio.sleep(0)
                return await self._response.content.readany()
        except TimeoutError:
            raise deadline_error(self._service, self._what, self._limit) from None
        except (aiohttp.ClientError, OSError) as error:
            raise connection_error(self._service, error) from None

    async def _whole(self) -> str:
        body = await self.body()
        if self._response.content_type != "application/json":
            raise ModelError(
                f"{self._service.base_url} answered with {self._response.content_type}, not with a stream of events.",
                hint="Is this the base URL of the service's API? An OpenAI-compatible one usually ends in /v1.",
                retryable=False,
            )
        return body.decode("utf-8", "replace")


@asynccontextmanager
async def open_stream(
    pool: HttpPool,
    service: Service,
    request: WireRequest,
    *,
    headers: dict[str, str],
    deadlines: Deadlines,
    fault: Callable[[bytes], ServiceFault],
    statuses: Container[int] = range(200, 300),
) -> AsyncIterator[Stream]:
    """Send ``request`` and hand over the answer. Leaving the block, for whatever reason, frees the socket at once.

    Raises ``ModelError`` for a connection that fails, a deadline that passes, a status that is not in
    ``statuses``.
    """
    url = service.base_url.rstrip("/") + request.path
    timeout = aiohttp.ClientTimeout(total=None, connect=deadlines.connect)
    response: aiohttp.ClientResponse | None = None
    first_by = asyncio.get_running_loop().time() + deadlines.first
    try:
        try:
            async with asyncio.timeout_at(first_by):
                response = await pool.session().request(
                    request.method,
                    url,
                    data=request.body or None,
                    headers={
                        "Accept": "text/event-stream",
                        "Accept-Encoding": "identity",
                        **request.headers,
                        **headers,
                    },
                    timeout=timeout,
                    allow_redirects=False,
                    proxy=proxy_for(url),
                )
                encoding = response.headers.get("Content-Encoding", "identity")
                if encoding.lower() != "identity":
                    raise ModelError(
                        f"{service.name} at {service.base_url} answered in {encoding[:20]!r}, which was not asked for.",
                        hint="Does a proxy compress its answers?",
                        retryable=False,
                    )
                if response.status not in statuses:
                    body = await read_body(response, ERROR_BODY)
                    raise status_error(service, response.status, response.headers, fault(body))
        except aiohttp.ConnectionTimeoutError:
            raise deadline_error(service, "connection", deadlines.connect) from None
        except TimeoutError:
            raise deadline_error(service, "answer", deadlines.first) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise connection_error(service, error) from None
        yield Stream(response, service, deadlines, first_by)
    finally:
        if response is not None:
            # An answer read to its end has given its socket back to the pool already; any other is cut here.
            response.close()


async def probe(
    pool: HttpPool,
    service: Service,
    request: WireRequest,
    *,
    headers: dict[str, str],
    deadlines: Deadlines,
    fault: Callable[[bytes], ServiceFault],
    wrong_key: Container[int] = (401,),
) -> None:
    """Open a connection and leave it in the pool. Whatever is answered shows that the service is there, but for the statuses of a
    ``wrong_key``.

    Raises ``ModelError`` when the service cannot be reached or does not know the key.
    """
    headers = {"Accept": "application/json", **headers}
    async with open_stream(
        pool, service, request, headers=headers, deadlines=deadlines, fault=fault, statuses=range(200, 600)
    ) as stream:
        if stream.status in wrong_key:
            raise status_error(service, stream.status, {}, ServiceFault())
        await stream.drain()


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, cut after ``limit`` bytes."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def proxy_for(url: str) -> str | None:
    """The proxy the environment names for ``url``; never one for this machine's own servers."""
    parts = URL(url)
    host = parts.host or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if local or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)
