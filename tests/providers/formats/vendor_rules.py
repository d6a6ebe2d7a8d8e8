"""What each vendor demands of a request, as far as its schema does not say it; with the schemas too, where somebody has them.

``ANTIPHON_SPECS`` names a folder with the vendors' schemas; without it only the rules written here are checked.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SPECS = Path(os.environ.get("ANTIPHON_SPECS", "no-specs"))
ID = re.compile(r"[a-zA-Z0-9_-]{1,40}")
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")
FILES = {
    "openai": "openai/sdk-responses.schema.json",
    "anthropic": "anthropic/sdk-messages.schema.json",
    "google": "google/sdk-genai-live-and-generate.schema.json",
}


@cache
def validator(vendor: str, name: str) -> Draft202012Validator | None:
    path = SPECS / FILES[vendor]
    if not path.is_file():
        return None
    schema = json.loads(path.read_text(encoding="utf-8"))
    return Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"})


def fits(vendor: str, name: str, value: Any) -> None:
    """``value`` is what the vendor's schema of that name says, where the schemas are here."""
    _fits(vendor, name, json.dumps(value))


@cache
def _fits(vendor: str, name: str, text: str) -> None:
    """Once for each text: a conversation's items are in each of its requests, and a schema takes milliseconds."""
    if (found := validator(vendor, name)) is not None:
        found.validate(json.loads(text))


def check_openai_chat(messages: list[dict[str, Any]]) -> None:
    """Calls are unique, each is answered at once, nothing is empty."""
    json.dumps(messages).encode()
    waiting: list[str] = []
    seen: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            assert isinstance(message["content"], str)
            continue
        assert not waiting, "a call without its output"
        assert message["content"] or message.get("tool_calls"), message
        assert isinstance(message["content"], str) or message["role"] == "user" or message.get("tool_calls")
        for call in message.get("tool_calls", ()):
            assert message["role"] == "assistant" and ID.fullmatch(call["id"]) and call["id"] not in seen
            assert NAME.fullmatch(call["function"]["name"])
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            waiting.append(call["id"])
            seen.add(call["id"])
    assert not waiting


def check_responses(body: dict[str, Any]) -> None:
    json.dumps(body).encode()
    waiting: set[str] = set()
    seen: set[str] = set()
    for item in body["input"]:
        fits("openai", "ResponseInputItem", item)
        kind = item.get("type", "message")
        if kind == "function_call":
            assert ID.fullmatch(item["call_id"]) and item["call_id"] not in seen and NAME.fullmatch(item["name"])
            assert isinstance(json.loads(item["arguments"]), dict)
            waiting.add(item["call_id"])
            seen.add(item["call_id"])
        elif kind == "function_call_output":
            waiting.remove(item["call_id"])
        elif kind == "message":
            assert not waiting, "a call without its output"
            assert item["content"]
    assert not waiting
    fits("openai", "ResponseCreate", {"type": "response.create", "model": "m", **body})


def check_anthropic(body: dict[str, Any]) -> None:
    """Roles alternate from user to user; results come first and at once; four breakpoints; no blank text."""
    json.dumps(body).encode()
    messages, expected, seen, marks = body["messages"], "user", set(), 0
    calls: list[str] = []
    for message in messages:
        fits("anthropic", "MessageParam", message)
        if message["role"] == "system":
            assert message is messages[-1] and expected == "assistant"
            continue
        assert message["role"] == expected and message["content"]
        expected = "assistant" if expected == "user" else "user"
        kinds = [block["type"] for block in message["content"]]
        results = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        assert results == calls and kinds[: len(results)] == ["tool_result"] * len(results)
        calls = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        assert not calls or message["role"] == "assistant"
        for id in calls:
            assert ID.fullmatch(id) and id not in seen
            seen.add(id)
        for block in message["content"]:
            marks += "cache_control" in block
            assert block["type"] != "text" or block["text"].strip()
            assert block["type"] != "tool_use" or (NAME.fullmatch(block["name"]) and isinstance(block["input"], dict))
            assert not (block["type"].endswith("thinking") and "cache_control" in block)
    assert messages[-1]["role"] != "assistant" and not calls
    assert not seen or body["tools"], "calls in a conversation without tools"
    for tool in body.get("tools", ()):
        fits("anthropic", "ToolParam", tool)
        marks += "cache_control" in tool
    for block in body.get("system", ()):
        fits("anthropic", "TextBlockParam", block)
        marks += "cache_control" in block
        assert block["text"].strip()
    assert marks <= 4


def check_gemini(body: dict[str, Any]) -> None:
    """Roles alternate from user to user; as many responses as calls, at once, by name and id."""
    json.dumps(body).encode()
    expected = "user"
    calls: list[tuple[str, str]] = []
    for content in body["contents"]:
        fits("google", "Content", content)
        assert content["role"] == expected and content["parts"]
        expected = "model" if expected == "user" else "user"
        responses = [p["functionResponse"] for p in content["parts"] if "functionResponse" in p]
        assert [(r["id"], r["name"]) for r in responses] == calls
        assert all("functionResponse" in part for part in content["parts"][: len(responses)])
        calls = [(p["functionCall"]["id"], p["functionCall"]["name"]) for p in content["parts"] if "functionCall" in p]
        assert not calls or content["role"] == "model"
        assert all(NAME.fullmatch(name) for _, name in calls)
    assert body["contents"][-1]["role"] == "user" and not calls
    if "systemInstruction" in body:
        fits("google", "Content", body["systemInstruction"])
    for tool in body.get("tools", ()):
        fits("google", "Tool", tool)
    if "toolConfig" in body:
        fits("google", "ToolConfig", body["toolConfig"])
