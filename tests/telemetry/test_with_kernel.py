"""Kernel, log and account together: one turn on a real kernel, logged, replayed, accounted for."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.policy import AgentRef
from antiphon.store.event_log import FileEventLog
from antiphon.store.log_reader import read_log
from antiphon.telemetry.collector import Collector

RATE = 24_000


class Call:
    """A session without a shell: every event goes to the log, the account and the kernel, as a shell does it."""

    def __init__(self, path: Path) -> None:
        self.kernel, self.collector, self.log = Kernel(), Collector(), FileEventLog(path)
        self.seq = 0
        self.done: list[fx.AnyEffect] = []

    def tell(self, event: ev.AnyEvent) -> None:
        self.seq += 1
        event = msgspec.structs.replace(event, seq=self.seq)
        self.log.append("input", event.now, event)
        self.collector.on_event(event)
        for effect in self.kernel.step(event):
            self.collector.on_effect(effect)
            self.done.append(effect)
            if isinstance(effect, fx.Record):
                self.log.append("fact", effect.fact.at, effect.fact)

    def hook(self) -> fx.CallHook | None:
        return next((e for e in self.done if isinstance(e, fx.CallHook) and e.hook == "on_user_turn_completed"), None)


def test_one_turn_from_the_last_sound_to_the_report(tmp_path: Path) -> None:
    call = Call(tmp_path / "call.jsonl")
    call.tell(ev.Start(now=0.0, agent=AgentRef(key="counter", has_on_enter=False)))
    call.tell(ev.LegUp(now=0.1, leg="l"))
    call.tell(ev.Vad(now=1.0, edge="start", at=0.9))
    call.tell(ev.Vad(now=2.2, edge="end", at=2.0))
    call.tell(ev.Final(now=2.25, segment="s", revision=1, text="Two coffees please.", at=2.0))
    now = 2.25
    while (hook := call.hook()) is None:
        now += 0.05
        assert now < 10, "the turn must end"
        call.tell(ev.Tick(now=now))
    call.tell(ev.HookReturned(now=now + 0.1, op=hook.op, text=hook.text))
    start = [effect for effect in call.done if isinstance(effect, fx.StartReply)][-1]
    call.tell(ev.Segment(now=now + 0.5, op=start.op, index=0, text="Two coffees, coming."))
    call.tell(ev.Synthesised(now=now + 0.7, op=start.op, index=0, start=0, samples=RATE, done=True))
    call.tell(ev.Generated(now=now + 0.7, op=start.op, ttft=0.2))
    call.tell(ev.AudioDone(now=now + 0.7, op=start.op, samples=RATE))
    call.tell(ev.Acked(now=now + 1.0, speech=start.speech, position=RATE // 5, quality="device"))
    call.tell(ev.PlaySettled(now=now + 1.8, speech=start.speech, position=RATE, quality="device", reason="end"))
    call.log.close()

    turn = call.collector.turns[1]
    assert turn.waterfall is not None and turn.outcome == "replied"
    assert turn.waterfall.total == pytest.approx(now + 0.8 - 2.0), "sounded 0.2 s before its first acknowledgement"
    assert turn.waterfall.hook == pytest.approx(0.1) and turn.waterfall.playout == pytest.approx(0.1)

    log, again = read_log(call.log.path), Kernel()
    effects = [effect for event in log.events() for effect in again.step(event)]
    assert effects == call.done
    assert [effect.fact for effect in effects if isinstance(effect, fx.Record)] == log.facts()
