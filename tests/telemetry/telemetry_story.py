"""Calls as the collector sees them, told event by event."""

from __future__ import annotations

from antiphon.kernel import effects, events, facts
from antiphon.telemetry.collector import Collector, Observer

RATE = 24_000


class Story:
    """Feeds a collector. Times are session seconds."""

    def __init__(self, *observers: Observer) -> None:
        self.collector = Collector(observers)
        self.collector.use_model("stt", "local", "moonshine")
        self.collector.use_model("llm", "ollama", "qwen3")
        self.collector.use_model("tts", "local", "piper")
        self.position = 0

    def event(self, event: events.AnyEvent) -> None:
        self.collector.on_event(event)

    def effect(self, effect: effects.AnyEffect) -> None:
        self.collector.on_effect(effect)

    def fact(self, fact: facts.AnyFact) -> None:
        self.position += 1
        self.collector.on_effect(effects.Record(position=self.position, fact=fact))

    def reply(
        self, op: tuple[int, int], speech: str, *, at: float, ttft: float, segment: float, audio: float, attempt: int = 0,
        speculative: bool = False,
    ) -> None:  # fmt: skip
        """A whole run of the pipe, beginning at ``at``; ``segment`` and ``audio`` are moments."""
        self.event(events.Tick(now=at))
        self.effect(effects.StartReply(op=op, speech=speech, speculative=speculative, attempt=attempt))
        self.event(events.Segment(now=segment, op=op, index=0, text="Two coffees."))
        self.event(events.Synthesised(now=audio, op=op, index=0, start=0, samples=RATE, done=True))
        self.event(
            events.Generated(now=audio, op=op, prompt_tokens=50, completion_tokens=7, cached_tokens=40, ttft=ttft)
        )
        self.event(events.AudioDone(now=audio, op=op, samples=RATE))

    def turn(self, turn: int, *, ended: float, committed: float, text: str = "Two coffees please.") -> None:
        self.fact(
            facts.TurnCommitted(
                at=committed, turn=turn, item=f"user{turn}", text=text, started=ended - 1, ended=ended, probability=0.9
            )
        )

    def spoken(self, speech: str, *, at: float, turn: int = -1, done: float = 0.0, interrupted: bool = False) -> None:
        """Sounds from ``at``, one second long, acknowledged late."""
        if turn >= 0:
            self.fact(facts.ReplyAdopted(at=at, turn=turn, speech=speech, speculative=False))
        self.event(events.Acked(now=at + 0.2, speech=speech, position=RATE // 5, quality="device"))
        self.event(events.PlaySettled(now=done or at + 1, speech=speech, position=RATE, quality="device", reason="end"))
        self.fact(
            facts.SpeechHeard(
                at=done or at + 1, speech=speech, item=f"item-{speech}", text="Two coffees.", samples=RATE,
                quality="device", estimated=False, interrupted=interrupted, order=at,
            )
        )  # fmt: skip
        self.fact(facts.SpeechDone(at=done or at + 1, speech=speech, outcome="interrupted" if interrupted else "heard"))


def ordinary_call(*observers: Observer) -> Story:
    """A turn that ends at 2.0 s; hook 0.1 s; first token 0.2, segment 0.1, audio 0.15, playout 0.05 after it."""
    story = Story(*observers)
    story.event(events.Vad(now=1.0, edge="start", at=0.9))
    story.event(events.Vad(now=2.2, edge="end", at=2.0))
    story.event(events.EndScore(now=2.25, op=(0, 1), probability=0.9))
    story.event(events.Final(now=2.3, segment="a", revision=1, text="Two coffees please.", at=2.0))
    story.event(events.Tick(now=2.5))
    story.effect(effects.CallHook(op=(0, 2), agent="a", hook="on_user_turn_completed", turn=1, text="Two"))
    story.event(events.HookReturned(now=2.6, op=(0, 2)))
    story.turn(1, ended=2.0, committed=2.6)
    story.reply((0, 3), "s1", at=2.6, ttft=0.2, segment=2.9, audio=3.05)
    story.effect(effects.Play(speech="s1", interruptible=True))
    story.spoken("s1", at=3.1, turn=1)
    return story
