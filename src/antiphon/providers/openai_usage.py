"""Tokens as the services that speak OpenAI's formats count them.

Owns: a usage object -> ``Usage``, in which no token is counted twice. Never: prices.
"""

from __future__ import annotations

from typing import Any

from antiphon.models.llm import Usage
from antiphon.providers.answer import count_in, object_in


def usage_of(usage: dict[str, Any]) -> Usage:
    """From a chat completion's ``prompt_tokens`` and ``completion_tokens``, or a response's ``input_tokens`` and
    ``output_tokens``.

    Thoughts are part of the completion for OpenAI. Some services count them beside it, which their total shows: there
    they are added. DeepSeek calls what came from its cache ``prompt_cache_hit_tokens``.
    """
    prompt = count_in(usage.get("prompt_tokens")) or count_in(usage.get("input_tokens"))
    completion = count_in(usage.get("completion_tokens")) or count_in(usage.get("output_tokens"))
    read = object_in(usage.get("prompt_tokens_details")) or object_in(usage.get("input_tokens_details"))
    made = object_in(usage.get("completion_tokens_details")) or object_in(usage.get("output_tokens_details"))
    thought = count_in(made.get("reasoning_tokens"))
    if thought and count_in(usage.get("total_tokens")) == prompt + completion + thought:
        completion += thought
    cached = count_in(read.get("cached_tokens")) or count_in(usage.get("prompt_cache_hit_tokens"))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=min(cached, prompt),
        cache_write_tokens=min(count_in(read.get("cache_write_tokens")), prompt),
        reasoning_tokens=min(thought, completion),
    )
