"""A call told step by step: events at times, due ticks in between, effects kept by kind."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel import facts as ft
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.policy import AgentRef, SessionPolicy

E = TypeVar("E")
PLAIN = AgentRef(key="plain", has_on_enter=False, has_on_exit=False, has_turn_hook=False)


def agent(key: str = "plain", *, hooks: str = "", **policy: Any) -> AgentRef:
    """``hooks``: any of ``enter exit turn``."""
    return AgentRef(
        key=key, policy=SessionPolicy(**policy),
        has_on_enter="enter" in hooks, has_on_exit="exit" in hooks, has_turn_hook="turn" in hooks,
    )  # fmt: skip


class Call:
    """``now`` moves with ``at`` and ``wait``; ``new``: effects since the last ``clear``."""

    def __init__(self, first: AgentRef = PLAIN, *, leg: str = "audio") -> None:
        self.kernel = Kernel()
        self.now = 0.0
        self.seq = 0
        self.new: list[fx.AnyEffect] = []
        self.send(ev.Start(agent=first))
        if leg:
            self.send(ev.LegUp(leg="phone", medium=leg))  # type: ignore[arg-type]
            self.send(ev.MediaConfirmed(leg="phone"))

    @property
    def state(self) -> Any:
        return self.kernel.state

    def send(self, *events: ev.Event) -> list[fx.AnyEffect]:
        effects: list[fx.AnyEffect] = []
        for event in events:
            self.seq += 1
            effects += self.kernel.step(msgspec.structs.replace(event, seq=self.seq, now=self.now))
        self.new += effects
        return effects

    def wait(self, seconds: float) -> list[fx.AnyEffect]:
        """Let time pass, with a tick whenever one was asked for."""
        until, effects = self.now + seconds, []
        while 0 <= self.state.wake <= until:
            self.now = max(self.now, self.state.wake)
            effects += self.send(ev.Tick())
        self.now = until
        return effects

    def clear(self) -> None:
        self.new.clear()

    def all(self, kind: type[E]) -> list[E]:
        return [e for e in self.new if isinstance(e, kind)]

    def one(self, kind: type[E]) -> E:
        found = self.all(kind)
        assert len(found) == 1, f"{len(found)} {kind.__name__} in {self.new}"
        return found[0]

    def last(self, kind: type[E]) -> E:
        return self.all(kind)[-1]

    def facts(self, kind: type[E]) -> list[E]:
        return [e.fact for e in self.new if isinstance(e, fx.Record) and isinstance(e.fact, kind)]

    def notices(self, name: str) -> list[dict[str, Any]]:
        return [e.body for e in self.new if isinstance(e, fx.Notify) and e.name == name]

    def history(self) -> list[str]:
        return [
            getattr(i, "text", "") or f"{i.type_ if hasattr(i, 'type_') else type(i).__name__}"
            for i in self.state.conversation.items
        ]

    # --- the caller ----------------------------------------------------------------------------------------------

    def says(
        self, text: str, *, length: float = 1.0, segment: str = "", final: bool = True, scored: bool = True
    ) -> None:
        """A whole utterance with its final transcript 0.2 s after its end. ``scored``: the end-of-turn model answers the
        pause at once, that it does not know."""
        segment = segment or f"s{self.seq}"
        start = self.now
        self.send(ev.Vad(edge="start", at=start))
        self.wait(length)
        self.send(ev.Partial(segment=segment, revision=1, text=text))
        self.wait(0.2)
        self.send(ev.Vad(edge="end", at=start + length))
        if final:
            self.send(ev.Final(segment=segment, revision=2, text=text, at=start + length))
        if scored:
            self.scores(None)

    def scores(self, probability: float | None) -> None:
        """The end-of-turn model answers what it was asked, if it was."""
        self.wait(0.0)
        op = self.state.turn.score_op
        if op is not None:
            self.send(ev.EndScore(op=op, probability=probability))

    def asks(self, text: str = "what time is it") -> None:
        """Says it and waits until the turn is committed."""
        self.says(text)
        self.wait(1.5)

    # --- the models ----------------------------------------------------------------------------------------------

    def speaks(
        self, op: ev.Op, text: str = "It is noon.", *, words: bool = True, done: bool = True, index: int = 0
    ) -> int:
        """One segment, half a second a word; returns the samples of the speech so far."""
        parts = text.split()
        timed = tuple((w, i * 12_000, (i + 1) * 12_000) for i, w in enumerate(parts))
        samples = len(parts) * 12_000
        start = index * samples
        self.send(
            ev.Segment(op=op, index=index, text=text),
            ev.Synthesised(op=op, index=index, start=start, samples=samples, done=True, words=timed if words else ()),
        )
        if done:
            self.send(ev.Generated(op=op), ev.AudioDone(op=op, samples=start + samples))
        return start + samples

    def hears(self, speech: str, position: int, *, settle: str = "") -> None:
        """The caller has heard so many samples; ``settle``: and playback is over, for this reason."""
        self.send(ev.Acked(speech=speech, position=position, quality="peer"))
        if settle:
            self.send(ev.PlaySettled(speech=speech, position=position, quality="peer", reason=settle))  # type: ignore[arg-type]

    def answered(self, text: str = "It is noon.") -> str:
        """The newest reply op speaks, plays and is heard to its end."""
        reply = self.last(fx.StartReply)
        samples = self.speaks(reply.op, text)
        self.hears(reply.speech, samples, settle="end")
        return reply.speech


__all__ = ["PLAIN", "Call", "agent", "ev", "ft", "fx"]
