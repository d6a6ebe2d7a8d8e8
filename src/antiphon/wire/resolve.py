"""Model strings: ``provider/model[@base_url]`` -> a model object.

Owns: the form of the string, and which key goes to which host. Never: the rows (``providers.registry``).
Providers are imported by name, when a string asks for one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from yarl import URL

from antiphon.errors import ConfigurationError, NotSupportedError
from antiphon.models.capabilities import LLMCapabilities
from antiphon.models.llm import LLM
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.wire.address import ALLOW_INSECURE
from antiphon.wire.deadlines import Deadlines
from antiphon.wire.llm import WireLLM
from antiphon.wire.llm_service import llm_service
from antiphon.wire.retry import RetryPolicy
from antiphon.wire.socket_llm import SocketLLM

if TYPE_CHECKING:
    from antiphon.wire.http import HttpPool
    from antiphon.wire.retry import Sleep

_FORM = re.compile(r"(?P<prefix>[A-Za-z0-9_.-]+)/(?P<model>[^\s]+?)(?:@(?P<url>(?:https?|wss?)://[^\s]+))?")
_EXAMPLES = "ollama/qwen3:0.6b, openai/gpt-4o-mini, llamacpp/NAME@http://127.0.0.1:8080/v1"


class ModelString(msgspec.Struct, frozen=True):
    """A model string in parts. A colon belongs to ``model``; ``base_url`` is empty where none was given."""

    prefix: str
    model: str
    base_url: str = ""


def parse_model_string(text: str) -> ModelString:
    """Raises ``ConfigurationError`` for a string of another form."""
    match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ConfigurationError(
            f"{text!r} is not a model string.", hint=f"Write PROVIDER/MODEL or PROVIDER/MODEL@BASE_URL: {_EXAMPLES}."
        )
    url = match["url"] or ""
    if re.search(r"@[\w.-]+:\d+(/|$)", match["model"]):
        raise ConfigurationError(f"The base URL in {text!r} has no scheme.", hint="Write @http://HOST:PORT/v1.")
    if url:
        try:
            valid = bool(URL(url).host)
        except (ValueError, IndexError):  # yarl raises the latter for brackets with nothing in them
            valid = False
        if not valid:
            raise ConfigurationError(f"{url!r} is not an address.", hint="Write http://HOST:PORT/v1.")
    return ModelString(prefix=match["prefix"].lower(), model=match["model"], base_url=url)


def llm_from_string(
    text: str,
    *,
    options: dict[str, Any] | None = None,
    capabilities: LLMCapabilities | None = None,
    allow_insecure: bool = False,
    environ: Mapping[str, str] | None = None,
    deadlines: Deadlines | None = None,
    retry: RetryPolicy | None = None,
    pool: HttpPool | None = None,
    sleep: Sleep | None = None,
) -> LLM:
    """A language model from its string. ``options`` go into each request (``temperature``, ``max_tokens``, ...).
    ``capabilities``: what the model takes, where that is not known of it: servers of one's own get no pictures unasked.

    Raises ``ConfigurationError`` for a bad string or a missing key, ``NotSupportedError`` for a provider that this
    version has not.
    """
    parts = parse_model_string(text)
    registry = import_module("antiphon.providers.registry")
    row = registry.row_of(parts.prefix)
    if row is None or row.kind != "llm":
        known = ", ".join(sorted(f"{known.prefix}/" for known in registry.ROWS if known.kind == "llm"))
        raise NotSupportedError(
            f"There is no language model provider {parts.prefix!r}.",
            hint=f"There are {known}; any OpenAI-compatible server is openai/MODEL@BASE_URL. "
            "Without llm= the local model is used.",
        )
    found = llm_service(
        row,
        parts.model,
        facts=import_module("antiphon.providers.model_facts").facts_of(row.vendor or row.prefix, parts.model),
        base_url=parts.base_url,
        allow_insecure=allow_insecure,
        options=options,
        environ=environ,
    )
    if row.socket:
        return SocketLLM(found, capabilities=capabilities, deadlines=deadlines, retry=retry, sleep=sleep)
    return WireLLM(found, capabilities=capabilities, deadlines=deadlines, retry=retry, pool=pool, sleep=sleep)


def stt_from_string(text: str, **options: Any) -> STT:
    """A recogniser from its string, ``provider/model[:language][@base_url]``. ``options``: arguments of the provider's own
    class (``antiphon.providers.deepgram.STT`` and its like).

    Raises ``ConfigurationError`` for a bad string or a missing key, ``NotSupportedError`` for a provider that this version
    has not.
    """
    model = _speech(text, "stt", options)
    assert isinstance(model, STT)
    return model


def tts_from_string(text: str, **options: Any) -> TTS:
    """A voice from its string, ``provider/model[:voice][@base_url]``; otherwise as ``stt_from_string``."""
    model = _speech(text, "tts", options)
    assert isinstance(model, TTS)
    return model


def _speech(text: str, kind: Literal["stt", "tts"], options: dict[str, Any]) -> object:
    parts = parse_model_string(text)
    registry = import_module("antiphon.providers.registry")
    row = registry.speech_row_of(parts.prefix, kind)
    if row is None:
        known = ", ".join(sorted(f"{row.prefix}/" for row in registry.SPEECH if row.kind == kind))
        what = {"stt": "speech-to-text", "tts": "text-to-speech"}[kind]
        raise NotSupportedError(
            f"There is no {what} service {parts.prefix!r}.",
            hint=f"There are {known}; without {kind}= the local model is used, and a model object may be passed.",
        )
    name, _, variant = parts.model.partition(":")
    arguments: dict[str, Any] = {"model": name, **options}
    if variant and not row.variant:
        raise ConfigurationError(
            f"{text!r}: a model of {parts.prefix} has no variant.", hint=f"Write {parts.prefix}/{name}."
        )
    if variant:
        arguments[row.variant] = variant
    if parts.base_url:
        arguments["base_url"] = parts.base_url
        if os.environ.get(ALLOW_INSECURE) == "1":
            arguments.setdefault("allow_insecure", True)
    module, _, attribute = row.factory.partition(":")
    return getattr(import_module(module), attribute)(**arguments)
