"""OpenAI: ``/v1/audio/transcriptions`` and ``/v1/audio/speech``, over HTTP.

A file is heard as far as it holds a known recording; the length of what is said follows the text. ``faults`` counts requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import msgspec

from antiphon.testing.simulators.base import Peer, Refusal, Request, Simulator
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.recording import Listener, Recording
from antiphon.testing.simulators.speaking import speak

RATE = 24_000
WAV_HEAD = 44
FORM = frozenset(
    [
        "file",
        "model",
        "language",
        "languages[]",
        "prompt",
        "response_format",
        "temperature",
        "timestamp_granularities[]",
        "keywords[]",
        "include[]",
        "stream",
        "chunking_strategy",
    ]
)
SPEECH = frozenset(["model", "voice", "input", "response_format", "instructions", "speed", "stream_format"])


class OpenAIAudioSimulator(Simulator):
    """``recordings``: what it understands. ``speed``: audio seconds made per second (0: all at once). ``cut``: after so many
    bytes the body of a synthesis breaks off (0: never). ``requests``: what was asked, as (path, fields)."""

    name = "openai-audio"

    def __init__(
        self,
        recordings: Sequence[Recording] = (),
        *,
        faults: FaultScript | None = None,
        key: str = "",
        speed: float = 10.0,
        cut: int = 0,
    ) -> None:
        super().__init__(faults=faults, key=key)
        self.recordings, self.speed, self.cut = recordings, speed, cut
        self.requests: list[tuple[str, list[tuple[str, Any]]]] = []

    def refuse(self, request: Request) -> Refusal | None:
        return Refusal(404, _error(404, "There is no socket here."))

    async def serve(self, peer: Peer) -> None:
        await peer.close(1008)

    async def answer(self, request: Request) -> tuple[int, dict[str, str], Any]:
        refusal = await self.faults.at_handshake(len(self.requests))
        self.requests.append((request.path, []))
        if refusal is not None:
            return refusal.status, refusal.headers, msgspec.json.encode(_error(refusal.status, "scripted"))
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key or (self.key and key != self.key):
            return _refused(401, "Incorrect API key provided.", "invalid_api_key")
        if request.path.endswith("/audio/transcriptions"):
            return self._transcribe(request)
        if request.path.endswith("/audio/speech"):
            return self._speak(request)
        return _refused(404, "Invalid URL", "unknown_url")

    def _transcribe(self, request: Request) -> tuple[int, dict[str, str], Any]:
        fields = _form(request)
        self.requests[-1] = (request.path, [(name, value) for name, value in fields if name != "file"])
        if unknown := [name for name, _ in fields if name not in FORM]:
            return _refused(400, f"Unknown parameter: '{unknown[0]}'.", "unknown_parameter")
        found = dict(fields)
        wav = found.get("file", b"")
        if not found.get("model") or not isinstance(wav, bytes) or wav[:4] != b"RIFF":
            return _refused(400, "A model and a sound file are needed.", "invalid_request_error")
        verbose = found.get("response_format") == "verbose_json"
        if verbose and not str(found["model"]).startswith("whisper"):
            return _refused(
                400, "response_format 'verbose_json' is not compatible with this model.", "unsupported_value"
            )
        listener = Listener(self.recordings)
        listener.feed(wav[WAV_HEAD:])
        listener.feed(bytes(640))
        text = " ".join(word.text for word in listener.words)
        body: dict[str, Any] = {"text": text, "usage": {"type": "duration", "seconds": round(listener.seconds)}}
        if verbose:
            words = [{"word": word.text, "start": word.start, "end": word.end} for word in listener.words]
            body = {"task": "transcribe", "language": "english", "duration": listener.seconds, **body, "words": words}
        return 200, {"Content-Type": "application/json"}, msgspec.json.encode(body)

    def _speak(self, request: Request) -> tuple[int, dict[str, str], Any]:
        try:
            fields = msgspec.json.decode(request.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            return _refused(400, "The body is not JSON.", "invalid_request_error")
        self.requests[-1] = (request.path, list(fields.items()))
        if unknown := set(fields) - SPEECH:
            return _refused(400, f"Unknown parameter: '{min(unknown)}'.", "unknown_parameter")
        text = fields.get("input")
        if not isinstance(text, str) or not text or len(text) > 4_096 or not fields.get("voice"):
            return _refused(400, "input and voice are needed.", "invalid_request_error")
        if fields.get("response_format", "mp3") != "pcm" or not 0.25 <= fields.get("speed", 1.0) <= 4.0:
            return _refused(400, "The simulator speaks pcm, at a speed of 0.25 to 4.", "invalid_value")
        pcm = speak(text, RATE).pcm
        headers = {"Content-Type": "audio/pcm", "Content-Length": str(len(pcm))}
        return 200, headers, self._pieces(pcm)

    async def _pieces(self, pcm: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(pcm), 4_801):  # no service cuts where a sample ends
            piece = pcm[at : at + 4_801]
            if self.cut and at + len(piece) > self.cut:
                raise ConnectionResetError("scripted")
            yield piece
            if self.speed:
                await asyncio.sleep(len(piece) / 2 / RATE / self.speed)


def _form(request: Request) -> list[tuple[str, Any]]:
    """The fields of a ``multipart/form-data`` body: text, and the bytes of the file."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    fields: list[tuple[str, Any]] = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        fields.append((str(name), data if part.get_filename() else bytes(data).decode()))
    return fields


def _error(status: int, message: str, code: str = "") -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code or None}}


def _refused(status: int, message: str, code: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, msgspec.json.encode(_error(status, message, code))
