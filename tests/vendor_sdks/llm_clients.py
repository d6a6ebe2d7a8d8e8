"""Runs one scenario with a vendor's own library and prints what it got as JSON.

``python llm_clients.py VENDOR BASE_URL KEY SCENARIO``; scenarios: ``talk``, ``tools``, ``error``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

SCHEMA = {
    "type": "object",
    "properties": {"item": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["item", "count"],
}
QUESTION = "Two lattes, please."


async def chat(base_url: str, key: str, tools: bool) -> dict[str, Any]:
    import openai

    client = openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0)
    given: Any = {"tools": [{"type": "function", "function": {"name": "order", "parameters": SCHEMA}}]} if tools else {}
    async with client.chat.completions.stream(
        model="gpt-test",
        messages=[{"role": "user", "content": QUESTION}],
        stream_options={"include_usage": True},
        **given,
    ) as stream:
        async for _ in stream:
            pass
        done = await stream.get_final_completion()
    message = done.choices[0].message
    assert done.usage is not None
    return {
        "text": message.content or "",
        "calls": [[c.function.name, json.loads(c.function.arguments)] for c in message.tool_calls or []],
        "finish": done.choices[0].finish_reason,
        "tokens": [done.usage.prompt_tokens, done.usage.completion_tokens],
    }


def response_of(done: Any) -> dict[str, Any]:
    return {
        "text": done.output_text,
        "calls": [[item.name, json.loads(item.arguments)] for item in done.output if item.type == "function_call"],
        "finish": done.status,
        "tokens": [done.usage.input_tokens, done.usage.output_tokens],
    }


def response_tools(tools: bool) -> Any:
    tool = {"type": "function", "name": "order", "parameters": SCHEMA, "strict": False}
    return {"tools": [tool]} if tools else {}


async def responses(base_url: str, key: str, tools: bool) -> dict[str, Any]:
    import openai

    client = openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0)
    async with client.responses.stream(model="gpt-test", input=QUESTION, **response_tools(tools)) as stream:
        async for _ in stream:
            pass
        return response_of(await stream.get_final_response())


async def socket(base_url: str, key: str, tools: bool) -> dict[str, Any]:
    """Two turns on one socket, the second one going on from the first."""
    import openai

    client = openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key=key, max_retries=0)
    answers = []
    async with client.responses.connect() as connection:
        more: Any = {"input": QUESTION}
        for _ in range(2):
            await connection.response.create(model="gpt-test", **response_tools(tools), **more)
            async for event in connection:
                if event.type == "error":
                    raise RuntimeError(event.error.message)
                if event.type in ("response.completed", "response.incomplete", "response.failed"):
                    answers.append(response_of(event.response))
                    called = [item.call_id for item in event.response.output if item.type == "function_call"]
                    outputs = [{"type": "function_call_output", "call_id": id, "output": "ok"} for id in called]
                    more = {"previous_response_id": event.response.id, "input": outputs or QUESTION}
                    break
    return answers[0] | {"turns": len(answers)}


async def anthropic(base_url: str, key: str, tools: bool) -> dict[str, Any]:
    from anthropic import AsyncAnthropic

    client = AsyncAnthropic(base_url=base_url, api_key=key, max_retries=0)
    given: Any = {"tools": [{"name": "order", "input_schema": SCHEMA}]} if tools else {}
    async with client.messages.stream(
        model="claude-test", max_tokens=500, messages=[{"role": "user", "content": QUESTION}], **given
    ) as stream:
        async for _ in stream:
            pass
        done = await stream.get_final_message()
    return {
        "text": "".join(block.text for block in done.content if block.type == "text"),
        "calls": [[block.name, block.input] for block in done.content if block.type == "tool_use"],
        "finish": done.stop_reason,
        "tokens": [done.usage.input_tokens, done.usage.output_tokens],
    }


async def gemini(base_url: str, key: str, tools: bool) -> dict[str, Any]:
    from google import genai
    from google.genai import types

    options = types.HttpOptions(base_url=base_url, api_version="v1beta")
    client = genai.Client(api_key=key, http_options=options)
    config: Any = {}
    if tools:
        config["tools"] = [{"function_declarations": [{"name": "order", "parameters_json_schema": SCHEMA}]}]
        config["automatic_function_calling"] = {"disable": True}
    text, calls, finish, usage = "", [], "", None
    stream = await client.aio.models.generate_content_stream(model="gemini-test", contents=QUESTION, config=config)
    async for chunk in stream:
        for candidate in chunk.candidates or []:
            for part in (candidate.content.parts if candidate.content else None) or []:
                if part.text and not part.thought:
                    text += part.text
                if part.function_call:
                    calls.append([part.function_call.name, part.function_call.args])
            finish = candidate.finish_reason.value if candidate.finish_reason else finish
        usage = chunk.usage_metadata or usage
    assert usage is not None
    return {
        "text": text,
        "calls": calls,
        "finish": finish,
        "tokens": [usage.prompt_token_count, usage.candidates_token_count],
    }


async def main() -> None:
    vendor, base_url, key, scenario = sys.argv[1:]
    try:
        found = await globals()[vendor](base_url, key, scenario == "tools")
    except Exception as error:
        found = {"error": type(error).__name__, "status": getattr(error, "status_code", getattr(error, "code", None))}
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
