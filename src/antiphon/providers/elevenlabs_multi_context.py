"""ElevenLabs' streaming voices (``/v1/text-to-speech/{voice}/multi-stream-input``).

Owns: commands -> frames, frames -> signals. Never: sockets, keys, retries.
Source: ElevenLabs' AsyncAPI description of the multi-context WebSocket, and its guide to contexts.
"""

from __future__ import annotations

import binascii
from typing import Any
from urllib.parse import quote

import msgspec

from antiphon.models.endings import Closed, Ending, Failure, Refused, ServiceError, failure_of
from antiphon.models.speech_codec import (
    ConnectSpec,
    ContextDone,
    Frame,
    Notice,
    SegmentDone,
    Sound,
    Speak,
    SpokenWord,
    TTSCommand,
    TTSRules,
    TTSSignal,
    Words,
)
from antiphon.providers.character_alignment import Character, CharacterAlignment, sounding_in
from antiphon.providers.json_fields import message_of, number, string, text_of

CONTEXTS = 5
"""Contexts that a socket may have: one more closes it (1008 ``max_active_conversations``)."""
INACTIVITY = 180
"""Seconds without text after which the service ends a context or a socket: the most that may be asked for."""
TEMPORARY = ("max_active", "simultaneous contexts", "timeout", "concurrent", "rate_limit", "busy", "internal")
"""In an error's name or a close reason: a new socket, a little later, can do better."""
FINAL = (
    "api_key",
    "quota",
    "permission",
    "unauthorized",
    "not_found",
    "does_not_exist",
    "invalid",
    "unsupported",
    "blocked",
)


class MultiContextOptions(msgspec.Struct, frozen=True):
    """Query parameters, and the settings that a context is opened with. ``voice``: its id. ``rate``: Hz. ``stability``,
    ``similarity_boost``, ``style`` 0-1, ``speed`` 0.7-1.2: unset: the voice's own. ``normalization``: ``auto``, ``on`` or
    ``off``. ``dictionaries``: id and version of pronunciation dictionaries. ``extra``: any other parameter, as it is."""

    model: str = "eleven_flash_v2_5"
    voice: str = ""
    language: str = ""
    rate: int = 24_000
    stability: float | None = None
    similarity_boost: float | None = None
    style: float | None = None
    use_speaker_boost: bool | None = None
    speed: float | None = None
    normalization: str = ""
    ssml: bool = False
    seed: int | None = None
    logging: bool = True
    dictionaries: tuple[tuple[str, str], ...] = ()
    contexts: int = CONTEXTS
    extra: tuple[tuple[str, str], ...] = ()


class _Context:
    def __init__(self) -> None:
        self.alignment = CharacterAlignment()
        self.bytes = 0
        self.text_from = 0.0
        """Where the present text begins, in seconds of the context's audio."""
        self.timed = False
        self.ended = 0
        """Texts that have ended; said when the next one sounds, so that the pause between them is no part of it."""
        self.closing = False


