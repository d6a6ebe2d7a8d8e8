"""How services that follow OpenAI's chat completions differ from it, as simulators of them behave.

Owns: dialects as data. Never: the format.
Sources: the services' own pages, and what their users report of refused requests and odd streams.
"""

from __future__ import annotations

from antiphon.testing.simulators.openai_chat import OPENAI, Dialect

OTHERS_OWN = frozenset({"verbosity", "store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"})
"""Fields of OpenAI's that a service which checks its requests does not know."""


def _dialect(name: str, *omit: str, **differs: object) -> Dialect:
    settings = {"developer_role": False, "limit": "max_tokens", **differs}
    return Dialect(name=name, omit=OTHERS_OWN | set(omit), **settings)  # type: ignore[arg-type]


DIALECTS: dict[str, Dialect] = {
    "openai": OPENAI,
    "azure": Dialect(name="azure", key_header="api-key"),
    "azure-dated": Dialect(name="azure-dated", key_header="api-key", query=("api-version", "2024-10-21")),
    "groq": _dialect("groq", "logit_bias", limit="both", reasoning="reasoning", usage_beside=True),
    "cerebras": _dialect(
        "cerebras",
        *("frequency_penalty", "presence_penalty", "logit_bias", "service_tier", "parallel_tool_calls"),
        limit="max_completion_tokens",
        reasoning="reasoning",
    ),
    "together": _dialect("together", "service_tier", reasoning="reasoning", tags=True),
    "fireworks": _dialect("fireworks", "stream_options", "seed", "service_tier", usage="always"),
    "deepseek": _dialect(
        "deepseek",
        *("seed", "parallel_tool_calls", "service_tier"),
        reasoning="reasoning_content",
        wants_back="reasoning_content",
    ),
    "mistral": _dialect(
        "mistral",
        *("stream_options", "seed", "logit_bias", "service_tier", "user"),
        required="any",
        usage="always",
        whole_calls=True,
        parts=True,
        short_ids=True,
    ),
    "xai": _dialect(
        "xai", "logit_bias", "service_tier", limit="both", reasoning="reasoning_content", thoughts_beside=True
    ),
    "openrouter": Dialect(
        name="openrouter", developer_role=False, limit="both", comments=4, reasoning="reasoning", details=True
    ),
    "dashscope": _dialect("dashscope", "service_tier", "logit_bias", reasoning="reasoning_content"),
    "nvidia": _dialect("nvidia", "service_tier", "logit_bias", reasoning="reasoning_content", whole_calls=True),
    "moonshot": _dialect(
        "moonshot",
        *("seed", "logit_bias", "service_tier"),
        reasoning="reasoning_content",
        wants_back="reasoning_content",
        usage_in_choice=True,
    ),
    "sambanova": _dialect("sambanova", "seed", "logit_bias", "service_tier", whole_calls=True),
    "deepinfra": _dialect("deepinfra", reasoning="reasoning_content"),
    "zai": _dialect(
        "zai",
        *("seed", "logit_bias", "service_tier", "frequency_penalty", "presence_penalty", "parallel_tool_calls"),
        required="auto",
        reasoning="reasoning_content",
        whole_calls=True,
    ),
    "baseten": _dialect("baseten", limit="both"),
    "perplexity": _dialect(
        "perplexity",
        *(
            "stream_options",
            "seed",
            "logit_bias",
            "service_tier",
            "parallel_tool_calls",
            "user",
            "tools",
            "tool_choice",
        ),
        usage="always",
    ),
    "ollama": _dialect("ollama", "parallel_tool_calls", whole_calls=True, indexes=False, reasoning="reasoning"),
    "llamacpp": _dialect("llamacpp", limit="both", reasoning="reasoning_content"),
    "vllm": _dialect("vllm", limit="both", tags=True),
    "lmstudio": _dialect("lmstudio", done=False, tags=True),
    "sglang": _dialect("sglang", limit="both", reasoning="reasoning_content", whole_calls=True),
}
"""By the prefix of the provider's row."""
