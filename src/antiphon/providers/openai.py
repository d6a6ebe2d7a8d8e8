"""OpenAI for a session: ``from antiphon.providers import openai``.

Owns: the typed options a user writes. Never: formats, sockets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from antiphon.providers.llm_rows import row
from antiphon.providers.model_facts import facts_of
from antiphon.providers.options import Effort, given, merged
from antiphon.wire.llm import WireLLM
from antiphon.wire.llm_service import LLMService, llm_service
from antiphon.wire.socket_llm import SocketLLM

if TYPE_CHECKING:
    from antiphon.models.capabilities import LLMCapabilities
    from antiphon.providers.openai_audio import KEY_VARIABLE as KEY_VARIABLE
    from antiphon.providers.openai_audio import KEYS_AT as KEYS_AT
    from antiphon.providers.openai_audio import STT as STT
    from antiphon.providers.openai_audio import TTS as TTS
    from antiphon.wire.deadlines import Deadlines
    from antiphon.wire.http import HttpPool
    from antiphon.wire.retry import RetryPolicy, Sleep

AUDIO = ("KEY_VARIABLE", "KEYS_AT", "STT", "TTS")
"""Names that are imported when they are first used: who wants a language model alone does not wait for them."""
Tier = Literal["auto", "default", "flex", "scale", "priority", "fast"]


class LLM(WireLLM):
    """OpenAI's models over chat completions, and any server that follows them (``base_url=``).

    ``temperature`` 0 to 2, ``top_p`` 0 to 1. ``max_tokens``: of one answer, thoughts included. ``reasoning_effort``: of models
    that reason; the less, the sooner they speak. ``verbosity``: how much they say. ``service_tier``: ``priority`` answers
    sooner for more. ``parallel_tool_calls``: whether several tools may be called at once. ``strict_tools``: the service holds the
    model to each tool's schema, where its strict mode can express it. ``prompt_cache_key``: requests with the same key meet the
    same cache. ``extra_body``: any other field of the request.

    ``api_key``: instead of ``OPENAI_API_KEY``. ``base_url``: another service, to which that key is not sent (it may have one in
    ``OPENAI_COMPATIBLE_API_KEY``); ``allow_insecure``: although the way to it is not encrypted. ``wire``: ``deadlines``, ``retry``,
    ``pool``, ``capabilities`` (see ``WireLLM``).

    Raises ``ConfigurationError`` for a missing key or an address that is refused.
    """

    def __init__(
        self,
        model: str,
        *,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: Effort | None = None,
        verbosity: Literal["low", "medium", "high"] | None = None,
        service_tier: Tier | None = None,
        parallel_tool_calls: bool | None = None,
        strict_tools: bool | None = None,
        prompt_cache_key: str | None = None,
        prompt_cache_retention: Literal["in_memory", "24h"] | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        store: bool | None = None,
        metadata: Mapping[str, str] | None = None,
        safety_identifier: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str = "",
        allow_insecure: bool = False,
        **wire: Any,
    ) -> None:
        options = given(
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            reasoning_effort=reasoning_effort,
            verbosity=verbosity,
            service_tier=service_tier,
            parallel_tool_calls=parallel_tool_calls,
            strict_tools=strict_tools,
            prompt_cache_key=prompt_cache_key,
            prompt_cache_retention=prompt_cache_retention,
            seed=seed,
            stop=stop,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
            store=store,
            metadata=metadata,
            safety_identifier=safety_identifier,
        )
        made = _service("openai", model, merged(options, extra_body), api_key, base_url, allow_insecure)
        super().__init__(made, **wire)


class ResponsesLLM(SocketLLM):
    """OpenAI's models over Responses in its WebSocket mode: one socket serves turn after turn, and a turn sends only what is
    new since the one before it, so that long conversations begin to be answered sooner.

    Options as of ``LLM``. ``store``: the service keeps the responses (it does not unless told). ``truncation``: ``auto`` drops
    the middle of a conversation that is too long. ``session``: seconds after which a socket is replaced; the service
    takes no requests on one of 60 minutes.

    Raises ``ConfigurationError`` for a missing key or an address that is refused.
    """

    def __init__(
        self,
        model: str,
        *,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: Effort | None = None,
        verbosity: Literal["low", "medium", "high"] | None = None,
        service_tier: Tier | None = None,
        parallel_tool_calls: bool | None = None,
        strict_tools: bool | None = None,
        prompt_cache_key: str | None = None,
        prompt_cache_retention: Literal["in_memory", "24h"] | None = None,
        store: bool | None = None,
        truncation: Literal["auto", "disabled"] | None = None,
        metadata: Mapping[str, str] | None = None,
        safety_identifier: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str = "",
        allow_insecure: bool = False,
        **wire: Any,
    ) -> None:
        super().__init__(
            _responses(
                model,
                temperature=temperature,
                top_p=top_p,
                max_tokens=max_tokens,
                reasoning_effort=reasoning_effort,
                verbosity=verbosity,
                service_tier=service_tier,
                parallel_tool_calls=parallel_tool_calls,
                strict_tools=strict_tools,
                prompt_cache_key=prompt_cache_key,
                prompt_cache_retention=prompt_cache_retention,
                store=store,
                truncation=truncation,
                metadata=metadata,
                safety_identifier=safety_identifier,
                extra_body=extra_body,
                api_key=api_key,
                base_url=base_url,
                allow_insecure=allow_insecure,
            ),
            **wire,
        )


class ResponsesSSE(WireLLM):
    """The same by one HTTP request an answer, with all of the conversation in each: for networks that let no WebSocket
    through. ``options``: as of ``ResponsesLLM``; the rest: see ``WireLLM``."""

    def __init__(
        self,
        model: str,
        *,
        capabilities: LLMCapabilities | None = None,
        deadlines: Deadlines | None = None,
        retry: RetryPolicy | None = None,
        pool: HttpPool | None = None,
        sleep: Sleep | None = None,
        **options: Any,
    ) -> None:
        made = _responses(model, **options)
        super().__init__(made, capabilities=capabilities, deadlines=deadlines, retry=retry, pool=pool, sleep=sleep)


def _responses(
    model: str,
    *,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    reasoning_effort: Effort | None = None,
    verbosity: Literal["low", "medium", "high"] | None = None,
    service_tier: Tier | None = None,
    parallel_tool_calls: bool | None = None,
    strict_tools: bool | None = None,
    prompt_cache_key: str | None = None,
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None,
    store: bool | None = None,
    truncation: Literal["auto", "disabled"] | None = None,
    metadata: Mapping[str, str] | None = None,
    safety_identifier: str | None = None,
    extra_body: Mapping[str, Any] | None = None,
    api_key: str | None = None,
    base_url: str = "",
    allow_insecure: bool = False,
) -> LLMService:
    options = given(
        temperature=temperature,
        top_p=top_p,
        max_output_tokens=max_tokens,
        reasoning={"effort": reasoning_effort} if reasoning_effort else None,
        text={"verbosity": verbosity} if verbosity else None,
        service_tier=service_tier,
        parallel_tool_calls=parallel_tool_calls,
        strict_tools=strict_tools,
        prompt_cache_key=prompt_cache_key,
        prompt_cache_retention=prompt_cache_retention,
        store=store,
        truncation=truncation,
        metadata=metadata,
        safety_identifier=safety_identifier,
    )
    return _service("openai-responses", model, merged(options, extra_body), api_key, base_url, allow_insecure)


def _service(
    prefix: str, model: str, options: Mapping[str, Any], api_key: str | None, base_url: str, allow_insecure: bool
) -> LLMService:
    return llm_service(
        row(prefix),
        model,
        facts=facts_of("openai", model),
        options=options,
        api_key=api_key,
        base_url=base_url,
        allow_insecure=allow_insecure,
    )


def __getattr__(name: str) -> object:
    if name not in AUDIO:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from antiphon.providers import openai_audio

    return getattr(openai_audio, name)
