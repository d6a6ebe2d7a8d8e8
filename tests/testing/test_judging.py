"""A model as the judge: what it is asked, how its answer is read, and what becomes of one that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.chat.items import ChatMessage, FunctionCall
from antiphon.testing import JudgeError, LLMFaults, ScriptedLLM, calls, judge
from antiphon.testing.expect import RunAssert

YES = calls("verdict", reason="It says ten.", passed=True)
NO = calls("verdict", reason="It says nothing of a price.", passed=False)


class Turn:
    user_input = "What is the tea?"
    events = [
        FunctionCall(id="c", call_id="1", name="price", arguments='{"item": "tea"}'),
        ChatMessage(id="a", role="assistant", text="It is ten."),
    ]


@pytest.mark.call
async def test_a_judge_that_agrees() -> None:
    llm = ScriptedLLM(YES)
    found = await RunAssert(Turn()).skip_next().next_event().is_message().judge(llm, intent="tells the price")
    assert found.passed and found.reason == "It says ten."
    (request,) = llm.requests
    assert request.tool_choice == "required" and [tool.name for tool in request.tools] == ["verdict"]
    for part in ("tells the price", "What is the tea?", 'call price({"item": "tea"})', 'The agent said: "It is ten."'):
        assert part in request.user_text


@pytest.mark.call
async def test_a_judge_that_does_not_agree_fails_the_test_with_its_reason() -> None:
    with pytest.raises(AssertionError) as failure:
        await RunAssert(Turn())[-1].judge(ScriptedLLM(NO), intent="tells the price")
    assert "'tells the price'. It says nothing of a price." in str(failure.value)
    assert ">> 1: assistant: 'It is ten.'" in str(failure.value)


@pytest.mark.call
async def test_several_events_are_judged_together() -> None:
    llm = ScriptedLLM(YES)
    await RunAssert(Turn()).judge(llm, intent="looks the price up and tells it")
    assert "call price" in llm.requests[0].user_text.split("Requirement for the agent:")[1]
    with pytest.raises(AssertionError, match="not so"):
        await RunAssert(Turn())[0:1].judge(ScriptedLLM(NO), intent="tells the price")


@pytest.mark.parametrize(
    "answer",
    [
        'Well: {"reason": "ten", "passed": true}',
        '```json\n{"passed": true, "reason": "ten"}\n```',
        (YES, YES),
        ("I think so.", YES),
    ],
)
@pytest.mark.call
async def test_answers_that_can_be_read(answer: Any) -> None:
    assert (await judge(ScriptedLLM(answer), Turn.events, intent="tells the price")).passed


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Yes, surely.", "It said 'Yes, surely.'"),
        ("", "It said nothing."),
        (calls("verdict", passed=True), "reason"),
        (calls("verdict", reason="x", passed="yes"), "passed"),
        ((YES, NO), "both yes and no"),
        (calls("other", reason="x", passed=True), "It said nothing."),
        ('{"passed": true', "It said"),
    ],
)
@pytest.mark.call
async def test_an_answer_that_cannot_be_read_is_asked_for_again_and_never_guessed(answer: Any, why: str) -> None:
    llm = ScriptedLLM(answer)
    with pytest.raises(JudgeError, match=why):
        await judge(llm, Turn.events, intent="tells the price")
    assert len(llm.requests) == 2 and "That was no verdict" in llm.requests[1].user_text
    mended = ScriptedLLM(lambda request: answer if request.number == 0 else YES)
    assert (await judge(mended, Turn.events, intent="tells the price")).passed


@pytest.mark.call
async def test_a_judge_that_fails_is_no_verdict() -> None:
    from antiphon.errors import ModelError

    with pytest.raises(ModelError):
        await judge(ScriptedLLM(YES, faults=LLMFaults(status=500)), Turn.events, intent="x")
