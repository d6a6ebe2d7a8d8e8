"""Google's Gemini for a session: ``from antiphon.providers import google``.

Owns: the typed options a user writes. Never: formats, sockets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from antiphon.providers.llm_rows import row
from antiphon.providers.model_facts import facts_of
from antiphon.providers.options import given, merged
from antiphon.wire.llm import WireLLM
from antiphon.wire.llm_service import llm_service

OTHER_KEY = "GEMINI_API_KEY"
"""Google's own tools read the key from here as well."""


class LLM(WireLLM):
    """Gemini's models over ``streamGenerateContent``.

    ``temperature`` 0 to 2. ``max_tokens``: of one answer, thoughts included. ``thinking_level`` (from the third generation on) or
    ``thinking_budget`` (tokens; 0: none) of models that reason: the less, the sooner they speak; thoughts are not spoken.
    ``safety_settings``: thresholds by category. ``cached_content``: the name of a cache made beforehand; what requests have
    in common is cached without it. ``extra_body``: any other field of the request.

    ``api_key``: instead of ``GOOGLE_API_KEY`` or ``GEMINI_API_KEY``. ``base_url``: another service that speaks the format, to which
    that key is not sent; ``allow_insecure``: although the way to it is not encrypted. ``wire``: ``deadlines``, ``retry``, ``pool``,
    ``capabilities``.

    Raises ``ConfigurationError`` for a missing key or an address that is refused.
    """

    def __init__(
        self,
        model: str,
        *,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        max_tokens: int | None = None,
        thinking_level: Literal["minimal", "low", "medium", "high"] | None = None,
        thinking_budget: int | None = None,
        seed: int | None = None,
        stop_sequences: Sequence[str] | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        safety_settings: Mapping[str, str] | None = None,
        service_tier: Literal["flex", "standard", "priority"] | None = None,
        cached_content: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str = "",
        allow_insecure: bool = False,
        **wire: Any,
    ) -> None:
        thinking = given(
            thinkingLevel=thinking_level.upper() if thinking_level else None, thinkingBudget=thinking_budget
        )
        options = given(
            temperature=temperature,
            topP=top_p,
            topK=top_k,
            maxOutputTokens=max_tokens,
            thinkingConfig=thinking or None,
            seed=seed,
            stopSequences=stop_sequences,
            presencePenalty=presence_penalty,
            frequencyPenalty=frequency_penalty,
            safetySettings=[
                {"category": category, "threshold": threshold} for category, threshold in safety_settings.items()
            ]
            if safety_settings
            else None,
            serviceTier=service_tier,
            cachedContent=cached_content,
        )
        google = row("google")
        if api_key is None and not base_url and not os.environ.get(google.key_variable, "").strip():
            api_key = os.environ.get(OTHER_KEY, "").strip() or None
        made = llm_service(
            google,
            model,
            facts=facts_of("google", model),
            options=merged(options, extra_body),
            api_key=api_key,
            base_url=base_url,
            allow_insecure=allow_insecure,
        )
        super().__init__(made, **wire)
