"""ElevenLabs' streaming recognition (``/v1/speech-to-text/realtime``): the Scribe models.

Owns: commands -> frames, frames -> signals. Never: sockets, keys, retries.
Source: ElevenLabs' API reference of the realtime WebSocket, and the message classes of its client library (MIT).
"""

from __future__ import annotations

import binascii
from collections import deque
from typing import Any

import msgspec

from antiphon.models.endings import Ending, Failure, Refused, ServiceError, failure_of
from antiphon.models.speech_codec import (
    Audio,
    ConnectSpec,
    Covered,
    Ended,
    Finalize,
    Frame,
    Heard,
    HeardWord,
    Notice,
    Ready,
    STTCommand,
    STTRules,
    STTSignal,
)
from antiphon.providers.elevenlabs_multi_context import refusal_of
from antiphon.providers.json_fields import message_of, number, string, text_of

LEAST = 0.3
"""Seconds of audio that a commit must cover: one of less ends the session."""
LEAD = 1.0
"""Seconds of audio before the first words of a segment, in which it may have begun."""
REFUSED = frozenset(
    ["auth_error", "quota_exceeded", "unaccepted_terms", "input_error", "invalid_request", "chunk_size_exceeded"]
)
"""Errors with which asking again is of no use."""
ERRORS = REFUSED | {
    "error",
    "commit_throttled",
    "rate_limited",
    "queue_overflow",
    "resource_exhausted",
    "session_time_limit_exceeded",
    "insufficient_audio_activity",
    "transcriber_error",
}


class ScribeOptions(msgspec.Struct, frozen=True):
    """Query parameters of ``/v1/speech-to-text/realtime``. ``keyterms``: words to listen for, at most 50 of 20 characters.
    ``no_verbatim``: leave out fillers and false starts. ``extra``: any other parameter, as it is."""

    model: str = "scribe_v2_realtime"
    language: str = ""
    keyterms: tuple[str, ...] = ()
    no_verbatim: bool = False
    logging: bool = True
    extra: tuple[tuple[str, str], ...] = ()


class ScribeCodec:
    """One socket. A segment lies between two commits, which are made from here. Its final comes twice: the text at once, then
    with the times of its words."""

    rules = STTRules(chunk=0.1, keepalive=8.0, answers=False)

    def __init__(self, options: ScribeOptions) -> None:
        self._options = options
        self._sent = self._committed = 0.0
        self._commits: deque[float] = deque()
        """Where commits were made whose final has not come."""
        self._plain = self._timed = 0
        """Finals that have come, of either kind."""
        self._start = self._changed = 0.0
        self._text = ""
        self._last = Heard("", "")
        self._ending = False

    def connect(self, key: str) -> ConnectSpec:
        options = self._options
        query = [
            ("model_id", options.model),
            ("audio_format", f"pcm_{self.rules.rate}"),
            ("commit_strategy", "manual"),
            ("include_timestamps", "true"),
        ]
        if options.language:
            query.append(("language_code", options.language))
        query += [("keyterms", term) for term in options.keyterms]
        if options.no_verbatim:
            query.append(("no_verbatim", "true"))
        if not options.logging:
            query.append(("enable_logging", "false"))
        query += options.extra
        return ConnectSpec(
            path="/v1/speech-to-text/realtime", query=tuple(query), headers={"xi-api-key": key}, waits=True
        )

    def encode(self, command: STTCommand) -> list[Frame]:
        if isinstance(command, Audio):
            self._sent += len(command.pcm) / 2 / self.rules.rate
            return [self._chunk(command.pcm)] if command.pcm else []
        short = LEAST - (self._sent - self._committed)
        if isinstance(command, Finalize):
            return [self._commit()] if short <= 0 else []  # so little audio goes with what follows
        self._ending = True
        rest = bytes(2 * round((short + 0.01) * self.rules.rate)) if short > 0 else b""
        return [self._commit(rest)]

    def _commit(self, rest: bytes = b"") -> str:
        self._committed = self._sent
        self._commits.append(self._sent)
        return self._chunk(rest, commit=True)

    def _chunk(self, pcm: bytes, *, commit: bool = False) -> str:
        audio = binascii.b2a_base64(pcm, newline=False).decode()
        message = {"message_type": "input_audio_chunk", "audio_base_64": audio, "commit": commit}
        return text_of({**message, "sample_rate": self.rules.rate})

    def on_idle(self) -> list[Frame]:
        return [self._chunk(b"")]

    def decode(self, frame: Frame) -> list[STTSignal]:
        data = message_of(frame)
        kind = string(data.get("message_type"))
        if kind == "partial_transcript":
            return self._partial(string(data.get("text")))
        if kind == "committed_transcript":
            return self._final(string(data.get("text"))) or [Notice("empty")]
        if kind == "committed_transcript_with_timestamps":
            return self._again(data)
        if kind == "session_started":
            return [Ready(session=string(data.get("session_id")))]
        if kind in ERRORS:
            return [ServiceError(string(data.get("error")), code=kind)]
        if kind == "warning":
            return [Notice(kind, string(data.get("warning")))]
        return [Notice("unknown", kind)]

    def _partial(self, text: str) -> list[STTSignal]:
        if not text:
            return [Notice("empty")]
        if not self._text:
            self._start = max(self._start, self._sent - LEAD)
        if text != self._text:
            self._text, self._changed = text, self._sent
        return [Heard(str(self._plain), text, start=self._start, end=self._changed)]

    def _final(self, text: str) -> list[STTSignal]:
        if not self._commits and not self._text and self._plain and text == self._last.text:
            return []  # it came again
        end = self._commits.popleft() if self._commits else self._changed  # the service may commit by itself
        heard = Heard(str(self._plain), text, final=True, start=min(self._start, end), end=end)
        self._plain, self._text, self._start, self._changed, self._last = self._plain + 1, "", end, end, heard
        return [heard, Covered(end)]

    def _again(self, data: dict[str, Any]) -> list[STTSignal]:
        """The same final with the times of its words."""
        signals: list[STTSignal] = []
        if self._timed == self._plain:  # this kind came first
            signals += self._final(string(data.get("text")))
            if not signals:
                return [Notice("empty")]
        self._timed += 1
        last = self._last
        words = _words_of(data.get("words"))
        if words:
            language = string(data.get("language_code"))
            signals.append(msgspec.structs.replace(last, words=words, start=words[0].start, language=language))
        if self._ending and not self._commits:
            signals.append(Ended())
        return signals or [Notice("empty")]

    def classify(self, ending: Ending) -> Failure:
        if isinstance(ending, ServiceError):
            return failure_of("ElevenLabs", ending, final=ending.code in REFUSED)
        return failure_of("ElevenLabs", ending, said=refusal_of(ending) if isinstance(ending, Refused) else "")

    def resume(self) -> ScribeCodec:
        return ScribeCodec(self._options)


def _words_of(words: object) -> tuple[HeardWord, ...]:
    """Timed words, without what stands between them."""
    return tuple(
        HeardWord(
            string(word.get("text")), number(word["start"]), number(word["end"]), speaker=string(word.get("speaker_id"))
        )
        for word in (words if isinstance(words, list) else ())
        if isinstance(word, dict) and word.get("type", "word") == "word" and "start" in word and "end" in word
    )
