"""Antiphon: a framework and runtime for production voice agents.

The public names are imported when they are first used, so that ``import antiphon`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from antiphon.agents.agent import Agent as Agent
    from antiphon.agents.agent import ModelSettings as ModelSettings
    from antiphon.agents.handoff import ContextPolicy as ContextPolicy
    from antiphon.agents.handoff import Handoff as Handoff
    from antiphon.agents.instructions import Instructions as Instructions
    from antiphon.agents.nodes import FlushSentinel as FlushSentinel
    from antiphon.agents.ready.choice import GetChoiceTask as GetChoiceTask
    from antiphon.agents.ready.date_time import GetDateTimeTask as GetDateTimeTask
    from antiphon.agents.ready.email import GetEmailTask as GetEmailTask
    from antiphon.agents.ready.field_task import FieldTask as FieldTask
    from antiphon.agents.ready.phone_number import GetPhoneNumberTask as GetPhoneNumberTask
    from antiphon.agents.ready.yes_no import GetYesNoTask as GetYesNoTask
    from antiphon.agents.summary import summarise as summarise
    from antiphon.agents.task import AgentTask as AgentTask
    from antiphon.agents.task_group import TaskCompletedEvent as TaskCompletedEvent
    from antiphon.agents.task_group import TaskGroup as TaskGroup
    from antiphon.agents.task_group import TaskGroupResult as TaskGroupResult
    from antiphon.audio.frames import AudioFrame as AudioFrame
    from antiphon.audio.frames import TimedWord as TimedWord
    from antiphon.chat.context import ChatContext as ChatContext
    from antiphon.chat.items import AgentConfigUpdate as AgentConfigUpdate
    from antiphon.chat.items import AgentHandoff as AgentHandoff
    from antiphon.chat.items import ChatMessage as ChatMessage
    from antiphon.chat.items import ConversationSummary as ConversationSummary
    from antiphon.chat.items import FunctionCall as FunctionCall
    from antiphon.chat.items import FunctionCallOutput as FunctionCallOutput
    from antiphon.chat.media import AudioContent as AudioContent
    from antiphon.chat.media import ImageContent as ImageContent
    from antiphon.cli.run import run as run
    from antiphon.errors import AntiphonError as AntiphonError
    from antiphon.errors import AudioError as AudioError
    from antiphon.errors import ConfigurationError as ConfigurationError
    from antiphon.errors import MCPServerError as MCPServerError
    from antiphon.errors import ModelError as ModelError
    from antiphon.errors import ModelMissingError as ModelMissingError
    from antiphon.errors import NotSupportedError as NotSupportedError
    from antiphon.errors import SessionClosedError as SessionClosedError
    from antiphon.errors import StopResponse as StopResponse
    from antiphon.errors import TaskCancelledError as TaskCancelledError
    from antiphon.errors import TaskDeclinedError as TaskDeclinedError
    from antiphon.errors import TaskError as TaskError
    from antiphon.errors import ToolError as ToolError
    from antiphon.models.fallback import FallbackAdapter as FallbackAdapter
    from antiphon.models.fallback import Hedged as Hedged
    from antiphon.models.llm import LLM as LLM
    from antiphon.models.prices import Price as Price
    from antiphon.models.stt import STT as STT
    from antiphon.models.tts import TTS as TTS
    from antiphon.models.turn_detector import StreamingTurnDetector as StreamingTurnDetector
    from antiphon.models.turn_detector import TurnDetector as TurnDetector
    from antiphon.models.turn_detector import TurnEvidence as TurnEvidence
    from antiphon.models.turn_detector import TurnStream as TurnStream
    from antiphon.models.vad import VADOptions as VADOptions
    from antiphon.session.budget import Budget as Budget
    from antiphon.session.budget import BudgetExceeded as BudgetExceeded
    from antiphon.session.events import (
        AgentStateChangedEvent as AgentStateChangedEvent,
    )
    from antiphon.session.events import CloseEvent as CloseEvent
    from antiphon.session.events import ConversationItemAddedEvent as ConversationItemAddedEvent
    from antiphon.session.events import ErrorEvent as ErrorEvent
    from antiphon.session.events import UserInputTranscribedEvent as UserInputTranscribedEvent
    from antiphon.session.events import UserStateChangedEvent as UserStateChangedEvent
    from antiphon.session.options import EndpointingOptions as EndpointingOptions
    from antiphon.session.options import InterruptionOptions as InterruptionOptions
    from antiphon.session.options import LadderOptions as LadderOptions
    from antiphon.session.options import TurnHandlingOptions as TurnHandlingOptions
    from antiphon.session.run_result import RunResult as RunResult
    from antiphon.session.session import AgentSession as AgentSession
    from antiphon.session.speech_handle import SpeechHandle as SpeechHandle
    from antiphon.tools.call_control import EndCallTool as EndCallTool
    from antiphon.tools.call_control import TransferTool as TransferTool
    from antiphon.tools.function_tool import FunctionTool as FunctionTool
    from antiphon.tools.function_tool import function_tool as function_tool
    from antiphon.tools.mcp.servers import MCPServerHTTP as MCPServerHTTP
    from antiphon.tools.mcp.servers import MCPServerStdio as MCPServerStdio
    from antiphon.tools.mcp.servers import MCPToolOptions as MCPToolOptions
    from antiphon.tools.results import ToolResult as ToolResult
    from antiphon.tools.run_context import RunContext as RunContext
    from antiphon.tools.toolset import Toolset as Toolset
    from antiphon.transport.webrtc.ice_servers import IceServer as IceServer
    from antiphon.turns.expectation import Expectation as Expectation
    from antiphon.web.ice import turn_credentials as turn_credentials
    from antiphon.web.settings import WebRTCLimits as WebRTCLimits
    from antiphon.web.webrtc import WebRTC as WebRTC
    from antiphon.worker.engine import Acceptance as Acceptance
    from antiphon.worker.engine import JobOffer as JobOffer
    from antiphon.worker.engine import Refusal as Refusal
    from antiphon.worker.engine import WorkerPermissions as WorkerPermissions
    from antiphon.worker.job import JobContext as JobContext
    from antiphon.worker.room_job import RoomJobContext as RoomJobContext
    from antiphon.worker.room_options import AudioInputOptions as AudioInputOptions
    from antiphon.worker.room_options import RoomOptions as RoomOptions
    from antiphon.worker.room_options import TextInputEvent as TextInputEvent
    from antiphon.worker.room_options import TextInputOptions as TextInputOptions
    from antiphon.worker.server import AgentServer as AgentServer

_HOMES = {
    "Agent": "agents.agent",
    "ModelSettings": "agents.agent",
    "ContextPolicy": "agents.handoff",
    "Handoff": "agents.handoff",
    "Instructions": "agents.instructions",
    "summarise": "agents.summary",
    "AgentTask": "agents.task",
    "GetChoiceTask": "agents.ready.choice",
    "GetDateTimeTask": "agents.ready.date_time",
    "GetEmailTask": "agents.ready.email",
    "FieldTask": "agents.ready.field_task",
    "GetPhoneNumberTask": "agents.ready.phone_number",
    "GetYesNoTask": "agents.ready.yes_no",
    "TaskCompletedEvent": "agents.task_group",
    "TaskGroup": "agents.task_group",
    "TaskGroupResult": "agents.task_group",
    "AudioFrame": "audio.frames",
    "TimedWord": "audio.frames",
    "ChatContext": "chat.context",
    "AgentConfigUpdate": "chat.items",
    "AgentHandoff": "chat.items",
    "ChatMessage": "chat.items",
    "ConversationSummary": "chat.items",
    "FunctionCall": "chat.items",
    "FunctionCallOutput": "chat.items",
    "AudioContent": "chat.media",
    "ImageContent": "chat.media",
    "run": "cli.run",
    "AntiphonError": "errors",
    "AudioError": "errors",
    "ConfigurationError": "errors",
    "MCPServerError": "errors",
    "ModelError": "errors",
    "ModelMissingError": "errors",
    "NotSupportedError": "errors",
    "SessionClosedError": "errors",
    "StopResponse": "errors",
    "TaskCancelledError": "errors",
    "TaskDeclinedError": "errors",
    "TaskError": "errors",
    "ToolError": "errors",
    "FallbackAdapter": "models.fallback",
    "Hedged": "models.fallback",
    "LLM": "models.llm",
    "Price": "models.prices",
    "STT": "models.stt",
    "TTS": "models.tts",
    "StreamingTurnDetector": "models.turn_detector",
    "TurnDetector": "models.turn_detector",
    "TurnEvidence": "models.turn_detector",
    "TurnStream": "models.turn_detector",
    "VADOptions": "models.vad",
    "Budget": "session.budget",
    "BudgetExceeded": "session.budget",
    "AgentStateChangedEvent": "session.events",
    "CloseEvent": "session.events",
    "ConversationItemAddedEvent": "session.events",
    "ErrorEvent": "session.events",
    "UserInputTranscribedEvent": "session.events",
    "UserStateChangedEvent": "session.events",
    "FlushSentinel": "agents.nodes",
    "EndpointingOptions": "session.options",
    "InterruptionOptions": "session.options",
    "LadderOptions": "session.options",
    "TurnHandlingOptions": "session.options",
    "RunResult": "session.run_result",
    "AgentSession": "session.session",
    "SpeechHandle": "session.speech_handle",
    "EndCallTool": "tools.call_control",
    "TransferTool": "tools.call_control",
    "FunctionTool": "tools.function_tool",
    "function_tool": "tools.function_tool",
    "MCPServerHTTP": "tools.mcp.servers",
    "MCPServerStdio": "tools.mcp.servers",
    "MCPToolOptions": "tools.mcp.servers",
    "ToolResult": "tools.results",
    "RunContext": "tools.run_context",
    "Toolset": "tools.toolset",
    "Expectation": "turns.expectation",
    "IceServer": "transport.webrtc.ice_servers",
    "WebRTCLimits": "web.settings",
    "turn_credentials": "web.ice",
    "WebRTC": "web.webrtc",
    "Acceptance": "worker.engine",
    "JobOffer": "worker.engine",
    "Refusal": "worker.engine",
    "WorkerPermissions": "worker.engine",
    "JobContext": "worker.job",
    "AudioInputOptions": "worker.room_options",
    "RoomJobContext": "worker.room_job",
    "RoomOptions": "worker.room_options",
    "TextInputEvent": "worker.room_options",
    "TextInputOptions": "worker.room_options",
    "AgentServer": "worker.server",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'antiphon' has no attribute {name!r}")
    value = getattr(import_module(f"antiphon.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
