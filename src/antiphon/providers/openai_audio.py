"""OpenAI's recogniser and voices for a session: ``openai.STT``, ``openai.TTS``.

Owns: the typed options a user writes. Never: formats, sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from antiphon.models.capabilities import STTCapabilities, TTSCapabilities
from antiphon.models.stream_adapters import StreamingSTT
from antiphon.providers.openai_speech import SpeechCodec, SpeechOptions
from antiphon.providers.openai_transcription import TranscriptionOptions, TranscriptionRequestCodec
from antiphon.providers.speech_options import known, terms, within
from antiphon.wire.address import checked_base_url
from antiphon.wire.faults import Service
from antiphon.wire.http_stt import HttpSTT
from antiphon.wire.http_tts import HttpTTS
from antiphon.wire.keys import key_for

if TYPE_CHECKING:
    from antiphon.wire.http import Deadlines, HttpPool

HOME = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
KEYS_AT = "https://platform.openai.com/api-keys"


class STT(StreamingSTT):
    """OpenAI's transcription, one request an utterance: no words while the caller speaks; the final comes after the pause.

    ``language``: two letters (default: the session's). ``prompt``: text in whose style it writes. ``keyterms``: words to listen
    for. ``word_times``: timed words (whisper-1 alone). ``options``: any other field of the form. ``api_key``: instead of
    ``OPENAI_API_KEY``. ``base_url``: another service that follows OpenAI's; ``allow_insecure``: although the way to it is not
    encrypted.

    Raises ``ConfigurationError`` for a missing key, an option that cannot be, or an address that is refused.
    """

    def __init__(
        self,
        model: str = "gpt-transcribe",
        *,
        language: str = "",
        prompt: str = "",
        keyterms: Sequence[str] = (),
        temperature: float | None = None,
        word_times: bool = False,
        options: dict[str, str] | None = None,
        api_key: str | None = None,
        base_url: str = HOME,
        allow_insecure: bool = False,
        deadlines: Deadlines | None = None,
        pool: HttpPool | None = None,
        **wire: Any,
    ) -> None:
        known(STT, wire)
        keyterms = terms("keyterms", keyterms)
        base_url = checked_base_url(base_url, allow_insecure=allow_insecure)
        key = key_for("OpenAI", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)
        made = TranscriptionOptions(
            model=model,
            language=language,
            prompt=prompt,
            keyterms=tuple(keyterms),
            temperature=temperature,
            word_times=word_times,
            extra=tuple((options or {}).items()),
        )
        service = Service(name="openai", base_url=base_url, model=model, key_variable=KEY_VARIABLE)
        super().__init__(
            HttpSTT(TranscriptionRequestCodec(made), service, key=key, deadlines=deadlines, pool=pool, **wire)
        )
        self.capabilities = STTCapabilities(partials=False, flush=True, word_times=word_times, keyterms=True)


class TTS(HttpTTS):
    """OpenAI's voices, one request a text.

    ``voice``: its name. ``instructions``: how it is said. ``speed``: 0.25 to 4.0. ``options``: any other field of the request.
    ``api_key``: instead of ``OPENAI_API_KEY``. ``base_url``: another service that follows OpenAI's; ``allow_insecure``: although
    the way to it is not encrypted. The vendor shuts these models down on 6 January 2027.

    Raises ``ConfigurationError`` for a missing key, an option that cannot be, or an address that is refused.
    """

    def __init__(
        self,
        model: str = "gpt-4o-mini-tts",
        *,
        voice: str = "marin",
        instructions: str = "",
        speed: float | None = None,
        options: dict[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str = HOME,
        allow_insecure: bool = False,
        deadlines: Deadlines | None = None,
        pool: HttpPool | None = None,
        **wire: Any,
    ) -> None:
        known(TTS, wire)
        within(0.25, 4.0, speed=speed)
        base_url = checked_base_url(base_url, allow_insecure=allow_insecure)
        key = key_for("OpenAI", given=api_key, variable=KEY_VARIABLE, where=KEYS_AT, base_url=base_url, home=HOME)
        made = SpeechOptions(
            model=model, voice=voice, instructions=instructions, speed=speed, extra=dict(options or {})
        )
        super().__init__(
            SpeechCodec(made),
            Service(name="openai", base_url=base_url, model=model, key_variable=KEY_VARIABLE),
            key=key,
            capabilities=TTSCapabilities(streaming=True, word_times=False),
            deadlines=deadlines,
            pool=pool,
            **wire,
        )
