"""Sub-dialogues and what agents read: the parts of the conversation that say who was told what.

Owns no decision: a hand-off's terms and a task's result say what an agent does not read, and what it reads instead.
"""

from __future__ import annotations

import msgspec


class Task(msgspec.Struct):
    """A sub-dialogue. ``over``: ``result`` is what came of it. ``below``: whose agent's it is; ``first``: how many items there were before it."""

    agent: str
    below: str = ""
    first: int = 0
    call_id: str = ""
    over: bool = False
    result: str = ""
    is_error: bool = False


class Note(msgspec.Struct):
    """Stands for what an agent does not read, from ``at`` on (session time)."""

    id: str
    at: float
    text: str


class Reading(msgspec.Struct):
    """What an agent reads of the conversation: all but the items ``unread``, and ``notes`` instead."""

    unread: list[str] = []
    notes: list[Note] = []

    def hide(self, agent: str, items: list[str], note: str, at: float) -> None:
        known = set(self.unread)
        self.unread += [item for item in items if item not in known]
        if note:
            self.notes.append(Note(f"note.{agent}.{len(self.notes) + 1}", at, note))
