"""A world around one kernel: shell, plane, models, caller and application, all scripted by one seed, in virtual time.

It carries out every effect (sometimes badly), sends every event there is (sometimes late, twice, or never), and keeps
what an outsider could know: what sounded, what was asked, what was recorded. ``rules.py`` judges it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

import msgspec

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel import facts as ft
from antiphon.kernel.folding import folded, goes_on
from antiphon.kernel.kernel import Kernel
from antiphon.kernel.policy import (
    NOTHING,
    AgentRef,
    BackchannelPolicy,
    BargeInPolicy,
    LadderPolicy,
    SessionPolicy,
    Terms,
    TurnPolicy,
)
from antiphon.turns.expectation import Expectation

RATE = 24_000
TEXT = "one two three four five six seven eight nine"
TICK = 0.2


class Audio:
    """One speech in the plane."""

    def __init__(self) -> None:
        self.samples = 0
        self.total = -1
        self.position = 0.0
        self.peak = 0.0
        self.since = -1.0
        self.step = 0
        self.rewound = False
        self.state = "idle"  # idle, playing, paused, over
        self.words: list[tuple[str, int, int]] = []
        self.text = ""
        self.settled: int | None = None


class World:
    """``faults``: probability that a thing goes wrong. ``plane_faults``: the plane may fail as well."""

    def __init__(self, seed: int, *, faults: float = 0.15, plane_faults: bool = True, length: float = 25.0) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.faults = faults
        self.plane_faults = plane_faults
        self.length = length
        self.kernel = Kernel()
        self.now = 0.0
        self.seq = 0
        self.heap: list[tuple[float, int, Any]] = []
        self.count = 0
        self.plane: dict[str, Audio] = {}
        self.on_air = ""
        self.sounds: list[tuple[float, float]] = []
        self.cancelled: set[ev.Op] = set()
        self.facts: list[ft.AnyFact] = []
        self.effects: list[tuple[float, fx.AnyEffect]] = []
        self.ended_at = -1.0
        self.closing_at = -1.0
        self.close_deadline = 0.0
        self.tick_at = -1.0
        self.number = 0
        self.story: list[str] = []
        self.judges: list[Callable[[World, ev.Event, list[fx.AnyEffect]], None]] = []
        self.dead_acks = False
        self.resumed = 0
        self.pairs: set[tuple[str, str]] = set()
        self.tape: list[ev.Event] = []
        self.floors: dict[str, ev.Op] = {}
        self.asked_under: dict[str, str] = {}
        self.asked_inside: dict[str, ev.Op] = {}
        self.behind: dict[str, ev.Event] = {}

    # --- time ----------------------------------------------------------------------------------------------------

    def at(self, delay: float, what: Any) -> None:
        self.count += 1
        heapq.heappush(self.heap, (self.now + max(0.0, delay), self.count, what))

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def bad(self) -> bool:
        return self.rng.random() < self.faults

    def run(self) -> None:
        self.begin()
        limit = self.length + 200.0
        while self.heap and self.ended_at < 0 and self.now < limit:
            self.now, _, what = heapq.heappop(self.heap)
            if callable(what):
                what()
            else:
                self.send(what)

    def send(self, event: ev.Event) -> None:
        if self.ended_at >= 0:
            return
        self.seq += 1
        event = msgspec.structs.replace(event, seq=self.seq, now=self.now)
        self.note(event)
        self.tape.append(event)
        if isinstance(event, ev.SayAsked | ev.ReplyAsked) and event.hook is None:
            self.asked_under[event.speech] = event.floor
        state = self.kernel.state
        if isinstance(event, ev.SayAsked | ev.ReplyAsked):
            inside = event.hook or event.tool
            if inside is not None and inside[1] in state.ops:
                self.asked_inside[event.speech] = inside
        self.pairs.add((f"turn {state.turn.phase}", type(event).__name__))
        speech = state.speech.speeches.get(state.speech.current)
        self.pairs.add((f"speech {speech.phase if speech else 'none'}", type(event).__name__))
        self.pairs.add((f"session {state.lifecycle.phase}", type(event).__name__))
        self.pairs.add((f"agent {state.agents.phase}", type(event).__name__))
        self.pairs.add((f"{min(2, len(state.agents.tasks))} tasks", type(event).__name__))
        effects = self.kernel.step(event)
        for judge in self.judges:
            judge(self, event, effects)
        for effect in effects:
            self.do(effect)

    def note(self, event: ev.Event) -> None:
        if not isinstance(event, ev.Tick | ev.Acked):
            fields = {
                k: v for k, v in msgspec.structs.asdict(event).items() if k not in ("seq", "now", "agent", "words")
            }
            self.story.append(
                f"{self.now:7.2f}  {type(event).__name__:14} " + " ".join(f"{k}={v}" for k, v in fields.items())
            )

    # --- effects -------------------------------------------------------------------------------------------------

    def do(self, effect: fx.AnyEffect) -> None:
        self.effects.append((self.now, effect))
        if not isinstance(effect, fx.WakeAt | fx.Notify | fx.Record):
            self.story.append(f"{self.now:7.2f}      -> {effect}"[:200])
        elif isinstance(effect, fx.Record):
            self.story.append(f"{self.now:7.2f}      :: {effect.fact}"[:240])
        handler = getattr(self, "do_" + type(effect).__name__, None)
        if handler is not None:
            handler(effect)

    def do_Record(self, effect: fx.Record) -> None:  # noqa: N802
        self.facts.append(effect.fact)

    def do_WakeAt(self, effect: fx.WakeAt) -> None:  # noqa: N802
        self.tick_at = effect.at
        if effect.at >= 0:
            at = effect.at

            def tick() -> None:
                if self.tick_at == at:
                    self.now = max(self.now, at)  # the sum may be a rounding error early
                    self.send(ev.Tick())

            self.at(at - self.now + (self.rng.random() * 0.02 if self.chance(0.3) else 0.0), tick)

    def do_ScoreTurn(self, effect: fx.ScoreTurn) -> None:  # noqa: N802
        if not self.bad():
            p = None if self.bad() else self.rng.random()
            self.at(self.rng.uniform(0.02, 0.3), ev.EndScore(op=effect.op, probability=p))

    def do_StartReply(self, effect: fx.StartReply) -> None:  # noqa: N802
        self.generate(effect.op, effect.speech, tools=effect.tools)

    def do_StartSay(self, effect: fx.StartSay) -> None:  # noqa: N802
        self.plane.pop(effect.speech, None)
        self.generate(effect.op, effect.speech, tools=False, model=False)

    def generate(self, op: ev.Op, speech: str, *, tools: bool, model: bool = True) -> None:
        rng = self.rng
        t = rng.uniform(0.05, 0.8) if not self.bad() else rng.uniform(2.0, 6.0)
        if self.bad() and self.chance(0.5):
            return  # no token ever
        if self.bad() and self.chance(0.5):
            self.at(t, ev.ReplyFailed(op=op, stage="llm" if model else "tts", error="429", retryable=self.chance(0.7)))
            return
        start = 0
        n = rng.choice((0, 1, 1, 2, 3)) if model else rng.choice((1, 1, 2))
        with_words = self.chance(0.7)
        self.plane.setdefault(speech, Audio())
        for index in range(n):
            count = rng.randint(2, 6)
            texts = [f"{speech.replace('.', '')}x{index}y{i}" for i in range(count)]
            self.at(t, ev.Segment(op=op, index=index, text=" ".join(texts) + "."))
            t += rng.uniform(0.05, 0.4)
            samples, words = 0, []
            for text in texts:
                length = rng.randint(3000, 9000)
                words.append((text, samples, samples + length))
                samples += length
            if self.bad() and self.chance(0.4):
                self.at(t, ev.ReplyFailed(op=op, stage="tts", error="broke", retryable=self.chance(0.5)))
                return
            if self.bad() and self.chance(0.3):
                return  # stalls amid audio
            shown = tuple(words) if with_words else ()
            half = samples // 2
            first = tuple(w for w in shown if w[2] <= half)
            self.at(
                t, lambda i=index, s=start, h=half, w=first, a=tuple(words): self.push(op, speech, i, s, h, False, w, a)
            )
            t += rng.uniform(0.02, 0.2)
            self.at(
                t,
                lambda i=index, s=start, h=samples, w=shown, a=tuple(words): self.push(op, speech, i, s, h, True, w, a),
            )
            start += samples
        if tools and self.chance(0.35):
            for _ in range(rng.choice((1, 1, 2, 3))):
                self.number += 1
                self.at(t, ev.ToolCall(
                    op=op, call_id=f"c{self.number if not self.chance(0.05) else 1}", name=rng.choice(("look", "book")),
                    arguments="{}", effect=rng.choice(("read", "write", "write", "terminal")),
                    retry=rng.choice(("never", "key", "replay")), cancellable=self.chance(0.2),
                    problem="no such tool" if self.bad() else "",
                    timeout=rng.choice((0.0, 0.0, 1.0)), on_duplicate=rng.choice(("allow", "reject", "join")),
                ))  # fmt: skip
                t += rng.uniform(0.0, 0.1)
        if self.bad() and self.chance(0.3):
            return
        order = [ev.Generated(op=op), lambda: self.pushed_all(op, speech, start)]
        if self.chance(0.2):
            order.reverse()
        for what in order:
            self.at(t, what)
            t += rng.uniform(0.0, 0.3)

    def push(
        self, op: ev.Op, speech: str, index: int, start: int, samples: int, done: bool, words: Any, actual: Any
    ) -> None:
        if op in self.cancelled and self.chance(0.7):
            return
        audio = self.plane.setdefault(speech, Audio())
        if op not in self.cancelled:
            audio.samples = max(audio.samples, start + samples)
            known = {w[0] for w in audio.words}
            audio.words += [(w, start + a, start + b) for w, a, b in actual if w not in known]
        self.send(ev.Synthesised(op=op, index=index, start=start, samples=samples, done=done, words=words))

    def pushed_all(self, op: ev.Op, speech: str, total: int) -> None:
        if op not in self.cancelled:
            self.plane.setdefault(speech, Audio()).total = total
        self.send(ev.AudioDone(op=op, samples=total))

    def do_Cancel(self, effect: fx.Cancel) -> None:  # noqa: N802
        self.cancelled.add(effect.op)

    # --- the plane -----------------------------------------------------------------------------------------------

    def do_Play(self, effect: fx.Play) -> None:  # noqa: N802
        if self.plane_faults and self.bad() and self.chance(0.3):
            self.at(0.05, ev.PlaySettled(speech=effect.speech, position=0, quality="estimated", reason="refused"))
            return
        audio = self.plane.setdefault(effect.speech, Audio())
        audio.state = "playing"
        self.on_air = effect.speech
        self.play_loop(effect.speech)

    def do_PlayCanned(self, effect: fx.PlayCanned) -> None:  # noqa: N802
        audio = self.plane.setdefault(effect.speech, Audio())
        if self.plane_faults and self.bad() and self.chance(0.3):
            self.at(0.02, ev.PlaySettled(speech=effect.speech, position=0, quality="estimated", reason="refused"))
            return
        audio.samples = audio.total = 24_000
        audio.words = [("one", 0, 12_000), ("moment", 12_000, 24_000)]
        audio.state = "playing"
        if self.chance(0.7):
            self.at(0.0, ev.Segment(op=effect.op, index=0, text="One moment."))
            self.at(0.0, ev.Synthesised(
                op=effect.op, index=0, start=0, samples=24_000, done=True, words=(("One", 0, 12_000), ("moment.", 12_000, 24_000))
            ))  # fmt: skip
            self.at(0.0, ev.AudioDone(op=effect.op, samples=24_000))
        self.play_loop(effect.speech)

    def play_loop(self, speech: str) -> None:
        """Advance by one ack interval at a time."""
        audio = self.plane[speech]
        if audio.state != "playing":
            return
        step = min(int(RATE * TICK), audio.samples - int(audio.position))
        if audio.total >= 0 and audio.position >= audio.total:
            self.settle(speech, "end")
            return

        audio.since, audio.step = self.now, step
        began = self.now

        def after() -> None:
            if audio.state != "playing" or audio.since != began:
                return
            if step > 0:
                self.sounds.append((self.now - step / RATE, self.now))
                audio.position += step
                audio.peak = max(audio.peak, audio.position)
                if not self.dead_acks:
                    self.send(ev.Acked(speech=speech, position=int(audio.position), quality="paced"))
            self.play_loop(speech)

        self.at(step / RATE if step > 0 else 0.05, after)

    def halt(self, audio: Audio) -> None:
        """It stops in the middle of an interval: what has sounded of that counts."""
        if audio.state == "playing":
            step = min(audio.step, int((self.now - audio.since) * RATE))
            if step > 0:
                self.sounds.append((audio.since, self.now))
                audio.position += step
                audio.peak = max(audio.peak, audio.position)
            audio.since = -1.0

    def settle(self, speech: str, reason: Any) -> None:
        audio = self.plane[speech]
        if reason == "stopped":
            self.halt(audio)
        audio.state = "over"
        audio.settled = int(audio.position)
        if self.dead_acks and self.chance(0.8):
            return
        delay = 0.02 if not (self.plane_faults and self.bad()) else self.rng.uniform(0.2, 1.0)
        self.at(delay, ev.PlaySettled(speech=speech, position=audio.settled, quality="paced", reason=reason))

    def do_Pause(self, effect: fx.Pause) -> None:  # noqa: N802
        audio = self.plane.get(effect.speech)
        if audio is not None and audio.state == "playing":
            self.halt(audio)
            audio.state = "paused"

    def do_Resume(self, effect: fx.Resume) -> None:  # noqa: N802
        audio = self.plane.get(effect.speech)
        if audio is not None and audio.state == "paused":
            audio.state = "playing"
            audio.rewound = audio.rewound or effect.at < audio.position
            audio.position = min(audio.position, effect.at)
            self.play_loop(effect.speech)

    def do_Stop(self, effect: fx.Stop) -> None:  # noqa: N802
        audio = self.plane.get(effect.speech)
        if audio is not None and audio.state in ("playing", "paused"):
            self.settle(effect.speech, "stopped")
        else:
            if audio is not None and audio.state == "idle":
                del self.plane[effect.speech]
            self.at(0.02, ev.PlaySettled(speech=effect.speech, position=0, quality="estimated", reason="refused"))

    # --- tools, hooks --------------------------------------------------------------------------------------------

    def agent(self) -> AgentRef:
        rng = self.rng
        return AgentRef(
            key=rng.choice("abc"), policy=self.policy(),
            has_on_enter=self.chance(0.6), has_on_exit=self.chance(0.5), has_turn_hook=self.chance(0.5),
        )  # fmt: skip

    def policy(self) -> SessionPolicy:
        rng = self.rng
        return SessionPolicy(
            turn=TurnPolicy(
                mode=rng.choice(("local", "local", "local", "local", "manual", "provider", "none")),
                speculate=self.chance(0.7), score=self.chance(0.7), max_words=rng.choice((0, 0, 6)),
                max_duration=rng.choice((0.0, 0.0, 2.0)), latency=rng.choice((0.0, 0.5, 1.0)),
                expect=rng.choice((None, None, Expectation("digits", 4), Expectation("yes_no"))),
            ),
            barge_in=BargeInPolicy(
                enabled=self.chance(0.9), min_words=rng.choice((1, 1, 2, 3)), echo_warmup=rng.choice((0.0, 0.0, 1.0))
            ),
            backchannel=BackchannelPolicy(clips=rng.choice((0, 2)), after=1.0, every=1.0),
            ladder=LadderPolicy(),
            tool_deadline=rng.choice((1.0, 3.0, 60.0)),
            party_grace=rng.choice((0.0, 2.0)),
            media_confirm=rng.choice((0.0, 0.5)),
            speech_gap=rng.choice((0.0, 0.2)),
        )  # fmt: skip

    def do_RunTool(self, effect: fx.RunTool) -> None:  # noqa: N802
        rng = self.rng
        if self.bad() and self.chance(0.4):
            return
        t = rng.choice((0.05, 0.4, 2.0, 5.0, 9.0))
        if self.chance(0.2):
            self.at(t / 2, ev.ToolProgress(op=effect.op, message="half", tell=self.chance(0.5)))
            self.at(t / 2, ev.StepDone(op=effect.op, name="s", result="1"))
        if self.chance(0.2):
            self.number += 1
            kind: Any = ev.SayAsked if self.chance(0.7) else ev.ReplyAsked
            self.at(rng.choice((0.0, t / 2)), kind(speech=f"tool{self.number}", tool=effect.op))
        if self.chance(0.3):
            self.number += 1
            ask = f"floor{self.number}"
            self.floors[ask] = effect.op
            t = rng.choice((3.0, 9.0, 20.0))
            self.at(rng.choice((0.0, 1.0)), ev.FloorAsked(op=effect.op, ask=ask))
        returned = ev.ToolReturned(
            op=effect.op, output=f"result of {effect.call_id}", is_error=self.bad(), reply=self.chance(0.85),
            agent=self.agent() if self.chance(0.12) else None, terms=self.terms(),
        )  # fmt: skip
        if self.chance(0.2):
            self.awaits(t / 2, effect.op, returned)
        else:
            self.at(t, returned)

    def awaits(self, delay: float, op: ev.Op, then: ev.Event) -> None:
        """User code awaits a sub-dialogue, two at once now and then, and goes on with ``then``."""
        for number in range(2 if self.chance(0.2) else 1):
            self.number += 1
            ask = f"task{self.number}"
            if not number:
                self.behind[ask] = then
            self.at(delay, ev.TaskAsked(ask=ask, agent=self.task(), op=op, number=number + 1, terms=self.terms()))
            if self.chance(0.15):
                self.at(delay + self.rng.choice((0.0, 1.0, 5.0)), ev.TaskCancelled(ask=ask))

    def terms(self) -> Terms:
        items = [item.id for item in self.kernel.state.conversation.items]
        return Terms(
            entry=self.rng.choice(("", "", "greet", "continue", "silent")), reason=self.rng.choice(("", "bills")),
            reads=self.rng.choice(("", NOTHING, *items[-3:])), note=self.rng.choice(("", "in short")),
        )  # fmt: skip

    def task(self) -> AgentRef:
        self.number += 1
        return msgspec.structs.replace(self.agent(), key=f"t{self.number}")

    def task_notice(self, body: dict[str, Any]) -> None:
        then = self.behind.get(body["ask"])
        if body["state"] != "entered":
            if then is not None:
                self.at(self.rng.choice((0.0, 0.1, 3.0)), then)
        elif self.chance(0.85):
            done = ev.TaskDone(task=body["task"], result="1", is_error=self.bad(), hidden=self.chance(0.3), note="n")
            self.at(self.rng.choice((0.0, 0.5, 3.0, 8.0)), done)

    def do_Notify(self, effect: fx.Notify) -> None:  # noqa: N802
        """A tool that has got the floor says things, one of them late, somebody else talks into it now and then; mostly it
        lets go by itself."""
        if effect.name == "task":
            self.task_notice(effect.body)
        if effect.name != "floor" or not effect.body["granted"]:
            return
        ask, t = effect.body["ask"], 0.0
        for kind in (ev.SayAsked, ev.ReplyAsked):
            self.number += 1
            self.at(t, kind(speech=f"floor{self.number}", floor=ask))
            t += self.rng.choice((0.1, 2.0))
        if self.chance(0.5):
            self.number += 1
            self.at(t / 2, ev.SayAsked(speech=f"app{self.number}"))
        if self.chance(0.7):
            self.at(t + self.rng.choice((0.0, 1.0)), ev.FloorReleased(op=self.floors[ask], ask=ask))

    def do_CancelTool(self, effect: fx.CancelTool) -> None:  # noqa: N802
        if self.chance(0.7):
            self.at(0.05, ev.ToolReturned(op=effect.op, output="", cancelled=True))

    def do_CallHook(self, effect: fx.CallHook) -> None:  # noqa: N802
        rng = self.rng
        if self.bad() and self.chance(0.5):
            return
        t = rng.choice((0.01, 0.1, 1.0, 3.0))
        if effect.hook in ("on_enter", "on_exit") and self.chance(0.6):
            self.number += 1
            kind: Any = ev.SayAsked if self.chance(0.5) else ev.ReplyAsked
            self.at(t / 2, kind(speech=f"say{self.number}", hook=effect.op))
        if effect.hook == "on_user_turn_completed":
            text = effect.text if self.chance(0.9) else effect.text + " edited"
        else:
            text = ""
        returned = ev.HookReturned(
            op=effect.op, text=text, stop=effect.hook == "on_user_turn_completed" and self.chance(0.08),
            error="boom" if self.bad() else "", context_changed=self.chance(0.1),
        )  # fmt: skip
        if effect.hook in ("on_enter", "on_exit") and self.chance(0.2):
            self.awaits(t / 2, effect.op, returned)
        else:
            self.at(t, returned)

    def do_CloseAll(self, effect: fx.CloseAll) -> None:  # noqa: N802
        if not self.bad():
            self.at(self.rng.choice((0.0, 0.2, 1.0)), ev.Closed(op=effect.op))

    def do_Ended(self, effect: fx.Ended) -> None:  # noqa: N802
        self.ended_at = self.now

    # --- caller and application ----------------------------------------------------------------------------------

    def begin(self) -> None:
        rng = self.rng
        self.at(0.0, ev.Start(agent=self.agent()))
        self.at(rng.choice((0.0, 0.1, 1.0)), ev.LegUp(leg="l"))
        self.at(rng.choice((0.1, 0.3, 1.2)), ev.MediaConfirmed(leg="l"))
        t = rng.uniform(0.2, 4.0)
        while t < self.length:
            t += self.utterance(t)
            t += rng.choice((0.1, 0.4, 1.0, 3.0, 6.0))
        for _ in range(rng.choice((0, 1, 2, 4))):
            self.at(rng.uniform(0.0, self.length), self.application())
        if self.plane_faults and self.bad():
            self.at(rng.uniform(0.0, self.length), lambda: setattr(self, "dead_acks", True))
        if self.chance(0.12):
            self.at(rng.uniform(0.0, self.length), ev.LegDown(leg="l", certain=self.chance(0.5)))
            if self.chance(0.5):
                self.at(rng.uniform(0.0, self.length), ev.LegUp(leg="l"))
        if self.chance(0.1):
            t = rng.uniform(0.0, self.length)
            self.at(t, ev.LegHeld(leg="l", held=True))
            self.at(t + rng.uniform(0.2, 5.0), ev.LegHeld(leg="l", held=False))
        if self.chance(0.15):
            self.at(rng.uniform(0.0, self.length), ev.Drain())
        if self.chance(0.03):
            self.at(rng.uniform(0.0, self.length), ev.Fenced())
        self.at(self.length, self.close)

    def close(self) -> None:
        deadline = self.rng.choice((0.0, 0.5, 2.0))
        self.send(ev.CloseAsked(deadline=deadline))

    def utterance(self, t: float) -> float:
        rng = self.rng
        self.number += 1
        n = self.number
        kind = rng.choice(("speech", "speech", "speech", "backchannel", "noise", "text only", "typed", "stop"))
        if kind == "typed":
            self.at(t, ev.Typed(text=f"u{n}a u{n}b", reply=self.chance(0.9)))
            return 0.1
        length = rng.uniform(0.2, 2.5)
        words = {"backchannel": ["mhm"], "noise": [], "stop": ["stop"]}.get(
            kind, [f"u{n}{c}" for c in "abcd"[: rng.randint(1, 4)]]
        )
        if self.bad() and self.chance(0.5):  # settings change under it
            self.at(t + rng.uniform(0.0, length + 0.5), ev.PolicyChanged(policy=self.policy()))
        final_late = rng.choice((0.05, 0.2, 0.2, 1.0, 2.5))
        if kind != "text only":
            self.at(t + 0.06, ev.Vad(edge="start", at=t))
            if not (self.bad() and self.chance(0.3)):
                self.at(t + length + 0.2, ev.Vad(edge="end", at=t + length))
            if self.chance(0.3):
                self.at(t + 0.35, self.reflex)
            if self.chance(0.2):
                self.at(t, ev.ProviderTurn(edge="start"))
                self.at(t + length - 0.1, ev.ProviderTurn(edge="likely"))
                if not self.bad():
                    self.at(t + length + 0.3, ev.ProviderTurn(edge="end"))
        if words:
            for i in range(1, len(words) + 1):
                if not self.bad():
                    self.at(
                        t + length * i / len(words), ev.Partial(segment=f"s{n}", revision=i, text=" ".join(words[:i]))
                    )
            if not self.bad():
                final = ev.Final(
                    segment=f"s{n}", revision=9, text=" ".join(words).capitalize() + ".", at=t + length, language="en"
                )
                self.at(t + length + final_late, final)
                if self.bad():
                    self.at(t + length + final_late + 0.3, msgspec.structs.replace(final, revision=10))
        elif self.bad():
            self.at(t + length + final_late, ev.Final(segment=f"s{n}", revision=1, text="", at=t + length))
        return length

    def reflex(self) -> None:
        speech = next((s for s, a in self.plane.items() if a.state == "playing" and s == self.on_air), None)
        if speech is not None:
            audio = self.plane[speech]
            self.halt(audio)
            audio.state = "paused"
            self.send(ev.AutoPaused(speech=speech, position=int(audio.position), at=self.now))

            def hold_over() -> None:
                if audio.state == "paused" and self.chance(0.5):
                    audio.state = "playing"
                    self.send(ev.AutoResumed(speech=speech, position=int(audio.position)))
                    self.play_loop(speech)

            self.at(0.8, hold_over)

    def application(self) -> Any:
        rng = self.rng
        self.number += 1
        n = f"app{self.number}"
        return rng.choice((
            ev.SayAsked(
                speech=n, text=rng.choice(("", TEXT)), interruptible=self.chance(0.7), priority=rng.choice(("app", "background"))
            ),
            ev.SayAsked(speech=n, question=self.policy()), ev.ReplyAsked(speech=n, question=self.policy()),
            ev.ReplyAsked(speech=n, interruptible=self.chance(0.8)),
            ev.ReplyAsked(speech=n, user_text=f"ask {n}"),
            ev.InterruptAsked(), ev.InterruptAsked(force=True), ev.DisallowInterruptions(speech="reply.1.1"),
            ev.AgentAsked(agent=self.agent(), terms=self.terms()), ev.PolicyChanged(policy=self.policy()),
            ev.CommitTurn(ask=n, timeout=rng.choice((0.5, 2.0)), reply=self.chance(0.8)), ev.ClearTurn(),
            ev.Dtmf(leg="l", digit="5"), ev.DtmfAsked(digits="5#"), ev.SttLost(error="deaf", recovering=True),
            ev.AgentReconfigured(agent="a", tools_removed=("t",)), ev.StateSaved(agent="a", state="{}"), ev.StateSaved(agent="", state="{}"),
            ev.TaskDone(task="t", result="1"), ev.TaskAsked(ask=n, agent=self.task()), ev.EndScore(op=(0, 99), probability=1.0),
        ))  # fmt: skip

    # --- a new owner ---------------------------------------------------------------------------------------------

    def takeover(self, *, lost: bool = False, known: bool = True) -> None:
        """The process dies: its tasks and timers are gone, the plane and the state's bytes are not. ``lost``: the plane is gone
        too. ``known``: else of the state there is the conversation alone."""
        phase = self.kernel.state.lifecycle.phase
        if self.ended_at >= 0 or (not known and phase in ("new", "ended")):
            return
        self.resumed += 1
        old, agent = self.kernel.state.epoch, None
        for op in list(self.kernel.state.ops):
            self.cancelled.add((old, op))
        if known:
            self.kernel = Kernel.load(self.kernel.dump())
        else:
            self.kernel, self.seq = Kernel.load(Kernel(folded(self.facts)).dump()), 0
            agent = AgentRef(key=goes_on(self.kernel.state.conversation), policy=self.policy())
        self.tick_at = -5.0
        if lost or not known:
            for audio in self.plane.values():
                self.halt(audio)
                audio.state = "over"
            self.at(self.rng.choice((0.0, 0.5, 2.0)), ev.LegUp(leg="l", medium="audio"))
        self.send(ev.Resumed(epoch=old + 1, lost=lost and known, agent=agent))
