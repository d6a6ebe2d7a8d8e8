"""The simulators by name.

Owns: name -> class. Never: what they do.
"""

from __future__ import annotations

from importlib import import_module

from antiphon.errors import ConfigurationError
from antiphon.testing.simulators.base import Simulator

NAMES = {
    "assemblyai": "antiphon.testing.simulators.assemblyai:AssemblyAISimulator",
    "deepgram": "antiphon.testing.simulators.deepgram:DeepgramSimulator",
    "openai-audio": "antiphon.testing.simulators.openai_audio:OpenAIAudioSimulator",
    "cartesia": "antiphon.testing.simulators.cartesia:CartesiaSimulator",
    "openai": "antiphon.testing.simulators.openai:OpenAISimulator",
    "anthropic": "antiphon.testing.simulators.anthropic:AnthropicSimulator",
    "gemini": "antiphon.testing.simulators.gemini:GeminiSimulator",
    "elevenlabs": "antiphon.testing.simulators.elevenlabs:ElevenLabsSimulator",
}


def simulator_of(name: str) -> type[Simulator]:
    """Raises ``ConfigurationError`` for a name that is not known."""
    if name not in NAMES:
        raise ConfigurationError(f"There is no simulator {name!r}.", hint=f"There are {', '.join(sorted(NAMES))}.")
    module, _, attribute = NAMES[name].partition(":")
    found: type[Simulator] = getattr(import_module(module), attribute)
    return found
