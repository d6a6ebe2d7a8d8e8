"""Fluent expectations on what a text turn brought about: ``result.expect.next_event().is_message(role="assistant")``.

The names are those of LiveKit's ``RunResult``. A failure shows the whole turn and marks the place. The user's own message
is not among the events: the first one is what the agent did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, overload

from antiphon.chat.items import (
    AgentConfigUpdate,
    AgentHandoff,
    ChatItem,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    Role,
)

EventType = Literal["message", "function_call", "function_call_output", "agent_handoff", "agent_config_update"]

_KINDS: dict[str, type[Any]] = {
    "message": ChatMessage,
    "function_call": FunctionCall,
    "function_call_output": FunctionCallOutput,
    "agent_handoff": AgentHandoff,
    "agent_config_update": AgentConfigUpdate,
}


class TurnOutcome(Protocol):
    """What ``session.run`` gives."""

    user_input: str
    events: list[ChatItem]


class EventRangeAssert:
    """Expectations on a stretch of a turn's events, in any order."""

    def __init__(self, events: Sequence[ChatItem], title: str = "events") -> None:
        self._events = list(events)
        self._title = title

    def contains_message(self, *, role: Role | None = None, contains: str | None = None) -> EventAssert:
        """Some event is a message of this role with this text in it."""
        return self._any(f"a message ({_criteria(role=role, contains=contains)})", _is_message, role, contains)

    def contains_function_call(
        self, *, name: str | None = None, arguments: Mapping[str, Any] | None = None
    ) -> EventAssert:
        """Some event is a call of this tool, with at least these arguments."""
        return self._any(f"a function call ({_criteria(name=name, arguments=arguments)})", _is_call, name, arguments)

    def contains_function_call_output(
        self, *, output: str | None = None, is_error: bool | None = None, call_id: str | None = None
    ) -> EventAssert:
        """Some event is a tool's result."""
        what = f"a function call output ({_criteria(output=output, is_error=is_error, call_id=call_id)})"
        return self._any(what, _is_output, output, is_error, call_id)

    def contains_agent_handoff(self, *, new_agent: str | type[Any] | None = None) -> EventAssert:
        """Some event is a hand-off to this agent."""
        return self._any(f"an agent hand-off ({_criteria(new_agent=new_agent)})", _is_handoff, new_agent)

    def _any(self, what: str, check: Any, *criteria: Any) -> EventAssert:
        problems = []
        for index, event in enumerate(self._events):
            problem = check(event, *criteria)
            if not problem:
                return EventAssert(event, self._events, index)
            problems.append(problem)
        raise AssertionError(f"Expected {what} among the {self._title}.\n{_listing(self._events, notes=problems)}")


class RunAssert(EventRangeAssert):
    """A cursor over one turn's events."""

    def __init__(self, result: TurnOutcome) -> None:
        events = list(result.events)
        if events and isinstance(events[0], ChatMessage) and events[0].role == "user":
            events = events[1:]
        super().__init__(events, f"events of the turn {result.user_input!r}")
        self._next = 0

    @overload
    def __getitem__(self, index: int) -> EventAssert: ...

    @overload
    def __getitem__(self, index: slice) -> EventRangeAssert: ...

    def __getitem__(self, index: int | slice) -> EventAssert | EventRangeAssert:
        if isinstance(index, slice):
            return EventRangeAssert(self._events[index], f"events [{index.start or 0}:{index.stop or ''}]")
        try:
            event = self._events[index]
        except IndexError:
            raise AssertionError(f"There is no event {index}.\n{_listing(self._events)}") from None
        return EventAssert(event, self._events, index % len(self._events))

    def next_event(self, *, type: EventType | None = None) -> EventAssert:
        """The next event; with ``type`` the next one of that type, those before it are passed over."""
        while self._next < len(self._events):
            event, index = self._events[self._next], self._next
            self._next += 1
            if type is None or isinstance(event, _KINDS[type]):
                return EventAssert(event, self._events, index)
        wanted = f"another {type.replace('_', ' ')}" if type else "another event"
        raise AssertionError(f"Expected {wanted}, and there is none.\n{_listing(self._events)}")

    def skip_next(self, count: int = 1) -> RunAssert:
        """Pass over ``count`` events, which must be there."""
        for _ in range(count):
            self.next_event()
        return self

    def skip_next_event_if(
        self,
        *,
        type: EventType,
        role: Role | None = None,
        name: str | None = None,
        contains: str | None = None,
    ) -> EventAssert | None:
        """Pass over the next event if it is such a one; returns it, or nothing."""
        if self._next >= len(self._events):
            return None
        event = self._events[self._next]
        if not isinstance(event, _KINDS[type]):
            return None
        if isinstance(event, ChatMessage) and _is_message(event, role, contains):
            return None
        if isinstance(event, FunctionCall | FunctionCallOutput) and name is not None and event.name != name:
            return None
        return self.next_event()

    def no_more_events(self) -> None:
        """Everything has been looked at."""
        left = len(self._events) - self._next
        if left:
            raise AssertionError(f"Expected no more events, and {left} are left.\n{_listing(self._events, self._next)}")


