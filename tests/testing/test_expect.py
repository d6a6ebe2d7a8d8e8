"""Expectations on a text turn: what they accept, and how they fail."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.chat.items import AgentHandoff, ChatMessage, FunctionCall, FunctionCallOutput
from antiphon.errors import ConfigurationError
from antiphon.testing.expect import RunAssert


def booked() -> Any:
    return SimpleNamespace(
        user_input="Book Monday at nine.",
        events=[
            ChatMessage(id="u", role="user", text="Book Monday at nine."),
            FunctionCall(id="c", call_id="1", name="book", arguments='{"day": "Monday", "hour": 9}'),
            FunctionCallOutput(id="o", call_id="1", name="book", output="done"),
            AgentHandoff(id="h", old_agent="triage", new_agent="billing_desk"),
            ChatMessage(id="a", role="assistant", text="You are booked."),
        ],
    )


def test_a_turn_reads_as_a_story() -> None:
    expect = RunAssert(booked())
    expect.next_event().is_function_call(name="book", arguments={"hour": 9})
    expect.next_event().is_function_call_output(output="done", is_error=False)
    expect.next_event().is_agent_handoff(new_agent="BillingDesk", old_agent="triage")
    expect.next_event().is_message(role="assistant", contains="BOOKED")
    expect.no_more_events()


def test_events_can_be_passed_over_found_and_indexed() -> None:
    expect = RunAssert(booked())
    expect.contains_message(role="assistant", contains="booked")
    expect.contains_function_call(name="book")
    expect.contains_function_call_output(call_id="1")
    expect.contains_agent_handoff(new_agent="billing_desk")
    assert expect.skip_next_event_if(type="message", role="assistant") is None
    assert expect.skip_next_event_if(type="function_call", name="book") is not None
    expect.skip_next(1).next_event(type="message").is_message(role="assistant")
    expect[0].is_function_call(name="book")
    expect[-1].is_message()
    expect[0:2].contains_function_call_output()


def before_noon(hour: int) -> bool:
    return hour < 12


def test_arguments_may_be_some_all_or_what_a_function_says() -> None:
    expect = RunAssert(booked())
    expect[0].is_function_call(arguments={"day": "Monday"})
    expect[0].is_function_call(arguments={"day": "Monday", "hour": 9}, exact=True)
    expect[0].is_function_call(arguments={"hour": before_noon})
    expect[0].is_function_call(arguments=lambda given: given["hour"] == len(given) + 7)
    expect.contains_function_call(name="book", arguments={"hour": before_noon, "day": "Monday"}, exact=True)


def test_long_texts_are_cut_in_the_listing() -> None:
    turn = booked()
    turn.events[2].output = "x" * 5_000_000
    with pytest.raises(AssertionError) as failure:
        RunAssert(turn)[0].is_message()
    assert len(str(failure.value)) < 2_000 and "5,000,000 characters" in str(failure.value)


@pytest.mark.parametrize(
    ("expectation", "says"),
    [
        (lambda e: e.next_event().is_message(), "expected a message, it is a function call"),
        (lambda e: e.next_event().is_function_call(name="cancel"), "it calls 'book'"),
        (lambda e: e.next_event().is_function_call(arguments={"hour": 10}), "the call has hour=9"),
        (lambda e: e.next_event().is_function_call(arguments={"name": "x"}), "expected the argument 'name'"),
        (lambda e: e[0].is_function_call(arguments={"hour": 9}, exact=True), "no argument 'day'"),
        (lambda e: e[0].is_function_call(arguments={"hour": lambda hour: hour > 9}), "does not hold of hour=9"),
        (lambda e: e[0].is_function_call(arguments=lambda given: False), "does not hold of the arguments"),
        (lambda e: e.contains_function_call(arguments={"hour": 3}, exact=True), "exact=True"),
        (lambda e: e[2].is_agent_handoff(old_agent="sales"), "it comes from 'triage'"),
        (lambda e: e[1].is_function_call_output(is_error=True), "expected a failure"),
        (lambda e: e[2].is_agent_handoff(new_agent="sales"), "it goes to 'billing_desk'"),
        (lambda e: e[-1].is_message(contains="sorry"), "it says 'You are booked.'"),
        (lambda e: e[-1].is_message(role="user"), "the assistant's"),
        (lambda e: e.no_more_events(), "4 are left"),
        (lambda e: e.skip_next(5), "there is none"),
        (lambda e: e[7], "There is no event 7"),
        (lambda e: e.contains_message(contains="sorry"), "Expected a message (contains='sorry')"),
        (lambda e: e[0:1].contains_message(), "among the events [0:1]"),
    ],
)
def test_a_failure_says_what_it_found_and_shows_the_turn(expectation: Any, says: str) -> None:
    with pytest.raises(AssertionError) as failure:
        expectation(RunAssert(booked()))
    assert says in str(failure.value)
    assert "call book(" in str(failure.value)


def test_a_turn_without_events_says_so() -> None:
    with pytest.raises(AssertionError, match="There were no events"):
        RunAssert(SimpleNamespace(user_input="hm", events=[])).next_event()


@pytest.mark.parametrize("ask", ["next_event", "skip_next_event_if"])
def test_a_type_of_event_that_does_not_exist_is_named(ask: str) -> None:
    with pytest.raises(ConfigurationError, match=r"no events of type 'nonsense'\. There are: message,"):
        getattr(RunAssert(booked()), ask)(type="nonsense")
