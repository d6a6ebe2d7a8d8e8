"""Which models, tools and settings hold for which agent: resolved once, read by the shell."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from weakref import WeakSet

from antiphon.agents.agent import NOT_GIVEN, Agent
from antiphon.errors import ConfigurationError, ModelMissingError, NotSupportedError
from antiphon.models.choice import ModelChoice
from antiphon.models.llm import LLM
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.models.turn_detector import TurnDetector
from antiphon.session.crossing import on_core
from antiphon.session.lanes import Lane
from antiphon.tools.function_tool import FunctionTool

KINDS: dict[str, type[Any]] = {"stt": STT, "llm": LLM, "tts": TTS, "turn_detector": TurnDetector}
LOCAL = {
    "stt": "local/moonshine-base-en",
    "llm": "local/qwen2.5-coder-1.5b",
    "tts": "local/piper-joe",
    "turn_detector": "local/smart-turn-v3.2",
}
logger = logging.getLogger("antiphon")
_made: WeakSet[Any] = WeakSet()
"""Models made here from strings: nobody else holds them, so the session that used them closes them."""


@dataclass
class Bound:
    """One agent, ready to run."""

    agent: Agent
    stt: STT | None
    llm: LLM | None
    tts: TTS | None
    detector: TurnDetector | None
    tools: list[FunctionTool]

    def tool(self, name: str) -> FunctionTool | None:
        return next((tool for tool in self.tools if tool.name == name), None)


def resolve(kind: str, given: Any) -> Any:
    """A model object from what a user wrote: an object (of ours, or of a LiveKit plugin), a ``provider/model`` string, or
    several of them (``FallbackAdapter``, ``Hedged``).

    Raises ``ConfigurationError`` for something that is neither, ``NotSupportedError`` for a provider that this version
    does not serve.
    """
    if given is None or isinstance(given, KINDS[kind]):
        return given
    if isinstance(given, ModelChoice):
        return _several(kind, given)
    if "livekit.agents" in sys.modules and kind in ("stt", "llm", "tts"):  # else no object can be of a plugin of theirs
        adapted = import_module("antiphon.providers.livekit").recognise(kind, given)
        if adapted is not None:
            return adapted
    if not isinstance(given, str):
        raise ConfigurationError(
            f"{kind}={given!r} is not a {KINDS[kind].__name__}.",
            hint="Pass a model object or a 'provider/model' string.",
        )
    provider, slash, _ = given.partition("/")
    if not slash:
        raise ConfigurationError(f"{kind}={given!r} is not a model string.", hint="Write it as 'provider/model'.")
    if provider == "local":
        return _of_kind(kind, given, import_module("antiphon.local").resolve(given))
    if kind == "turn_detector":
        raise NotSupportedError(
            f"{kind}={given!r}: this version serves no provider of that kind by name.",
            hint=f"Use 'local/...' or pass a {KINDS[kind].__name__} object.",
        )
    model = getattr(import_module("antiphon.wire.resolve"), f"{kind}_from_string")(given)
    _made.add(model)
    return model


def _several(kind: str, choice: ModelChoice) -> Any:
    """One model over several; the user's own among them still run on the user's loop, which is the running one."""
    home = Lane(asyncio.get_running_loop())
    inner: list[Any] = []

    def one(given: Any) -> Any:
        if given is None:
            raise ConfigurationError(f"None is no {kind} to choose.", hint="Leave it out of the list.")
        inner.append(resolve(kind, given))
        return on_core(kind, inner[-1], home)

    model = choice.model(kind, one)
    model.availability.owned = made(inner)
    _made.add(model)
    return model


def made(models: Iterable[Any]) -> list[LLM | STT | TTS]:
    """Those that were made from strings."""
    return [model for model in _made if any(model is one for one in models)]


def _of_kind(kind: str, given: str, model: Any) -> Any:
    if not isinstance(model, KINDS[kind]):
        raise ConfigurationError(f"{kind}={given!r} is a {type(model).__name__}.", hint=f"Pass a model for {kind}.")
    return model


def session_models(given: dict[str, Any]) -> dict[str, Any]:
    """A session's own models: what was given, and the local ones for what was left unset.

    Raises ``ModelMissingError`` with the command that fetches what is missing.
    """
    unset = {kind for kind in KINDS if given[kind] is NOT_GIVEN}
    models = {kind: resolve(kind, given[kind]) for kind in KINDS if kind not in unset}
    if unset == set(KINDS):
        stt, llm, tts, detector = import_module("antiphon.local").defaults()
        return {"stt": stt, "llm": llm, "tts": tts, "turn_detector": detector}
    for kind in unset - {"turn_detector"}:
        models[kind] = import_module("antiphon.local").resolve(LOCAL[kind])
    if "turn_detector" in unset:
        models["turn_detector"] = _local_detector()
    return models


def _local_detector() -> TurnDetector | None:
    """The local end-of-turn model; pauses alone decide where it is not installed."""
    try:
        model = import_module("antiphon.local").resolve(LOCAL["turn_detector"])
    except ModelMissingError as exc:
        logger.warning("Turns end by pauses alone: %s", exc)
        return None
    return model if isinstance(model, TurnDetector) else None


def choose(agent: Agent, kind: str, session_model: Any) -> Any:
    """The agent's own model where it set one, else the session's."""
    given = agent.model_choices[kind]
    if given is NOT_GIVEN:
        return session_model
    resolved = resolve(kind, given)
    agent.model_choices[kind] = resolved
    return resolved
