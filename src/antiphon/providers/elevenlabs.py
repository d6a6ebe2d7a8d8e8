"""ElevenLabs for a session: ``from antiphon.providers import elevenlabs``.

Owns: the typed options a user writes. Never: formats, sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from antiphon.errors import ConfigurationError
from antiphon.models.capabilities import STTCapabilities, TTSCapabilities
from antiphon.providers.elevenlabs_multi_context import CONTEXTS, MultiContextCodec, MultiContextOptions
from antiphon.providers.elevenlabs_scribe import ScribeCodec, ScribeOptions
from antiphon.providers.speech_options import known, terms, within
from antiphon.wire.address import checked_base_url
from antiphon.wire.faults import Service
from antiphon.wire.keys import key_for
from antiphon.wire.stt import WireSTT
from antiphon.wire.tts import WireTTS

if TYPE_CHECKING:
    from antiphon.wire.socket import Connector, SpeechDeadlines

HOME = "https://api.elevenlabs.io"
KEY_VARIABLE = "ELEVENLABS_API_KEY"
KEYS_AT = "https://elevenlabs.io/app/settings/api-keys"
VOICE = "JBFqnCBsd6RMkjVDRZzb"
"""A voice that every account has (George, English)."""


class TTS(WireTTS):
    """ElevenLabs' voices, over the multi-context WebSocket.

    ``voice``: a voice id. ``language``: two letters, for models that take one. ``sample_rate``: Hz (8000, 16000, 22050, 24000,
    44100). ``stability``, ``similarity_boost``, ``style`` (0-1), ``use_speaker_boost``, ``speed`` (0.7-1.2): the voice's own where
    they are not set. ``text_normalization``: ``auto``, ``on``, ``off``. ``ssml``: read tags in the text. ``seed``: speak alike
    each time. ``pronunciation_dictionaries``: pairs of id and version. ``enable_logging``: unset for no retention, where the
    account may. ``contexts``: syntheses at a time on one socket, at most 5. ``options``: any other query parameter.
    ``api_key``: instead of ``ELEVENLABS_API_KEY``. ``base_url``: another host, for a region too; ``allow_insecure``: although the
    way to it is not encrypted.

    Raises ``ConfigurationError`` for a missing key, an address that is refused, or more contexts than a socket may have.
    """

    def __init__(
        self,
        model: str = "eleven_flash_v2_5",
        *,
        voice: str = VOICE,
        language: str = "",
        sample_rate: int = 24_000,
        stability: float | None = None,
        similarity_boost: float | None = None,
        style: float | None = None,
        use_speaker_boost: bool | None = None,
        speed: float | None = None,
        text_normalization: Literal["", "auto", "on", "off"] = "",
        ssml: bool = False,
        seed: int | None = None,
        pronunciation_dictionaries: Sequence[tuple[str, str]] = (),
        enable_logging: bool = True,
        contexts: int = CONTEXTS,
        options: dict[str, str] | None = None,
        api_key: str | None = None,
        base_url: str = HOME,
        allow_insecure: bool = False,
        deadlines: SpeechDeadlines | None = None,
        connector: Connector | None = None,
        **wire: Any,
    ) -> None:
        if not 1 <= contexts <= CONTEXTS:
            raise ConfigurationError(
                f"ElevenLabs takes {CONTEXTS} contexts on a socket, not {contexts}.",
                hint=f"Set contexts= to 1 to {CONTEXTS}: further sockets are opened as they are needed.",
            )
        known(TTS, wire)
        within(0.7, 1.2, speed=speed)
        base_url = checked_base_url(base_url, allow_insecure=allow_insecure)
        key = key_for("ElevenLabs", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)
        made = MultiContextOptions(
            model=model,
            voice=voice,
            language=language,
            rate=sample_rate,
            stability=stability,
            similarity_boost=similarity_boost,
            style=style,
            use_speaker_boost=use_speaker_boost,
            speed=speed,
            normalization=text_normalization,
            ssml=ssml,
            seed=seed,
            logging=enable_logging,
            dictionaries=tuple(pronunciation_dictionaries),
            contexts=contexts,
            extra=tuple((options or {}).items()),
        )
        super().__init__(
            lambda: MultiContextCodec(made),
            Service(name="elevenlabs", base_url=base_url, model=model, key_variable=KEY_VARIABLE),
            key=key,
            capabilities=TTSCapabilities(streaming=True, word_times=True),
            deadlines=deadlines,
            connector=connector,
            **wire,
        )


class STT(WireSTT):
    """ElevenLabs' Scribe recognition. Finals are asked for from here, where the caller pauses.

    ``language``: ISO 639; without one, that of the session. ``keyterms``: words to listen for, at most 50 of 20 characters.
    ``no_verbatim``: leave out fillers and false starts. ``enable_logging``: unset for no retention, where the account may.
    ``options``: any other query parameter. ``api_key``: instead of ``ELEVENLABS_API_KEY``. ``base_url``: another host, for a
    region too; ``allow_insecure``: although the way to it is not encrypted.

    Raises ``ConfigurationError`` for a missing key, an option that cannot be, or an address that is refused.
    """

    def __init__(
        self,
        model: str = "scribe_v2_realtime",
        *,
        language: str = "",
        keyterms: Sequence[str] = (),
        no_verbatim: bool = False,
        enable_logging: bool = True,
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
        key = key_for("ElevenLabs", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)
        super().__init__(
            lambda spoken: ScribeCodec(
                ScribeOptions(
                    model=model,
                    language=(language or spoken).partition("-")[0],
                    keyterms=tuple(keyterms),
                    no_verbatim=no_verbatim,
                    logging=enable_logging,
                    extra=tuple((options or {}).items()),
                )
            ),
            Service(name="elevenlabs", base_url=base_url, model=model, key_variable=KEY_VARIABLE),
            key=key,
            capabilities=STTCapabilities(partials=True, flush=True, word_times=True, keyterms=True),
            deadlines=deadlines,
            connector=connector,
            **wire,
        )
