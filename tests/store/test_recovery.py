"""From a log to a kernel: cut anywhere, it gives what the call was at that point."""

from __future__ import annotations

import msgspec
import pytest

from antiphon import Agent, __version__, function_tool
from antiphon.errors import FormatError
from antiphon.kernel.kernel import Kernel
from antiphon.models.log import LogEntry
from antiphon.store.log_reader import RecordedLog
from antiphon.store.recovery import recover
from antiphon.testing.caller import Caller
from antiphon.testing.llm import ToolUse
from antiphon.testing.simulation import simulate


class Shop(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Take orders.")

    @function_tool
    async def order(self, what: str) -> str:
        """Place an order."""
        return f"ordered {what}"


@pytest.fixture(scope="module")
def recorded() -> RecordedLog:
    """A call with a tool and an interruption."""
    caller = Caller().says("one tea please").waits_for_agent().says("what do you have").waits_for_words("green")
    script = [ToolUse("order", {"what": "tea"}), "One tea.", "We have black, green, white and yellow teas today."]
    return simulate(Shop, caller.talks_over("stop").waits_for_agent(), llm=[*script, "Sorry."]).log.recorded()


def test_cut_at_any_entry_the_kernel_is_what_it_was_there(recorded: RecordedLog) -> None:
    every = recorded.facts()
    unwritten = 0
    for count in range(0, len(recorded.entries) + 1, 3):
        entries = recorded.entries[:count]
        found = recover(recorded.header, entries, build=__version__)
        written = sum(entry.lane == "fact" for entry in entries)
        assert found.exact, found.why
        state = Kernel.load(found.kernel).state
        assert state.position == written + len(found.unwritten)
        assert state.seq == sum(entry.lane == "input" for entry in entries)
        assert list(found.unwritten) == every[written : written + len(found.unwritten)]
        unwritten += len(found.unwritten)
    assert unwritten > 0  # some cuts fall between an input and its facts


def without_inputs(recorded: RecordedLog) -> list[LogEntry]:
    """As a build reads it that knows none of its events."""
    return [
        entry if entry.lane == "fact" else msgspec.structs.replace(entry, kind="unheard.of")
        for entry in recorded.entries
    ]


def test_another_build_whose_kernel_decides_the_same_has_it_exactly(recorded: RecordedLog) -> None:
    here = recover(recorded.header, recorded.entries, build=__version__)
    assert recover(recorded.header, recorded.entries, build="next") == here


def test_another_build_has_the_conversation(recorded: RecordedLog) -> None:
    here = Kernel.load(recover(recorded.header, recorded.entries, build=__version__).kernel).state
    other = recover(recorded.header, without_inputs(recorded), build="next")
    assert not other.exact and "build" in other.why and other.ended
    there = Kernel.load(other.kernel).state
    assert msgspec.to_builtins(there.conversation) == msgspec.to_builtins(here.conversation)
    assert there.position == here.position
    assert any(
        item.text == "one tea please" for item in there.conversation.items if item.__struct_config__.tag == "message"
    )


def test_what_was_redacted_or_does_not_fit_is_not_replayed(recorded: RecordedLog) -> None:
    at = next(n for n, entry in enumerate(recorded.entries) if entry.kind == "turn.committed")

    def with_entry(**changed: object) -> list[LogEntry]:
        return [
            *recorded.entries[:at],
            msgspec.structs.replace(recorded.entries[at], **changed),
            *recorded.entries[at + 1 :],
        ]

    redacted = recover(recorded.header, with_entry(redacted=True), build=__version__)
    assert not redacted.exact and redacted.why == "it was redacted"
    body = {**recorded.entries[at].body, "text": "two teas"}
    strange = recover(recorded.header, with_entry(body=body), build=__version__)
    assert not strange.exact and "does not follow" in strange.why
    assert "two teas" in str(Kernel.load(strange.kernel).state.conversation.items)  # the facts are what counts
    without = recover(recorded.header, with_entry(lane="input", kind="unheard.of", body={}), build=__version__)
    assert not without.exact and "cannot be replayed" in without.why


def test_a_log_with_a_gap_is_refused(recorded: RecordedLog) -> None:
    with pytest.raises(FormatError, match="Entry 3 is missing"):
        recover(recorded.header, [*recorded.entries[:2], *recorded.entries[3:]], build=__version__)
