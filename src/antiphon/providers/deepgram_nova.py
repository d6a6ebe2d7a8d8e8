"""Deepgram's streaming recognition, first version (``/v1/listen``): the Nova models.

Owns: commands -> frames, frames -> signals. Never: sockets, keys, retries.
Source: Deepgram's AsyncAPI description of ``/v1/listen`` and its list of close codes.
"""

from __future__ import annotations

import msgspec

from antiphon.models.endings import Closed, Ending, Failure, Refused, ServiceError, failure_of
from antiphon.models.speech_codec import (
    Audio,
    AudioUsage,
    ConnectSpec,
    Covered,
    Ended,
    Finalize,
    Finalized,
    Frame,
    Heard,
    Notice,
    STTCommand,
    STTRules,
    STTSignal,
    main_speaker,
)
from antiphon.providers.deepgram_results import RESULTS, Results, heard_words, results_of
from antiphon.providers.json_fields import UNREADABLE, message_of, number, string

SILENT = frozenset({"SpeechStarted", "UtteranceEnd", "ConfigureSuccess"})
"""Messages that tell the wire nothing: finals and the plane's own voice activity decide."""


class NovaOptions(msgspec.Struct, frozen=True):
    """Query parameters of ``/v1/listen``. ``language``: BCP 47, or ``multi``. ``keyterms``: words to listen for (nova-3).
    ``diarize``: label speakers. ``endpointing``: milliseconds of silence that settle a segment (0: the service's own).
    ``extra``: any other parameter, as it is."""

    model: str = "nova-3"
    language: str = ""
    keyterms: tuple[str, ...] = ()
    smart_format: bool = True
    punctuate: bool = True
    numerals: bool = False
    profanity_filter: bool = False
    diarize: bool = False
    redact: tuple[str, ...] = ()
    endpointing: int = 0
    tags: tuple[str, ...] = ()
    mip_opt_out: bool = False
    extra: tuple[tuple[str, str], ...] = ()


class NovaCodec:
    """One socket of ``/v1/listen``. A segment is the stretch that begins at a result's ``start``: interim results and the
    final of one stretch share it, so that whatever comes again replaces what came before."""

    rules = STTRules(chunk=0.08, keepalive=4.0)

    def __init__(self, options: NovaOptions) -> None:
        self._options = options

    def connect(self, key: str) -> ConnectSpec:
        options = self._options
        query = [
            ("model", options.model),
            ("encoding", "linear16"),
            ("sample_rate", str(self.rules.rate)),
            ("channels", "1"),
            ("interim_results", "true"),
        ]
        if options.language:
            query.append(("language", options.language))
        flags = ("smart_format", "punctuate", "numerals", "profanity_filter", "diarize", "mip_opt_out")
        query += [(name, "true") for name in flags if getattr(options, name)]
        if options.endpointing:
            query.append(("endpointing", str(options.endpointing)))
        for name, values in (("keyterm", options.keyterms), ("redact", options.redact), ("tag", options.tags)):
            query += [(name, value) for value in values]
        query += options.extra
        return ConnectSpec(path="/v1/listen", query=tuple(query), headers=authorise(key))

    def encode(self, command: STTCommand) -> list[Frame]:
        if isinstance(command, Audio):
            return [command.pcm] if command.pcm else []  # an empty message would end the stream
        return ['{"type":"Finalize"}' if isinstance(command, Finalize) else '{"type":"CloseStream"}']

    def on_idle(self) -> list[Frame]:
        return ['{"type":"KeepAlive"}']

    def decode(self, frame: Frame) -> list[STTSignal]:
        try:
            return _signals(RESULTS.decode(frame))
        except UNREADABLE:
            data = message_of(frame)
        kind = data.get("type")
        if kind == "Results":
            results = results_of(data)
            return [Notice("unknown", "Results without alternatives")] if results is None else _signals(results)
        if kind == "Metadata":
            return [AudioUsage(number(data.get("duration"))), Ended()]
        if kind == "Error":
            text = string(data.get("description")) or string(data.get("message"))
            return [ServiceError(text, code=string(data.get("variant")) or string(data.get("code")))]
        if kind == "ConfigureFailure":
            return [Notice(string(data.get("code")), string(data.get("description")))]
        return [] if kind in SILENT else [Notice("unknown", string(kind))]

    def classify(self, ending: Ending) -> Failure:
        return classify(ending)

    def resume(self) -> NovaCodec:
        return NovaCodec(self._options)


def _signals(results: Results) -> list[STTSignal]:
    best = results.channel.alternatives[0]
    start, end = results.start, results.start + results.duration
    words = heard_words(best.words)
    signals: list[STTSignal] = []
    if best.transcript or results.is_final:
        heard = Heard(
            segment=f"{start:.2f}",
            text=best.transcript,
            final=results.is_final,
            start=words[0].start if words else start,
            end=end,
            words=words,
            language=best.languages[0] if best.languages else "",
            speaker=main_speaker(words),
            confidence=best.confidence,
        )
        signals.append(heard)
    else:
        signals.append(Notice("empty"))
    if results.is_final:
        signals.append(Covered(end))
    if results.from_finalize:
        signals.append(Finalized())
    return signals


# --- shared with the second version ---------------------------------------------------------------------------------------


def authorise(key: str) -> dict[str, str]:
    return {"Authorization": f"Token {key}"}


def classify(ending: Ending) -> Failure:
    """Deepgram names its reasons in words (``NET-0001``, ``DATA-0000``); its numbers have changed."""
    if isinstance(ending, Closed):
        if "DATA-" in ending.reason:
            return Failure(f"Deepgram cannot read the audio ({ending.reason[:200]}).", retryable=False)
        if "NET-" in ending.reason:
            return Failure(f"Deepgram closed the connection ({ending.reason[:200]}).")
    if isinstance(ending, Refused):
        data = message_of(ending.body)
        said = string(data.get("err_msg")) or string(data.get("message")) or string(data.get("reason"))
        return failure_of("Deepgram", ending, said=said)
    if isinstance(ending, ServiceError):
        final = any(word in ending.code.upper() for word in ("DATA", "INVALID", "UNSUPPORTED"))
        return failure_of("Deepgram", ending, final=final)
    return failure_of("Deepgram", ending)
