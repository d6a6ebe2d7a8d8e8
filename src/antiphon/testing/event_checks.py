"""What an event of a turn is said to be, held against what it is: each check answers with what is wrong, or nothing.

It also shows events as lines, for a failure to print. It raises nothing and keeps nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from antiphon.chat.items import (
    AgentConfigUpdate,
    AgentHandoff,
    ChatItem,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    Role,
)
from antiphon.errors import ConfigurationError

EventType = Literal["message", "function_call", "function_call_output", "agent_handoff", "agent_config_update"]
Arguments = Mapping[str, Any] | Callable[[dict[str, Any]], Any]
"""Of a tool call: values by name, each a value or a function that says whether the value is right; or a function of them all."""

KINDS: dict[str, type[Any]] = {
    "message": ChatMessage,
    "function_call": FunctionCall,
    "function_call_output": FunctionCallOutput,
    "agent_handoff": AgentHandoff,
    "agent_config_update": AgentConfigUpdate,
}
SHOWN = 400
"""Characters of a text in a listing."""


def is_message(event: ChatItem, role: Role | None, contains: str | None) -> str:
    """``contains``: whatever the case."""
    if not isinstance(event, ChatMessage):
        return f"expected a message, it is {kind_of(event)}"
    if role is not None and event.role != role:
        return f"expected a message of the {role}, it is the {event.role}'s"
    if contains is not None and contains.casefold() not in event.text.casefold():
        return f"expected {contains!r} in the message, it says {event.text!r}"
    return ""


def is_call(event: ChatItem, name: str | None, arguments: Arguments | None, exact: bool = False) -> str:
    """``exact``: these arguments and no others."""
    if not isinstance(event, FunctionCall):
        return f"expected a function call, it is {kind_of(event)}"
    if name is not None and event.name != name:
        return f"expected a call of {name!r}, it calls {event.name!r}"
    if arguments is None:
        return ""
    try:
        given = json.loads(event.arguments or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return f"expected arguments, they are no JSON object: {event.arguments!r}"
    if not isinstance(arguments, Mapping):
        return "" if arguments(given) else f"{_name(arguments)} does not hold of the arguments {given!r}"
    for key, value in arguments.items():
        if key not in given:
            return f"expected the argument {key!r}, the call has {given!r}"
        if callable(value):
            if not value(given[key]):
                return f"{_name(value)} does not hold of {key}={given[key]!r}"
        elif given[key] != value:
            return f"expected {key}={value!r}, the call has {key}={given[key]!r}"
    more = sorted(set(given) - set(arguments))
    return f"expected no argument {more[0]!r}, the call has {given!r}" if exact and more else ""


def is_output(event: ChatItem, output: str | None, is_error: bool | None, call_id: str | None) -> str:
    if not isinstance(event, FunctionCallOutput):
        return f"expected a function call output, it is {kind_of(event)}"
    if output is not None and output not in event.output:
        return f"expected {output!r} in the output, it is {event.output!r}"
    if is_error is not None and event.is_error != is_error:
        return f"expected {'a failure' if is_error else 'a success'}, the output is {event.output!r}"
    if call_id is not None and event.call_id != call_id:
        return f"expected the output of {call_id!r}, it is of {event.call_id!r}"
    return ""


def is_handoff(event: ChatItem, new_agent: str | type[Any] | None, old_agent: str | type[Any] | None) -> str:
    """Agents by id or by class."""
    if not isinstance(event, AgentHandoff):
        return f"expected an agent hand-off, it is {kind_of(event)}"
    if new_agent is not None and not _is_agent(event.new_agent, new_agent):
        return f"expected a hand-off to {_agent(new_agent)!r}, it goes to {event.new_agent!r}"
    if old_agent is not None and not _is_agent(event.old_agent, old_agent):
        return f"expected a hand-off from {_agent(old_agent)!r}, it comes from {event.old_agent!r}"
    return ""


def _is_agent(id: str, wanted: str | type[Any]) -> bool:
    """A second agent of a class has a number behind its id."""
    given, name = (text.replace("_", "").casefold() for text in (id, _agent(wanted)))
    return given == name or (isinstance(wanted, type) and given.rstrip("0123456789") == name)


def _agent(wanted: str | type[Any]) -> str:
    return wanted if isinstance(wanted, str) else wanted.__name__


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function)).replace("<lambda>", "the given function")


def kind_named(name: str) -> type[Any]:
    """Raises ``ConfigurationError`` for a type of event that does not exist."""
    if name not in KINDS:
        raise ConfigurationError(f"There are no events of type {name!r}.", hint=f"There are: {', '.join(KINDS)}.")
    return KINDS[name]


def kind_of(event: ChatItem) -> str:
    """With its article: "a message"."""
    name = next(name for name, kind in KINDS.items() if isinstance(event, kind)).replace("_", " ")
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def criteria(**wanted: Any) -> str:
    """What was asked for, as a failure names it."""
    shown = {key: _name(value) if callable(value) else repr(value) for key, value in wanted.items() if value}
    return ", ".join(f"{key}={value}" for key, value in shown.items()) or "any"


def listing(events: Sequence[ChatItem], mark: int = -1, notes: Sequence[str] = ()) -> str:
    """All events, one a line; ``mark``: number of the one that is meant; ``notes``: behind each line."""
    if not events:
        return "There were no events."
    lines = []
    for index, event in enumerate(events):
        note = f"    # {notes[index]}" if index < len(notes) else ""
        lines.append(f"{'>>' if index == mark else '  '} {index}: {describe(event)}{note}")
    return "The events:\n" + "\n".join(lines)


def describe(event: ChatItem) -> str:
    """One event as a line."""
    if isinstance(event, ChatMessage):
        media = f" with {len(event.media)} media" if event.media else ""
        return f"{event.role}: {_short(event.text)!r}{media}{' (interrupted)' if event.interrupted else ''}"
    if isinstance(event, FunctionCall):
        return f"call {event.name}({_short(event.arguments)})"
    if isinstance(event, FunctionCallOutput):
        return f"{'failed ' if event.is_error else ''}output of {event.name}: {_short(event.output)!r}"
    if isinstance(event, AgentHandoff):
        return f"hand-off {event.old_agent} -> {event.new_agent}"
    return "agent config update"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text):,} characters)"
