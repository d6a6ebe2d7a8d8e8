"""A simulator of Gemini's ``streamGenerateContent``.

Owns: the format, what is refused. Never: sockets, what is answered (``llm_script``).
Source: the API reference of ``models.streamGenerateContent``; recorded traffic.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from antiphon.testing.simulators.base import Request
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.gemini_request import Content, GenerateContentRequest
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault, pieces
from antiphon.testing.simulators.llm_simulator import LLMProtocol, LLMSimulator, RefusalError
from antiphon.testing.simulators.strict import MismatchError, read

STOPS = {"length": "MAX_TOKENS", "content_filter": "SAFETY", "refusal": "PROHIBITED_CONTENT"}
STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip


class GeminiSimulator(LLMSimulator):
    """See ``LLMSimulator``."""

    name = "gemini"

    def __init__(self, script: LLMScript | None = None, *, faults: FaultScript | None = None, key: str = "") -> None:
        super().__init__(script, faults=faults, key=key)
        self._protocol = GeminiProtocol()

    def home(self) -> LLMProtocol:
        return self._protocol

    def protocol(self, request: Request) -> LLMProtocol | None:
        return self._protocol if request.path.endswith(":streamGenerateContent") else None


class GeminiProtocol:
    """See ``LLMProtocol``."""

    def __init__(self) -> None:
        self._number = 0

    def authorise(self, headers: Mapping[str, str], key: str) -> None:
        if key and headers.get("x-goog-api-key") != key:
            raise RefusalError(400, "API key not valid. Please pass a valid API key.", code="API_KEY_INVALID")

    def check(self, body: dict[str, Any], request: Request) -> None:
        if request.one("alt") != "sse":
            raise RefusalError(400, "This simulator streams server-sent events alone: ask with alt=sse.")
        try:
            asked = read(_camel(body), GenerateContentRequest)
        except MismatchError as wrong:
            if wrong.kind == "unknown":
                name = wrong.path.rpartition(".")[2]
                said = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
                raise RefusalError(400, said, param=wrong.path) from None
            raise RefusalError(400, f"Invalid value at '{wrong.path}': {wrong.message}", param=wrong.path) from None
        if asked.contents[-1].role != "user":
            raise RefusalError(400, "Please ensure that single turn requests end with a user role.")
        self._check_calls(asked, request.path.rpartition("/models/")[2].partition(":")[0])

    def _check_calls(self, asked: GenerateContentRequest, model: str) -> None:
        """A turn of calls is followed by a turn with a response for each; the third generation wants its signatures."""
        for before, content in pairwise([None, *asked.contents, None]):
            calls = [part.function_call for part in _parts(before) if part.function_call is not None]
            responses = [part.function_response for part in _parts(content) if part.function_response is not None]
            if len(calls) != len(responses):
                said = "number of function response parts is equal to the number of function call parts"
                raise RefusalError(400, f"Please ensure that the {said} of the function call turn.")
            if calls and before is not None and before.role != "model":
                raise RefusalError(400, "Please ensure that function call turns come from the model.")
        last = max((n for n, content in enumerate(asked.contents) if _speaks(content)), default=0)
        for content in asked.contents[last:]:
            first = next((part for part in content.parts if part.function_call is not None), None)
            if first is not None and not first.thought_signature and model.startswith("gemini-3"):
                said = "Function call is missing a thought_signature in functionCall parts."
                raise RefusalError(400, said)

    def events(self, answer: Answer, body: dict[str, Any], fault: LLMServiceFault) -> Iterator[tuple[str, Any]]:
        self._number += 1
        told = 0
        if answer.finish == "refusal" and not answer.text:
            feedback = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
            yield "", {**feedback, **self._rest(answer, 0, fault, last=True)}
            return
        for piece in pieces(answer.thinking, max(answer.piece, 16)):
            yield "", self._response([{"text": piece, "thought": True}], answer, told, fault)
        for piece in pieces(answer.text or answer.refusal, answer.piece):
            told += 1
            yield "", self._response([{"text": piece}], answer, told, fault)
        for n, call in enumerate(answer.calls):
            part: dict[str, Any] = {"functionCall": {"name": call.name, "args": json.loads(call.arguments)}}
            if call.id:
                part["functionCall"]["id"] = call.id
            if n == 0:
                part["thoughtSignature"] = b64encode((answer.thinking or call.name).encode()).decode()
            yield "", self._response([part], answer, told, fault)
        stop = STOPS.get(answer.finish, "STOP")
        last = self._response([{"text": ""}], answer, told, fault, last=True)
        last["candidates"][0]["finishReason"] = stop
        for _ in range(2 if fault.usage == "twice" else 1):
            yield "", last

    def _response(
        self, parts: list[dict[str, Any]], answer: Answer, told: int, fault: LLMServiceFault, *, last: bool = False
    ) -> dict[str, Any]:
        candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
        return {"candidates": [candidate], **self._rest(answer, told, fault, last=last)}

    def _rest(self, answer: Answer, told: int, fault: LLMServiceFault, *, last: bool) -> dict[str, Any]:
        rest: dict[str, Any] = {"modelVersion": "gemini-simulated", "responseId": f"response-{self._number}"}
        if fault.usage != "absent":
            said = answer.completion_tokens - answer.reasoning_tokens
            counts = {
                "promptTokenCount": answer.prompt_tokens,
                "candidatesTokenCount": said if last else min(told, said),
                "thoughtsTokenCount": answer.reasoning_tokens,
                "cachedContentTokenCount": answer.cached_tokens,
                "totalTokenCount": answer.prompt_tokens + answer.completion_tokens,
            }
            rest["usageMetadata"] = {name: count for name, count in counts.items() if count}
        return rest

    def error(self, status: int, message: str, code: str, param: str) -> Any:
        error: dict[str, Any] = {"code": status, "message": message, "status": STATUSES.get(status, "UNKNOWN")}
        if code == "API_KEY_INVALID":
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code}]
        if code.startswith("retry:"):
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{code[6:]}s"}]
        return {"error": error}

    def stream_error(self, message: str, code: str) -> tuple[str, Any]:
        return "", self.error(503, message, code, "")

    def ping(self) -> tuple[str, Any]:
        return "", {"usageMetadata": {"promptTokenCount": 0}}


def _parts(content: Content | None) -> Sequence[Any]:
    return content.parts if content is not None else ()


def _speaks(content: Content) -> bool:
    return content.role == "user" and any(part.function_response is None for part in content.parts)


def _camel(value: Any, inside: str = "") -> Any:
    """The same body with every field's name in camelCase, as the service reads it; data of the user's stays as it is."""
    if isinstance(value, list):
        return [_camel(one, inside) for one in value]
    if not isinstance(value, dict) or inside in (
        "args",
        "response",
        "parameters",
        "parametersJsonSchema",
        "responseSchema",
    ):
        return value
    made = {}
    for name, inner in value.items():
        first, *rest = name.split("_")
        camel = first + "".join(word.title() for word in rest)
        made[camel] = _camel(inner, camel)
    return made
