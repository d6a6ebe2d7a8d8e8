"""Deepgram for a session: ``from antiphon.providers import deepgram``.

Owns: the typed options a user writes, and which of Deepgram's protocols a model speaks. Never: formats, sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from antiphon.models.capabilities import STTCapabilities, TTSCapabilities
from antiphon.models.speech_codec import STTCodec
from antiphon.providers.deepgram_aura import AuraCodec, AuraOptions
from antiphon.providers.deepgram_flux import FluxCodec, FluxOptions
from antiphon.providers.deepgram_nova import NovaCodec, NovaOptions
from antiphon.providers.speech_options import known, terms, unused, within
from antiphon.wire.address import checked_base_url
from antiphon.wire.faults import Service
from antiphon.wire.keys import key_for
from antiphon.wire.stt import WireSTT
from antiphon.wire.tts import WireTTS

if TYPE_CHECKING:
    from antiphon.wire.socket import Connector, SpeechDeadlines

HOME = "https://api.deepgram.com"
KEY_VARIABLE = "DEEPGRAM_API_KEY"
KEYS_AT = "https://console.deepgram.com"


class STT(WireSTT):
    """Deepgram's streaming recognition: ``nova-...`` models, and ``flux-...`` models, which also say when a turn ends.

    ``language``: BCP 47 tag or ``multi`` (Nova; Flux takes ``language_hints``). ``keyterms``: words to listen for.
    ``diarize``: label speakers (Nova). ``eot_threshold``, ``eager_eot_threshold``, ``eot_timeout_ms``: when a turn ends (Flux,
    see ``FluxOptions``). ``options``: any other query parameter of the service. ``api_key``: instead of ``DEEPGRAM_API_KEY``.
    ``base_url``: another host; ``allow_insecure``: although the way to it is not encrypted.

    Raises ``ConfigurationError`` for a missing key, an option that cannot be, or an address that is refused.
    """

    def __init__(
        self,
        model: str = "nova-3",
        *,
        language: str = "",
        keyterms: Sequence[str] = (),
        smart_format: bool = True,
        punctuate: bool = True,
        numerals: bool = False,
        diarize: bool = False,
        redact: Sequence[str] = (),
        endpointing: int = 0,
        language_hints: Sequence[str] = (),
        eot_threshold: float | None = None,
        eager_eot_threshold: float | None = None,
        eot_timeout_ms: int | None = None,
        tags: Sequence[str] = (),
        mip_opt_out: bool = False,
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
        redact = terms("redact", redact)
        tags = terms("tags", tags)
        language_hints = terms("language_hints", language_hints)
        within(0.5, 1.0, eot_threshold=eot_threshold)
        within(0.3, 0.9, eager_eot_threshold=eager_eot_threshold)
        if model.startswith("flux"):
            other = "multi" not in model and not model.endswith(f"-{language.partition('-')[0].lower()}")
            unused(model, diarize=diarize, redact=redact, language=other and language)
        else:
            unused(
                model,
                eot_threshold=eot_threshold,
                eager_eot_threshold=eager_eot_threshold,
                eot_timeout_ms=eot_timeout_ms,
                language_hints=language_hints,
            )
        base_url = checked_base_url(base_url, allow_insecure=allow_insecure)
        key = key_for("Deepgram", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)
        turns = model.startswith("flux")
        extra = tuple((options or {}).items())

        def nova(spoken: str) -> STTCodec:
            return NovaCodec(
                NovaOptions(
                    model=model,
                    language=language or spoken,
                    keyterms=tuple(keyterms),
                    smart_format=smart_format,
                    punctuate=punctuate,
                    numerals=numerals,
                    diarize=diarize,
                    redact=tuple(redact),
                    endpointing=endpointing,
                    tags=tuple(tags),
                    mip_opt_out=mip_opt_out,
                    extra=extra,
                )
            )

        def flux(spoken: str) -> STTCodec:
            hints = tuple(language_hints) or (
                (language or spoken,) if "multi" in model and (language or spoken) else ()
            )
            return FluxCodec(
                FluxOptions(
                    model=model,
                    keyterms=tuple(keyterms),
                    language_hints=hints,
                    eot_threshold=eot_threshold,
                    eager_eot_threshold=eager_eot_threshold,
                    eot_timeout_ms=eot_timeout_ms,
                    tags=tuple(tags),
                    mip_opt_out=mip_opt_out,
                    extra=extra,
                )
            )

        super().__init__(
            flux if turns else nova,
            Service(name="deepgram", base_url=base_url, model=model, key_variable=KEY_VARIABLE),
            key=key,
            capabilities=STTCapabilities(
                partials=True,
                flush=True,
                word_times=True,
                end_of_turn=turns,
                keyterms=True,
                diarization=diarize and not turns,
            ),
            deadlines=deadlines,
            connector=connector,
            **wire,
        )


class TTS(WireTTS):
    """Deepgram's Aura voices: ``model`` names voice and language (``aura-2-thalia-en``).

    ``sample_rate``: Hz. ``speed``: 0.7 to 1.5. ``options``: any other query parameter of the service. ``api_key``: instead of
    ``DEEPGRAM_API_KEY``. ``base_url``: another host; ``allow_insecure``: although the way to it is not encrypted.

    Raises ``ConfigurationError`` for a missing key, an option that cannot be, or an address that is refused.
    """

    def __init__(
        self,
        model: str = "aura-2-thalia-en",
        *,
        sample_rate: int = 24_000,
        speed: float | None = None,
        mip_opt_out: bool = False,
        options: dict[str, str] | None = None,
        api_key: str | None = None,
        base_url: str = HOME,
        allow_insecure: bool = False,
        deadlines: SpeechDeadlines | None = None,
        connector: Connector | None = None,
        **wire: Any,
    ) -> None:
        known(TTS, wire)
        within(0.7, 1.5, speed=speed)
        base_url = checked_base_url(base_url, allow_insecure=allow_insecure)
        key = key_for("Deepgram", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)
        made = AuraOptions(
            model=model,
            rate=sample_rate,
            speed=speed,
            mip_opt_out=mip_opt_out,
            extra=tuple((options or {}).items()),
        )
        super().__init__(
            lambda: AuraCodec(made),
            Service(name="deepgram", base_url=base_url, model=model, key_variable=KEY_VARIABLE),
            key=key,
            capabilities=TTSCapabilities(streaming=True, word_times=False),
            deadlines=deadlines,
            connector=connector,
            **wire,
        )
