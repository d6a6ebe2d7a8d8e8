"""Instructions of an agent: what always holds, what holds for one way of talking, what is worked out for each reply.

Owns: which words go where in a prompt, so that its beginning stays the same. Never: what is said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from antiphon.session.session import AgentSession

Modality = Literal["audio", "text"]
Dynamic = Callable[["AgentSession[Any]"], str | Awaitable[str]]
"""Asked for each request to the model, on your loop; ``""``: nothing to add this time."""


class Instructions(msgspec.Struct, frozen=True):
    """``common`` always holds; ``audio`` is added where the user's last turn was spoken (and before there is one), ``text``
    where it was written. ``dynamic`` goes to the end of the prompt, behind the conversation: all before it stays the
    same from request to request and is read from the service's cache."""

    common: str = ""
    audio: str = ""
    text: str = ""
    dynamic: Dynamic | None = None

    @classmethod
    def of(cls, given: str | Instructions | Dynamic) -> Instructions:
        """From text, from a function that is asked for each request, or as they are."""
        if isinstance(given, Instructions):
            return given
        return cls(dynamic=given) if callable(given) else cls(given)

    def head(self, modality: Modality) -> tuple[str, ...]:
        """The parts that a prompt begins with."""
        return tuple(part for part in (self.common, self.audio if modality == "audio" else self.text) if part)
