"""Cartesia for a session: ``from antiphon.providers import cartesia``.

Owns: the typed options a user writes. Never: formats, sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from antiphon.models.capabilities import STTCapabilities, TTSCapabilities
from antiphon.providers.cartesia_ink import InkCodec, InkOptions
from antiphon.providers.cartesia_sonic import SonicCodec, SonicOptions
from antiphon.providers.speech_options import known, terms, within
from antiphon.wire.address import checked_base_url
from antiphon.wire.faults import Service
from antiphon.wire.keys import key_for
from antiphon.wire.stt import WireSTT
from antiphon.wire.tts import WireTTS

if TYPE_CHECKING:
    from antiphon.wire.socket import Connector, SpeechDeadlines

HOME = "https://api.cartesia.ai"
KEY_VARIABLE = "CARTESIA_API_KEY"
KEYS_AT = "https://play.cartesia.ai/keys"
VOICE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"
"""A voice that every account has (Katie, English)."""


class TTS(WireTTS):
    """Cartesia's Sonic voices.

    ``voice``: a voice id. ``language``: two letters. ``sample_rate``: Hz. ``speed``, ``volume``, ``emotion``: as the service
    takes them. ``word_times``: ask for timed words, which make cuts and subtitles exact. ``contexts``: syntheses at a time on
    one socket (the plan limits them). ``options``: any other field of a request. ``api_key``: instead of ``CARTESIA_API_KEY``.
    ``base_url``: another host; ``allow_insecure``: although the way to it is not encrypted.

    Raises ``ConfigurationError`` for a missing key, an option that cannot be, or an address that is refused.
    """

    def __init__(
        self,
        model: str = "sonic-3",
        *,
        voice: str = VOICE,
        language: str = "en",
        sample_rate: int = 24_000,
        speed: float | None = None,
        volume: float | None = None,
        emotion: str = "",
        word_times: bool = True,
        pronunciation_dict_id: str = "",
        contexts: int = 4,
        options: dict[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str = HOME,
        allow_insecure: bool = False,
        deadlines: SpeechDeadlines | None = None,
        connector: Connector | None = None,
        **wire: Any,
    ) -> None:
        known(TTS, wire)
        within(0.6, 1.5, speed=speed)
        base_url = checked_base_url(base_url, allow_insecure=allow_insecure)
        key = key_for("Cartesia", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)
        made = SonicOptions(
            model=model,
            voice=voice,
            language=language,
            rate=sample_rate,
            speed=speed,
            volume=volume,
            emotion=emotion,
            word_times=word_times,
            pronunciation_dict_id=pronunciation_dict_id,
            contexts=contexts,
            extra=dict(options or {}),
        )
        super().__init__(
            lambda: SonicCodec(made),
            Service(name="cartesia", base_url=base_url, model=model, key_variable=KEY_VARIABLE),
            key=key,
            capabilities=TTSCapabilities(streaming=True, word_times=word_times),
            deadlines=deadlines,
            connector=connector,
            **wire,
        )


class STT(WireSTT):
    """Cartesia's Ink recognition, which also says when a turn begins, may be over and ends.

    ``keyterms``: words to listen for, at most 100. ``turn_start_threshold``, ``turn_eager_end_threshold``,
    ``turn_end_threshold``, ``turn_end_timeout_ms``: when a turn begins and ends (see ``InkOptions``). ``options``: any other query
    parameter of the service. ``api_key``: instead of ``CARTESIA_API_KEY``. ``base_url``: another host; ``allow_insecure``:
    although the way to it is not encrypted.

    The service gives no word times and cannot be asked for a final: it rules on the turn itself.

    Raises ``ConfigurationError`` for a missing key, an option that cannot be, or an address that is refused.
    """

    def __init__(
        self,
        model: str = "ink-2",
        *,
        keyterms: Sequence[str] = (),
        turn_start_threshold: float | None = None,
        turn_eager_end_threshold: float | None = None,
        turn_end_threshold: float | None = None,
        turn_end_timeout_ms: int | None = None,
        options: dict[str, str] | None = None,
        api_key: str | None = None,
        base_url: str = HOME,
        allow_insecure: bool = False,
        deadlines: SpeechDeadlines | None = None,
        connector: Connector | None = None,
        **wire: Any,
    ) -> None:
        known(STT, wire)
        keyterms = terms("keyterms", keyterms)
        base_url = checked_base_url(base_url, allow_insecure=allow_insecure)
        key = key_for("Cartesia", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)
        made = InkOptions(
            model=model,
            keyterms=tuple(keyterms),
            turn_start_threshold=turn_start_threshold,
            turn_eager_end_threshold=turn_eager_end_threshold,
            turn_end_threshold=turn_end_threshold,
            turn_end_timeout_ms=turn_end_timeout_ms,
            extra=tuple((options or {}).items()),
        )
        super().__init__(
            lambda spoken: InkCodec(made),
            Service(name="cartesia", base_url=base_url, model=model, key_variable=KEY_VARIABLE),
            key=key,
            capabilities=STTCapabilities(partials=True, end_of_turn=True, keyterms=True),
            deadlines=deadlines,
            connector=connector,
            **wire,
        )
