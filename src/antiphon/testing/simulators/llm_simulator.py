"""What every simulated language model is made of: a request read, checked, answered as a stream, with its faults.

Owns: the faults of a stream, the order in which a request is refused. Never: a vendor's format (``LLMProtocol``).
"""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from antiphon.testing.simulators.base import Peer, Refusal, Request, Simulator
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault

JSON = {"Content-Type": "application/json"}
STREAM = {"Content-Type": "text/event-stream"}


class RefusalError(Exception):
    """The service refuses a request. ``param``: the field it is about."""

    def __init__(self, status: int, message: str, *, code: str = "", param: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param


class LLMProtocol(Protocol):
    """One vendor's format."""

    def authorise(self, headers: Mapping[str, str], key: str) -> None:
        """Raises ``RefusalError`` for another key than ``key`` (empty: any)."""
        ...

    def check(self, body: dict[str, Any], request: Request) -> None:
        """Raises ``RefusalError`` for what the vendor refuses."""
        ...

    def events(self, answer: Answer, body: dict[str, Any], fault: LLMServiceFault) -> Iterable[tuple[str, Any]]:
        """The events of an answer: their types (empty for the default) and data."""
        ...

    def error(self, status: int, message: str, code: str, param: str) -> Any:
        """The body of an HTTP error."""
        ...

    def stream_error(self, message: str, code: str) -> tuple[str, Any]:
        """The event that reports an error within a stream."""
        ...

    def ping(self) -> tuple[str, Any]:
        """An event that says nothing."""
        ...


class LLMSimulator(Simulator):
    """A language model over HTTP. ``script``: what it answers, and how it fails beside the faults of connections."""

    def __init__(self, script: LLMScript | None = None, *, faults: FaultScript | None = None, key: str = "") -> None:
        super().__init__(faults=faults, key=key)
        self.script = script or LLMScript()

    @abstractmethod
    def protocol(self, request: Request) -> LLMProtocol | None:
        """The format that is spoken at a path."""

    def refuse(self, request: Request) -> Refusal | None:
        """Most services of this kind take no sockets."""
        return Refusal(404)

    async def serve(self, peer: Peer) -> None:
        await peer.close(1008, "no socket here")

    async def answer(self, request: Request) -> tuple[int, dict[str, str], Any]:
        protocol = self.protocol(request)
        if request.method == "GET" and request.path.endswith("/models"):
            return self._models(request)
        if protocol is None or request.method != "POST":
            return 404, JSON, msgspec.json.encode({"error": {"message": "There is nothing here."}})
        try:
            body = json.loads(request.body)
        except ValueError:
            body = None
        self.script.requests.append(body if isinstance(body, dict) else {})
        fault = self.script.fault()
        try:
            if fault.status:
                raise RefusalError(fault.status, fault.message, code=fault.code)
            protocol.authorise(request.headers, self.key)
            if not isinstance(body, dict):
                raise RefusalError(400, "We could not parse the JSON body of your request.")
            protocol.check(body, request)
        except RefusalError as refused:
            error = protocol.error(refused.status, refused.message, refused.code, refused.param)
            return refused.status, {**JSON, **fault.headers}, msgspec.json.encode(error)
        events = protocol.events(self.script.answer(), body, fault)
        return 200, {**STREAM, **fault.headers}, _stream(protocol, events, fault)

    def _models(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        protocol = self.home()
        try:
            protocol.authorise(request.headers, self.key)
        except RefusalError as refused:
            error = protocol.error(refused.status, refused.message, refused.code, refused.param)
            return refused.status, JSON, msgspec.json.encode(error)
        return 200, JSON, b'{"object": "list", "data": [], "models": []}'

    @abstractmethod
    def home(self) -> LLMProtocol:
        """The format whose keys the list of models wants."""


async def _stream(
    protocol: LLMProtocol, events: Iterable[tuple[str, Any]], fault: LLMServiceFault
) -> AsyncIterator[bytes]:
    if fault.slow:
        await asyncio.sleep(fault.slow)
    for _ in range(fault.pings):
        yield _written(fault, *protocol.ping())
    number = -1
    for number, (kind, data) in enumerate(events):
        if fault.mishap and number == fault.after:
            async for piece in _mishap(protocol, fault):
                yield piece
            if fault.mishap != "unknown":
                return
        raw = _written(fault, kind, data)
        size = fault.bytes or len(raw)
        for at in range(0, len(raw), size):
            yield raw[at : at + size]
            await asyncio.sleep(0)
    if fault.mishap and number < fault.after:
        async for piece in _mishap(protocol, fault):
            yield piece


async def _mishap(protocol: LLMProtocol, fault: LLMServiceFault) -> AsyncIterator[bytes]:
    match fault.mishap:
        case "cut":
            await asyncio.sleep(0.01)  # what was sent before it arrives
            raise ConnectionResetError
        case "stall":
            await asyncio.get_running_loop().create_future()
        case "ping":
            while True:
                yield _written(fault, *protocol.ping())
                await asyncio.sleep(0.02)
        case "error":
            yield _written(fault, *protocol.stream_error(fault.message, fault.code))
        case "garbage":
            yield b"data: {{{\n\n"
        case "unknown":
            yield _written(fault, "vendor.new_event", {"type": "vendor.new_event", "data": [None]})


def _written(fault: LLMServiceFault, kind: str, data: Any) -> bytes:
    end = "\r\n" if fault.crlf else "\n"
    lines = [": still here"] * fault.comments
    if kind:
        lines.append(f"event: {kind}")
    lines.append(f"data: {data if isinstance(data, str) else json.dumps(data)}")
    return (end.join(lines) + end + end).encode()
