"""Anthropic for a session: ``from antiphon.providers import anthropic``.

Owns: the typed options a user writes. Never: formats, sockets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from antiphon.providers.llm_rows import row
from antiphon.providers.model_facts import facts_of
from antiphon.providers.options import given, merged
from antiphon.wire.llm import WireLLM
from antiphon.wire.llm_service import llm_service


class LLM(WireLLM):
    """Anthropic's models over Messages.

    ``max_tokens``: of one answer, thoughts included. ``temperature`` 0 to 1. ``thinking``: ``adaptive`` (the model decides), or the
    tokens it may think with (1024 at least); thoughts are not spoken, and without it there are none. ``effort``: how much
    the model puts into an answer. ``speed``: ``fast`` where the account has it. ``parallel_tool_calls``: whether several tools may be
    called at once. ``cache_prompt``: tools, instructions and the conversation so far are marked for the service's cache.
    ``extra_body``: any other field of the request.

    ``api_key``: instead of ``ANTHROPIC_API_KEY``. ``base_url``: another service that speaks the format, to which that key is not sent;
    ``allow_insecure``: although the way to it is not encrypted. ``wire``: ``deadlines``, ``retry``, ``pool``, ``capabilities``.

    Raises ``ConfigurationError`` for a missing key or an address that is refused.
    """

    def __init__(
        self,
        model: str,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        stop_sequences: Sequence[str] | None = None,
        thinking: Literal["adaptive"] | int | None = None,
        effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None,
        service_tier: Literal["auto", "standard_only"] | None = None,
        speed: Literal["standard", "fast"] | None = None,
        parallel_tool_calls: bool | None = None,
        cache_prompt: bool = True,
        user_id: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str = "",
        allow_insecure: bool = False,
        **wire: Any,
    ) -> None:
        thoughts = {"type": "enabled", "budget_tokens": thinking} if isinstance(thinking, int) else {"type": thinking}
        options = given(
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            stop_sequences=stop_sequences,
            thinking=thoughts if thinking is not None else None,
            output_config={"effort": effort} if effort else None,
            service_tier=service_tier,
            speed=speed,
            parallel_tool_calls=parallel_tool_calls,
            metadata={"user_id": user_id} if user_id else None,
        )
        made = llm_service(
            row("anthropic"),
            model,
            facts=facts_of("anthropic", model),
            options=merged(options, extra_body),
            api_key=api_key,
            base_url=base_url,
            allow_insecure=allow_insecure,
            quirks={"cache": cache_prompt},
        )
        super().__init__(made, **wire)
