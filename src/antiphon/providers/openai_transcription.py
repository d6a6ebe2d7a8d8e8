"""OpenAI's transcription of whole utterances (``POST /audio/transcriptions``), which other services speak as well.

Owns: an utterance -> a request, the answer -> text. Never: sockets, keys, retries.
Source: OpenAI's API reference of ``POST /v1/audio/transcriptions``; types of its SDK (openai 3.57).
"""

from __future__ import annotations

import msgspec

from antiphon.errors import ModelError
from antiphon.models.codec import ServiceFault, WireRequest
from antiphon.models.multipart import Part, multipart, wav_bytes
from antiphon.models.speech_codec import Heard, HeardWord
from antiphon.providers.json_fields import message_of, number, string

NO_CREDIT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


class TranscriptionOptions(msgspec.Struct, frozen=True):
    """Fields of the form. ``language``: two letters; empty: the session's. ``prompt``: text in whose style it writes.
    ``keyterms``: words to listen for. ``word_times``: of models that give them (whisper-1). ``extra``: any other field."""

    model: str = "gpt-transcribe"
    language: str = ""
    prompt: str = ""
    keyterms: tuple[str, ...] = ()
    temperature: float | None = None
    word_times: bool = False
    extra: tuple[tuple[str, str], ...] = ()


class TranscriptionRequestCodec:
    """One request each utterance, as a WAV file."""

    rate = 16_000

    def __init__(self, options: TranscriptionOptions) -> None:
        self._options = options

    def request(self, pcm: bytes, language: str) -> WireRequest:
        options = self._options
        fields = [("model", options.model), ("response_format", "verbose_json" if options.word_times else "json")]
        if spoken := (options.language or language).partition("-")[0].lower():
            fields.append(("language", spoken))
        if options.prompt:
            fields.append(("prompt", options.prompt))
        if options.temperature is not None:
            fields.append(("temperature", str(options.temperature)))
        if options.word_times:
            fields.append(("timestamp_granularities[]", "word"))
        fields += [("keywords[]", term) for term in options.keyterms]
        fields += options.extra
        parts = [Part("file", wav_bytes(pcm, self.rate), filename="speech.wav", content_type="audio/wav")]
        parts += [Part(name, value.encode()) for name, value in fields]
        body, kind = multipart(tuple(parts))
        return WireRequest(path="/audio/transcriptions", body=body, headers={"Content-Type": kind})

    def authorise(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    def read(self, body: bytes) -> Heard:
        data = message_of(body)
        if not isinstance(data.get("text"), str):
            raise ModelError("The transcription cannot be read: it has no text.")
        words = tuple(
            HeardWord(string(word.get("word")), number(word.get("start")), number(word.get("end")))
            for word in data.get("words") or ()
            if isinstance(word, dict)
        )
        return Heard(segment="", text=data["text"].strip(), final=True, words=words, language=_language(data))

    def probe(self) -> WireRequest:
        return WireRequest(path="/models", body=b"", method="GET")

    def fault(self, body: bytes) -> ServiceFault:
        return read_fault(body)


def _language(data: dict[str, object]) -> str:
    languages = data.get("languages")
    if isinstance(languages, list) and languages and isinstance(languages[0], dict):
        return string(languages[0].get("code")) or string(languages[0].get("language"))
    return ""


def read_fault(body: bytes) -> ServiceFault:
    """The error object of OpenAI's services."""
    error = message_of(body).get("error")
    if not isinstance(error, dict):
        return ServiceFault()
    code = string(error.get("code")) or string(error.get("type"))
    return ServiceFault(string(error.get("message")), code, final=code in NO_CREDIT)
