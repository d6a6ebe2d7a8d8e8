"""The kit passes what keeps the contract, and finds what does not."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

from antiphon.chat.context import ChatContext
from antiphon.errors import ModelError
from antiphon.models.capabilities import LLMCapabilities, STTCapabilities
from antiphon.models.llm import LLM, ChatChunk, LLMStream, ToolChoice, ToolSpec
from antiphon.models.tts import TTS
from antiphon.testing import LLMFaults, ScriptedLLM, ScriptedSTT, ScriptedTTS, STTFaults, TTSFaults, calls, run
from antiphon.testing.conformance import FAULTS, Report, SpeechSample, check_llm, check_stt, check_tts
from antiphon.testing.conformance.llm_checks import BOOK, BOOK_TWICE, SAY, SENTENCE

SCRIPT = {
    SAY: SENTENCE,
    BOOK_TWICE: (calls("book", day="Monday"), calls("book", day="Tuesday")),
    BOOK: calls("book", day="Monday"),
}
SAMPLE = SpeechSample.symbolic("I would like to book a table for two on Monday")


def found(report: Report) -> list[str]:
    return [check.name for check in report.failures]


def rig(make: Callable[[Any], Any], faults: dict[str, Any]) -> Callable[[str], AbstractAsyncContextManager[Any] | None]:
    """Scripted models fail as ``faults`` say; the rest cannot be caused in them."""

    @asynccontextmanager
    async def enter(fault: Any) -> AsyncIterator[Any]:
        yield make(fault)

    return lambda name: enter(faults[name]) if name in faults else None


LLM_FAULTS = {
    "http_401": LLMFaults(status=401, retryable=False),
    "http_429": LLMFaults(status=429),
    "http_500": LLMFaults(status=500),
    "slow_start": LLMFaults(slow=0.5),
    "breaks": LLMFaults(error_after=4),
}
TTS_FAULTS = {
    "http_401": TTSFaults(dies_before=True, status=401, retryable=False),
    "http_500": TTSFaults(dies_before=True, status=500),
    "slow_start": TTSFaults(slow=0.5),
    "breaks": TTSFaults(dies_after=3),
    "leading_silence": TTSFaults(silence=1.0),
}
STT_FAULTS = {
    "http_401": STTFaults(refuse=True, status=401, retryable=False),
    "http_500": STTFaults(refuse=True, status=500),
    "breaks": STTFaults(error_at=1.0),
    "duplicated_final": STTFaults(duplicate=True),
    "revised_final": STTFaults(revise=True),
    "late_final": STTFaults(late=2.0),
}


def test_the_scripted_models_pass_with_their_faults() -> None:
    reports = [
        run(
            check_llm(
                lambda: ScriptedLLM(SCRIPT, images=True, audio=True),
                rig=rig(lambda fault: ScriptedLLM(SCRIPT, faults=fault), LLM_FAULTS),
            )
        ),
        run(check_tts(ScriptedTTS, rig=rig(lambda fault: ScriptedTTS(faults=fault), TTS_FAULTS))),
        run(
            check_stt(
                lambda: ScriptedSTT(word_times=True, end_of_turn=True),
                SAMPLE,
                rig=rig(lambda fault: ScriptedSTT(faults=fault), STT_FAULTS),
            )
        ),
    ]
    for report, faults in zip(reports, (LLM_FAULTS, TTS_FAULTS, STT_FAULTS), strict=True):
        assert report.ok, report
        passed = {check.name for check in report.checks if check.result == "passed"}
        assert set(faults) <= passed, report
        assert report.count("not possible") == sum(report.kind in fault.kinds for fault in FAULTS) - len(faults)


@pytest.mark.parametrize(
    ("script", "claims", "finds"),
    [
        ({**SCRIPT, SAY: "Fox."}, {}, "streams_text"),
        ({**SCRIPT, BOOK_TWICE: calls("book", day="Monday")}, {}, "parallel_tools"),
        ({**SCRIPT, BOOK: calls("book", day="Tuesday")}, {}, "tools"),
        ({**SCRIPT, BOOK: "I booked it."}, {}, "tools"),
    ],
)
def test_a_language_model_that_does_not_do_what_it_declares_is_found(script: Any, claims: Any, finds: str) -> None:
    assert finds in found(run(check_llm(lambda: ScriptedLLM(script))))


class Leaky(LLM):
    """Leaves a task behind, tells its usage twice, and raises what it likes."""

    capabilities = LLMCapabilities(tools=False, parallel_tools=False)

    def __init__(self, *, leaks: bool = False, twice: bool = False, raises: bool = False, deaf: bool = False) -> None:
        self.leaks, self.twice, self.raises, self.deaf = leaks, twice, raises, deaf
        self.inner = ScriptedLLM(SCRIPT)

    def chat(
        self, *, chat_ctx: ChatContext, tools: Sequence[ToolSpec] = (), tool_choice: ToolChoice = "auto"
    ) -> LLMStream:
        return _LeakyStream(self, self.inner.chat(chat_ctx=chat_ctx, tools=tools, tool_choice=tool_choice))


class _LeakyStream(LLMStream):
    def __init__(self, owner: Leaky, inner: LLMStream) -> None:
        self._owner, self._inner = owner, inner

    async def __aiter__(self) -> AsyncIterator[ChatChunk]:
        if self._owner.leaks:
            self.task = asyncio.create_task(asyncio.sleep(600), name="forgotten")
        if self._owner.raises:
            raise KeyError("choices")
        async for chunk in self._inner:
            yield chunk
            if chunk.usage is not None and self._owner.twice:
                yield chunk

    async def aclose(self) -> None:
        await asyncio.sleep(60 if self._owner.deaf else 0)


@pytest.mark.parametrize(
    ("breach", "finds", "said"),
    [
        ({"leaks": True}, "streams_text", "left running: forgotten"),
        ({"twice": True}, "usage", "told 2 times"),
        ({"raises": True}, "streams_text", "KeyError"),
        ({"deaf": True}, "closes_what_nobody_read", "not done"),
    ],
)
def test_a_breach_of_the_contract_is_found(breach: Any, finds: str, said: str) -> None:
    report = run(check_llm(lambda: Leaky(**breach)))
    check = next(check for check in report.failures if check.name == finds)
    assert said in check.detail


@pytest.mark.parametrize(
    ("faults", "finds"),
    [
        ({"http_401": LLMFaults(status=401)}, "http_401"),
        ({"http_500": LLMFaults()}, "http_500"),
        ({"ends_early": LLMFaults(empty=True)}, "ends_early"),
        ({"half_open": LLMFaults(never=True)}, "half_open"),
        ({"slow_start": LLMFaults(status=500)}, "slow_start"),
    ],
)
def test_a_fault_that_is_not_met_is_found(faults: dict[str, Any], finds: str) -> None:
    """The wrong kind of error, none at all, an answer that is lost without a word, a hang, a failure where none need be."""
    report = run(
        check_llm(lambda: ScriptedLLM(SCRIPT), rig=rig(lambda fault: ScriptedLLM(SCRIPT, faults=fault), faults))
    )
    assert found(report) == [finds]


@pytest.mark.parametrize(
    ("make", "finds"),
    [
        (lambda: ScriptedTTS(word_seconds=0.01), "speaks"),
        (lambda: ScriptedTTS(faults=TTSFaults(ends_after=0)), "speaks"),
        (lambda: _claims(ScriptedTTS(word_times=False), word_times=True), "word_times"),
        (lambda: _rate(ScriptedTTS(), 16_000), "speaks"),
    ],
)
def test_a_voice_that_does_not_do_what_it_declares_is_found(make: Callable[[], TTS], finds: str) -> None:
    assert finds in found(run(check_tts(make)))


def _claims(model: Any, **flags: bool) -> Any:
    model.capabilities = msgspec.structs.replace(model.capabilities, **flags)
    if isinstance(model, ScriptedTTS):
        frames = model.stream

        def silent() -> Any:
            model.capabilities = msgspec.structs.replace(model.capabilities, **dict.fromkeys(flags, False))
            return frames()

        model.stream = silent  # type: ignore[method-assign]
    return model


def _rate(model: ScriptedTTS, rate: int) -> ScriptedTTS:
    stream = model.stream

    def other() -> Any:
        model.sample_rate = 24_000
        made = stream()
        made._frames = lambda text, index: [  # type: ignore[attr-defined]
            msgspec.structs.replace(frame, rate=rate)
            for frame in type(made)._frames(made, text, index)  # type: ignore[attr-defined]
        ]
        return made

    model.stream = other  # type: ignore[method-assign]
    return model


@pytest.mark.parametrize(
    ("faults", "finds"),
    [
        (STTFaults(empty=True), "recognises"),
        (STTFaults(no_partials=True), "partials"),
        (STTFaults(no_final=True), "ends_with_its_input"),
    ],
)
def test_a_recogniser_that_does_not_do_what_it_declares_is_found(faults: STTFaults, finds: str) -> None:
    assert finds in found(run(check_stt(lambda: ScriptedSTT(faults=faults), SAMPLE)))


def test_claims_that_are_not_kept_are_found_in_a_recogniser() -> None:
    def make() -> ScriptedSTT:
        stt = ScriptedSTT(flush=False, delay=9.0)
        stt.capabilities = STTCapabilities(flush=True)
        stt.flush_delay = 9.0
        return stt

    assert "flush" in found(run(check_stt(make, SAMPLE)))


def test_what_a_vendor_offers_and_the_model_does_not_declare_is_said() -> None:
    def make() -> ScriptedSTT:
        stt = ScriptedSTT()
        stt.provider, stt.model = "deepgram", "nova-3"
        return stt

    report = run(check_stt(make, SAMPLE))
    by_name = {check.name: check for check in report.checks if check.group == "capability"}
    assert by_name["word_times"].result == by_name["end_of_turn"].result == "missing"
    assert by_name["keyterms"].result == "failed", "the least that a codec of this vendor has"
    assert "word_times" in str(report) and "missing" in str(report)
    assert json.loads(report.to_json())["ok"] is False


def test_every_fault_of_the_table_says_what_it_is() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names))
    assert {fault.group for fault in FAULTS} == {
        "connect", "latency", "close", "frames", "order", "audio", "load", "tools", "billing",
    }  # fmt: skip
    assert all(fault.meaning and re.fullmatch(r"[a-z0-9_]+", fault.name) for fault in FAULTS)


def test_an_error_of_the_model_is_a_failure_of_the_check_and_not_of_the_kit() -> None:
    class Down(TTS):
        def stream(self) -> Any:
            raise ModelError("It is down.")

    report = run(check_tts(Down))
    assert len(report.failures) >= 5 and "It is down." in report.failures[0].detail