class MultiContextCodec:
    """One socket. A context lives from its first text to the service's ``isFinal``; each text is flushed. Where one text's
    audio ends is seen from the characters that the audio is timed with."""

    def __init__(self, options: MultiContextOptions) -> None:
        self._options = options
        self._contexts: dict[str, _Context] = {}
        self.rules = TTSRules(
            rate=options.rate, contexts=options.contexts, cancels=True, boundaries=True, idle=float(INACTIVITY)
        )

    def connect(self, key: str) -> ConnectSpec:
        options = self._options
        query = [
            ("model_id", options.model),
            ("output_format", f"pcm_{options.rate}"),
            ("inactivity_timeout", str(INACTIVITY)),
            ("sync_alignment", "true"),
            ("auto_mode", "true"),
        ]
        if options.language:
            query.append(("language_code", options.language))
        if options.normalization:
            query.append(("apply_text_normalization", options.normalization))
        if options.ssml:
            query.append(("enable_ssml_parsing", "true"))
        if options.seed is not None:
            query.append(("seed", str(options.seed)))
        if not options.logging:
            query.append(("enable_logging", "false"))
        query += options.extra
        path = f"/v1/text-to-speech/{quote(options.voice, safe='')}/multi-stream-input"
        return ConnectSpec(path=path, query=tuple(query), headers={"xi-api-key": key})

    def encode(self, command: TTSCommand) -> list[Frame]:
        name = command.context
        opening: list[Frame] = []
        if isinstance(command, Speak) and command.first:
            self._contexts[name] = _Context()
            opening.append(text_of({"text": " ", "context_id": name, **self._settings()}))
        context = self._contexts.get(name)
        if context is None or context.closing:
            return []  # any word of it would open it anew, without its settings
        if isinstance(command, Speak):
            # Texts are joined as they are: the space between two sentences has to be sent.
            text = command.text if command.text[-1:].isspace() else command.text + " "
            context.alignment.push(text)
            return [*opening, text_of({"text": text, "context_id": name, "flush": True})]
        context.closing = True
        return [text_of({"context_id": name, "close_context": True})]

    def _settings(self) -> dict[str, Any]:
        options = self._options
        names = ("stability", "similarity_boost", "style", "use_speaker_boost", "speed")
        voice = {name: value for name in names if (value := getattr(options, name)) is not None}
        settings: dict[str, Any] = {"voice_settings": voice} if voice else {}
        if options.dictionaries:
            settings["pronunciation_dictionary_locators"] = [
                {"pronunciation_dictionary_id": one, "version_id": version} for one, version in options.dictionaries
            ]
        return settings

    def on_idle(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[TTSSignal]:
        data = message_of(frame)
        name = string(data.get("contextId")) or string(data.get("context_id"))
        if error := string(data.get("error")):
            self._contexts.pop(name, None)
            return [ServiceError(string(data.get("message")) or error, code=error, context=name)]
        final = data.get("isFinal") is True or data.get("is_final") is True
        context = self._contexts.pop(name, None) if final else self._contexts.get(name)
        signals: list[TTSSignal] = []
        if data.get("audio"):
            try:
                pcm = binascii.a2b_base64(string(data["audio"]), strict_mode=True)
            except (binascii.Error, ValueError):
                return [Notice("unreadable", "audio")]
            signals += self._sound(name, context, pcm, data.get("alignment"))
        if final:
            if context is not None:
                words, ended = context.alignment.rest()
                signals += _ended(name, words, context.ended + ended)
            signals.append(ContextDone(name))
        return signals or [Notice("empty" if "audio" in data else "unknown")]

    def _sound(self, name: str, context: _Context | None, pcm: bytes, alignment: object) -> list[TTSSignal]:
        if context is None:
            return [Sound(name, pcm)]
        begins = context.bytes / 2 / self._options.rate
        context.bytes += len(pcm)
        characters = _characters(alignment, begins, context.text_from)
        if characters is None:
            if not context.timed:  # this model times nothing: its audio is not told apart
                self.rules = msgspec.structs.replace(self.rules, boundaries=False)
            return [Sound(name, pcm)]
        context.timed = True
        signals: list[TTSSignal] = []
        if sounding_in(characters):
            words, ended = context.alignment.begun(characters)
            context.ended += ended
            signals += _ended(name, words, context.ended)
            if context.ended:
                context.ended, context.text_from = 0, begins
        words, ended = context.alignment.spoken(characters)
        context.ended += ended
        signals += [*_ended(name, words, 0), Sound(name, pcm)]
        if not context.alignment.outstanding:
            signals += _ended(name, (), context.ended)
            context.ended = 0
        return signals

    def classify(self, ending: Ending) -> Failure:
        if isinstance(ending, Closed):
            said = ending.reason.lower()
            if ending.code == 1008 and any(word in said for word in TEMPORARY):
                return Failure(f"ElevenLabs closed the connection ({ending.reason[:200]}).")
            return failure_of("ElevenLabs", ending)
        if isinstance(ending, ServiceError):
            name = ending.code.lower()
            final = any(word in name for word in FINAL) and not any(word in name for word in TEMPORARY)
            return failure_of("ElevenLabs", ending, final=final)
        return failure_of("ElevenLabs", ending, said=refusal_of(ending))


def _ended(name: str, words: tuple[SpokenWord, ...], texts: int) -> list[TTSSignal]:
    """Words, then the ends of texts."""
    signals: list[TTSSignal] = [Words(name, words)] if words else []
    return signals + [SegmentDone(name)] * texts


def refusal_of(refused: Refused) -> str:
    """The service's words in a refusal: ``detail`` is a text, an object, or a list of them."""
    data = message_of(refused.body)
    detail = data.get("detail")
    if isinstance(detail, list) and detail:
        detail = detail[0]
    if isinstance(detail, dict):
        return string(detail.get("message")) or string(detail.get("msg")) or string(detail.get("status"))
    return string(detail) or string(data.get("message"))


def _characters(alignment: object, begins: float, text_from: float) -> list[Character] | None:
    """``begins``, ``text_from``: where this audio, and its text, begin in the context. The documents count times from the
    chunk, what is sent may count from the text or the context: the beginning that fits the audio is taken. ``None``: this
    audio is not timed."""
    if not isinstance(alignment, dict):
        return None
    chars = alignment.get("chars")
    starts = alignment.get("charStartTimesMs") or alignment.get("charsStartTimesMs")
    lengths = alignment.get("charDurationsMs") or alignment.get("charsDurationsMs")
    if not (isinstance(chars, list) and isinstance(starts, list) and isinstance(lengths, list)):
        return [] if chars == [] else None
    first = number(starts[0]) / 1000 if starts else 0.0
    base = min((begins, text_from, 0.0), key=lambda origin: abs(origin + first - begins))
    found = []
    for char, start, length in zip(chars, starts, lengths, strict=False):
        at = base + number(start) / 1000
        found.append(Character(string(char), at, at + number(length) / 1000))
    return found
