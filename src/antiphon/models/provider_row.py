"""What is known of a provider and of a model: rows of data.

Owns: the form of a row. Never: the rows (``antiphon.providers``), code of a provider.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ProviderRow(msgspec.Struct, frozen=True):
    """One provider.

    ``codec``: ``module:attribute``, imported on use; ``quirks``: what it is told of the service. ``base_url`` may hold
    ``{endpoint}``, which is the user's own, in the environment variable ``endpoint_variable``; ``key_hosts``: names of hosts
    to which the key may go beside the base URL's own, with all below them. ``key_variable``: the environment variable of the
    key, ``key_needed`` whether it works without, ``key_url`` where there is one to get. ``local``: it runs on the user's
    machine, may still have to load the model, and ``start_hint`` says how to start it. ``images``: its models take pictures,
    but for those of which the list of models says otherwise. ``listening_models``: how the names of those begin that take
    sound. ``tools``, ``parallel_tools``: its models call tools, several at once. ``socket``: the codec speaks over a WebSocket.

    ``vendor``: whose models they are, where the prefix says more than that. ``front``: ``module:attribute`` of the class with
    its options. ``title``, ``docs_url``, ``notes`` and ``example`` (a model of it) are for readers; ``as_of``: when the row's
    facts were looked up. What shows that a row holds is in ``providers/data/verified.json``."""

    prefix: str
    kind: Literal["llm"]
    base_url: str
    codec: str = "antiphon.providers.openai_chat:OpenAIChatCodec"
    quirks: dict[str, Any] = {}
    key_variable: str = ""
    key_needed: bool = False
    local: bool = False
    start_hint: str = ""
    model_hint: str = ""
    images: bool = False
    listening_models: tuple[str, ...] = ()
    tools: bool = True
    parallel_tools: bool = True
    socket: bool = False
    endpoint_variable: str = ""
    key_hosts: tuple[str, ...] = ()
    key_url: str = ""
    vendor: str = ""
    front: str = "antiphon.providers.openai_compatible:LLM"
    title: str = ""
    docs_url: str = ""
    notes: str = ""
    example: str = ""
    as_of: str = ""


class ModelFacts(msgspec.Struct, frozen=True, rename={"id": "model"}):
    """One language model. ``context``: tokens that a request may hold, ``output``: tokens of an answer (0: not known).
    ``reasoning``: it may think before it answers. ``images``, ``audio``: what it takes beside text. ``shutdown``: the day after
    which the service has it no more (ISO 8601), where one is announced."""

    id: str
    provider: str
    context: int = 0
    output: int = 0
    reasoning: bool = False
    images: bool = False
    audio: bool = False
    shutdown: str = ""
