"""The calls from browsers: makes one for each page that says hello, finds the one that a page comes back to, ends all.

``serve`` runs on the loop of the web server; the calls themselves belong to the core's lane.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import uuid
from collections.abc import Coroutine
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeVar

from antiphon.audio.seam import PlaneLink
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.session.lanes import Lane
from antiphon.transport.webrtc.ice_servers import IceServer
from antiphon.web.admission import Admission, local
from antiphon.web.call import Call
from antiphon.web.call_job import Serve
from antiphon.web.http import CHECK, HEADERS, Request, Response, Socket, problem, static
from antiphon.web.ice import servers_of
from antiphon.web.messages import NORMAL, TOO_MANY, TRY_LATER, UNAUTHORISED, Ended, Hello, Problem
from antiphon.web.page import Page
from antiphon.web.settings import WebSettings
from antiphon.worker.runtime import default_runtime

T = TypeVar("T")
logger = logging.getLogger("antiphon")

LIBRARIES = ("aioice", "pylibsrtp", "OpenSSL", "opuslib_next")
"""What the leg is made of, from the extra ``webrtc``."""

CLOSE_WITHIN = 8.0
"""Seconds that all calls together get for their end: what is being said, then the session's own closing."""


class Calls:
    """``serve``: who serves each call. Raises ``ConfigurationError`` for settings that cannot be meant, and where the libraries
    of WebRTC are missing."""

    def __init__(self, serve: Serve, settings: WebSettings) -> None:
        need_webrtc()
        ice = import_module("antiphon.transport.webrtc.ice_settings").IceSettings
        ice(ports=settings.udp_ports, public_address=settings.public_address)  # says what is wrong with them
        self.settings = settings
        self.admission = Admission(settings)
        self.counts: dict[str, int] = {}
        """What was refused, by name."""
        self._serve = serve
        self._core: Lane | None = None
        self._here: Lane | None = None
        """Of the loop that serves the first request."""
        self._starting = asyncio.Lock()
        self._calls: dict[str, Call] = {}
        self._pages: set[Page] = set()
        self._closing = False
        self._empty: asyncio.Event | None = None

    # --- for the adapters, on the server's loop ------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """A request that is not for the socket."""
        if request.method not in ("GET", "HEAD"):
            return problem(405, "Only GET is answered here.")
        if request.path == CHECK:
            response = self.refusal(request, count=False) or Response(204, b"", dict(HEADERS))
        else:
            found = static(request, playground=self.settings.playground)
            response = found or problem(404, "There is no such page.")
        origin = request.headers.get("origin", "")
        if origin in self.settings.origins:
            response.headers.update({"Access-Control-Allow-Origin": origin, "Vary": "Origin"})
        return response

    def refusal(self, request: Request, *, count: bool = True) -> Response | None:
        """Why this request may not open the socket."""
        now = asyncio.get_running_loop().time()
        refused = self.admission.refusal(request, now, count=count)
        if refused is None and self._closing:
            refused = problem(503, "The server is shutting down.", retry_after=5.0)
        if refused is not None and count:
            self._count(f"refused_{refused.status}")
        return refused

    async def serve(self, request: Request, socket: Socket) -> None:
        """One page, from its hello until its socket is closed. The request has passed ``refusal``."""
        page = Page(self.admission.address(request), self.settings.limits, self.counts)
        self._pages.add(page)
        writing = asyncio.ensure_future(page.write_to(socket))
        core = self._on_core()
        reading = asyncio.ensure_future(self._read(page, request, socket, core))
        try:
            await asyncio.wait({writing, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and not writing.done():
                page.close(NORMAL)
                await asyncio.wait({writing}, timeout=1.0)
        finally:
            self._pages.discard(page)
            for task in (writing, reading):
                task.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)
            core.post(self._leave, page)  # last: nothing attaches the page any more

    async def _read(self, page: Page, request: Request, socket: Socket, core: Lane) -> None:
        hello = await page.hello(socket)
        if hello is None:
            return
        try:
            metadata = await self.admission.token(hello.token)
        except Exception:
            logger.exception("auth= raised; the page is refused")
            metadata = None
        if metadata is None:
            self._count("refused_401")
            page.tell(
                Problem("The token is not right.", "Open the address that the server printed.", recoverable=False)
            )
            page.close(UNAUTHORISED, "The token is not right.")
            return
        try:
            servers = await servers_of(self.settings.ice_servers)
        except Exception as error:
            logger.error("ice_servers: %s; the call is tried without", error)
            servers = ()
        call = await self._across(self._join(page, hello, metadata, servers, local(request)))
        if call is not None:
            await page.read_from(socket, call, core)

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    # --- the lanes -----------------------------------------------------------------------------------------------

    def _on_core(self) -> Lane:
        if self._core is None:
            here = self._here = Lane(asyncio.get_running_loop())
            self._core = here if self.settings.user_loop == "shared" else default_runtime().core
        return self._core

    async def _across(self, work: Coroutine[Any, Any, T]) -> T:
        core = self._on_core()
        if core.here():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, core.loop))

    async def prepare(self) -> None:
        """Start the media plane ahead of the first call. Raises ``AudioError`` or ``ModelMissingError``."""
        await self._across(self._running_plane())

    async def _running_plane(self) -> PlaneLink:
        form = self.settings.plane
        if not isinstance(form, str):
            return form
        async with self._starting:  # pages that come at once share one plane
            return await default_runtime().plane(form)

    # --- on the core's lane --------------------------------------------------------------------------------------

    async def _join(
        self, page: Page, hello: Hello, metadata: str, servers: tuple[IceServer, ...], loopback: bool
    ) -> Owner | None:
        """The page's call: the one it comes back to, or a new one. ``None``: it has been told why not."""
        call = self._find(hello.resume)
        if call is not None:
            call.attach(page, servers, resumed=True)
        elif hello.resume:
            page.tell(Ended.of("unknown_call"))
            page.close(NORMAL, "This call is over.")
            return None
        else:
            call = await self._new(page, metadata, servers, loopback)
        return None if call is None else Owner(self, call)

    async def _new(self, page: Page, metadata: str, servers: tuple[IceServer, ...], loopback: bool) -> Call | None:
        if self._closing or len(self._calls) >= self.settings.limits.sessions:
            self._refuse(page, "refused_503", TRY_LATER, "All lines are busy.", "Try again in a moment.", 10.0)
            return None
        if wait := self._call_wait(page):
            self._refuse(page, "refused_429", TOO_MANY, "Too many calls from this address.", "Wait a little.", wait)
            return None
        try:
            plane = await self._running_plane()
            core, here = self._on_core(), self._here
            assert here is not None
            call = Call(
                f"call_{uuid.uuid4().hex}",
                plane=plane,
                core=core,
                serve=lambda call: self._serve(call, core, here),
                settings=self.settings,
                metadata=metadata,
                over=self._over,
            )
            call.open(servers, loopback=loopback)
        except AntiphonError as error:
            logger.error("no call could be made: %s", error)
            text = error.message if self.settings.details else "The server cannot take calls now."
            self._refuse(page, "refused_500", TRY_LATER, text, error.hint if self.settings.details else "", 10.0)
            return None
        self._calls[call.id] = call
        logger.info("%s began (%s)", call.id, page.address)
        call.attach(page, servers, resumed=False)
        return call

    def _refuse(self, page: Page, what: str, code: int, error: str, hint: str, wait: float) -> None:
        self._count(what)
        page.tell(Problem(error, hint, recoverable=False, retry_after=round(wait, 1)))
        page.close(code, error)

    def _call_wait(self, page: Page) -> float:
        now = self._on_core().loop.time()
        return self.admission.offers.wait(page.address, now) or self.admission.calls.take(page.address, now)

    def offer_allowed(self, page: Page) -> bool:
        """Whether this address may make another offer; if not, the page is told when."""
        wait = self.admission.offers.take(page.address, self._on_core().loop.time())
        if wait:
            self._count("refused_429")
            page.tell(Problem("Too many offers from this address.", "Wait a little.", retry_after=round(wait, 1)))
        return not wait

    def _find(self, resume: str) -> Call | None:
        id, _, secret = resume.partition(".")
        call = self._calls.get(id)
        return call if call is not None and hmac.compare_digest(secret.encode(), call.secret.encode()) else None

    def _leave(self, page: Page) -> None:
        for call in list(self._calls.values()):
            call.detach(page)

    def _over(self, call: Call) -> None:
        self._calls.pop(call.id, None)
        logger.info("%s ended: %s", call.id, call.reason)
        if not self._calls and self._empty is not None:
            self._empty.set()

    # --- the end -------------------------------------------------------------------------------------------------

    @property
    def sessions(self) -> int:
        """Calls under way."""
        return len(self._calls)

    async def aclose(self, reason: str = "job_shutdown") -> None:
        """End all calls: what is being said is finished, pages are told why. Returns within ``CLOSE_WITHIN`` seconds.
        The plane is the runtime's and stays."""
        self._closing = True
        if self._core is not None:
            with suppress(TimeoutError):
                await self._across(self._end_all(reason))
        for page in list(self._pages):
            page.close(1001, "The server is shutting down.")

    async def _end_all(self, reason: str) -> None:
        if not self._calls:
            return
        self._empty = asyncio.Event()
        for call in list(self._calls.values()):
            call.end(reason, drain=True)
        try:
            async with asyncio.timeout(CLOSE_WITHIN - 3.0):
                await self._empty.wait()
        except TimeoutError:
            for call in list(self._calls.values()):
                call.end(reason)
            async with asyncio.timeout(3.0):
                await self._empty.wait()


def need_webrtc() -> None:
    """Raises ``ConfigurationError`` where a library of the leg's is missing."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"Calls from browsers need libraries that are missing ({', '.join(missing)}).",
            hint="pip install 'antiphon[webrtc]'",
        )


class Owner:
    """A page's way to its call: offers are counted on it."""

    def __init__(self, calls: Calls, call: Call) -> None:
        self._calls, self._call = calls, call

    def take(self, page: Page, kind: str, text: str) -> None:
        if kind != "offer" or self._calls.offer_allowed(page):
            self._call.take(page, kind, text)
