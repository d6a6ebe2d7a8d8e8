"""The language models of this package joined with their simulators, for tests that hold for all of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.models.llm import LLM, ChatChunk, ToolCallDelta, ToolSpec, Usage
from antiphon.providers import anthropic, google, openai
from antiphon.testing.simulators import serving
from antiphon.testing.simulators.anthropic import AnthropicSimulator
from antiphon.testing.simulators.gemini import GeminiSimulator
from antiphon.testing.simulators.llm_script import Answer, LLMScript, LLMServiceFault
from antiphon.testing.simulators.llm_simulator import LLMSimulator
from antiphon.testing.simulators.openai import OpenAISimulator

SPECS = Path(os.environ.get("ANTIPHON_SPECS", "no-specs"))
"""A folder of vendors' schemas and recorded traffic, where somebody has one."""
SDK_PYTHON = Path(__file__).parents[2] / ".cache" / "vendor-sdks" / "bin" / "python"
"""The interpreter that has the vendors' own libraries (``scripts/install-vendor-sdks``)."""
KEY = "simulator-key-1234"
ORDER = ToolSpec(
    "order",
    "Order something.",
    {
        "type": "object",
        "properties": {"item": {"type": "string"}, "count": {"type": "integer"}},
        "required": ["item", "count"],
    },
)
PAY = ToolSpec("pay", "Pay for it.", {"type": "object", "properties": {}})
TOOLS = (ORDER, PAY)

needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason="the vendors' schemas and recordings are not here")
needs_sdks = pytest.mark.skipif(
    not SDK_PYTHON.exists() and not os.environ.get("CI"), reason="the vendors' libraries are not installed"
)


def chat(url: str, **options: Any) -> LLM:
    return openai.LLM("gpt-test", base_url=f"{url}/v1", **{"api_key": KEY, **options})


def responses(url: str, **options: Any) -> LLM:
    return openai.ResponsesLLM("gpt-test", base_url=f"{url}/v1", **{"api_key": KEY, **options})


def responses_sse(url: str, **options: Any) -> LLM:
    return openai.ResponsesSSE("gpt-test", base_url=f"{url}/v1", **{"api_key": KEY, **options})


def messages(url: str, **options: Any) -> LLM:
    return anthropic.LLM("claude-test", base_url=f"{url}/v1", **{"api_key": KEY, **options})


def gemini(url: str, **options: Any) -> LLM:
    return google.LLM("gemini-3-test", base_url=f"{url}/v1beta", **{"api_key": KEY, **options})


Vendor = tuple[Callable[..., LLM], type[LLMSimulator]]
VENDORS: dict[str, Vendor] = {
    "chat": (chat, OpenAISimulator),
    "responses": (responses, OpenAISimulator),
    "responses-sse": (responses_sse, OpenAISimulator),
    "anthropic": (messages, AnthropicSimulator),
    "gemini": (gemini, GeminiSimulator),
}
all_vendors = pytest.mark.parametrize("vendor", list(VENDORS))


@asynccontextmanager
async def world(
    vendor: str, *answers: Answer | str, faults: dict[int, LLMServiceFault] | None = None, **options: Any
) -> AsyncIterator[tuple[LLM, LLMSimulator]]:
    make, simulator = VENDORS[vendor]
    service = simulator(LLMScript(answers or ("Hello.",), faults), key=KEY)
    async with serving(service) as url:
        llm = make(url, **options)
        try:
            yield llm, service
        finally:
            await llm.aclose()


class Heard:
    """What came of one request."""

    def __init__(self, chunks: Sequence[ChatChunk], error: ModelError | None) -> None:
        self.chunks = list(chunks)
        self.error = error

    @property
    def text(self) -> str:
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def calls(self) -> list[ToolCallDelta]:
        return [call for chunk in self.chunks for call in chunk.tool_calls]

    @property
    def usages(self) -> list[Usage]:
        return [chunk.usage for chunk in self.chunks if chunk.usage is not None]

    @property
    def finish(self) -> str | None:
        ends = [chunk.finish for chunk in self.chunks if chunk.finish is not None]
        assert len(ends) <= 1
        return ends[0] if ends else None


async def ask(llm: LLM, ctx: ChatContext | str = "Hi.", tools: Sequence[ToolSpec] = (), **rest: Any) -> Heard:
    if isinstance(ctx, str):
        words, ctx = ctx, ChatContext.empty()
        ctx.add_message(role="system", content="Be brief.")
        ctx.add_message(role="user", content=words)
    chunks: list[ChatChunk] = []
    stream = llm.chat(chat_ctx=ctx, tools=tools, **rest)
    try:
        async for chunk in stream:
            chunks.append(chunk)
    except ModelError as error:
        return Heard(chunks, error)
    finally:
        await stream.aclose()
    return Heard(chunks, None)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()
        left = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("llm ")]
        assert not left

    asyncio.run(bounded())
