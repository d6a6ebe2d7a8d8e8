"""The wire against llama.cpp's own OpenAI-compatible server, with the smallest model that is on this machine."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.models.llm import ToolSpec
from antiphon.wire.resolve import llm_from_string

MODELS = Path(os.environ.get("ANTIPHON_MODELS") or Path.home() / ".cache" / "antiphon" / "models")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    files = sorted((MODELS / "smollm2-135m").glob("*.gguf"))
    try:
        native: Any = importlib.import_module("xllamacpp")
    except ImportError:
        native = None
    if native is None or not files:
        missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        missing(
            "llama.cpp (pip install xllamacpp) or its smallest model (antiphon models pull smollm2-135m) is missing"
        )
    params = native.CommonParams()
    params.model.path = str(files[0])
    params.n_ctx, params.n_parallel, params.n_gpu_layers = 512, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.use_jinja, params.warmup, params.verbosity = True, False, 0
    server = native.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def test_a_real_answer_word_by_word(address: str) -> None:
    async def test() -> None:
        llm = llm_from_string(f"llamacpp/smol@{address}", environ={}, options={"max_tokens": 12, "temperature": 0})
        context = ChatContext.empty()
        context.add_message(role="system", content="Answer briefly.")
        context.add_message(role="user", content="What is the capital of France?")
        await llm.prewarm()
        chunks = [chunk async for chunk in llm.chat(chat_ctx=context)]
        texts = [chunk.text for chunk in chunks if chunk.text]
        assert "".join(texts).strip() and len(texts) > 3
        usage = chunks[-1].usage
        assert usage is not None and usage.prompt_tokens > 10 and 1 <= usage.completion_tokens <= 12
        await llm.aclose()

    asyncio.run(test())


def test_tools_are_accepted_and_a_closed_stream_frees_the_slot(address: str) -> None:
    async def test() -> None:
        llm = llm_from_string(f"llamacpp/smol@{address}", environ={}, options={"max_tokens": 200})
        context = ChatContext.empty()
        context.add_message(role="user", content="Count to one hundred.")
        tool = ToolSpec(name="stop", description="Stop.", parameters={"type": "object", "properties": {}})
        for _ in range(3):
            stream = llm.chat(chat_ctx=context, tools=[tool], tool_choice="none")
            async for _chunk in stream:
                break
            async with asyncio.timeout(2):
                await stream.aclose()
        await llm.aclose()

    asyncio.run(test())


def test_a_request_that_it_refuses(address: str) -> None:
    async def test() -> None:
        llm = llm_from_string(f"llamacpp/smol@{address}", environ={})
        context = ChatContext.empty()
        context.add_message(role="user", content="word " * 2000)
        with pytest.raises(ModelError, match="context") as caught:
            async for _ in llm.chat(chat_ctx=context):
                pass
        assert caught.value.status == 400 and not caught.value.retryable
        await llm.aclose()

    asyncio.run(test())
