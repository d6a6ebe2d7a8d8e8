"""ElevenLabs' streaming recognition, one client of it: ``ElevenLabsSimulator`` serves it at ``/v1/speech-to-text/realtime``.

Results follow the audio that was received, never the clock.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from antiphon.testing.simulators.base import Peer, Request
from antiphon.testing.simulators.recording import RATE, Listener, RecordedWord, Recording

QUERY = frozenset(
    [
        "model_id",
        "audio_format",
        "commit_strategy",
        "include_timestamps",
        "include_language_detection",
        "language_code",
        "secondary_languages",
        "keyterms",
        "no_verbatim",
        "vad_silence_threshold_secs",
        "vad_threshold",
        "min_speech_duration_ms",
        "min_silence_duration_ms",
        "filter_background_audio",
        "enable_logging",
        "token",
    ]
)
FIELDS = frozenset(["message_type", "audio_base_64", "commit", "sample_rate", "previous_text"])
LEAST = 0.3
"""Seconds of audio that a commit must cover."""


def problem_of(request: Request) -> str:
    """Why a handshake is not taken; empty: it is."""
    if unknown := [name for name, _ in request.query if name not in QUERY]:
        return f"Unknown parameter: {unknown[0]}"
    if request.one("model_id") != "scribe_v2_realtime":
        return "model_id must be scribe_v2_realtime."
    if request.one("audio_format", "pcm_16000") != f"pcm_{RATE}":
        return f"The simulator hears pcm_{RATE}."
    if request.one("commit_strategy", "manual") != "manual":
        return "The simulator knows the manual strategy."
    terms = request.all("keyterms")
    if len(terms) > 50 or any(len(term) > 20 for term in terms):
        return "There are too many keyterms, or too long ones."
    return ""


class ScribeSocket:
    """``recordings``: what it understands."""

    def __init__(self, recordings: Sequence[Recording], peer: Peer) -> None:
        self.peer = peer
        self.listener = Listener(recordings)
        self.timed = peer.request.one("include_timestamps") == "true"
        self._used = self._said = 0
        self._since = 0.0

    async def run(self) -> None:
        config = {"sample_rate": RATE, "audio_format": f"pcm_{RATE}", "model_id": "scribe_v2_realtime"}
        await self._send("session_started", session_id=f"simulated-{self.peer.number}", config=config)
        while True:
            frame = await self.peer.receive()
            try:
                message = msgspec.json.decode(frame)
                audio = binascii.a2b_base64(message["audio_base_64"], strict_mode=True)
                well = message["message_type"] == "input_audio_chunk" and message["sample_rate"] == RATE
                commit = message["commit"]
            except (msgspec.DecodeError, binascii.Error, KeyError, TypeError, ValueError):
                well = False
            if not well or set(message) - FIELDS:
                await self._fail("input_error", "The message does not follow the schema.")
                return
            for at in range(0, len(audio), 640):
                self.listener.feed(audio[at : at + 640])
                if len(self.listener.words) - self._used > self._said:
                    self._said = len(self.listener.words) - self._used
                    await self._send("partial_transcript", text=_text(self.listener.words[self._used :]))
            if commit:
                if self.listener.seconds - self._since < LEAST:
                    await self._fail("commit_throttled", f"A commit must cover {LEAST:g} s of audio.")
                    return
                await self._commit()

    async def _commit(self) -> None:
        words = self.listener.words[self._used :]
        self._used, self._said, self._since = len(self.listener.words), 0, self.listener.seconds
        await self._send("committed_transcript", text=_text(words))
        if self.timed:
            await self._send(
                "committed_transcript_with_timestamps", text=_text(words), language_code="en", words=_timed(words)
            )

    async def _send(self, kind: str, **fields: Any) -> None:
        await self.peer.send({"message_type": kind, **fields})

    async def _fail(self, kind: str, error: str) -> None:
        await self._send(kind, error=error)
        await self.peer.close(1008, error)


def _text(words: Sequence[RecordedWord]) -> str:
    return " ".join(word.text for word in words)


def _timed(words: Sequence[RecordedWord]) -> list[dict[str, Any]]:
    """The words and the spaces between them."""
    made: list[dict[str, Any]] = []
    for word in words:
        if made:
            made.append({"text": " ", "start": made[-1]["end"], "end": word.start, "type": "spacing"})
        made.append({"text": word.text, "start": word.start, "end": word.end, "type": "word", "logprob": -0.02})
    return made
