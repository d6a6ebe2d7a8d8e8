"""``WebRTC``: calls from browsers, in a web application of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from antiphon.audio.seam import PlaneLink
from antiphon.errors import ConfigurationError
from antiphon.web.admission import MINUTE
from antiphon.web.call_job import locally
from antiphon.web.calls import Calls
from antiphon.web.ice import IceSource
from antiphon.web.settings import Auth, WebRTCLimits, WebSettings

if TYPE_CHECKING:
    from antiphon.web.asgi import AsgiApp
    from antiphon.worker.served_job import Entrypoint

LONGEST_RESUME = 15 * MINUTE


class WebRTC:
    """Answers browsers: each page that calls gets a leg and a session, and the entrypoint runs for it.

    ``ice_servers``: STUN and TURN servers for page and leg, or a function that gives them for each page
    (``turn_credentials`` makes passwords that expire); none are used that are not named. ``udp_ports``: first and last port for the sound
    (unset: the system chooses); ``public_address``: this machine's, where a 1:1 NAT hides it; ``relay_only``: sound goes through
    TURN servers alone. ``auth``: the token that a page has
    to show, or a function that judges it (on the loop that serves); unset: only this machine may call; ``False``:
    everybody. ``origins``: further origins (``https://shop.example.com``) whose pages may call, besides the server's own.
    ``resume_window``: seconds in which a page may come back to its call; a session that sets no ``party_grace`` of its own
    gets it. ``limits``: see ``WebRTCLimits``. ``proxies``: how many reverse proxies of yours are in front (their
    ``X-Forwarded-For`` is believed). ``playground``: serve the playground page too. ``plane``: where sound runs. ``folder``:
    where each call leaves its event log and report, and, with ``record``, its recording. ``details``: tell pages of errors
    as they are (for development).
    """

    def __init__(
        self,
        *,
        ice_servers: IceSource = (),
        udp_ports: tuple[int, int] | None = None,
        public_address: str = "",
        relay_only: bool = False,
        auth: Auth = None,
        origins: Sequence[str] = (),
        resume_window: float = 60.0,
        limits: WebRTCLimits | None = None,
        proxies: int = 0,
        playground: bool = True,
        plane: Literal["thread", "process"] | PlaneLink = "process",
        user_loop: Literal["own", "shared"] = "own",
        folder: str = "",
        record: bool = False,
        details: bool = False,
    ) -> None:
        if not 0 < resume_window <= LONGEST_RESUME:
            raise ConfigurationError(
                f"resume_window={resume_window:g} is no use.", hint=f"Give seconds, at most {LONGEST_RESUME:g}."
            )
        if auth == "":
            raise ConfigurationError(
                "auth= is empty.", hint="Give a token or a function; auth=False lets everybody call."
            )
        if record and not folder:
            raise ConfigurationError("record=True needs folder=.", hint="Recordings are written there.")
        self.settings = WebSettings(
            ice_servers=ice_servers,
            udp_ports=udp_ports,
            public_address=public_address,
            relay_only=relay_only,
            auth=auth,
            origins=tuple(origin.rstrip("/") for origin in origins),
            resume_window=resume_window,
            limits=limits or WebRTCLimits(),
            proxies=proxies,
            playground=playground,
            plane=plane,
            user_loop=user_loop,
            folder=folder,
            record=record,
            details=details,
        )
        self._calls: list[Calls] = []

    def routes(self, entrypoint: Entrypoint, path: str = "/") -> list[Any]:
        """Routes for aiohttp: ``app.add_routes(webrtc.routes(entrypoint, "/voice"))``."""
        found: list[Any] = import_module("antiphon.web.aiohttp_routes").aiohttp_routes(self._serve(entrypoint), path)
        return found

    def asgi(self, entrypoint: Entrypoint) -> AsgiApp:
        """An ASGI application for FastAPI and Starlette: ``app.mount("/voice", webrtc.asgi(entrypoint))``."""
        app: AsgiApp = import_module("antiphon.web.asgi").asgi_app(self._serve(entrypoint))
        return app

    def _serve(self, entrypoint: Entrypoint) -> Calls:
        calls = Calls(locally(entrypoint, self.settings), self.settings)
        self._calls.append(calls)
        return calls

    @property
    def sessions(self) -> int:
        """Calls under way."""
        return sum(calls.sessions for calls in self._calls)

    @property
    def refused(self) -> dict[str, int]:
        """What was refused so far, by name."""
        total: dict[str, int] = {}
        for calls in self._calls:
            for name, count in calls.counts.items():
                total[name] = total.get(name, 0) + count
        return total

    async def aclose(self, *_: object) -> None:
        """End all calls: what is being said is finished, pages are told. For ``app.on_shutdown`` or a lifespan. Returns
        within 8 s."""
        for calls in self._calls:
            await calls.aclose()
