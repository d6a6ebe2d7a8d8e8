"""The fault table: what services do on a bad day, and what must hold then.

Owns the list. Never: how a fault is caused (a ``Rig``), how a run is judged (``running``).
"""

from __future__ import annotations

from typing import Literal

import msgspec

Group = Literal["connect", "latency", "close", "frames", "order", "audio", "load", "tools", "billing"]
Kind = Literal["stt", "llm", "tts"]
Outcome = Literal["whole", "error", "either"]
"""``whole``: as if nothing had happened. ``error``: a ``ModelError`` says so. ``either``: one of them; never something lost
without a word, another exception, or a hang."""


class Fault(msgspec.Struct, frozen=True):
    """``retryable``: what the error must say of itself (``None``: anything). ``usage``: tokens are not counted twice."""

    name: str
    group: Group
    kinds: tuple[Kind, ...]
    outcome: Outcome = "either"
    retryable: bool | None = None
    meaning: str = ""


ALL: tuple[Kind, ...] = ("stt", "llm", "tts")
SPEECH: tuple[Kind, ...] = ("stt", "tts")
LLM: tuple[Kind, ...] = ("llm",)
STT: tuple[Kind, ...] = ("stt",)
TTS: tuple[Kind, ...] = ("tts",)

FAULTS: tuple[Fault, ...] = (
    Fault("nobody_listens", "connect", ALL, "error", True, "the connection is refused"),
    Fault("no_such_host", "connect", ALL, "error", None, "the name has no address"),
    Fault("http_401", "connect", ALL, "error", False, "the key is wrong"),
    Fault("http_402", "connect", ALL, "error", False, "the account has no credit"),
    Fault("http_403", "connect", ALL, "error", False, "the key may not do this"),
    Fault("http_404", "connect", ALL, "error", False, "there is no such model"),
    Fault("http_429", "connect", ALL, "error", True, "too many requests, for as long as it is asked"),
    Fault("http_429_once", "connect", ALL, "whole", None, "too many requests, the first time"),
    Fault("http_500", "connect", ALL, "error", True, "the service is broken"),
    Fault("http_503_once", "connect", ALL, "whole", None, "the service is overloaded, the first time"),
    Fault("closes_at_once", "connect", SPEECH, "either", None, "the socket opens and closes"),
    Fault("slow_start", "latency", ALL, "whole", None, "the first answer comes half a second late"),
    Fault("half_open", "latency", ALL, "either", None, "it accepts and answers nothing"),
    Fault("stalls", "latency", ALL, "either", None, "nothing more comes in the middle; the socket stays open"),
    Fault("jitter", "latency", SPEECH, "whole", None, "every message comes late"),
    Fault("bursts", "latency", SPEECH, "whole", None, "everything comes at once"),
    Fault("breaks", "close", ALL, "either", True, "the connection is reset in the middle"),
    Fault("breaks_always", "close", SPEECH, "error", True, "the connection is reset each time"),
    Fault("answers_and_breaks", "close", SPEECH, "error", True, "the connection answers and is then reset, each time"),
    Fault("ends_early", "close", ALL, "either", None, "it ends in the middle as if it were done"),
    Fault("close_1011", "close", SPEECH, "either", None, "the service closes in the middle for a fault of its own"),
    Fault("close_1008", "close", SPEECH, "either", None, "the service closes in the middle for a rule of its own"),
    Fault("session_limit", "close", STT, "whole", None, "the service ends the session at its limit"),
    Fault("error_message", "frames", ALL, "either", None, "an error within the stream"),
    Fault("garbage", "frames", ALL, "either", None, "a frame that cannot be read"),
    Fault("unknown_type", "frames", ALL, "whole", None, "a message of a kind that nobody knows"),
    Fault("empty_frame", "frames", SPEECH, "whole", None, "a message without anything in it"),
    Fault("huge_frame", "frames", SPEECH, "either", None, "a message of five megabytes"),
    Fault("split_bytes", "frames", LLM, "whole", None, "the stream is cut at every byte"),
    Fault("crlf", "frames", LLM, "whole", None, "lines end in CRLF"),
    Fault("comments", "frames", LLM, "whole", None, "comment lines between the events"),
    Fault("pings", "frames", LLM, "whole", None, "events that say nothing"),
    Fault("odd_bytes", "frames", TTS, "whole", None, "audio is cut in the middle of samples"),
    Fault("duplicated_final", "order", STT, "whole", None, "each final comes twice"),
    Fault("revised_final", "order", STT, "whole", None, "a final is wrong at first"),
    Fault("late_final", "order", STT, "whole", None, "finals come two seconds late"),
    Fault("late_audio", "order", TTS, "whole", None, "audio of a cancelled synthesis still comes"),
    Fault("empty_final", "audio", STT, "either", None, "a final without words"),
    Fault("leading_silence", "audio", TTS, "whole", None, "a second of silence before the words"),
    Fault("slow_reader", "load", SPEECH, "either", None, "the service stops reading"),
    Fault("contexts_full", "load", TTS, "either", None, "the service takes no further synthesis"),
    Fault("split_arguments", "tools", LLM, "whole", None, "arguments come character by character"),
    Fault("interleaved_calls", "tools", LLM, "whole", None, "the pieces of several calls come in turn"),
    Fault("usage_absent", "billing", LLM, "whole", None, "nothing is said of the usage"),
    Fault("usage_twice", "billing", LLM, "whole", None, "the usage is told twice"),
    Fault("usage_always", "billing", LLM, "whole", None, "the usage is told with every event"),
)


def faults_of(kind: Kind) -> list[Fault]:
    return [fault for fault in FAULTS if kind in fault.kinds]
