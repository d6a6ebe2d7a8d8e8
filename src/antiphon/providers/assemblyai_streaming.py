"""AssemblyAI's streaming recognition, version 3 (``/v3/ws``).

Owns: commands -> frames, frames -> signals. Never: sockets, keys, retries.
Source: AssemblyAI's API reference of the streaming WebSocket, and the close codes of its client library (MIT).
"""

from __future__ import annotations

from typing import Any

import msgspec

from antiphon.models.endings import Closed, Ending, Failure, Refused, ServiceError, failure_of
from antiphon.models.speech_codec import (
    Audio,
    AudioUsage,
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
    TurnEdge,
    main_speaker,
)
from antiphon.providers.json_fields import integer, message_of, number, string

LEAST, MOST = 0.05, 1.0
"""Seconds of audio in a message; one that holds more or less ends the session (3007)."""
SESSION = 10_800.0
"""Seconds that a session may last."""
NEEDS_NOTHING = frozenset({"Heartbeat", "Silence", "SpeakerRevision", "LLMGatewayResponse"})
REFUSED = {
    3006: "It does not accept the request.",
    3007: "A message held too much or too little audio, or audio came too fast.",
    4000: "It does not take this sample rate.",
    4001: "It does not accept the API key.",
    4002: "The account has no credit left.",
    4003: "The account has no credit card, which this needs.",
    4032: "There was too little audio.",
    4033: "There was too much audio.",
    4034: "There was too little audio.",
    4100: "It cannot read a message.",
    4101: "It does not accept a message.",
}
"""Codes with which asking again is of no use. They close the socket, or stand in an error."""
TEMPORARY = {
    1013: "It has too much to do.",
    3005: "It has failed.",
    3008: "The session has expired.",
    3009: "The account has too many sessions at a time.",
    4008: "The session has expired.",
    4010: "The session has ended.",
    4029: "Audio came too fast.",
    4031: "The session was idle for too long.",
    4102: "The account has too many sessions at a time.",
    4103: "The session goes on over another connection.",
}
HINTS = {
    4001: "Check the API key of AssemblyAI.",
    4002: "Add credit at https://www.assemblyai.com/dashboard.",
    4003: "Add a credit card at https://www.assemblyai.com/dashboard.",
    3006: "Check the model's name and its options.",
}


class StreamingOptions(msgspec.Struct, frozen=True):
    """Query parameters of ``/v3/ws``. ``format_turns``: after a turn's end its text comes again with capitals, punctuation and
    figures. ``end_of_turn_confidence_threshold`` (0-1), ``min_turn_silence``, ``max_turn_silence`` (ms): when a turn ends.
    ``languages``: two letters each. ``extra``: any other parameter, as it is."""

    model: str = "universal-streaming-english"
    languages: tuple[str, ...] = ()
    keyterms: tuple[str, ...] = ()
    format_turns: bool = True
    end_of_turn_confidence_threshold: float | None = None
    min_turn_silence: int | None = None
    max_turn_silence: int | None = None
    vad_threshold: float | None = None
    diarize: bool = False
    max_speakers: int | None = None
    prompt: str = ""
    extra: tuple[tuple[str, str], ...] = ()


