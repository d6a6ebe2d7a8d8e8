"""The verb ``dev``: the playground in a browser, on this machine or for the devices in the room.

The web server and the signalling run on the core's loop, sound in the plane, the entrypoints on this loop: a tool that blocks
holds up nobody else's call.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import socket
import ssl
import sys
import webbrowser
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from antiphon.errors import AntiphonError, ConfigurationError

if TYPE_CHECKING:
    from aiohttp import web

    from antiphon.cli.run import Entrypoint
    from antiphon.cli.screen import Screen
    from antiphon.session.lanes import Lane
    from antiphon.web.calls import Calls

T = TypeVar("T")
ANYWHERE = ("0.0.0.0", "::", "")


def parser(prog: str) -> argparse.ArgumentParser:
    """The words of ``dev``."""
    top = argparse.ArgumentParser(
        prog=prog,
        description="Talk with the agent in a browser. Ctrl-C lets the agent finish its sentence and ends the calls.",
    )
    top.add_argument("--host", default="localhost", help="address to serve (default: this machine only; 0.0.0.0: all)")
    top.add_argument("--port", type=int, default=8080, help="default: 8080 (0: any that is free)")
    top.add_argument(
        "--auth", metavar="TOKEN", help="what pages have to show ('none': nothing); made up outside localhost"
    )
    top.add_argument("--open", action="store_true", help="open the playground in the browser")
    tls = top.add_argument_group("TLS (browsers give other devices no microphone without it)")
    tls.add_argument("--tls", action="store_true", help="with a certificate made on the spot")
    tls.add_argument("--tls-cert", type=Path, metavar="PEM", help="with this certificate ...")
    tls.add_argument("--tls-key", type=Path, metavar="PEM", help="... and its key")
    files = top.add_argument_group("files")
    files.add_argument("--log", type=Path, metavar="DIR", help="event log and report of each call")
    files.add_argument("--record", action="store_true", help="the sound of each call as well (--log, else ./calls)")
    sound = top.add_argument_group("sound")
    sound.add_argument("--plane", choices=("thread", "process"), default="process", help="where sound runs")
    top.add_argument("--no-rehearsal", action="store_true", help="do not run the entrypoint ahead to load its models")
    return top


def main(entrypoint: Entrypoint | None, words: Sequence[str], *, prog: str) -> int:
    """Serve until Ctrl-C. Returns the exit status."""
    options = parser(prog).parse_args(words)
    if entrypoint is None:
        raise ConfigurationError("There is no entrypoint.", hint="Call antiphon.run(entrypoint) in the program.")
    if bool(options.tls_cert) != bool(options.tls_key):
        raise ConfigurationError("A certificate and its key go together.", hint="Pass --tls-cert and --tls-key.")
    if options.record and not options.log:
        options.log = Path("calls")
    if options.log:
        options.log.mkdir(parents=True, exist_ok=True)
    return asyncio.run(serve(entrypoint, options))


async def serve(entrypoint: Entrypoint, options: argparse.Namespace) -> int:
    """The server, from its start to its end."""
    from antiphon.cli.conversation import Stop
    from antiphon.cli.screen import Screen
    from antiphon.session.lanes import Lane
    from antiphon.web.admission import loopback
    from antiphon.web.call_job import locally
    from antiphon.web.calls import Calls
    from antiphon.web.settings import WebSettings
    from antiphon.worker.runtime import default_runtime

    screen = Screen(sys.stdout)
    runtime = default_runtime()
    core = runtime.core
    here = loopback(options.host)
    token = options.auth or ("" if here else secrets.token_urlsafe(9))
    settings = WebSettings(
        auth=False if token == "none" else token or None,
        plane=options.plane,
        folder=str(options.log or ""),
        record=options.record,
        details=True,
    )
    calls = Calls(locally(entrypoint, settings, user=Lane(asyncio.get_running_loop())), settings)
    stop = Stop(screen, "ending the calls (Ctrl-C again: at once)")
    site = None
    with stop, lines_of_the_log(screen):
        try:
            site = await across(core, _listen(calls, options))
            ready = asyncio.create_task(_prepare(entrypoint, calls, options, screen), name="prepare")
            pressed = asyncio.create_task(stop.pressed.wait(), name="stop")
            await asyncio.wait({ready, pressed}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
                address = _address(options, "" if token == "none" else token)
                screen.line(f"Ready: {screen.style(address, 'bold')}")
                for text in _advice(options, token, here):
                    screen.line(screen.style(text, "dim"))
                if options.open:
                    webbrowser.open(address)
            else:
                ready.cancel()
            await pressed
        finally:
            closing = asyncio.create_task(_close(calls, site, core), name="close")
            stop.at_once = closing.cancel
            with suppress(asyncio.CancelledError):
                await closing
            await runtime.aclose()
    return 0


async def across(core: Lane, work: Coroutine[Any, Any, T]) -> T:
    """Do this on the core's lane."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, core.loop))


