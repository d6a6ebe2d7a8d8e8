"""AssemblyAI for a session: ``from antiphon.providers import assemblyai``.

Owns: the typed options a user writes. Never: formats, sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from antiphon.models.capabilities import STTCapabilities
from antiphon.models.speech_codec import STTCodec
from antiphon.providers.assemblyai_streaming import StreamingCodec, StreamingOptions
from antiphon.providers.speech_options import known, terms, within
from antiphon.wire.address import checked_base_url
from antiphon.wire.faults import Service
from antiphon.wire.keys import key_for
from antiphon.wire.stt import WireSTT

if TYPE_CHECKING:
    from antiphon.wire.socket import Connector, SpeechDeadlines

HOME = "https://streaming.assemblyai.com"
KEY_VARIABLE = "ASSEMBLYAI_API_KEY"
KEYS_AT = "https://www.assemblyai.com/dashboard/api-keys"


class STT(WireSTT):
    """AssemblyAI's streaming recognition, which also says when a turn ends.

    ``model``: ``universal-streaming-english``, ``universal-streaming-multilingual``, ``u3-rt-pro``, ``universal-3-6-pro`` and the like.
    ``language``: two letters; without one, that of the session (the English model takes none). ``keyterms``: words to listen
    for. ``format_turns``: a turn's text comes again with capitals, punctuation and figures, and takes the place of the first.
    ``end_of_turn_confidence_threshold`` (0-1), ``min_turn_silence``, ``max_turn_silence`` (ms), ``vad_threshold`` (0-1): when a
    turn ends. ``diarize``, ``max_speakers``: label speakers. ``prompt``: what the call is about, for models that take it.
    ``options``: any other query parameter of the service. ``api_key``: instead of ``ASSEMBLYAI_API_KEY``. ``base_url``: another
    host, ``https://streaming.eu.assemblyai.com`` for Europe; ``allow_insecure``: although the way to it is not encrypted.

    The service bills the time that a connection is open, not the audio.

    Raises ``ConfigurationError`` for a missing key, an option that cannot be, or an address that is refused.
    """

    def __init__(
        self,
        model: str = "universal-streaming-english",
        *,
        language: str = "",
        keyterms: Sequence[str] = (),
        format_turns: bool = True,
        end_of_turn_confidence_threshold: float | None = None,
        min_turn_silence: int | None = None,
        max_turn_silence: int | None = None,
        vad_threshold: float | None = None,
        diarize: bool = False,
        max_speakers: int | None = None,
        prompt: str = "",
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
        within(0.0, 1.0, end_of_turn_confidence_threshold=end_of_turn_confidence_threshold, vad_threshold=vad_threshold)
        base_url = checked_base_url(base_url, allow_insecure=allow_insecure)
        key = key_for("AssemblyAI", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)

        def codec(spoken: str) -> STTCodec:
            tag = language or ("" if model.endswith("-english") else spoken)
            return StreamingCodec(
                StreamingOptions(
                    model=model,
                    languages=(tag.partition("-")[0],) if tag else (),
                    keyterms=tuple(keyterms),
                    format_turns=format_turns,
                    end_of_turn_confidence_threshold=end_of_turn_confidence_threshold,
                    min_turn_silence=min_turn_silence,
                    max_turn_silence=max_turn_silence,
                    vad_threshold=vad_threshold,
                    diarize=diarize,
                    max_speakers=max_speakers,
                    prompt=prompt,
                    extra=tuple((options or {}).items()),
                )
            )

        super().__init__(
            codec,
            Service(name="assemblyai", base_url=base_url, model=model, key_variable=KEY_VARIABLE),
            key=key,
            capabilities=STTCapabilities(
                partials=True,
                flush=True,
                word_times=True,
                end_of_turn=True,
                keyterms=True,
                diarization=diarize,
            ),
            deadlines=deadlines,
            connector=connector,
            **wire,
        )