class StreamingCodec:
    """One socket of ``/v3/ws``. A segment is a turn. Its final comes twice by design: at once as it was heard, then written
    properly; the first ends the turn, the second takes the place of its text."""

    rules = STTRules(chunk=0.1, keepalive=5.0, session=SESSION, answers=False)

    def __init__(self, options: StreamingOptions) -> None:
        self._options = options
        self._held = bytearray()
        self._sent = 0
        """Bytes of audio that are on their way."""
        self._ending = False
        self._turn = -1
        """The last turn in which a word was heard."""
        self._over = -1
        """The last turn that has ended."""

    def connect(self, key: str) -> ConnectSpec:
        options = self._options
        query = [
            ("speech_model", options.model),
            ("sample_rate", str(self.rules.rate)),
            ("encoding", "pcm_s16le"),
            ("format_turns", "true" if options.format_turns else "false"),
        ]
        if not options.model.startswith(("universal-streaming", "whisper")):
            query.append(("continuous_partials", "true"))  # else it says nothing until there is a pause
        for name in (
            "end_of_turn_confidence_threshold",
            "min_turn_silence",
            "max_turn_silence",
            "vad_threshold",
            "max_speakers",
        ):
            if (value := getattr(options, name)) is not None:
                query.append((name, str(value)))
        for name, values in (("language_codes", options.languages), ("keyterms_prompt", options.keyterms)):
            if values:
                query.append((name, msgspec.json.encode(values).decode()))
        if options.diarize:
            query.append(("speaker_labels", "true"))
        if options.prompt:
            query.append(("prompt", options.prompt))
        query += options.extra
        return ConnectSpec(path="/v3/ws", query=tuple(query), headers={"Authorization": key}, waits=True)

    def encode(self, command: STTCommand) -> list[Frame]:
        if isinstance(command, Audio):
            self._held += command.pcm
            return self._messages()
        if isinstance(command, Finalize):
            return ['{"type":"ForceEndpoint"}']  # what is held is less than a message and begins the next one
        if self._held:
            self._held += bytes(max(0, self._bytes(LEAST) - len(self._held)))
        self._ending = True
        return [*self._messages(), '{"type":"Terminate"}']

    def _messages(self) -> list[Frame]:
        """The audio that is held, in messages of a length that is taken; what is too short for one is kept."""
        messages: list[Frame] = []
        while len(self._held) >= self._bytes(LEAST):
            messages.append(bytes(self._held[: self._bytes(MOST)]))
            self._sent += len(messages[-1])
            del self._held[: self._bytes(MOST)]
        return messages

    def _bytes(self, seconds: float) -> int:
        return 2 * round(seconds * self.rules.rate)

    def on_idle(self) -> list[Frame]:
        return ['{"type":"KeepAlive"}']

    def decode(self, frame: Frame) -> list[STTSignal]:
        data = message_of(frame)
        kind = data.get("type")
        if kind == "Turn":
            return self._turn_of(data)
        if kind == "Begin":
            return [Ready(session=string(data.get("id")))]
        if kind == "Termination":
            usage = AudioUsage(number(data.get("session_duration_seconds")))
            # After Terminate it comes when all audio was dealt with, the sound behind the last word too.
            return [usage, Covered(self._sent / 2 / self.rules.rate), Ended()] if self._ending else [usage, Ended()]
        if kind == "Error" or "error" in data:
            return [ServiceError(string(data.get("error")), code=str(integer(data.get("error_code"))))]
        if kind == "Warning":
            return [Notice(str(integer(data.get("warning_code"))), string(data.get("warning")))]
        if kind == "SpeechStarted" or kind in NEEDS_NOTHING:
            return [Notice("empty")]
        return [Notice("unknown", string(kind))]

    def _turn_of(self, data: dict[str, Any]) -> list[STTSignal]:
        turn, final = integer(data.get("turn_order")), data.get("end_of_turn") is True
        words = words_of(data.get("words"))
        text = string(data.get("transcript"))
        if not final:  # the transcript lacks words that may still change
            text = max(text, " ".join(word.text for word in words), key=len)
        signals: list[STTSignal] = []
        if text and turn > self._turn:
            self._turn = turn
            signals.append(TurnEdge("start"))
        if not text and not final:
            return [Notice("empty")]
        speaker = string(data.get("speaker_label"))
        signals.append(
            Heard(
                segment=str(turn),
                text=text,
                final=final,
                start=words[0].start if words else 0.0,
                end=words[-1].end if words else 0.0,
                words=words,
                language=string(data.get("language_code")),
                speaker=speaker or main_speaker(words),
            )
        )
        if final and turn == self._turn > self._over:
            self._over = turn
            signals.append(TurnEdge("end"))
        return signals

    def classify(self, ending: Ending) -> Failure:
        if isinstance(ending, Refused):
            data = message_of(ending.body)
            return failure_of("AssemblyAI", ending, said=string(data.get("error")) or string(data.get("message")))
        code = ending.code if isinstance(ending, Closed) else int(ending.code or 0)
        meaning = REFUSED.get(code) or TEMPORARY.get(code)
        if meaning is None:
            return failure_of("AssemblyAI", ending)
        said = ending.reason if isinstance(ending, Closed) else ending.message
        text = f"AssemblyAI ended the session ({code}{f': {said[:200]}' if said else ''}). {meaning}"
        return Failure(text, retryable=code in TEMPORARY, hint=HINTS.get(code, ""))

    def resume(self) -> StreamingCodec:
        return StreamingCodec(self._options)


def words_of(words: object) -> tuple[HeardWord, ...]:
    """Timed words; those without times are left out."""
    return tuple(
        HeardWord(
            text=string(word.get("text")),
            start=number(word["start"]) / 1000,
            end=number(word["end"]) / 1000,
            confidence=number(word.get("confidence"), 1.0),
            speaker=string(word.get("speaker")),
        )
        for word in (words if isinstance(words, list) else ())
        if isinstance(word, dict) and "start" in word and "end" in word
    )
