"""A speech recogniser behind a WebSocket: joins a provider's codec with the wire.

Owns: what a model's streams have in common. Never: formats (the codec), sockets (``wire.socket``). Importing it imports
no network code: that happens with the first connection.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from antiphon.errors import ModelError
from antiphon.models.capabilities import STTCapabilities
from antiphon.models.metering import Metered, meter
from antiphon.models.speech_codec import STTCodec
from antiphon.models.stt import STT, STTStream
from antiphon.wire.faults import Service
from antiphon.wire.retry import RetryPolicy, Sleep, pause
from antiphon.wire.usage import WireUsage

if TYPE_CHECKING:
    import asyncio

    from antiphon.wire.socket import Connector, Socket, SpeechDeadlines
    from antiphon.wire.stt_stream import WireSTTStream

RETRY = RetryPolicy(delays=(0.0, 0.1, 0.3, 1.0), budget=3.0)
FOREIGN_CLOSE = 1.0
"""Seconds that closing waits for streams of another loop."""


class WireSTT(STT):
    """A recogniser that a service offers.

    ``codec``: makes the codec of a stream's first socket from the stream's language. ``key``: the API key. ``connector``:
    opens sockets; without one the model has its own and closes it. ``sleep``: how retries wait.
    """

    on_core = True
    meters = True

    def __init__(
        self,
        codec: Callable[[str], STTCodec],
        service: Service,
        *,
        key: str = "",
        capabilities: STTCapabilities | None = None,
        deadlines: SpeechDeadlines | None = None,
        retry: RetryPolicy = RETRY,
        connector: Connector | None = None,
        sleep: Sleep = pause,
    ) -> None:
        self.provider, self.model = service.name, service.model
        self.service = service
        self.capabilities = capabilities or STTCapabilities()
        self.codec = codec
        self.retry = retry
        self.sleep = sleep
        self.usage = WireUsage()
        self.running: dict[WireSTTStream, asyncio.AbstractEventLoop] = {}
        """Streams that are iterated, and where."""
        self.closings = 0
        """How often the model was closed: a stream lives in the time between two."""
        self._key = key
        self._deadlines = deadlines
        self._connector = connector
        self._owns_connector = connector is None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model} at {self.service.base_url})"

    @property
    def deadlines(self) -> SpeechDeadlines:
        from antiphon.wire.socket import SpeechDeadlines

        return self._deadlines or SpeechDeadlines()

    def stream(self, *, language: str = "") -> STTStream:
        from antiphon.wire.stt_stream import WireSTTStream

        return WireSTTStream(self, language)

    async def prewarm(self) -> None:
        """Open a socket and close it again: proves address, key and model before a call depends on them. A session's own
        stream connects as the session starts. Raises ``ModelError``."""
        socket = await self.connect(self.codec(""))
        await socket.close()

    async def connect(self, codec: STTCodec) -> Socket:
        """A socket of this model. Raises ``ModelError``."""
        from antiphon.wire.aiohttp_socket import AiohttpConnector
        from antiphon.wire.socket import open_socket

        if self._connector is None:
            self._connector = AiohttpConnector()
        self.usage.sockets += 1
        return await open_socket(self._connector, self.service, codec, key=self._key, deadlines=self.deadlines)

    def closed_error(self) -> ModelError:
        return ModelError(
            f"{self!r} was closed while it was in use.", hint="Close a model after its sessions.", retryable=False
        )

    def sent(self, seconds: float) -> None:
        """Count audio that a socket has taken."""
        self.usage.seconds += seconds

    def account(self, *, requests: int = 0, seconds: float = 0.0) -> None:
        """Tell the running call's account of it: sockets that were opened, and the audio they have taken."""
        if requests or seconds:
            meter(Metered("stt", self.provider, self.model, requests=requests, audio_seconds=seconds))

    @property
    def key(self) -> str:
        return self._key

    async def aclose(self) -> None:
        """Its streams end with a ``ModelError``; streams that are made later connect anew."""
        import asyncio

        self.closings += 1
        here = asyncio.get_running_loop()
        for stream, loop in list(self.running.items()):
            if loop is here:
                await stream.fail(self.closed_error())
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(stream.fail(self.closed_error()), loop)
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.wrap_future(closing), FOREIGN_CLOSE)
        if self._owns_connector and self._connector is not None:
            await self._connector.aclose()
