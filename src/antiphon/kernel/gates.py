"""Gates: named reasons why something may not happen yet. Each has an owner and expires."""

from __future__ import annotations

import msgspec

LEGS, MEDIA, HOLD, FLOOR, SWITCHING, ECHO = "legs", "media", "hold", "floor", "switching", "echo_warmup"
FOREGROUND = "foreground"

SPEECH = frozenset((LEGS, MEDIA, HOLD))
"""Gates that keep every speech back. ``FLOOR`` keeps back what may be interrupted; ``SWITCHING`` keeps turns back from
the agent that leaves; ``ECHO`` keeps voice without words from interrupting, while an echo canceller learns or where echo
was heard; ``FOREGROUND`` keeps back what the tool that holds the floor did not ask for."""
FREE = "*"
"""The floor of a speech that sounds whoever holds it."""


class Gate(msgspec.Struct, frozen=True):
    owner: str
    expires: float
