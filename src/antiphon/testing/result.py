"""What a simulated call gives back: what the caller heard, what became history, what was left behind.

It computes from what was observed; it takes no part in the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from antiphon.chat.context import ChatContext
from antiphon.chat.items import ChatItem, ChatMessage
from antiphon.kernel.facts import (
    AnyFact,
    SilenceChosen,
    SpeechHeard,
    ToolInDoubt,
    ToolIntent,
    ToolResult,
    TurnCommitted,
)
from antiphon.testing.ear import HeardWord, Sound
from antiphon.testing.expect import RunAssert
from antiphon.testing.memory_log import MemoryLog


@dataclass(frozen=True)
class ToolExecution:
    """A tool call that was acted on. Times in seconds of call time; ``ended`` 0 and ``output`` empty: no result yet."""

    name: str
    arguments: str
    call_id: str
    started: float
    ended: float = 0.0
    output: str = ""
    is_error: bool = False
    in_doubt: bool = False


@dataclass(frozen=True)
class Leftovers:
    """What a call has left behind. Everything empty is as it should be."""

    tasks: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    sockets: int = 0
    streams: tuple[str, ...] = ()
    lines: int = 0

    def __bool__(self) -> bool:
        return bool(self.tasks or self.threads or self.sockets or self.streams or self.lines)


@dataclass(frozen=True)
class _Conversation:
    """What expectations look at; ``user_input``: how they call it."""

    events: list[ChatItem]
    user_input: str = "the call"


@dataclass(repr=False)
class CallResult:
    """One simulated call.

    ``duration``: virtual seconds until the session had ended. ``real_seconds``: what it took. ``events``: the session's
    public events, (name, event). ``log``: the event log. ``errors``: messages of the ``error`` event.
    ``complaints``: what the caller waited for in vain, and what else went wrong around the call.
    ``close_took``: virtual seconds from the caller's leaving to the session's end.
    """

    words: list[HeardWord]
    agent_sounds: list[Sound]
    caller_sounds: list[Sound]
    history: ChatContext
    events: list[tuple[str, Any]]
    log: MemoryLog
    close_reason: str
    duration: float
    close_took: float
    real_seconds: float
    left: Leftovers
    complaints: list[str]
    report: Any = None
    digits: str = ""
    hung_up_at: float | None = None
    session: Any = field(default=None, repr=False)

    # --- expectations --------------------------------------------------------------------------------------------

    @property
    def expect(self) -> RunAssert:
        """Expectations on the whole conversation, the caller's messages among its events. A new cursor each time."""
        return RunAssert(_Conversation(self.history.items), whole=True)

    # --- what was heard and said ---------------------------------------------------------------------------------

    @property
    def heard(self) -> str:
        """Every word of the agent that the caller heard whole."""
        return " ".join(word.text for word in self.words if word.whole)

    @property
    def turns(self) -> list[str]:
        """What the agent took the caller's turns to be."""
        return [m.text for m in self.history.messages if m.role == "user"]

    @property
    def replies(self) -> list[ChatMessage]:
        """The agent's messages in history."""
        return [m for m in self.history.messages if m.role == "assistant"]

    @property
    def facts(self) -> list[AnyFact]:
        return self.log.facts

    @property
    def tools(self) -> list[ToolExecution]:
        """Tool calls in the order in which they began."""
        ends: dict[str, Any] = {f.call_id: f for f in self.facts if isinstance(f, ToolResult | ToolInDoubt)}
        found = []
        for fact in self.facts:
            if isinstance(fact, ToolIntent):
                end = ends.get(fact.call_id)
                found.append(
                    ToolExecution(
                        name=fact.name,
                        arguments=fact.arguments,
                        call_id=fact.call_id,
                        started=fact.at,
                        ended=end.at if end is not None else 0.0,
                        output=getattr(end, "output", ""),
                        is_error=getattr(end, "is_error", False),
                        in_doubt=isinstance(end, ToolInDoubt),
                    )
                )
        return found

    @property
    def errors(self) -> list[str]:
        return [f"{event.source}: {event.error}" for name, event in self.events if name == "error"]

    def named(self, name: str) -> list[Any]:
        """All events of this name."""
        return [event for kind, event in self.events if kind == name]

    # --- silence -------------------------------------------------------------------------------------------------

    def silences(self) -> list[tuple[float, float]]:
        """Stretches (start, end) in seconds of call time without any sound while the caller waits for the agent.

        The caller waits from the end of each utterance that asks something, and whenever the agent says of itself
        that it is thinking or speaking, until the agent sounds, the caller does, or the caller has left.
        """
        end = self.hung_up_at if self.hung_up_at is not None else self.duration
        sounds = sorted((s.start, s.end) for s in [*self.agent_sounds, *self.caller_sounds])
        quiet = list(_complement(sounds, end))
        owed = sorted(self._owed(end))
        found = []
        for start, stop in quiet:
            for begins, ends in owed:
                first, last = max(start, begins), min(stop, ends)
                if last - first > 1e-6:
                    found.append((round(first, 6), round(last, 6)))
        return list(_merged(sorted(found)))

    def longest_silence(self) -> float:
        """The longest of ``silences``, in seconds."""
        return max((end - start for start, end in self.silences()), default=0.0)

    def _owed(self, end: float) -> Iterator[tuple[float, float]]:
        starts = [s.start for s in self.agent_sounds] + [f.at for f in self.facts if isinstance(f, SilenceChosen)]
        for sound in self.caller_sounds:
            if sound.asks:
                yield sound.end, min((s for s in starts if s > sound.end - 1e-6), default=end)
        since: float | None = None
        for event in self.named("agent_state_changed"):
            busy = event.new_state in ("thinking", "speaking")
            if busy and since is None:
                since = event.at
            elif not busy and since is not None:
                yield since, event.at
                since = None
        if since is not None:
            yield since, end

    # --- the story -----------------------------------------------------------------------------------------------

    def story(self) -> str:
        """The call as lines of text, for a failing test to print."""
        lines: list[tuple[float, str]] = []
        lines += [(s.start, f"caller ({s.end - s.start:.1f} s): {s.text or '(a noise)'}") for s in self.caller_sounds]
        for sound in self.agent_sounds:
            words = [w for w in self.words if sound.start - 1e-3 <= w.start < sound.end]
            said = " ".join(w.text if w.whole else f"{w.text}-" for w in words) or "(sound)"
            lines.append((sound.start, f"agent ({sound.end - sound.start:.1f} s): {said}"))
        for fact in self.facts:
            if isinstance(fact, TurnCommitted):
                lines.append((fact.at, f"  turn {fact.turn}: {fact.text!r}"))
            elif isinstance(fact, SpeechHeard):
                cut = " (interrupted)" if fact.interrupted else ""
                lines.append((fact.at, f"  history: {fact.text!r}{cut}"))
            else:
                lines.append((fact.at, f"  {_short(fact)}"))
        lines += [(event.at, f"  error {event.source}: {event.error}") for event in self.named("error")]
        lines += [
            (start, f"  silence of {end - start:.2f} s begins") for start, end in self.silences() if end - start > 1
        ]
        text = "\n".join(f"{at:8.2f}  {line}" for at, line in sorted(lines, key=lambda item: item[0]))
        notes = "".join(f"\n! {note}" for note in self.complaints)
        return f"{text}\n{self.duration:8.2f}  the session ended: {self.close_reason or 'not at all'}{notes}"

    def __str__(self) -> str:
        return self.story()

    def __repr__(self) -> str:
        return f"<CallResult: {len(self.turns)} turns, {self.duration:.1f} s, {self.close_reason or 'not ended'}>"


def _short(fact: AnyFact) -> str:
    fields = {name: getattr(fact, name) for name in fact.__struct_fields__ if name != "at"}
    values = ", ".join(f"{name}={value!r}" for name, value in fields.items() if value not in ("", 0, None))
    return f"{type(fact).__name__}({values})"


def _complement(sounds: list[tuple[float, float]], end: float) -> Iterator[tuple[float, float]]:
    at = 0.0
    for start, stop in sounds:
        if start > at:
            yield at, min(start, end)
        at = max(at, stop)
        if at >= end:
            return
    if at < end:
        yield at, end


def _merged(stretches: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    current: tuple[float, float] | None = None
    for start, end in stretches:
        if current is not None and start <= current[1] + 1e-6:
            current = current[0], max(current[1], end)
        else:
            if current is not None:
                yield current
            current = start, end
    if current is not None:
        yield current
