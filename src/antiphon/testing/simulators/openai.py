"""A simulator of OpenAI's language models: chat completions, and Responses over HTTP and over a WebSocket.

Owns: what is where, what a socket remembers, how long it lives. Never: the formats.
Source: OpenAI's guide on the WebSocket mode of Responses; types of its SDK (openai 3.57).
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from antiphon.testing.simulators.base import Peer, Refusal, Request
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault
from antiphon.testing.simulators.llm_simulator import LLMProtocol, LLMSimulator, RefusalError
from antiphon.testing.simulators.openai_chat import OPENAI, ChatProtocol, Dialect
from antiphon.testing.simulators.openai_responses import ResponsesProtocol


class OpenAISimulator(LLMSimulator):
    """``dialect``: how a service that follows OpenAI's chat completions differs. ``lifetime``: seconds after which a socket takes
    no more requests, as the vendor's do after 60 minutes. A response that is not stored is known on its own socket alone, and
    only the latest; a request that fails is the last thing it knew."""

    name = "openai"

    def __init__(
        self,
        script: LLMScript | None = None,
        *,
        dialect: Dialect = OPENAI,
        lifetime: float = 3600.0,
        faults: FaultScript | None = None,
        key: str = "",
    ) -> None:
        super().__init__(script, faults=faults, key=key)
        self.lifetime = lifetime
        self._chat = ChatProtocol(dialect)
        self._responses = ResponsesProtocol()

    def home(self) -> LLMProtocol:
        return self._chat

    def protocol(self, request: Request) -> LLMProtocol | None:
        if request.path.endswith("/chat/completions"):
            return self._chat
        return self._responses if request.path.endswith("/responses") else None

    def refuse(self, request: Request) -> Refusal | None:
        if not request.path.endswith("/responses"):
            return Refusal(404)
        try:
            self._responses.authorise(request.headers, self.key)
        except RefusalError as refused:
            error = self._responses.error(refused.status, refused.message, refused.code, refused.param)
            return Refusal(refused.status, error)
        return None

    async def serve(self, peer: Peer) -> None:
        protocol = ResponsesProtocol(prefix=f"s{peer.number}_")
        until = asyncio.get_running_loop().time() + self.lifetime
        while True:
            frame = await peer.receive()
            late = asyncio.get_running_loop().time() >= until
            if not await self._turn(peer, protocol, msgspec.json.decode(frame), late=late):
                await peer.close(1011, "scripted")
                return

    async def _turn(self, peer: Peer, protocol: ResponsesProtocol, body: dict[str, Any], *, late: bool) -> bool:
        """One request; whether the socket goes on."""
        kind = body.pop("type", None)
        self.script.requests.append(body)
        fault = self.script.fault()
        try:
            if late:
                said = "Responses websocket connection limit reached (60 minutes). Create a new websocket connection."
                raise RefusalError(400, said, code="websocket_connection_limit_reached")
            if kind != "response.create":
                raise RefusalError(400, f"Unknown event type '{kind}'.", code="unknown_event")
            if fault.status:
                raise RefusalError(fault.status, fault.message, code=fault.code)
            if "stream" in body:
                raise RefusalError(400, "Unknown parameter: 'stream'.", code="unknown_parameter", param="stream")
            protocol.check_body(body)
        except RefusalError as refused:
            protocol.stored.clear()
            error = protocol.error(refused.status, refused.message, refused.code, refused.param)
            if fault.headers:
                error["error"]["headers"] = fault.headers
            await peer.send({"type": "error", "status": refused.status, **error})
            return True
        warming = body.get("generate") is False
        answer = Answer(completion_tokens=0) if warming else self.script.answer()
        return await self._answer(peer, protocol, body, answer, fault)

    async def _answer(
        self, peer: Peer, protocol: ResponsesProtocol, body: dict[str, Any], answer: Answer, fault: LLMServiceFault
    ) -> bool:
        if fault.slow:
            await asyncio.sleep(fault.slow)
        known = set(protocol.stored)
        number = -1
        for number, (_kind, event) in enumerate(protocol.events(answer, body, fault)):
            if fault.mishap and number == fault.after and not await self._mishap(peer, protocol, fault):
                return False
            await peer.send(event)
        if fault.mishap and number < fault.after and not await self._mishap(peer, protocol, fault):
            return False
        for id in known:
            del protocol.stored[id]
        return True

    async def _mishap(self, peer: Peer, protocol: ResponsesProtocol, fault: LLMServiceFault) -> bool:
        """Whether the response goes on after it."""
        match fault.mishap:
            case "cut":
                await peer.abort()
            case "stall":
                await peer.receive()
            case "ping":
                while True:
                    await peer.send(protocol.ping()[1])
                    await asyncio.sleep(0.02)
            case "error":
                error = protocol.error(500, fault.message, fault.code or "server_error", "")
                await peer.send({"type": "error", "status": 500, **error})
            case "garbage":
                await peer.send("{{{")
            case "unknown":
                await peer.send({"type": "vendor.new_event", "data": [None]})
                return True
        return False
