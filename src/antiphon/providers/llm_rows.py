"""The language models whose formats have codecs of their own.

Owns: rows of data. Never: code of a provider.
"""

from __future__ import annotations

from antiphon.models.provider_row import ProviderRow

AS_OF = "2026-11-24"

LLM_ROWS: tuple[ProviderRow, ...] = (
    ProviderRow(
        prefix="openai",
        kind="llm",
        front="antiphon.providers.openai:LLM",
        title="OpenAI (chat completions)",
        base_url="https://api.openai.com/v1",
        quirks={
            "developer_role": True,
            "reasoning_tags": False,
            "max_tokens_field": "max_completion_tokens",
            "strict_tools": True,
        },
        key_variable="OPENAI_API_KEY",
        key_needed=True,
        key_url="https://platform.openai.com/api-keys",
        docs_url="https://platform.openai.com/docs/api-reference/chat",
        model_hint="Check the model's name: this account has no {model}.",
        images=True,
        listening_models=("gpt-audio", "gpt-4o-audio", "gpt-4o-mini-audio"),
        example="gpt-4o",
        as_of=AS_OF,
    ),
    ProviderRow(
        prefix="openai-responses",
        kind="llm",
        front="antiphon.providers.openai:ResponsesLLM",
        vendor="openai",
        title="OpenAI (Responses, over a WebSocket)",
        base_url="https://api.openai.com/v1",
        codec="antiphon.providers.openai_responses:ResponsesCodec",
        key_variable="OPENAI_API_KEY",
        key_needed=True,
        key_url="https://platform.openai.com/api-keys",
        docs_url="https://platform.openai.com/docs/api-reference/responses",
        model_hint="Check the model's name: this account has no {model}.",
        images=True,
        socket=True,
        notes="One socket serves turn after turn, and a turn sends only what is new since the one before.",
        example="gpt-5.4-mini",
        as_of=AS_OF,
    ),
    ProviderRow(
        prefix="anthropic",
        kind="llm",
        front="antiphon.providers.anthropic:LLM",
        title="Anthropic",
        base_url="https://api.anthropic.com/v1",
        codec="antiphon.providers.anthropic_messages:MessagesCodec",
        key_variable="ANTHROPIC_API_KEY",
        key_needed=True,
        key_url="https://console.anthropic.com/settings/keys",
        docs_url="https://docs.anthropic.com/en/api/messages",
        model_hint="Check the model's name: this account has no {model}.",
        images=True,
        notes="Tools, instructions and the conversation so far are marked for the prompt cache.",
        example="claude-haiku-4-5",
        as_of=AS_OF,
    ),
    ProviderRow(
        prefix="google",
        kind="llm",
        front="antiphon.providers.google:LLM",
        title="Google Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        codec="antiphon.providers.gemini:GenerateContentCodec",
        key_variable="GOOGLE_API_KEY",
        key_needed=True,
        key_url="https://aistudio.google.com/apikey",
        docs_url="https://ai.google.dev/api/generate-content",
        model_hint="Check the model's name: this key has no {model}.",
        images=True,
        listening_models=("gemini-",),
        example="gemini-3.8-flash",
        as_of=AS_OF,
    ),
    ProviderRow(
        prefix="azure",
        kind="llm",
        front="antiphon.providers.azure:LLM",
        title="Azure OpenAI",
        base_url="{endpoint}/openai/v1",
        endpoint_variable="AZURE_OPENAI_ENDPOINT",
        key_hosts=("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
        quirks={
            "developer_role": True,
            "reasoning_tags": False,
            "max_tokens_field": "max_completion_tokens",
            "strict_tools": True,
            "key_header": "api-key",
        },
        key_variable="AZURE_OPENAI_API_KEY",
        key_needed=True,
        key_url="https://portal.azure.com",
        docs_url="https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle",
        model_hint="The model is the name of your deployment: check that {model} is one.",
        images=True,
        notes="The model is the name of a deployment. azure.LLM(api_version=...) uses the older addresses, which have "
        "the deployment and a dated version in them.",
        example="my-gpt-4o",
        as_of=AS_OF,
    ),
)


def row(prefix: str) -> ProviderRow:
    """One of these rows."""
    return next(row for row in LLM_ROWS if row.prefix == prefix)
