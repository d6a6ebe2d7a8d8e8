"""A voice behind a WebSocket: joins a provider's codec with the wire.

Owns: what a model's streams have in common, its sockets above all. Never: formats (the codec), bytes on a socket. Importing
it imports no network code: that happens with the first connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from antiphon.models.capabilities import TTSCapabilities
from antiphon.models.speech_codec import TTSCodec
from antiphon.models.tts import TTS, TTSStream
from antiphon.wire.faults import Service
from antiphon.wire.retry import RetryPolicy, Sleep, pause
from antiphon.wire.usage import WireUsage

if TYPE_CHECKING:
    from antiphon.wire.per_loop import PerLoop
    from antiphon.wire.socket import Connector, SpeechDeadlines
    from antiphon.wire.tts_pool import TTSPool

RETRY = RetryPolicy(delays=(0.0, 0.1, 0.3, 1.0), budget=3.0)


class WireTTS(TTS):
    """A voice that a service offers.

    ``codec``: makes the codec of a socket. ``key``: the API key. ``connector``: opens sockets; without one the model has
    its own and closes it. ``sleep``: how retries wait.
    """

    on_core = True

    def __init__(
        self,
        codec: Callable[[], TTSCodec],
        service: Service,
        *,
        key: str = "",
        capabilities: TTSCapabilities | None = None,
        deadlines: SpeechDeadlines | None = None,
        retry: RetryPolicy = RETRY,
        connector: Connector | None = None,
        sleep: Sleep = pause,
    ) -> None:
        self.provider, self.model = service.name, service.model
        self.service = service
        self.capabilities = capabilities or TTSCapabilities()
        self.sample_rate = codec().rules.rate
        self.codec = codec
        self.retry = retry
        self.sleep = sleep
        self.usage = WireUsage()
        self._key = key
        self._deadlines = deadlines
        self._connector = connector
        self._owns_connector = connector is None
        self._pools: PerLoop[TTSPool] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.provider}/{self.model} at {self.service.base_url})"

    @property
    def deadlines(self) -> SpeechDeadlines:
        from antiphon.wire.socket import SpeechDeadlines

        return self._deadlines or SpeechDeadlines()

    @property
    def pool(self) -> TTSPool:
        """The running loop's sockets."""
        return self._of_loops().here()

    def _of_loops(self) -> PerLoop[TTSPool]:
        if self._pools is None:
            from antiphon.wire.per_loop import PerLoop

            self._pools = PerLoop(self._new_pool, lambda pool: pool.aclose())
        return self._pools

    def _new_pool(self) -> TTSPool:
        from antiphon.wire.aiohttp_socket import AiohttpConnector
        from antiphon.wire.tts_pool import TTSPool

        if self._connector is None:
            self._connector = AiohttpConnector()
        return TTSPool(
            self.codec,
            self.service,
            self._connector,
            key=self._key,
            deadlines=self.deadlines,
            usage=self.usage,
        )

    def stream(self) -> TTSStream:
        from antiphon.wire.tts_stream import WireTTSStream

        return WireTTSStream(self)

    async def prewarm(self) -> None:
        """Open a socket for the first text. Raises ``ModelError``."""
        await self.pool.prewarm()

    async def aclose(self) -> None:
        if self._pools is not None:
            await self._pools.aclose()
        if self._owns_connector and self._connector is not None:
            await self._connector.aclose()


def sayable(text: str) -> str:
    """``text`` as UTF-8 can carry it: a surrogate without its other half, where a text was cut, becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
