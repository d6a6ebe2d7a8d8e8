"""Chaos: any event, in any order, at any time, with ops that are open, closed or invented. Nothing answers sensibly."""

from __future__ import annotations

from typing import Any

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel import facts as ft
from antiphon.kernel.kernel import ANSWERS
from tests.kernel.rules import Broken, Rules
from tests.kernel.world import World

OVER = 40.0


class Chaos(World):
    def begin(self) -> None:
        if not self.chance(0.1):
            self.at(0.0, ev.Start(agent=self.agent()))
        t = 0.0
        for _ in range(self.rng.choice((10, 30, 60))):
            t += self.rng.choice((0.0, 0.01, 0.1, 0.3, 1.0, 3.0))
            self.at(t, lambda: self.send(self.anything()))
        self.at(t + 0.1, lambda: self.send(ev.CloseAsked(deadline=self.rng.choice((0.0, 1.0)))))

    def do(self, effect: fx.AnyEffect) -> None:
        self.effects.append((self.now, effect))
        if isinstance(effect, fx.Record | fx.WakeAt | fx.Ended):
            getattr(self, "do_" + type(effect).__name__)(effect)
        self.story.append(f"{self.now:7.2f}      -> {effect}"[:200])

    def op_for(self, kind: type) -> ev.Op:
        """Mostly an op that may take such an answer, sometimes any other."""
        state, kinds = self.kernel.state, ANSWERS[kind]
        fitting = [n for n, k in state.ops.items() if k in kinds]
        if fitting and not self.chance(0.1):
            return (state.epoch, self.rng.choice(fitting))
        return (state.epoch - self.rng.choice((0, 1)), self.rng.randint(0, state.next_op + 1))

    def speech(self) -> str:
        known = list(self.kernel.state.speech.speeches)
        return self.rng.choice([*known, *known, "reply.1.1", "nobody"])

    def anything(self) -> ev.Event:
        rng, op, speech = self.rng, self.op_for, self.speech()
        self.number += 1
        n = self.number
        text = rng.choice(("", "hello", "mhm", "stop", f"w{n}", f"w{n} and", f"w{n} w w w w w w w"))
        at = max(0.0, self.now - rng.choice((0.0, 0.1, 0.5)))
        makers: tuple[Any, ...] = (
            lambda: ev.Vad(edge="start", at=at),
            lambda: ev.Vad(edge="start", at=at),
            lambda: ev.Vad(edge="end", at=at),
            lambda: ev.Vad(edge="end", at=at),
            lambda: ev.Partial(segment=f"s{rng.randint(0, 3)}", revision=rng.randint(1, 3), text=text),
            lambda: ev.Final(segment=f"s{rng.randint(0, 3)}", revision=rng.randint(1, 3), text=text, at=at),
            lambda: ev.Final(segment=f"s{n}", revision=1, text=text, at=at),
            lambda: ev.EndScore(op=op(ev.EndScore), probability=rng.choice((None, 0.0, 0.5, 1.0))),
            lambda: ev.ProviderTurn(edge=rng.choice(("start", "likely", "end"))),
            lambda: ev.PolicyChanged(policy=self.policy()),
            lambda: ev.Typed(text=text, speech=rng.choice(("", f"t{n}")), reply=self.chance(0.8)),
            lambda: ev.Segment(op=op(ev.Segment), index=rng.randint(0, 2), text=text),
            lambda: ev.Synthesised(
                op=op(ev.Synthesised), index=rng.randint(0, 2), start=rng.choice((0, 9000)), samples=rng.choice((0, 9000)),
                done=self.chance(0.5),
            ),
            lambda: ev.AudioDone(op=op(ev.AudioDone), samples=rng.choice((0, 9000, 18000)), text_only=self.chance(0.1)),
            lambda: ev.ToolCall(
                op=op(ev.ToolCall), call_id=f"c{rng.randint(1, 6)}", name="t", arguments="{}",
                effect=rng.choice(("read", "write", "terminal")), retry=rng.choice(("never", "replay")),
                cancellable=self.chance(0.3), problem=rng.choice(("", "", "bad")),
            ),
            lambda: ev.Generated(op=op(ev.Generated)),
            lambda: ev.Metered(stage=rng.choice(("stt", "llm", "tts")), op=rng.choice((None, op(ev.Generated)))),
            lambda: ev.ReplyFailed(
                op=op(ev.ReplyFailed), stage=rng.choice(("llm", "tts", "node")), error="e", retryable=self.chance(0.6)
            ),
            lambda: ev.AutoPaused(speech=speech, position=rng.randint(0, 9000), at=at),
            lambda: ev.AutoResumed(speech=speech, position=rng.randint(0, 9000)),
            lambda: ev.Acked(speech=speech, position=rng.randint(0, 18000), quality="peer"),
            lambda: ev.PlaySettled(
                speech=speech, position=rng.randint(0, 18000), quality="peer",
                reason=rng.choice(("end", "stopped", "lost", "refused")),
            ),
            lambda: ev.ToolReturned(
                op=op(ev.ToolReturned), output="o", is_error=self.chance(0.2), reply=self.chance(0.7),
                cancelled=self.chance(0.1), agent=self.agent() if self.chance(0.2) else None,
            ),
            lambda: ev.ToolProgress(op=op(ev.ToolProgress), message="m"),
            lambda: self.floor(ev.FloorAsked, op(ev.FloorAsked)),
            lambda: self.floor(ev.FloorReleased, op(ev.FloorReleased)),
            lambda: ev.TaskAsked(
                ask=f"a{n}", agent=self.task(), op=rng.choice((None, op(ev.ToolReturned), op(ev.HookReturned))), number=rng.randint(1, 2),
            ),
            lambda: ev.TaskCancelled(ask=f"a{rng.randint(1, n)}"),
            lambda: ev.TaskDone(task=rng.choice([*self.kernel.state.conversation.tasks, "none"]), result="1"),
            lambda: ev.StepDone(op=op(ev.StepDone), name="s", result="1"),
            lambda: ev.HookReturned(
                op=op(ev.HookReturned), text=text, stop=self.chance(0.2), error=rng.choice(("", "", "boom"))
            ),
            lambda: ev.Closed(op=op(ev.Closed)),
            lambda: ev.LegUp(leg=rng.choice("lm"), medium=rng.choice(("audio", "text"))),
            lambda: ev.LegDown(leg=rng.choice("lm"), certain=self.chance(0.1)),
            lambda: ev.LegHeld(leg="l", held=self.chance(0.5)),
            lambda: ev.MediaConfirmed(leg="l"),
            lambda: ev.DisallowInterruptions(speech=speech),
            lambda: ev.Start(agent=self.agent()),
            lambda: self.application(),
            lambda: self.application(),
            lambda: self.resumed_event(),
            lambda: ev.Tick(),
            lambda: ev.Drain() if self.chance(0.1) else ev.Tick(),
            lambda: ev.CloseAsked() if self.chance(0.1) else ev.Tick(),
            lambda: ev.Fenced() if self.chance(0.1) else ev.Tick(),
        )  # fmt: skip
        made: ev.Event = rng.choice(makers)()
        return made

    def floor(self, kind: Any, op: ev.Op) -> ev.Event:
        ask = self.rng.choice([*self.floors, f"floor{self.number}"])
        if kind is ev.FloorAsked:
            ask = f"floor{self.number}"
            self.floors[ask] = op
        made: ev.Event = kind(op=op, ask=ask)
        return made

    def resumed_event(self) -> ev.Event:
        self.resumed += 1
        return ev.Resumed(epoch=self.kernel.state.epoch + 1)


class ChaosRules(Rules):
    """Where the plane talks nonsense, what was heard cannot be known from outside; everything else holds."""

    def fact_SpeechHeard(self, fact: ft.SpeechHeard) -> None:  # noqa: N802
        if fact.speech in self.heard:
            raise Broken("K2", f"{fact.speech} was heard twice")
        self.heard.add(fact.speech)

    def nothing_lost(self, kept: str, fenced: bool) -> None:
        """Revisions of the same segments take words back here."""


def judged_chaos(seed: int) -> Chaos:
    world = Chaos(seed)
    rules = ChaosRules(world)
    world.run()
    rules.finish()
    return world
