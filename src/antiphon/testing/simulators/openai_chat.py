"""A simulator of OpenAI's chat completions, in OpenAI's own dialect or in that of a service that follows it.

Owns: the format, what is refused, the dialects. Never: sockets, what is answered (``llm_script``).
Source: the API reference of ``POST /chat/completions``; recorded traffic of OpenAI and OpenRouter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from antiphon.testing.simulators.base import Request
from antiphon.testing.simulators.llm_script import Answer, LLMServiceFault, call_pieces, pieces
from antiphon.testing.simulators.llm_simulator import RefusalError
from antiphon.testing.simulators.openai_chat_request import (
    AssistantMessage,
    ChatRequest,
    DeveloperMessage,
    ToolMessage,
)
from antiphon.testing.simulators.strict import MismatchError, read

FINISH = {"length": "length", "content_filter": "content_filter"}
MAX_TOOLS = 128
MAX_ID = 40
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Dialect(msgspec.Struct, frozen=True):
    """How a service differs from OpenAI. ``key_header``: of the key, where that is no bearer token. ``query``: what the address
    must have. ``developer_role``: it knows the role. ``omit``: fields of the request that it refuses. ``limit``: what it calls
    the limit of an answer. ``required``: what it calls the choice that makes a model call a tool. ``usage``: when asked, always,
    or never. ``reasoning``: the field of thoughts; ``tags``: within the text. ``whole_calls``: a tool call comes in one piece,
    ``indexes``: with its number. ``comments``: lines that keep the connection warm. ``usage_beside``: the usage is under
    ``x_groq`` in the last chunk. ``done``: the stream ends in ``[DONE]``. ``usage_in_choice``: it is in the last choice. ``thoughts_beside``: tokens of thoughts are
    not part of the completion's. ``parts``: the text comes as a list of parts. ``details``: thoughts come as objects too.
    ``short_ids``: ids of calls have nine letters and digits. ``wants_back``: the field in which thoughts have to come back
    with calls."""

    name: str = "openai"
    key_header: str = ""
    query: tuple[str, str] | None = None
    developer_role: bool = True
    omit: frozenset[str] = frozenset()
    limit: Literal["max_tokens", "max_completion_tokens", "both"] = "both"
    required: str = "required"
    usage: Literal["ask", "always", "none"] = "ask"
    reasoning: str = ""
    tags: bool = False
    whole_calls: bool = False
    indexes: bool = True
    comments: int = 0
    usage_beside: bool = False
    done: bool = True
    thoughts_beside: bool = False
    usage_in_choice: bool = False
    parts: bool = False
    details: bool = False
    short_ids: bool = False
    wants_back: str = ""


OPENAI = Dialect()


class ChatProtocol:
    """See ``LLMProtocol``."""

    def __init__(self, dialect: Dialect = OPENAI) -> None:
        self.dialect = dialect
        self._number = 0

    def authorise(self, headers: Mapping[str, str], key: str) -> None:
        header = self.dialect.key_header
        given = headers.get(header) if header else headers.get("authorization", "").removeprefix("Bearer ")
        if key and given != key:
            raise RefusalError(401, "Incorrect API key provided.", code="invalid_api_key")

    def check(self, body: dict[str, Any], request: Request) -> None:
        dialect = self.dialect
        if dialect.query and dialect.query not in request.query:
            raise RefusalError(404, "Resource not found", code="404")
        refused = set(dialect.omit)
        if dialect.limit != "both":
            refused |= {"max_tokens", "max_completion_tokens"} - {dialect.limit}
        if unknown := sorted(refused & set(body)):
            raise RefusalError(400, f"Unknown parameter: '{unknown[0]}'.", code="unknown_parameter", param=unknown[0])
        try:
            asked = read(body, ChatRequest)
        except MismatchError as wrong:
            said = {"unknown": "Unknown parameter", "missing": "Missing required parameter"}.get(wrong.kind)
            message = f"{said}: '{wrong.path}'." if said else f"Invalid value at '{wrong.path}': {wrong.message}."
            code = {"unknown": "unknown_parameter", "missing": "missing_required_parameter"}.get(wrong.kind, "")
            raise RefusalError(400, message, code=code or "invalid_value", param=wrong.path) from None
        self._check_tools(asked)
        _check_messages(asked, dialect)

    def _check_tools(self, asked: ChatRequest) -> None:
        tools = asked.tools or []
        if not tools and asked.tool_choice is not None:
            raise RefusalError(400, "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
        if len(tools) > MAX_TOOLS:
            raise RefusalError(400, "Invalid 'tools': array too long.", code="array_above_max_length", param="tools")
        for n, tool in enumerate(tools):
            if not _NAME.fullmatch(tool.function.name):
                where = f"tools[{n}].function.name"
                raise RefusalError(400, f"Invalid '{where}': string does not match pattern.", param=where)
        if isinstance(asked.tool_choice, str) and asked.tool_choice not in ("auto", "none", self.dialect.required):
            raise RefusalError(400, f"Invalid value: '{asked.tool_choice}'.", param="tool_choice")

    def events(self, answer: Answer, body: dict[str, Any], fault: LLMServiceFault) -> Iterator[tuple[str, Any]]:
        self._number += 1
        made = _Stream(self.dialect, f"chatcmpl-{self._number}", str(body["model"]))
        asked = bool((body.get("stream_options") or {}).get("include_usage"))
        wanted = self.dialect.usage == "always" or (self.dialect.usage == "ask" and asked)
        usage = self._usage(answer) if wanted and fault.usage != "absent" else None
        for chunk in made.chunks(answer):
            if usage and fault.usage == "always":
                chunk["usage"] = usage
            elif asked and not self.dialect.usage_beside:
                chunk["usage"] = None
            yield "", chunk
        if usage and self.dialect.usage_in_choice:
            last = made.chunk({}, "stop")
            last["choices"][0]["usage"] = usage
            yield "", last
        elif usage:
            for _ in range(2 if fault.usage == "twice" else 1):
                beside = self.dialect.usage_beside
                yield "", {**made.chunk(None), **({"x_groq": {"usage": usage}} if beside else {"usage": usage})}
        if self.dialect.done:
            yield "", "[DONE]"

    def _usage(self, answer: Answer) -> dict[str, Any]:
        made = answer.completion_tokens - (answer.reasoning_tokens if self.dialect.thoughts_beside else 0)
        return {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": made,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens, "audio_tokens": 0},
        }

    def error(self, status: int, message: str, code: str, param: str) -> Any:
        kind = code if code == "insufficient_quota" else error_type(status)
        return {"error": {"message": message, "type": kind, "param": param or None, "code": code or None}}

    def stream_error(self, message: str, code: str) -> tuple[str, Any]:
        return "", {"error": {"message": message, "type": "server_error", "param": None, "code": code or None}}

    def ping(self) -> tuple[str, Any]:
        return "", {"id": "", "object": "chat.completion.chunk", "created": 1, "model": "", "choices": []}


def error_type(status: int) -> str:
    """The ``type`` of an error, by its status."""
    if status >= 500:
        return "server_error"
    return {408: "timeout", 429: "requests"}.get(status, "invalid_request_error")


class _Stream:
    """The chunks of one answer."""

    def __init__(self, dialect: Dialect, id: str, model: str) -> None:
        self.dialect = dialect
        self.id = id
        self.model = model

    def chunk(self, delta: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": 1_780_000_000,
            "model": self.model,
            "choices": choices,
        }

    def chunks(self, answer: Answer) -> Iterator[dict[str, Any]]:
        role = {"role": "assistant", "content": ""}
        said = bool(answer.text or answer.thinking or answer.refusal)
        if said or not answer.calls:
            yield self.chunk(role)
        yield from self._thoughts(answer)
        for piece in pieces(answer.text, answer.piece):
            yield self.chunk({"content": [{"type": "text", "text": piece}] if self.dialect.parts else piece})
        for piece in pieces(answer.refusal, answer.piece):
            yield self.chunk({"refusal": piece})
        for n, chunk in enumerate(self._calls(answer)):
            if n == 0 and not said:  # an answer that is calls alone begins with the first one
                chunk["choices"][0]["delta"] = {"role": "assistant", "content": None, **chunk["choices"][0]["delta"]}
            yield chunk
        yield self.chunk({}, FINISH.get(answer.finish, "tool_calls" if answer.calls else "stop"))

    def _thoughts(self, answer: Answer) -> Iterator[dict[str, Any]]:
        if self.dialect.parts and answer.thinking:
            yield self.chunk(
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": answer.thinking}]}]}
            )
        elif self.dialect.tags and answer.thinking:
            for piece in pieces(f"<think>{answer.thinking}</think>\n\n", answer.piece):
                yield self.chunk({"content": piece})
        elif self.dialect.reasoning:
            for piece in pieces(answer.thinking, answer.piece):
                delta: dict[str, Any] = {"content": None, self.dialect.reasoning: piece}
                if self.dialect.details:
                    delta["reasoning_details"] = [{"type": "reasoning.text", "text": piece, "index": 0}]
                yield self.chunk(delta)

    def _calls(self, answer: Answer) -> Iterator[dict[str, Any]]:
        def fragment(number: int, **rest: Any) -> dict[str, Any]:
            return self.chunk({"tool_calls": [{**({"index": number} if self.dialect.indexes else {}), **rest}]})

        made = [f"call_{self.id[9:]}_{n}" for n in range(len(answer.calls))]
        if self.dialect.short_ids:
            made = [f"{self.id[9:]}{n}".rjust(9, "x") for n in range(len(answer.calls))]
        ids = [call.id or id for call, id in zip(answer.calls, made, strict=True)]
        for n, call in enumerate(answer.calls):
            arguments = call.arguments if self.dialect.whole_calls else ""
            yield fragment(n, id=ids[n], type="function", function={"name": call.name, "arguments": arguments})
            if not self.dialect.whole_calls and not answer.interleave:
                for piece in pieces(call.arguments, answer.piece):
                    yield fragment(n, function={"arguments": piece})
        if not self.dialect.whole_calls and answer.interleave:
            for n, piece in call_pieces(answer):
                yield fragment(n, function={"arguments": piece})


def _check_messages(asked: ChatRequest, dialect: Dialect) -> None:
    """Each tool call has to be answered by the messages right behind it, and by nothing else."""
    open_calls: list[str] = []
    if not asked.messages:
        raise RefusalError(400, "Invalid 'messages': empty array.", code="empty_array", param="messages")
    for n, message in enumerate(asked.messages):
        if isinstance(message, DeveloperMessage) and not dialect.developer_role:
            raise RefusalError(400, "Unexpected role 'developer'.", param=f"messages[{n}].role")
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in open_calls:
                said = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise RefusalError(400, f"Invalid parameter: {said}", param=f"messages.[{n}].role")
            open_calls.remove(message.tool_call_id)
            continue
        if open_calls:
            said = "must be followed by tool messages responding to each 'tool_call_id'."
            raise RefusalError(400, f"An assistant message with 'tool_calls' {said}", param="messages")
        if isinstance(message, AssistantMessage):
            if message.content is None and not message.tool_calls:
                raise RefusalError(400, f"Invalid value for 'content' of messages[{n}]: expected a string, got null.")
            open_calls = [call.id for call in message.tool_calls or []]
            if dialect.short_ids and not all(len(id) == 9 and id.isalnum() for id in open_calls):
                raise RefusalError(400, "Tool call id must be a-z, A-Z, 0-9, with a length of 9.")
            if dialect.wants_back and open_calls and getattr(message, dialect.wants_back) is None:
                raise RefusalError(
                    400, f"The {dialect.wants_back} in the thinking mode must be passed back to the API."
                )
            if any(len(id) > MAX_ID for id in open_calls):
                where = f"messages[{n}].tool_calls[0].id"
                raise RefusalError(400, f"Invalid '{where}': string too long.", code="string_above_max_length")
    if open_calls:
        said = "must be followed by tool messages responding to each 'tool_call_id'."
        raise RefusalError(400, f"An assistant message with 'tool_calls' {said}", param="messages")