async def _listen(calls: Calls, options: argparse.Namespace) -> web.AppRunner:
    """Open the port, on the core's loop. Raises ``ConfigurationError``."""
    from aiohttp import web

    from antiphon.web.aiohttp_routes import aiohttp_routes

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
    options.port = runner.addresses[0][1]
    return runner


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    from antiphon.cli.certificate import own_context, tls_context

    if options.tls_cert:
        return tls_context(options.tls_cert, options.tls_key)
    if not options.tls:
        return None
    names = {"localhost", "127.0.0.1", socket.gethostname(), address_in_the_room(), options.host} - {*ANYWHERE}
    return own_context(sorted(names))


async def _prepare(entrypoint: Entrypoint, calls: Calls, options: argparse.Namespace, screen: Screen) -> None:
    """Everything that the first call would wait for: the plane, and the models that the entrypoint uses."""
    from antiphon.cli.rehearsal import rehearse

    screen.status("starting the media plane ...")
    await calls.prepare()

    def progress(kind: str, model: str, seconds: float) -> None:
        if seconds < 0:
            screen.status(f"getting ready: {kind}, {model} ...")
        else:
            screen.line(screen.style(f"{kind:15} {model}, {seconds:.1f} s", "dim"))

    if not options.no_rehearsal:
        try:
            if not await rehearse(entrypoint, progress):
                screen.line(screen.style("The entrypoint started no session: no models were loaded ahead.", "yellow"))
        except AntiphonError:
            raise
        except Exception:
            logging.getLogger("antiphon").exception("the entrypoint raised when it was run ahead; a call may do better")
    screen.status("")


async def _close(calls: Calls, site: web.AppRunner | None, core: Lane) -> None:
    await calls.aclose()
    if site is not None:
        await across(core, site.cleanup())


def _address(options: argparse.Namespace, token: str) -> str:
    """What to open. The token comes after the #: browsers keep that part to themselves."""
    scheme = "https" if options.tls or options.tls_cert else "http"
    host = address_in_the_room() if options.host in ANYWHERE else options.host
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{options.port}/" + (f"#token={token}" if token else "")


def _advice(options: argparse.Namespace, token: str, here: bool) -> Iterator[str]:
    if options.tls and not options.tls_cert:
        yield "The certificate was made on the spot: the browser warns once; go on to the page."
    if not here and not (options.tls or options.tls_cert):
        yield "Without --tls, browsers on other devices give no microphone: they can only type."
    if not here and token == "none":
        yield "Anybody who reaches this address can call."
    yield "Several browsers may call at once. Ctrl-C ends."


def address_in_the_room() -> str:
    """This machine's address in its network (no packet is sent to find it); 127.0.0.1 where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documents: nothing is there
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@contextmanager
def lines_of_the_log(screen: Screen) -> Iterator[None]:
    """What the library logs becomes lines of the screen: calls as they come and go, and what goes wrong."""
    loop = asyncio.get_running_loop()
    logger = logging.getLogger("antiphon")

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
            colour = "red" if record.levelno >= logging.ERROR else "yellow" if record.levelno > logging.INFO else "dim"
            text = f"{screen.style(time, 'dim')}  {screen.style(self.format(record), colour)}"
            with suppress(RuntimeError):  # a thread that ends after the loop has nobody to tell
                loop.call_soon_threadsafe(screen.line, text)

    handler = Handler(logging.INFO)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before
