"""What serves a session that made process after process crash: nothing of the program's, a word to the caller, the end."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from antiphon.worker.job import JobContext

APOLOGY = "I am sorry, something has gone wrong on our side. Please call again later. Goodbye."


async def apologise(ctx: JobContext) -> None:
    """Say that it cannot go on, by the local voice where it is installed, and hang up."""
    agent_type: Any = import_module("antiphon.agents.agent").Agent
    session_type: Any = import_module("antiphon.session.session").AgentSession
    voice = local_voice()
    session = session_type(stt=None, llm=None, tts=voice, turn_detector=None)
    await session.start(agent_type(instructions=""), ctx)
    if voice is not None:
        await session.say(APOLOGY)
    session.shutdown(drain=True, reason="crash loop")


def local_voice() -> str | None:
    """The default local voice; ``None`` where it is not installed."""
    name = str(import_module("antiphon.session.bindings").LOCAL["tts"])
    installed = import_module("antiphon.local.store").Store().installed(name.removeprefix("local/"))
    return name if installed else None
