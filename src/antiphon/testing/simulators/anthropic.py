"""A simulator of Anthropic's Messages.

Owns: the format, what is refused. Never: sockets, what is answered (``llm_script``).
Source: the API reference of ``POST /v1/messages``, "Streaming messages", "Errors"; recorded traffic.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from antiphon.testing.simulators.anthropic_request import (
    Block,
    Message,
    MessagesRequest,
    RedactedThinking,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from antiphon.testing.simulators.base import Request
from antiphon.testing.simulators.faults import FaultScript
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault, pieces
from antiphon.testing.simulators.llm_simulator import LLMProtocol, LLMSimulator, RefusalError
from antiphon.testing.simulators.strict import MismatchError, read

VERSIONS = ("2023-06-01", "2026-10-21")
"""Of the API. The vendor's library names the second one since 2.13; what it sends and expects is the same."""
MARKS = 4
"""Cache breakpoints that a request may have."""
STOPS = {"length": "max_tokens", "content_filter": "refusal", "refusal": "refusal"}
KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error",
    529: "overloaded_error",
}  # fmt: skip


class AnthropicSimulator(LLMSimulator):
    """See ``LLMSimulator``."""

    name = "anthropic"

    def __init__(self, script: LLMScript | None = None, *, faults: FaultScript | None = None, key: str = "") -> None:
        super().__init__(script, faults=faults, key=key)
        self._protocol = MessagesProtocol()

    def home(self) -> LLMProtocol:
        return self._protocol

    def protocol(self, request: Request) -> LLMProtocol | None:
        return self._protocol if request.path.endswith("/messages") else None


