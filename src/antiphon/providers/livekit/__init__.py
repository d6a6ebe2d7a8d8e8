"""Models of LiveKit's plugins, unchanged, as models of ours.

``AgentSession(stt=deepgram.STT())`` with ``deepgram`` from ``livekit.plugins`` works as it stands: a session that is given
such an object adapts it. ``adapt`` does the same by hand, for its options. The plugin is the user's code: it keeps its own
sockets and runs on the user's loop. Retries are the session's, with its deadlines, so the plugin's own are switched off.

Owns: which of their objects becomes what. Never imports LiveKit: whoever holds such an object has.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakValueDictionary

from antiphon.errors import ConfigurationError
from antiphon.models.llm import LLM
from antiphon.models.stt import STT
from antiphon.models.tts import TTS
from antiphon.providers.livekit.llm import LiveKitLLM
from antiphon.providers.livekit.stt import LiveKitSTT, LiveKitUtterances
from antiphon.providers.livekit.tts import LiveKitTTS

_known: WeakValueDictionary[int, STT | LLM | TTS] = WeakValueDictionary()
"""Adapters by the object they adapt, which they keep alive: the same object is the same model everywhere."""


def adapt(model: Any, *, images: bool = False) -> Any:
    """An ``STT``, ``LLM`` or ``TTS`` around an object of a LiveKit plugin; ``.theirs`` is that object, for its
    ``update_options`` and events.

    ``images``: the language model takes pictures (their objects do not say). A recogniser or a voice that does not stream
    is made to: utterance by utterance, segment by segment. Raises ``ConfigurationError`` for anything else.
    """
    kind = _kind(model)
    if kind is None:
        raise ConfigurationError(
            f"{type(model).__name__} is not an STT, LLM or TTS of a LiveKit plugin.",
            hint="Pass an object such as livekit.plugins.deepgram.STT(). Speech-to-speech models are not adapted.",
        )
    if kind == "stt":
        made: STT | LLM | TTS = LiveKitSTT(model) if model.capabilities.streaming else LiveKitUtterances(model)
    else:
        made = LiveKitLLM(model, images=images) if kind == "llm" else LiveKitTTS(model)
    _known[id(model)] = made
    return made


def recognise(kind: str, given: Any) -> Any:
    """The adapter of ``given`` where it is a model of that ``kind`` (``stt``, ``llm``, ``tts``), else ``None``."""
    if _kind(given) != kind:
        return None
    return _known.get(id(given)) or adapt(given)


def _kind(given: Any) -> str | None:
    agents = sys.modules.get("livekit.agents")
    if agents is None:
        return None
    bases = {"stt": agents.stt.STT, "llm": agents.llm.LLM, "tts": agents.tts.TTS}
    return next((kind for kind, base in bases.items() if isinstance(given, base)), None)
