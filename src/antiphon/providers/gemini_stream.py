"""The stream of Gemini's ``streamGenerateContent``: each event is a response of its own.

Owns: stream data -> chunks. Never: sockets, requests.
Source: the API reference's ``GenerateContentResponse``; types of its SDK (google-genai 3.6); recorded traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from antiphon.chat.context import new_id
from antiphon.errors import ModelError, RefusedError
from antiphon.models.codec import ServiceFault
from antiphon.models.llm import ChatChunk, FinishReason, Usage
from antiphon.providers.answer import (
    AnswerDecoder,
    PartialCall,
    count_in,
    fault_error,
    list_in,
    object_in,
    parse,
    text_in,
)
from antiphon.providers.gemini_arguments import PartialArguments

FILTERED = frozenset(
    {
        "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION",
    }
)  # fmt: skip
FAILED = frozenset(
    {
        "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE", "OTHER",
        "MISSING_THOUGHT_SIGNATURE", "PUP_LIMITED_DISABLED", "IMAGE_OTHER", "NO_IMAGE",
    }
)  # fmt: skip
"""Ends that are no answer: made again, most of them succeed."""
FINAL = frozenset({"INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED", "UNAUTHENTICATED", "NOT_FOUND"})


class GenerateContentDecoder(AnswerDecoder):
    """Reads the stream of one answer. It has no end mark: an answer is whole when a finish reason has come. Thoughts are not
    spoken; a call's signature goes with it as ``extra["google"]`` and must come back unchanged."""

    def __init__(self, names: Mapping[str, str] | None = None, make_id: Callable[[str], str] = new_id) -> None:
        super().__init__(names, make_id)
        self._growing: PartialArguments | None = None

    def feed(self, data: str) -> list[ChatChunk]:
        if self.done:
            return []
        response = parse(data)
        if isinstance(response, list) and response:
            response = response[0]
        if not isinstance(response, dict):
            raise ModelError(f"The model's stream cannot be read: {data[:80]!r}.")
        if "error" in response:
            raise fault_error(fault_of(response["error"]))
        if counts := object_in(response.get("usageMetadata")):
            self.usage = _usage_of(counts)
        chunks: list[ChatChunk] = []
        candidate = object_in(next(iter(list_in(response.get("candidates"))), None))
        for part in list_in(object_in(candidate.get("content")).get("parts")):
            if isinstance(part, dict):
                chunks += self._part(part)
        if not self.finished and (reason := text_in(candidate.get("finishReason"))):
            chunks += self._finish(reason, text_in(candidate.get("finishMessage")))
        elif blocked := text_in(object_in(response.get("promptFeedback")).get("blockReason")):
            raise RefusedError(f"The service blocked the conversation ({blocked}).", category=blocked)
        return chunks

    def _part(self, part: dict[str, Any]) -> list[ChatChunk]:
        if (text := text_in(part.get("text"))) or part.get("thought"):
            self.progress += 1
            return [] if part.get("thought") else self.say(text)
        call = part.get("functionCall")
        if isinstance(call, dict):
            self.progress += 1
            self._call(call, text_in(part.get("thoughtSignature")))
        return []

    def _call(self, call: dict[str, Any], signature: str) -> None:
        if self._growing is None:
            self.calls.append(PartialCall(len(self.calls), text_in(call.get("id")), text_in(call.get("name"))))
        current = self.calls[-1]
        if signature:
            current.extra["google"] = {"thought_signature": signature}
        more, pieces = bool(call.get("willContinue")), list_in(call.get("partialArgs"))
        if more or pieces or self._growing is not None:
            self._growing = self._growing or PartialArguments()
            for piece in pieces:
                self._growing.add(object_in(piece))
            if not more:
                current.add(self._growing.json())
                self._growing = None
        else:
            current.add(msgspec.json.encode(object_in(call.get("args"))).decode())

    def _finish(self, reason: str, message: str) -> list[ChatChunk]:
        if reason in FAILED:
            why = f": {message}" if message else ""
            raise ModelError(f"The model failed amid its answer ({reason}){why}.")
        end: FinishReason = "length" if reason == "MAX_TOKENS" else "stop"
        if reason in FILTERED:
            end, self.refused_for = "content_filter", reason
        return self.complete("tool_calls" if self.calls and end == "stop" else end)


def _usage_of(counts: dict[str, Any]) -> Usage:
    """Gemini counts thoughts beside the answer and what its own tools read beside the prompt. Each report is of all so far."""
    thought = count_in(counts.get("thoughtsTokenCount"))
    prompt = count_in(counts.get("promptTokenCount")) + count_in(counts.get("toolUsePromptTokenCount"))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=count_in(counts.get("candidatesTokenCount")) + thought,
        cached_tokens=min(count_in(counts.get("cachedContentTokenCount")), prompt),
        reasoning_tokens=thought,
    )


def fault_of(error: object) -> ServiceFault:
    """What an error object (``google.rpc.Status``) says, with the wait that its details ask for."""
    given = object_in(error)
    message, status = text_in(given.get("message")), text_in(given.get("status"))
    wait = None
    for detail in list_in(given.get("details")):
        delay = text_in(object_in(detail).get("retryDelay"))
        if delay.endswith("s") and delay[:-1].replace(".", "", 1).isdigit():
            wait = float(delay[:-1])
    if status == "INVALID_ARGUMENT" and "token count" in message:
        return ServiceFault(message=message, code=status, final=True, kind="context_length")
    if status == "RESOURCE_EXHAUSTED" and "PerDay" in str(given.get("details")):
        return ServiceFault(message=message, code=status, final=True, kind="no_credit")
    return ServiceFault(message=message, code=status, final=status in FINAL, retry_after=wait)
