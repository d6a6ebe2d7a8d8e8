"""A simulator of OpenAI's Responses: its events, and what it refuses.

Owns: the format. Never: sockets (``openai``), what is answered (``llm_script``).
Source: the API reference of ``POST /responses``; recorded traffic.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from antiphon.testing.simulators.base import Request
from antiphon.testing.simulators.llm_script import Answer, LLMServiceFault, call_pieces, pieces
from antiphon.testing.simulators.llm_simulator import RefusalError
from antiphon.testing.simulators.openai_chat import error_type
from antiphon.testing.simulators.openai_responses_request import ResponsesRequest
from antiphon.testing.simulators.strict import MismatchError, read

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponsesProtocol:
    """See ``LLMProtocol``. ``stored``: conversations by the response that ended them. ``prefix``: of its responses' ids."""

    def __init__(self, prefix: str = "") -> None:
        self.stored: dict[str, list[dict[str, Any]]] = {}
        self._prefix = prefix
        self._number = 0

    def authorise(self, headers: Mapping[str, str], key: str) -> None:
        if key and headers.get("authorization", "").removeprefix("Bearer ") != key:
            raise RefusalError(401, "Incorrect API key provided.", code="invalid_api_key")

    def check(self, body: dict[str, Any], request: Request) -> None:
        self.check_body({name: value for name, value in body.items() if name != "generate"})
        if not body.get("stream"):
            raise RefusalError(400, "This simulator streams: ask with stream=true.", param="stream")

    def check_body(self, body: dict[str, Any]) -> None:
        """Raises ``RefusalError`` for what both ways in refuse."""
        try:
            asked = read({**body, "input": _typed(body.get("input", []))}, ResponsesRequest)
        except MismatchError as wrong:
            said = {"unknown": "Unknown parameter", "missing": "Missing required parameter"}.get(wrong.kind)
            message = f"{said}: '{wrong.path}'." if said else f"Invalid value at '{wrong.path}': {wrong.message}."
            code = {"unknown": "unknown_parameter", "missing": "missing_required_parameter"}.get(wrong.kind)
            raise RefusalError(400, message, code=code or "invalid_value", param=wrong.path) from None
        if asked.tool_choice is not None and not asked.tools:
            raise RefusalError(400, "Tool choice must be unset when no tools are given.", param="tool_choice")
        before: list[dict[str, Any]] = []
        if (id := asked.previous_response_id) is not None:
            if id not in self.stored:
                said = f"Previous response with id '{id}' not found."
                raise RefusalError(400, said, code="previous_response_not_found", param="previous_response_id")
            before = self.stored[id]
        _check_pairs([*before, *_typed(body.get("input", []))])

    def events(self, answer: Answer, body: dict[str, Any], fault: LLMServiceFault) -> Iterator[tuple[str, Any]]:
        self._number += 1
        made = _Response(f"resp_{self._prefix}{self._number}", body)
        sequence = -1
        for kind, fields in made.events(answer, fault):
            sequence += 1
            yield kind, {"type": kind, **fields, "sequence_number": sequence}
        before = self.stored.get(str(body.get("previous_response_id")), [])
        self.stored[made.id] = [*before, *_typed(body.get("input", [])), *made.output]

    def error(self, status: int, message: str, code: str, param: str) -> Any:
        kind = code if code == "insufficient_quota" else error_type(status)
        return {"error": {"message": message, "type": kind, "param": param or None, "code": code or None}}

    def stream_error(self, message: str, code: str) -> tuple[str, Any]:
        fields = {"code": code or "server_error", "message": message, "param": None, "sequence_number": 99}
        return "error", {"type": "error", **fields}

    def ping(self) -> tuple[str, Any]:
        return "keepalive", {"type": "keepalive", "sequence_number": 0}