class MessagesProtocol:
    """See ``LLMProtocol``."""

    def __init__(self) -> None:
        self._number = 0

    def authorise(self, headers: Mapping[str, str], key: str) -> None:
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if key and given != key:
            raise RefusalError(401, "invalid x-api-key")
        if headers.get("anthropic-version") not in VERSIONS:
            raise RefusalError(400, "anthropic-version: header is required")

    def check(self, body: dict[str, Any], request: Request) -> None:
        try:
            asked = read(body, MessagesRequest)
        except MismatchError as wrong:
            said = {"unknown": "Extra inputs are not permitted", "missing": "Field required"}.get(wrong.kind)
            raise RefusalError(400, f"{wrong.path}: {said or wrong.message}", param=wrong.path) from None
        if asked.messages[0].role != "user":
            raise RefusalError(400, 'messages: first message must use the "user" role')
        if any(message.role == "system" for message in asked.messages[:-1]):
            raise RefusalError(400, 'messages: Unexpected role "system".')
        if _marks(asked) > MARKS:
            raise RefusalError(400, f"A maximum of {MARKS} blocks with cache_control may be provided.")
        self._check_thinking(asked)
        self._check_tools(asked)

    def _check_thinking(self, asked: MessagesRequest) -> None:
        thinking = asked.thinking
        if thinking is None or thinking.type == "disabled":
            return
        if asked.tool_choice is not None and asked.tool_choice.type in ("any", "tool"):
            raise RefusalError(400, "Thinking may not be enabled when tool_choice forces tool use.")
        if thinking.type == "enabled" and (thinking.budget_tokens or 0) >= asked.max_tokens:
            raise RefusalError(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")
        last = max((n for n, message in enumerate(asked.messages) if _speaks(message)), default=0)
        for message in asked.messages[last:]:
            blocks = _blocks(message)
            calls = message.role == "assistant" and any(isinstance(block, ToolUse) for block in blocks)
            if calls and not isinstance(blocks[0], Thinking | RedactedThinking):
                said = "Expected `thinking` or `redacted_thinking`, but found `tool_use`."
                raise RefusalError(400, f"messages.{last}.content.0.type: {said}")

    def _check_tools(self, asked: MessagesRequest) -> None:
        """Each use has its result in the next message, and first there; no result comes from nowhere."""
        used = any(isinstance(block, ToolUse) for message in asked.messages for block in _blocks(message))
        if used and not asked.tools:
            raise RefusalError(400, "Requests which include `tool_use` or `tool_result` blocks must define tools.")
        if asked.tool_choice is not None and not asked.tools:
            raise RefusalError(400, "tool_choice: tools must be provided when tool_choice is set.")
        for n, (before, message) in enumerate(pairwise([None, *asked.messages, None])):
            ids = {block.id for block in _blocks(before) if isinstance(block, ToolUse)}
            results = [block for block in _blocks(message) if isinstance(block, ToolResult)]
            if missing := ids - {result.tool_use_id for result in results}:
                said = "`tool_use` ids were found without `tool_result` blocks immediately after"
                raise RefusalError(400, f"messages.{n}: {said}: {', '.join(sorted(missing))}.")
            if stray := {result.tool_use_id for result in results} - ids:
                said = "unexpected `tool_use_id` found in `tool_result` blocks"
                raise RefusalError(400, f"messages.{n}: {said}: {', '.join(sorted(stray))}.")
            if results and not isinstance(_blocks(message)[0], ToolResult):
                raise RefusalError(400, f"messages.{n}: `tool_result` blocks must come first.")

    def events(self, answer: Answer, body: dict[str, Any], fault: LLMServiceFault) -> Iterator[tuple[str, Any]]:
        self._number += 1
        read_, made = answer.cached_tokens, {"output_tokens": answer.completion_tokens}
        usage: dict[str, Any] = {
            "input_tokens": answer.prompt_tokens - read_,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": read_,
            "output_tokens": 1,
        }
        if fault.usage == "absent":
            usage, made = {"input_tokens": 0, "output_tokens": 0}, {"output_tokens": 0}
        if answer.reasoning_tokens:
            made["output_tokens_details"] = {"thinking_tokens": answer.reasoning_tokens}  # type: ignore[assignment]
        message = {
            "id": f"msg_{self._number}", "type": "message", "role": "assistant", "content": [], "model": body["model"],
            "stop_reason": None, "stop_sequence": None, "usage": usage,
        }  # fmt: skip
        yield _event("message_start", message=message)
        for number, block in enumerate(_answer_blocks(answer, self._number)):
            yield from _block_events(number, block, answer.piece)
        stop = STOPS.get(answer.finish, "tool_use" if answer.calls else "end_turn")
        delta: dict[str, Any] = {"stop_reason": stop, "stop_sequence": None}
        if stop == "refusal":
            delta["stop_details"] = {"type": "refusal", "category": "cyber", "explanation": "Refused by policy."}
        if fault.usage == "twice":
            yield _event("message_delta", delta={"stop_reason": None, "stop_sequence": None}, usage=made)
        yield _event("message_delta", delta=delta, usage=made)
        yield _event("message_stop")

    def error(self, status: int, message: str, code: str, param: str) -> Any:
        kind = code or KINDS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_simulated"}

    def stream_error(self, message: str, code: str) -> tuple[str, Any]:
        return _event("error", error={"type": code or "overloaded_error", "message": message})

    def ping(self) -> tuple[str, Any]:
        return _event("ping")


def _event(kind: str, **fields: Any) -> tuple[str, Any]:
    return kind, {"type": kind, **fields}


def _answer_blocks(answer: Answer, number: int) -> Iterator[tuple[dict[str, Any], str]]:
    """Each block as it opens, and what fills it."""
    if answer.thinking:
        yield {"type": "thinking", "thinking": "", "signature": ""}, answer.thinking
    if text := answer.text or answer.refusal:
        yield {"type": "text", "text": ""}, text
    for n, call in enumerate(answer.calls):
        id = call.id or f"toolu_{number}_{n}"
        yield {"type": "tool_use", "id": id, "name": call.name, "input": {}}, call.arguments


def _block_events(number: int, block: tuple[dict[str, Any], str], size: int) -> Iterator[tuple[str, Any]]:
    opened, filling = block
    kind, field = {
        "thinking": ("thinking_delta", "thinking"),
        "text": ("text_delta", "text"),
        "tool_use": ("input_json_delta", "partial_json"),
    }[opened["type"]]
    yield _event("content_block_start", index=number, content_block=opened)
    if number == 0:
        yield _event("ping")
    if kind == "input_json_delta":
        yield _event("content_block_delta", index=number, delta={"type": kind, field: ""})
    for piece in pieces(filling, size):
        yield _event("content_block_delta", index=number, delta={"type": kind, field: piece})
    if kind == "thinking_delta":
        signature = b64encode(filling.encode()).decode()
        yield _event("content_block_delta", index=number, delta={"type": "signature_delta", "signature": signature})
    yield _event("content_block_stop", index=number)


def _blocks(message: Message | None) -> Sequence[Block]:
    if message is None:
        return ()
    return [Text(text=message.content)] if isinstance(message.content, str) else message.content


def _speaks(message: Message) -> bool:
    return message.role == "user" and any(not isinstance(block, ToolResult) for block in _blocks(message))


def _marks(asked: MessagesRequest) -> int:
    blocks: list[Any] = [*(asked.tools or ()), *(asked.system if isinstance(asked.system, list) else ())]
    blocks += [block for message in asked.messages for block in _blocks(message)]
    return sum(getattr(block, "cache_control", None) is not None for block in blocks)
