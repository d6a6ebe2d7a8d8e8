"""The page that browsers call from, as the verbs serve it: where it listens, who may open it, what is said of it."""

from __future__ import annotations

import argparse
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.errors import ConfigurationError

if TYPE_CHECKING:
    from antiphon.web.calls import Calls
    from antiphon.web.settings import WebSettings

ANYWHERE = ("0.0.0.0", "::", "")


def add_arguments(top: argparse.ArgumentParser, title: str) -> None:
    """The words of it."""
    page = top.add_argument_group(title)
    page.add_argument("--host", default="localhost", help="address to serve (default: this machine only; 0.0.0.0: all)")
    page.add_argument("--port", type=int, default=8080, help="default: 8080 (0: any that is free)")
    page.add_argument(
        "--auth", metavar="TOKEN", help="what pages have to show ('none': nothing); made up outside localhost"
    )
    tls = top.add_argument_group("TLS (browsers give other devices no microphone without it)")
    tls.add_argument("--tls", action="store_true", help="with a certificate made on the spot")
    tls.add_argument("--tls-cert", type=Path, metavar="PEM", help="with this certificate ...")
    tls.add_argument("--tls-key", type=Path, metavar="PEM", help="... and its key")


def check(options: argparse.Namespace) -> None:
    """Raises ``ConfigurationError`` for words that do not go together."""
    if not 0 <= options.port <= 65535:
        raise ConfigurationError(
            f"There is no port {options.port}.", hint="--port takes 0 (any that is free) to 65535."
        )
    if bool(options.tls_cert) != bool(options.tls_key):
        raise ConfigurationError("A certificate and its key go together.", hint="Pass --tls-cert and --tls-key.")


class WebServer:
    """One page. ``port``: that it has, once it listens."""

    def __init__(self, options: argparse.Namespace) -> None:
        from antiphon.web.admission import loopback

        self.port = int(options.port)
        self._options = options
        self._here = loopback(options.host)
        self._token = options.auth or ("" if self._here else secrets.token_urlsafe(9))

    def settings(self, *, details: bool = False) -> WebSettings:
        """Of its calls. ``details``: pages are told of errors as they are."""
        from antiphon.web.settings import WebSettings

        return WebSettings(auth=False if self._token == "none" else self._token or None, details=details)

    async def listen(self, calls: Calls) -> Callable[[], Awaitable[object]]:
        """Open the port, on the running loop; returns what closes it. Raises ``ConfigurationError``."""
        from aiohttp import web

        from antiphon.web.aiohttp_routes import aiohttp_routes

        options = self._options
        app = web.Application()
        app.add_routes(aiohttp_routes(calls, "/"))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, options.host, options.port, ssl_context=_tls(options)).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"{options.host}:{options.port} cannot be served: {error.strerror or error}.",
                hint="Another program may hold the port: choose one by --port.",
            ) from error
        except BaseException:
            await runner.cleanup()
            raise
        self.port = int(runner.addresses[0][1])
        return runner.cleanup

    @property
    def address(self) -> str:
        """What to open. The token comes after the #: browsers keep that part to themselves."""
        options = self._options
        scheme = "https" if options.tls or options.tls_cert else "http"
        host = address_in_the_room() if options.host in ANYWHERE else options.host
        host = f"[{host}]" if ":" in host else host
        token = "" if self._token in ("", "none") else f"#token={self._token}"
        return f"{scheme}://{host}:{self.port}/{token}"

    def advice(self) -> Iterator[str]:
        """What whoever started it should know."""
        options = self._options
        if options.tls and not options.tls_cert:
            yield "The certificate was made on the spot: the browser warns once; go on to the page."
        if not self._here and not (options.tls or options.tls_cert):
            yield "Without --tls, browsers on other devices give no microphone: they can only type."
        if not self._here and self._token == "none":
            yield "Anybody who reaches this address can call."


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    from antiphon.cli.certificate import own_context, tls_context

    if options.tls_cert:
        return tls_context(options.tls_cert, options.tls_key)
    if not options.tls:
        return None
    names = {"localhost", "127.0.0.1", socket.gethostname(), address_in_the_room(), options.host} - {*ANYWHERE}
    return own_context(sorted(names))


def address_in_the_room() -> str:
    """This machine's address in its network (no packet is sent to find it); 127.0.0.1 where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documents: nothing is there
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
