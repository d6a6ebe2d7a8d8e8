"""Deepgram's streaming voices (``/v1/speak``): the Aura models.

Owns: commands -> frames, frames -> signals. Never: sockets, keys, retries.
Source: Deepgram's AsyncAPI description of ``/v1/speak``.
"""

from __future__ import annotations

import msgspec

from antiphon.models.endings import Ending, Failure, ServiceError
from antiphon.models.speech_codec import (
    CancelContext,
    ConnectSpec,
    ContextDone,
    Frame,
    Notice,
    SegmentDone,
    Sound,
    Speak,
    TTSCommand,
    TTSRules,
    TTSSignal,
)
from antiphon.providers.deepgram_nova import authorise, classify
from antiphon.providers.json_fields import message_of, string, text_of

FLUSH, CLEAR = '{"type":"Flush"}', '{"type":"Clear"}'


class AuraOptions(msgspec.Struct, frozen=True):
    """Query parameters of ``/v1/speak``. ``rate``: Hz. ``speed``: 0.7 to 1.5; unset: the voice's own. ``extra``: any other
    parameter, as it is."""

    model: str = "aura-2-thalia-en"
    rate: int = 24_000
    speed: float | None = None
    mip_opt_out: bool = False
    extra: tuple[tuple[str, str], ...] = ()


class AuraCodec:
    """One socket. The service knows no contexts and names no synthesis: one runs at a time, each text is flushed, and each
    ``Flushed`` answers the oldest flush. After ``Clear`` audio is dropped until ``Cleared``."""

    def __init__(self, options: AuraOptions) -> None:
        self._options = options
        self.rules = TTSRules(rate=options.rate, cancels=True, boundaries=True, session=3_600.0)
        self._context = ""
        self._flushes: list[bool] = []
        """Those not answered yet, oldest first; true: behind a text."""
        self._ending = False
        self._clearing = False

    def connect(self, key: str) -> ConnectSpec:
        options = self._options
        query = [("model", options.model), ("encoding", "linear16"), ("sample_rate", str(options.rate))]
        if options.speed is not None:
            query.append(("speed", str(options.speed)))
        if options.mip_opt_out:
            query.append(("mip_opt_out", "true"))
        return ConnectSpec(path="/v1/speak", query=(*query, *options.extra), headers=authorise(key))

    def encode(self, command: TTSCommand) -> list[Frame]:
        if isinstance(command, CancelContext):
            self._clearing = True
            self._flushes = []
            return [CLEAR]
        if isinstance(command, Speak):
            if command.first:
                self._context, self._flushes, self._ending = command.context, [], False
            self._flushes.append(True)
            return [text_of({"type": "Speak", "text": command.text}), FLUSH]
        self._ending = True
        if self._flushes:
            return []
        self._flushes.append(False)  # everything is spoken already: the answer to this one ends it
        return [FLUSH]

    def on_idle(self) -> list[Frame]:
        return []

    def decode(self, frame: Frame) -> list[TTSSignal]:
        if isinstance(frame, bytes):
            return [] if self._clearing else [Sound(self._context, frame)]
        data = message_of(frame)
        kind = data.get("type")
        if kind == "Flushed":
            return self._flushed()
        if kind == "Cleared":
            self._clearing = False
            return [ContextDone(self._context)]
        if kind == "Metadata":
            return []
        if kind == "Warning":
            return [Notice(string(data.get("code")), string(data.get("description")))]
        if kind == "Error" or "err_code" in data:
            said = string(data.get("description")) or string(data.get("err_msg"))
            return [ServiceError(said, code=string(data.get("code")) or string(data.get("err_code")))]
        return [Notice("unknown", string(kind))]

    def _flushed(self) -> list[TTSSignal]:
        if self._clearing or not self._flushes:
            return [Notice("flushed")]
        signals: list[TTSSignal] = [SegmentDone(self._context)] if self._flushes.pop(0) else []
        if self._ending and not self._flushes:
            self._ending = False
            signals.append(ContextDone(self._context))
        return signals

    def classify(self, ending: Ending) -> Failure:
        return classify(ending)
