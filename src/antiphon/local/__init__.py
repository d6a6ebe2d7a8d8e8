"""Models that run on this machine: no account, no key. ``defaults()`` gives what ``AgentSession()`` uses.

The models are shared by all sessions and processes of the machine (``server.py``); ``store.py`` keeps their files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from antiphon.errors import ConfigurationError, NotSupportedError

if TYPE_CHECKING:
    from antiphon.local.hosts import Host
    from antiphon.models.llm import LLM
    from antiphon.models.stt import STT
    from antiphon.models.tts import TTS
    from antiphon.models.turn_detector import TurnDetector

STT_MODEL = "moonshine-base-en"
LLM_MODEL = "qwen2.5-coder-1.5b"
TTS_MODEL = "piper-joe"
TURN_MODEL = "smart-turn-v3.2"
VAD_MODEL = "silero-vad"
DEFAULT_MODELS = (VAD_MODEL, TURN_MODEL, STT_MODEL, TTS_MODEL, LLM_MODEL)
"""What ``AgentSession()`` needs in the store."""


def resolve(name: str, *, host: Host | None = None) -> STT | LLM | TTS | TurnDetector:
    """The model named ``local/MODEL`` (the prefix may be left out; ``local/kokoro:VOICE`` names a voice,
    ``local/smart-turn-v3.2:stock`` the detector as it was published, without our heads). Nothing is loaded yet.

    ``host``: where the models run; without one, the model process of this machine. Raises ``ConfigurationError`` for a
    name that is not in the catalog, ``ModelMissingError`` for a model that is not installed.
    """
    from antiphon.local.hosts import default_host
    from antiphon.local.llm import LocalLLM
    from antiphon.local.store import Store
    from antiphon.local.stt import LocalSTT
    from antiphon.local.tts import LocalTTS
    from antiphon.local.turn_detector import LocalTurnDetector

    provider, _, named = name.rpartition("/")
    model, _, variant = named.partition(":")
    if provider not in ("", "local"):
        raise ConfigurationError(f"{name!r} is not a local model.", hint="Local models are named `local/MODEL`.")
    store = Store()
    store.path(model)
    kind = store.catalog[model].kind
    if kind == "vad":
        raise NotSupportedError(f"{model} runs inside the media plane.", hint="It needs no setting: it is always used.")
    chosen = host or default_host()
    match kind:
        case "stt":
            return LocalSTT(chosen, model)
        case "llm":
            return LocalLLM(chosen, model)
        case "tts":
            return LocalTTS(chosen, model, voice=variant)
        case _:
            return LocalTurnDetector(chosen, model, head=variant)


def defaults(*, host: Host | None = None, llm: str = LLM_MODEL) -> tuple[STT, LLM, TTS, TurnDetector]:
    """The models of a session that names none: recogniser, language model, voice, end-of-turn detector.

    Raises ``ModelMissingError`` with the command that fetches all that is missing.
    """
    from antiphon.errors import ModelMissingError
    from antiphon.local.hosts import default_host
    from antiphon.local.llm import LocalLLM
    from antiphon.local.store import Store
    from antiphon.local.stt import LocalSTT
    from antiphon.local.tts import LocalTTS
    from antiphon.local.turn_detector import LocalTurnDetector

    store = Store()
    missing = [name for name in (VAD_MODEL, TURN_MODEL, STT_MODEL, TTS_MODEL, llm) if not store.installed(name)]
    if missing:
        raise ModelMissingError(
            f"Not on this machine: {', '.join(missing)}.", hint=f"Run `antiphon models pull {' '.join(missing)}`."
        )
    chosen = host or default_host()
    return (
        LocalSTT(chosen, STT_MODEL),
        LocalLLM(chosen, llm),
        LocalTTS(chosen, TTS_MODEL),
        LocalTurnDetector(chosen, TURN_MODEL),
    )


async def prepare(
    models: Iterable[str] = (TURN_MODEL, STT_MODEL, TTS_MODEL, LLM_MODEL),
    progress: Callable[[str, str, float], None] | None = None,
    *,
    host: Host | None = None,
) -> None:
    """Load models ahead of need, smallest first. ``progress(model, "loading" | "ready", seconds)``."""
    import asyncio

    from antiphon.local.hosts import default_host, load

    chosen = host or default_host()
    loop = asyncio.get_running_loop()
    for model in models:
        begun = loop.time()
        if progress:
            progress(model, "loading", 0.0)
        await load(chosen, model)
        if progress:
            progress(model, "ready", loop.time() - begun)
