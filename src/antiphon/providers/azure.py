"""Azure OpenAI for a session: ``from antiphon.providers import azure``.

Owns: the typed options a user writes, and the two kinds of addresses that a resource has. Never: formats, sockets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from antiphon.errors import ConfigurationError
from antiphon.providers.llm_rows import row
from antiphon.providers.options import Effort, given, merged
from antiphon.wire.llm import WireLLM
from antiphon.wire.llm_service import llm_service


class LLM(WireLLM):
    """A deployment of an Azure OpenAI resource, over chat completions.

    ``deployment``: its name. ``endpoint``: the resource's address, as ``https://NAME.openai.azure.com``, instead of
    ``AZURE_OPENAI_ENDPOINT``. ``api_version``: a date, for the older addresses that have the deployment and the version in
    them; without it the ``v1`` addresses are used. ``api_key``: instead of ``AZURE_OPENAI_API_KEY``; ``token``: a Microsoft Entra
    token instead of a key. Options as of ``openai.LLM``.

    Raises ``ConfigurationError`` for a missing key or endpoint, or an address that is refused.
    """

    def __init__(
        self,
        deployment: str,
        *,
        endpoint: str = "",
        api_version: str = "",
        api_key: str | None = None,
        token: str | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: Effort | None = None,
        parallel_tool_calls: bool | None = None,
        strict_tools: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
        allow_insecure: bool = False,
        **wire: Any,
    ) -> None:
        azure = row("azure")
        address = (endpoint or os.environ.get(azure.endpoint_variable, "")).strip().rstrip("/")
        if not address:
            raise ConfigurationError(
                f"azure/{deployment} needs the address of your resource.",
                hint=f"Pass endpoint= or set {azure.endpoint_variable}, as in https://NAME.openai.azure.com.",
            )
        quirks: dict[str, Any] = {}
        base_url = f"{address}/openai/v1"
        if api_version:
            base_url = f"{address}/openai/deployments/{quote(deployment, safe='')}"
            quirks["query"] = f"?api-version={quote(api_version)}"
        if token is not None:
            quirks["key_header"] = ""
        options = given(
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens,
            reasoning_effort=reasoning_effort,
            parallel_tool_calls=parallel_tool_calls,
            strict_tools=strict_tools,
        )
        made = llm_service(
            # The endpoint was named for the key: it is the row's own address, whatever its host is called.
            msgspec.structs.replace(azure, base_url=base_url, endpoint_variable=""),
            deployment,
            options=merged(options, extra_body),
            api_key=token if token is not None else api_key,
            allow_insecure=allow_insecure,
            quirks=quirks,
        )
        super().__init__(made, **wire)
