"""One speech as the plane knows it: its audio, where it stands, when it was last reported on. Decides nothing."""

from __future__ import annotations

from typing import Literal

from antiphon.audio.speech_buffer import SpeechBuffer


class Speech:
    """One speech in the plane: ``state`` is ``held`` until it may play."""

    __slots__ = (
        "begun_at",
        "buffer",
        "ended_due",
        "followed",
        "heard",
        "heard_at",
        "interruptible",
        "name",
        "next",
        "own",
        "report_at",
        "reported",
        "settle_by",
        "starved_at",
        "state",
    )  # fmt: skip

    def __init__(self, name: str, buffer: SpeechBuffer | None = None) -> None:
        self.name = name
        self.buffer = buffer or SpeechBuffer()
        self.interruptible = True
        self.state: Literal["held", "playing", "paused", "stopping"] = "held"
        self.next = 0
        self.begun_at: float | None = None
        self.ended_due = 0.0
        self.settle_by = 0.0
        self.report_at = 0.0
        self.reported = 0
        self.followed = 0
        self.heard = 0
        self.heard_at = 0.0
        self.starved_at: float | None = None
        self.own = False

    @property
    def sent(self) -> bool:
        """Everything has been handed to the leg."""
        return self.buffer.complete and self.next >= self.buffer.end

    @property
    def ready(self) -> bool:
        """There is a sample to send now."""
        return self.next < self.buffer.end
