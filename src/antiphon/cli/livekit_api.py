"""What ``token``, ``rooms`` and ``dispatch`` share: the server's options, and its API with errors that say what to do."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.worker.server import LiveKitServer

if TYPE_CHECKING:
    from livekit.api import LiveKitAPI

T = TypeVar("T")


class LiveKitError(AntiphonError):
    """The LiveKit server refused, or did not answer."""


def server_options(parser: argparse.ArgumentParser) -> None:
    """Where the server is."""
    group = parser.add_argument_group("the LiveKit server (default: the environment variables)")
    group.add_argument("--url", default="", help="LIVEKIT_URL")
    group.add_argument("--api-key", default="", help="LIVEKIT_API_KEY")
    group.add_argument("--api-secret", default="", help="LIVEKIT_API_SECRET")


def server_of(options: argparse.Namespace) -> LiveKitServer:
    """Raises ``ConfigurationError`` for what is not set, or not installed."""
    if find_spec("livekit") is None or find_spec("livekit.api") is None:
        raise ConfigurationError(
            "The livekit-api package is not installed.", hint="Run: pip install 'antiphon[livekit]'."
        )
    return LiveKitServer.from_environment(options.url, options.api_key, options.api_secret)


def ask(options: argparse.Namespace, work: Callable[[LiveKitAPI, Any], Awaitable[T]]) -> T:
    """Run ``work(api, module)``; ``module`` is ``livekit.api``. Raises ``LiveKitError``."""
    server = server_of(options)
    module, http = import_module("livekit.api"), import_module("aiohttp")

    async def run() -> T:
        async with module.LiveKitAPI(server.url, server.key, server.secret) as api:
            return await work(api, module)

    try:
        return asyncio.run(run())
    except module.TwirpError as error:
        said = error.message or f"{error.code} ({error.status})"
        hint = "" if error.message else "Check LIVEKIT_URL: is a LiveKit server there?"
        if error.status in (401, 403):
            hint = "Check LIVEKIT_API_KEY and LIVEKIT_API_SECRET."
        raise LiveKitError(f"The server refused: {said}.", hint=hint) from error
    except (OSError, TimeoutError, http.ClientError) as error:
        raise LiveKitError(f"{server.url} cannot be reached: {error}.", hint="Check LIVEKIT_URL.") from error
