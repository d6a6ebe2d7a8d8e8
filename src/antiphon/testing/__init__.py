"""Test voice agents without sound, accounts or waiting: a simulated caller, scripted models, a virtual clock.

``simulate(MyAgent, Caller().says("Hello.").waits_for_agent(), llm="Hi.")`` holds a whole call in milliseconds and gives
back what the caller heard. The public names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from antiphon.testing.caller import Caller as Caller
    from antiphon.testing.caller import LiveCaller as LiveCaller
    from antiphon.testing.ear import HeardWord as HeardWord
    from antiphon.testing.expect import RunAssert as RunAssert
    from antiphon.testing.judging import JudgeError as JudgeError
    from antiphon.testing.judging import Judgement as Judgement
    from antiphon.testing.judging import judge as judge
    from antiphon.testing.leg import LegFaults as LegFaults
    from antiphon.testing.llm import LLMFaults as LLMFaults
    from antiphon.testing.llm import LLMRequest as LLMRequest
    from antiphon.testing.llm import ScriptedLLM as ScriptedLLM
    from antiphon.testing.llm import calls as calls
    from antiphon.testing.loop import SimulationStuckError as SimulationStuckError
    from antiphon.testing.loop import VirtualLoop as VirtualLoop
    from antiphon.testing.loop import run as run
    from antiphon.testing.mocks import MockedCall as MockedCall
    from antiphon.testing.mocks import MockedTools as MockedTools
    from antiphon.testing.mocks import mock_tools as mock_tools
    from antiphon.testing.recordings import RecordedSession as RecordedSession
    from antiphon.testing.recordings import recorded as recorded
    from antiphon.testing.repeated import PassRate as PassRate
    from antiphon.testing.repeated import repeat as repeat
    from antiphon.testing.replay import ReplayReport as ReplayReport
    from antiphon.testing.result import CallResult as CallResult
    from antiphon.testing.result import ToolExecution as ToolExecution
    from antiphon.testing.simulation import Simulation as Simulation
    from antiphon.testing.simulation import simulate as simulate
    from antiphon.testing.simulation import text_context as text_context
    from antiphon.testing.stt import ScriptedSTT as ScriptedSTT
    from antiphon.testing.stt import STTFaults as STTFaults
    from antiphon.testing.tts import ScriptedTTS as ScriptedTTS
    from antiphon.testing.tts import TTSFaults as TTSFaults
    from antiphon.testing.turn_detector import ScriptedTurnDetector as ScriptedTurnDetector

_HOMES = {
    "Caller": "caller",
    "LiveCaller": "caller",
    "HeardWord": "ear",
    "RunAssert": "expect",
    "Judgement": "judging",
    "JudgeError": "judging",
    "judge": "judging",
    "LegFaults": "leg",
    "LLMFaults": "llm",
    "LLMRequest": "llm",
    "ScriptedLLM": "llm",
    "calls": "llm",
    "SimulationStuckError": "loop",
    "VirtualLoop": "loop",
    "run": "loop",
    "MockedCall": "mocks",
    "MockedTools": "mocks",
    "mock_tools": "mocks",
    "RecordedSession": "recordings",
    "recorded": "recordings",
    "PassRate": "repeated",
    "repeat": "repeated",
    "ReplayReport": "replay",
    "CallResult": "result",
    "ToolExecution": "result",
    "Simulation": "simulation",
    "simulate": "simulation",
    "text_context": "simulation",
    "ScriptedSTT": "stt",
    "STTFaults": "stt",
    "ScriptedTTS": "tts",
    "TTSFaults": "tts",
    "ScriptedTurnDetector": "turn_detector",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'antiphon.testing' has no attribute {name!r}")
    value = getattr(import_module(f"antiphon.testing.{home}"), name)
    globals()[name] = value
    return value
