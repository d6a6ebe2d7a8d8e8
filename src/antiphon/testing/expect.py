"""Fluent expectations on what a text turn brought about: ``result.expect.next_event().is_message(role="assistant")``.

The names are those of LiveKit's ``RunResult``. A failure shows the whole turn and marks the place. The user's own message
is not among the events: the first one is what the agent did. What each event must be is checked in ``event_checks``, what
it means is judged in ``judging``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

from antiphon.chat.items import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput, Role
from antiphon.testing import event_checks as ck
from antiphon.testing.event_checks import Arguments, EventType

if TYPE_CHECKING:
    from antiphon.models.llm import LLM
    from antiphon.testing.judging import Judgement


class TurnOutcome(Protocol):
    """What ``session.run`` gives."""

    @property
    def user_input(self) -> Any: ...

    @property
    def events(self) -> list[ChatItem]: ...


class EventRangeAssert:
    """Expectations on a stretch of a turn's events, in any order."""

    def __init__(self, events: Sequence[ChatItem], title: str = "events", asked: str = "") -> None:
        self._events = list(events)
        self._title = title
        self._asked = asked

    def contains_message(self, *, role: Role | None = None, contains: str | None = None) -> EventAssert:
        """Some event is a message of this role with this text in it."""
        return self._any(f"a message ({ck.criteria(role=role, contains=contains)})", ck.is_message, role, contains)

    def contains_function_call(
        self, *, name: str | None = None, arguments: Arguments | None = None, exact: bool = False
    ) -> EventAssert:
        """Some event is a call of this tool, with these arguments (see ``EventAssert.is_function_call``)."""
        what = f"a function call ({ck.criteria(name=name, arguments=arguments, exact=exact)})"
        return self._any(what, ck.is_call, name, arguments, exact)

    def contains_function_call_output(
        self, *, output: str | None = None, is_error: bool | None = None, call_id: str | None = None
    ) -> EventAssert:
        """Some event is a tool's result."""
        what = f"a function call output ({ck.criteria(output=output, is_error=is_error, call_id=call_id)})"
        return self._any(what, ck.is_output, output, is_error, call_id)

    def contains_agent_handoff(
        self, *, new_agent: str | type[Any] | None = None, old_agent: str | type[Any] | None = None
    ) -> EventAssert:
        """Some event is a hand-off to (or from) this agent."""
        what = f"an agent hand-off ({ck.criteria(new_agent=new_agent, old_agent=old_agent)})"
        return self._any(what, ck.is_handoff, new_agent, old_agent)

    async def judge(self, llm: LLM, *, intent: str) -> Judgement:
        """A model finds that these events together do what ``intent`` says. Raises ``AssertionError`` with its reason
        where it does not, ``JudgeError`` where its answer cannot be read."""
        from antiphon.testing.judging import judge

        return await _held(judge(llm, self._events, intent=intent, asked=self._asked), intent, self._events)

    def _any(self, what: str, check: Any, *wanted: Any) -> EventAssert:
        problems = []
        for index, event in enumerate(self._events):
            problem = check(event, *wanted)
            if not problem:
                return EventAssert(event, self._events, index, self._asked)
            problems.append(problem)
        raise AssertionError(f"Expected {what} among the {self._title}.\n{ck.listing(self._events, notes=problems)}")


