"""Services and servers that speak OpenAI's chat completions, for a session:
``from antiphon.providers import openai_compatible``.

Owns: the typed options a user writes. Never: formats, sockets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.errors import NotSupportedError
from antiphon.providers.model_facts import facts_of
from antiphon.providers.openai_compatible_rows import LOCAL_ROWS, REMOTE_ROWS
from antiphon.providers.options import Effort, given, merged
from antiphon.wire.llm import WireLLM
from antiphon.wire.llm_service import llm_service


class LLM(WireLLM):
    """A model of one of the services that ``antiphon providers`` lists: ``LLM("groq", "openai/gpt-oss-120b", temperature=0.3)``.

    Options as of ``openai.LLM``; one that a service does not have is refused here, before a call. ``extra_body``: fields that
    the service has beside OpenAI's. ``api_key``: instead of the service's own environment variable. ``base_url``: another host.

    Raises ``NotSupportedError`` for a service that is not listed, ``ConfigurationError`` for a missing key, an option that the
    service does not have, or an address that is refused.
    """

    def __init__(
        self,
        provider: str,
        model: str,
        *,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: Effort | None = None,
        parallel_tool_calls: bool | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        extra_body: Mapping[str, Any] | None = None,
        api_key: str | None = None,
        base_url: str = "",
        allow_insecure: bool = False,
        **wire: Any,
    ) -> None:
        rows = (*REMOTE_ROWS, *LOCAL_ROWS)
        row = next((row for row in rows if row.prefix == provider), None)
        if row is None:
            known = ", ".join(row.prefix for row in rows)
            raise NotSupportedError(f"There is no service {provider!r} here.", hint=f"There are {known}.")
        options = given(
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            reasoning_effort=reasoning_effort,
            parallel_tool_calls=parallel_tool_calls,
            seed=seed,
            stop=stop,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
        )
        made = llm_service(
            row,
            model,
            facts=facts_of(provider, model),
            options=merged(options, extra_body),
            api_key=api_key,
            base_url=base_url,
            allow_insecure=allow_insecure,
        )
        super().__init__(made, **wire)