class EventAssert:
    """One event, and what it is said to be. Each ``is_...`` returns the event's own expectations, to go on with."""

    def __init__(self, event: ChatItem, events: Sequence[ChatItem], index: int) -> None:
        self._event, self._events, self._index = event, events, index

    def event(self) -> ChatItem:
        """The item itself."""
        return self._event

    def is_message(self, *, role: Role | None = None, contains: str | None = None) -> EventAssert:
        """It is a message of this role, with this text in it (whatever the case)."""
        return self._hold(_is_message(self._event, role, contains))

    def is_function_call(self, *, name: str | None = None, arguments: Mapping[str, Any] | None = None) -> EventAssert:
        """It is a call of this tool, with at least these arguments."""
        return self._hold(_is_call(self._event, name, arguments))

    def is_function_call_output(
        self, *, output: str | None = None, is_error: bool | None = None, call_id: str | None = None
    ) -> EventAssert:
        """It is a tool's result, with this text in it."""
        return self._hold(_is_output(self._event, output, is_error, call_id))

    def is_agent_handoff(self, *, new_agent: str | type[Any] | None = None) -> EventAssert:
        """It is a hand-off to this agent (its id or class)."""
        return self._hold(_is_handoff(self._event, new_agent))

    def _hold(self, problem: str) -> EventAssert:
        if problem:
            raise AssertionError(f"Event {self._index}: {problem}.\n{_listing(self._events, self._index)}")
        return self


def _is_message(event: ChatItem, role: Role | None, contains: str | None) -> str:
    if not isinstance(event, ChatMessage):
        return f"expected a message, it is {_kind(event)}"
    if role is not None and event.role != role:
        return f"expected a message of the {role}, it is the {event.role}'s"
    if contains is not None and contains.casefold() not in event.text.casefold():
        return f"expected {contains!r} in the message, it says {event.text!r}"
    return ""


def _is_call(event: ChatItem, name: str | None, arguments: Mapping[str, Any] | None) -> str:
    if not isinstance(event, FunctionCall):
        return f"expected a function call, it is {_kind(event)}"
    if name is not None and event.name != name:
        return f"expected a call of {name!r}, it calls {event.name!r}"
    if arguments is not None:
        try:
            given = json.loads(event.arguments or "{}")
        except ValueError:
            return f"expected arguments {dict(arguments)!r}, they are no JSON: {event.arguments!r}"
        for key, value in arguments.items():
            if key not in given:
                return f"expected the argument {key!r}, the call has {given!r}"
            if given[key] != value:
                return f"expected {key}={value!r}, the call has {key}={given[key]!r}"
    return ""


def _is_output(event: ChatItem, output: str | None, is_error: bool | None, call_id: str | None) -> str:
    if not isinstance(event, FunctionCallOutput):
        return f"expected a function call output, it is {_kind(event)}"
    if output is not None and output not in event.output:
        return f"expected {output!r} in the output, it is {event.output!r}"
    if is_error is not None and event.is_error != is_error:
        return f"expected {'a failure' if is_error else 'a success'}, the output is {event.output!r}"
    if call_id is not None and event.call_id != call_id:
        return f"expected the output of {call_id!r}, it is of {event.call_id!r}"
    return ""


def _is_handoff(event: ChatItem, new_agent: str | type[Any] | None) -> str:
    if not isinstance(event, AgentHandoff):
        return f"expected an agent hand-off, it is {_kind(event)}"
    if new_agent is not None:
        wanted = new_agent if isinstance(new_agent, str) else new_agent.__name__
        plain = wanted.replace("_", "").casefold()
        if event.new_agent.replace("_", "").casefold() != plain:
            return f"expected a hand-off to {wanted!r}, it goes to {event.new_agent!r}"
    return ""


def _kind(event: ChatItem) -> str:
    name = next(name for name, kind in _KINDS.items() if isinstance(event, kind)).replace("_", " ")
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _criteria(**wanted: Any) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in wanted.items() if value is not None) or "any"


def _listing(events: Sequence[ChatItem], mark: int = -1, notes: Sequence[str] = ()) -> str:
    if not events:
        return "There were no events."
    lines = []
    for index, event in enumerate(events):
        note = f"    # {notes[index]}" if index < len(notes) else ""
        lines.append(f"{'>>' if index == mark else '  '} {index}: {_describe(event)}{note}")
    return "The events:\n" + "\n".join(lines)


def _describe(event: ChatItem) -> str:
    if isinstance(event, ChatMessage):
        return f"{event.role}: {event.text!r}{' (interrupted)' if event.interrupted else ''}"
    if isinstance(event, FunctionCall):
        return f"call {event.name}({event.arguments})"
    if isinstance(event, FunctionCallOutput):
        return f"{'failed ' if event.is_error else ''}output of {event.name}: {event.output!r}"
    if isinstance(event, AgentHandoff):
        return f"hand-off {event.old_agent} -> {event.new_agent}"
    return "agent config update"