class RunAssert(EventRangeAssert):
    """A cursor over one turn's events."""

    def __init__(self, result: TurnOutcome, *, whole: bool = False) -> None:
        """``whole``: the caller's first message is an event as well."""
        events = list(result.events)
        if not whole and events and isinstance(events[0], ChatMessage) and events[0].role == "user":
            events = events[1:]
        asked = result.user_input
        asked = asked.text if isinstance(asked, ChatMessage) else asked
        super().__init__(
            events, f"events of {asked}" if whole else f"events of the turn {asked!r}", "" if whole else str(asked)
        )
        self._next = 0

    @overload
    def __getitem__(self, index: int) -> EventAssert: ...

    @overload
    def __getitem__(self, index: slice) -> EventRangeAssert: ...

    def __getitem__(self, index: int | slice) -> EventAssert | EventRangeAssert:
        if isinstance(index, slice):
            title = f"events [{'' if index.start is None else index.start}:{'' if index.stop is None else index.stop}]"
            return EventRangeAssert(self._events[index], title, self._asked)
        try:
            event = self._events[index]
        except IndexError:
            raise AssertionError(f"There is no event {index}.\n{ck.listing(self._events)}") from None
        return EventAssert(event, self._events, index % len(self._events), self._asked)

    def next_event(self, *, type: EventType | None = None) -> EventAssert:
        """The next event; with ``type`` the next one of that type, those before it are passed over. Raises
        ``ConfigurationError`` for a type that does not exist."""
        kind = None if type is None else ck.kind_named(type)
        while self._next < len(self._events):
            event, index = self._events[self._next], self._next
            self._next += 1
            if kind is None or isinstance(event, kind):
                return EventAssert(event, self._events, index, self._asked)
        wanted = f"another {type.replace('_', ' ')}" if type else "another event"
        raise AssertionError(f"Expected {wanted}, and there is none.\n{ck.listing(self._events)}")

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
        """Pass over the next event if it is such a one; returns it, or nothing. Raises ``ConfigurationError`` for a type that
        does not exist."""
        kind = ck.kind_named(type)
        if self._next >= len(self._events):
            return None
        event = self._events[self._next]
        if not isinstance(event, kind):
            return None
        if isinstance(event, ChatMessage) and ck.is_message(event, role, contains):
            return None
        if isinstance(event, FunctionCall | FunctionCallOutput) and name is not None and event.name != name:
            return None
        return self.next_event()

    def no_more_events(self) -> None:
        """Everything has been looked at."""
        left = len(self._events) - self._next
        if left:
            listed = ck.listing(self._events, self._next)
            raise AssertionError(f"Expected no more events, and {left} are left.\n{listed}")


class EventAssert:
    """One event, and what it is said to be. Each ``is_...`` returns the event's own expectations, to go on with."""

    def __init__(self, event: ChatItem, events: Sequence[ChatItem], index: int, asked: str = "") -> None:
        self._event, self._events, self._index, self._asked = event, events, index, asked

    def event(self) -> ChatItem:
        """The item itself."""
        return self._event

    def is_message(self, *, role: Role | None = None, contains: str | None = None) -> EventAssert:
        """It is a message of this role, with this text in it (whatever the case)."""
        return self._hold(ck.is_message(self._event, role, contains))

    def is_function_call(
        self, *, name: str | None = None, arguments: Arguments | None = None, exact: bool = False
    ) -> EventAssert:
        """It is a call of this tool.

        ``arguments``: values by name that it has among others (``exact``: and no others); a function in place of a value
        says whether the value is right. Or one function of all of them, as a dict."""
        return self._hold(ck.is_call(self._event, name, arguments, exact))

    def is_function_call_output(
        self, *, output: str | None = None, is_error: bool | None = None, call_id: str | None = None
    ) -> EventAssert:
        """It is a tool's result, with this text in it."""
        return self._hold(ck.is_output(self._event, output, is_error, call_id))

    def is_agent_handoff(
        self, *, new_agent: str | type[Any] | None = None, old_agent: str | type[Any] | None = None
    ) -> EventAssert:
        """It is a hand-off to (and from) this agent, by its id or class."""
        return self._hold(ck.is_handoff(self._event, new_agent, old_agent))

    async def judge(self, llm: LLM, *, intent: str) -> Judgement:
        """A model finds that this event does what ``intent`` says. Raises ``AssertionError`` with its reason where it does
        not, ``JudgeError`` where its answer cannot be read."""
        from antiphon.testing.judging import judge

        before = self._events[: self._index]
        found = judge(llm, [self._event], intent=intent, asked=self._asked, before=before)
        return await _held(found, intent, self._events, self._index)

    def _hold(self, problem: str) -> EventAssert:
        if problem:
            raise AssertionError(f"Event {self._index}: {problem}.\n{ck.listing(self._events, self._index)}")
        return self


async def _held(judging: Any, intent: str, events: Sequence[ChatItem], mark: int = -1) -> Judgement:
    found: Judgement = await judging
    if not found.passed:
        raise AssertionError(
            f"The judge finds that this is not so: {intent!r}. {found.reason}\n{ck.listing(events, mark)}"
        )
    return found