class _Response:
    """The events of one response."""

    def __init__(self, id: str, body: dict[str, Any]) -> None:
        self.id = id
        self.body = body
        self.output: list[dict[str, Any]] = []

    def events(self, answer: Answer, fault: LLMServiceFault) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "response.created", {"response": self._object("in_progress")}
        yield "response.in_progress", {"response": self._object("in_progress")}
        if answer.thinking:
            yield from self._reasoning(answer)
        if answer.text or answer.refusal:
            yield from self._message(answer)
        if answer.calls:
            yield from self._calls(answer)
        status = "incomplete" if answer.finish in INCOMPLETE else "completed"
        response = self._object(status)
        if answer.finish in INCOMPLETE:
            response["incomplete_details"] = {"reason": INCOMPLETE[answer.finish]}
        if fault.usage != "absent":
            response["usage"] = _usage(answer)
        yield f"response.{status}", {"response": response}

    def _object(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id, "object": "response", "created_at": 1_780_000_000, "status": status, "error": None,
            "incomplete_details": None, "model": self.body["model"], "output": list(self.output),
            "parallel_tool_calls": True, "previous_response_id": self.body.get("previous_response_id"),
            "store": bool(self.body.get("store", True)), "tool_choice": self.body.get("tool_choice", "auto"),
            "tools": self.body.get("tools", []), "usage": None, "metadata": {}, "instructions": None,
        }  # fmt: skip

    def _reasoning(self, answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
        place, id = len(self.output), f"rs_{self.id[5:]}"
        item: dict[str, Any] = {"type": "reasoning", "id": id, "summary": []}
        yield "response.output_item.added", {"output_index": place, "item": item}
        part = {"output_index": place, "item_id": id, "summary_index": 0}
        yield "response.reasoning_summary_part.added", {**part, "part": {"type": "summary_text", "text": ""}}
        for piece in pieces(answer.thinking, answer.piece):
            yield "response.reasoning_summary_text.delta", {**part, "delta": piece}
        yield "response.reasoning_summary_text.done", {**part, "text": answer.thinking}
        yield (
            "response.reasoning_summary_part.done",
            {**part, "part": {"type": "summary_text", "text": answer.thinking}},
        )
        whole = {**item, "summary": [{"type": "summary_text", "text": answer.thinking}]}
        if "reasoning.encrypted_content" in (self.body.get("include") or []):
            whole["encrypted_content"] = b64encode(answer.thinking.encode()).decode()
        self.output.append(whole)
        yield "response.output_item.done", {"output_index": place, "item": whole}

    def _message(self, answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
        place, id = len(self.output), f"msg_{self.id[5:]}"
        refused = bool(answer.refusal)
        text = answer.refusal or answer.text
        kind = "refusal" if refused else "output_text"
        item: dict[str, Any] = {"type": "message", "id": id, "role": "assistant", "content": []}
        yield "response.output_item.added", {"output_index": place, "item": {**item, "status": "in_progress"}}
        at = {"output_index": place, "item_id": id, "content_index": 0}
        yield "response.content_part.added", {**at, "part": _part(refused, "")}
        more: dict[str, Any] = {} if refused else {"logprobs": []}
        for piece in pieces(text, answer.piece):
            yield f"response.{kind}.delta", {**at, "delta": piece, **more}
        yield f"response.{kind}.done", {**at, ("refusal" if refused else "text"): text, **more}
        yield "response.content_part.done", {**at, "part": _part(refused, text)}
        status = "incomplete" if answer.finish in INCOMPLETE and not answer.calls else "completed"
        whole = {**item, "status": status, "content": [_part(refused, text)]}
        self.output.append(whole)
        yield "response.output_item.done", {"output_index": place, "item": whole}

    def _calls(self, answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
        first = len(self.output)
        items = [
            {
                "type": "function_call", "id": f"fc_{self.id[5:]}_{n}", "call_id": call.id or f"call_{self.id[5:]}_{n}",
                "name": call.name, "arguments": "", "status": "in_progress",
            }
            for n, call in enumerate(answer.calls)
        ]  # fmt: skip

        def added(n: int) -> tuple[str, dict[str, Any]]:
            return "response.output_item.added", {"output_index": first + n, "item": items[n]}

        def delta(n: int, piece: str) -> tuple[str, dict[str, Any]]:
            fields = {"output_index": first + n, "item_id": items[n]["id"], "delta": piece}
            return "response.function_call_arguments.delta", fields

        def done(n: int) -> Iterator[tuple[str, dict[str, Any]]]:
            arguments, at = answer.calls[n].arguments, {"output_index": first + n}
            named = {"item_id": items[n]["id"], "name": items[n]["name"], "arguments": arguments}
            yield "response.function_call_arguments.done", {**at, **named}
            cut = answer.finish == "length" and n == len(items) - 1
            whole = {**items[n], "arguments": arguments, "status": "incomplete" if cut else "completed"}
            self.output.append(whole)
            yield "response.output_item.done", {**at, "item": whole}

        if answer.interleave:
            yield from (added(n) for n in range(len(items)))
            yield from (delta(n, piece) for n, piece in call_pieces(answer))
            for n in range(len(items)):
                yield from done(n)
            return
        for n, call in enumerate(answer.calls):
            yield added(n)
            yield from (delta(n, piece) for piece in pieces(call.arguments, answer.piece))
            yield from done(n)


def _part(refused: bool, text: str) -> dict[str, Any]:
    if refused:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }


def _typed(given: Any) -> list[Any]:
    """Items with their types, which a message may leave out."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list):
        return []
    return [{"type": "message", **item} if isinstance(item, dict) else item for item in given]


def _check_pairs(items: Sequence[dict[str, Any]]) -> None:
    """Each call has its output, and each output its call before it."""
    calls: dict[str, bool] = {}
    for item in items:
        id = str(item.get("call_id"))
        if item.get("type") == "function_call":
            calls[id] = False
        elif item.get("type") == "function_call_output":
            if id not in calls:
                raise RefusalError(
                    400, f"No tool call found for function call output with call_id {id}.", param="input"
                )
            calls[id] = True
    for id, answered in calls.items():
        if not answered:
            raise RefusalError(400, f"No tool output found for function call {id}.", param="input")
