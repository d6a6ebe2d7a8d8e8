"""The synthesis sockets of one voice: one is open before it is needed, none is used past its time.

Owns which socket serves which synthesis. Never: text, audio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from antiphon.errors import ModelError
from antiphon.models.speech_codec import TTSCodec
from antiphon.wire.faults import Service
from antiphon.wire.socket import Connector, SpeechDeadlines, open_socket
from antiphon.wire.tts_link import TTSContext, TTSLink
from antiphon.wire.usage import WireUsage

RENEW_AT = 0.85
"""Part of a socket's time after which its successor is opened."""


class TTSPool:
    """Sockets of one event loop."""

    def __init__(
        self,
        codec: Callable[[], TTSCodec],
        service: Service,
        connector: Connector,
        *,
        key: str,
        deadlines: SpeechDeadlines,
        usage: WireUsage,
    ) -> None:
        self._codec, self._service, self._connector = codec, service, connector
        self._key, self._deadlines, self._usage = key, deadlines, usage
        self._links: list[TTSLink] = []
        self._opening: asyncio.Task[TTSLink] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._names = 0
        self._closed = False

    @property
    def sockets(self) -> int:
        """Open ones."""
        return sum(not link.ended.is_set() for link in self._links)

    async def context(self) -> TTSContext:
        """A new context on a socket that has room. Raises ``ModelError``."""
        link = await self._free()
        self._names += 1
        context = link.open(f"antiphon-{self._names}")
        if self._room() == 0:
            self._open_ahead()
        return context

    async def prewarm(self) -> None:
        """Have a socket open. Raises ``ModelError``."""
        await self._free()

    async def aclose(self) -> None:
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError, ModelError):
                await self._opening
        await asyncio.gather(*(link.aclose() for link in self._links), *self._closing)
        self._links.clear()

    def _room(self) -> int:
        return sum(link.room for link in self._links)

    async def _free(self) -> TTSLink:
        while True:
            self._tidy()
            link = next((link for link in self._links if link.room), None)
            if link is not None:
                return link
            opening = self._open_ahead()
            await asyncio.wait([opening])
            opening.result()

    def _open_ahead(self) -> asyncio.Task[TTSLink]:
        """Open one more socket; only one is being opened at a time."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_task(self._open(), name="tts-connect")
            self._opening.add_done_callback(_seen)
        return self._opening

    async def _open(self) -> TTSLink:
        codec = self._codec()
        self._usage.sockets += 1
        socket = await open_socket(self._connector, self._service, codec, key=self._key, deadlines=self._deadlines)
        link = TTSLink(codec, socket, key=self._key, deadlines=self._deadlines, on_end=self._ended)
        self._links.append(link)
        limits = [limit for limit in (codec.rules.session, 0 if codec.rules.keepalive else codec.rules.idle) if limit]
        if limits:
            link.renewal = asyncio.get_running_loop().call_later(min(limits) * RENEW_AT, self._renew, link)
        return link

    def _renew(self, link: TTSLink) -> None:
        """The socket's time will soon be up: have another by then, if the voice is still in use."""
        if link.served and not self._closed:
            self._open_ahead()

    def _ended(self, link: TTSLink) -> None:
        """A socket is gone: the next synthesis should not have to wait for another, if there was one before."""
        if link.served and not self._closed and not self._room():
            self._open_ahead()

    def _tidy(self) -> None:
        """Let go of sockets that have ended or are too old to be used."""
        for link in list(self._links):
            if link.ended.is_set() or not (link.busy or link.room):
                self._links.remove(link)
                closing = asyncio.get_running_loop().create_task(link.aclose(), name="tts-close")
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)


def _seen(task: asyncio.Task[TTSLink]) -> None:
    """An opening that failed unasked is no matter: the next synthesis tries for itself."""
    if not task.cancelled():
        task.exception()
