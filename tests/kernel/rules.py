"""The rules K1-K8 as judges of a world: each raises ``Broken`` with what an outsider would have noticed."""

from __future__ import annotations

from math import inf
from typing import Any

from antiphon.kernel import effects as fx
from antiphon.kernel import events as ev
from antiphon.kernel import facts as ft
from antiphon.kernel.conversation import Call, CallOutput, Conversation, Message
from antiphon.kernel.liveness import whose_move
from antiphon.kernel.reply import below
from antiphon.kernel.speech_order import RANK
from tests.kernel.world import World


class Broken(AssertionError):  # noqa: N818
    """``rule``: K1 to K8."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(f"{rule}: {why}")
        self.rule = rule


SLACK = 0.35


class Rules:
    def __init__(self, world: World) -> None:
        self.world = world
        self.silent_since = 0.0
        self.agents_move = False
        self.ran: dict[str, int] = {}
        self.intents: dict[str, int] = {}
        self.may_run_again: dict[str, bool] = {}
        self.results: set[str] = set()
        self.asked_by: dict[str, str] = {}
        self.results_at: dict[str, int] = {}
        self.rests_on: dict[str, int] = {}
        self.writes: dict[ev.Op, str] = {}
        self.dropped = (0, 0)
        self.heard: set[str] = set()
        self.adopted: dict[int, str] = {}
        self.turn_of: dict[str, int] = {}
        self.newest = 0
        self.discarded: set[str] = set()
        self.played: set[str] = set()
        self.committed: set[int] = set()
        self.entered = 0
        self.tasks: list[str] = []
        self.asks: dict[str, str] = {}
        self.dialogues: set[str] = set()
        self.steps: dict[ev.Op, str] = {}
        self.handed: dict[str, int] = {}
        self.cancelled: set[ev.Op] = set()
        self.switches = 0
        self.rebound = 0
        self.owners = 0
        self.current = ""
        self.said: list[str] = []
        self.speculative: dict[ev.Op, str] = {}
        self.positions = 0
        self.fold = Conversation()
        world.judges.append(self)

    def __call__(self, world: World, event: ev.Event, effects: list[fx.AnyEffect]) -> None:
        phase = world.kernel.state.lifecycle.phase
        if isinstance(event, ev.Resumed) and world.kernel.state.conversation.agent:
            self.owners += 1
        self.at_once = 0
        if isinstance(event, ev.Resumed):
            self.asks = {ask: who for ask, who in self.asks.items() if not who}
            if event.agent is not None:  # what was on no record is not known
                self.said.clear()
                self.asks.clear()
        if isinstance(event, ev.TaskAsked) and phase != "new":
            self.asked(event)
        if phase == "running" and isinstance(event, ev.Typed | ev.Final) and event.text:
            self.said.append(event.text.split()[0].strip(".").lower())
        for effect in effects:
            check = getattr(self, "on_" + type(effect).__name__, None)
            if check is not None:
                check(effect)
            if isinstance(effect, fx.Record):
                self.fold.apply(effect.fact)
                fact = getattr(self, "fact_" + type(effect.fact).__name__, None)
                if fact is not None:
                    fact(effect.fact)
        self.reaches_history(event, effects)
        self.handed_over(event, effects)
        self.move(world, event)
        if phase == "ended":
            self.asks.clear()
        self.stack(world)
        self.close(world, event, effects)

    # --- K1 ------------------------------------------------------------------------------------------------------

    def move(self, world: World, event: ev.Event) -> None:
        state = world.kernel.state
        owner, deadline, reason = whose_move(state)
        if owner not in ("caller", "application", "closing"):
            if deadline == inf:
                raise Broken("K1", f"{owner} has no deadline: {reason}")
            if deadline < world.now - 0.001:
                raise Broken("K1", f"the deadline of {owner} ({reason}) passed at {deadline:.2f}")
        turn, mode = state.turn, state.policy.turn.mode
        goes_on = state.lifecycle.phase in ("running", "draining")
        silent = goes_on and turn.phase != "idle" and not turn.vad
        due = mode == "local" or (mode == "provider" and "floor" not in state.gates)
        if silent and due and not {"turn.delay", "turn.final"} & state.timers.keys():
            raise Broken("K1", f"the caller is silent, and turn {turn.turn} has no clock")
        for name in state.gates:
            if f"gate.{name}" not in state.timers:
                raise Broken("K1", f"gate {name} never expires")
        if "foreground" in state.gates:
            op = world.floors.get(state.gates["foreground"].owner)
            if not any(run.op == op and run.phase == "running" for run in state.tools.runs.values()):
                raise Broken("K1", "the floor is held by a tool that has ended")
        agents = owner in ("agent", "tool")
        last = max((end for _, end in world.sounds[-3:]), default=0.0)
        if not agents or not self.agents_move:
            self.silent_since = world.now
        self.silent_since = max(self.silent_since, last)
        healthy = not world.plane_faults and "media" not in state.gates
        playing = any(a.state == "playing" and a.samples > a.position for a in world.plane.values())
        if (
            agents
            and healthy
            and not playing
            and world.now - self.silent_since > state.policy.ladder.max_silence + SLACK
        ):
            raise Broken("K1", f"silence since {self.silent_since:.2f} while {owner} has the move ({reason})")
        self.agents_move = agents
        self.held(world)

    def held(self, world: World) -> None:
        """An answer is held exactly while the caller goes on, and nobody works on what it will not be."""
        state = world.kernel.state
        if state.lifecycle.phase not in ("running", "draining"):
            return
        speaking = state.turn.phase != "idle" and "floor" in state.gates
        words = any(heard.text for heard in state.turn.heard.values())
        for reply in state.reply.replies.values():
            if reply.phase == "held" and not speaking and not state.agents.turns:
                raise Broken("K1", f"{reply.base} is held, and the caller says nothing")
            sounds = state.speech.sounding_of(reply.base) or state.speech.heard_of(reply.base)
            busy = reply.phase == "generating" and reply.turn and reply.interruptible and not reply.calls and not sounds
            if busy and words and speaking and state.policy.turn.mode != "manual" and not state.tools.acted(reply.base):
                raise Broken("K4", f"{reply.base} is still being made while the caller goes on")

    # --- K2 ------------------------------------------------------------------------------------------------------

    def fact_SpeechHeard(self, fact: ft.SpeechHeard) -> None:  # noqa: N802
        if fact.speech in self.heard:
            raise Broken("K2", f"{fact.speech} was heard twice")
        self.heard.add(fact.speech)
        audio = self.world.plane.get(fact.speech)
        if audio is None or audio.peak <= 0:
            raise Broken("K2", f"{fact.speech} never sounded, and history has {fact.text!r}")
        if fact.speech.startswith(("ladder", "listening")):
            return
        words = fact.text.rstrip(".").replace(". ", " ").split()
        full = [w for w, _, _ in audio.words]
        if words != full[: len(words)]:
            raise Broken("K2", f"{words} is not how {full} begins")
        true = sum(1 for _, a, b in audio.words if (a + b) / 2 <= audio.peak)
        off = 3 if fact.estimated else 2 if audio.rewound else 1 if self.world.resumed else 0
        if len(words) > true + off or (fact.quality != "estimated" and len(words) < true - off):
            raise Broken("K2", f"{fact.speech}: {len(words)} words in history, {true} heard ({fact})")

    # --- K3 ------------------------------------------------------------------------------------------------------

    def fact_ToolIntent(self, fact: ft.ToolIntent) -> None:  # noqa: N802
        if fact.call_id in self.intents:
            raise Broken("K3", f"{fact.call_id} was recorded twice")
        self.intents[fact.call_id] = len(self.world.facts)
        self.may_run_again[fact.call_id] = fact.effect == "read" or fact.retry != "never"
        self.asked_by[fact.call_id] = fact.speech.partition("#")[0]
        if fact.speech in self.discarded:
            raise Broken("K3", f"{fact.call_id} comes from a discarded reply")

    def fact_ToolResult(self, fact: ft.ToolResult) -> None:  # noqa: N802
        one = f"{fact.call_id}-{fact.late}" if fact.late else fact.call_id
        if one in self.results:
            raise Broken("K3", f"{one} has two results")
        self.results.add(one)

    def reaches_history(self, event: ev.Event, effects: list[fx.AnyEffect]) -> None:
        """What a write came to is on record, whenever it comes."""
        state = self.world.kernel.state
        before, self.dropped = self.dropped, (state.stale, state.refused)
        if not isinstance(event, ev.ToolReturned) or event.op not in self.writes or before != self.dropped:
            return
        if not any(isinstance(e, fx.Record) and isinstance(e.fact, ft.ToolResult) for e in effects):
            raise Broken("K3", f"the result of {self.writes[event.op]} is on no record")

    def on_CancelTool(self, effect: fx.CancelTool) -> None:  # noqa: N802
        self.cancelled.add(effect.op)

    def on_StartReply(self, effect: fx.StartReply) -> None:  # noqa: N802
        if not effect.speculative:
            self.rests_on[effect.speech] = self.results_at.get(effect.speech.partition("#")[0], 0)

    def on_RunTool(self, effect: fx.RunTool) -> None:  # noqa: N802
        self.steps[effect.op] = effect.speech
        if effect.effect != "read":
            self.writes[effect.op] = effect.call_id
        self.ran[effect.call_id] = self.ran.get(effect.call_id, 0) + 1
        again = self.may_run_again.get(effect.call_id, effect.effect == "read" or effect.retry != "never")
        if self.ran[effect.call_id] > 1 + (self.world.resumed if again else 0):
            raise Broken("K3", f"{effect.call_id} ran twice")
        if effect.effect != "read" and (effect.call_id not in self.intents or effect.after <= 0):
            raise Broken("K3", f"{effect.call_id} acts before it is on record")
        if effect.effect == "terminal":
            speeches = self.world.kernel.state.speech.speeches.values()
            base = effect.speech.partition("#")[0]
            if any(s.base == base and s.phase != "queued" for s in speeches):
                raise Broken("K3", f"{effect.call_id} ends the call before the words were heard")

    # --- K4 ------------------------------------------------------------------------------------------------------

    def fact_ReplyAdopted(self, fact: ft.ReplyAdopted) -> None:  # noqa: N802
        old = self.adopted.get(fact.turn)
        base = fact.speech.partition("#")[0]
        if old is not None and old not in self.discarded and not self.interrupted(old):
            raise Broken("K4", f"turn {fact.turn} has two replies: {old} and {base}")
        self.adopted[fact.turn] = base
        self.newest += 1
        self.turn_of[base] = self.newest

    def interrupted(self, base: str) -> bool:
        done = [f for f in self.world.facts if isinstance(f, ft.SpeechDone) and f.speech.partition("#")[0] == base]
        state = self.world.kernel.state
        return all(f.outcome != "heard" for f in done) or base not in state.reply.replies

    def fact_ReplyDiscarded(self, fact: ft.ReplyDiscarded) -> None:  # noqa: N802
        self.discarded.add(fact.speech.partition("#")[0])
        self.discarded.add(fact.speech)

    def on_Play(self, effect: fx.Play) -> None:  # noqa: N802
        base = effect.speech.partition("#")[0]
        if base in self.discarded and base.startswith("reply"):
            raise Broken("K4", f"{effect.speech} was discarded and plays")
        if effect.after < self.rests_on.get(effect.speech, 0):
            raise Broken("K3", f"{effect.speech} tells a result that is not on record")
        if effect.speech in self.played:
            raise Broken("K4", f"{effect.speech} plays twice")
        self.played.add(effect.speech)
        fresh = not any(s.partition("#")[0] == base for s in self.heard)
        if (
            effect.interruptible
            and fresh
            and base not in self.dialogues
            and self.turn_of.get(base, self.newest) < self.newest
        ):
            raise Broken("K4", f"{effect.speech} is stale: a newer turn has its answer")
        self.priority(effect.speech)

    def fact_TurnCommitted(self, fact: ft.TurnCommitted) -> None:  # noqa: N802
        self.committed.add(fact.turn)

    # --- K5 ------------------------------------------------------------------------------------------------------

    def close(self, world: World, event: ev.Event, effects: list[fx.AnyEffect]) -> None:
        state = world.kernel.state
        if world.closing_at < 0 and state.lifecycle.phase in ("leaving", "closing", "ended"):
            world.closing_at = world.now
        if state.lifecycle.phase in ("leaving", "closing") and world.now > state.lifecycle.deadline + 0.05:
            raise Broken("K5", f"not closed by {state.lifecycle.deadline:.2f}")
        if any(isinstance(e, fx.Ended) for e in effects):
            if not isinstance(effects[-1], fx.Ended | fx.WakeAt):
                raise Broken("K5", "something follows the end")
            if set(state.ops.values()) - {"tool"} or len(state.ops) > len(state.tools.detached()):
                raise Broken("K5", f"left behind: {state.ops}")
            if state.timers or state.gates:
                raise Broken("K5", f"left behind: {state.timers} {state.gates}")

    # --- K6 ------------------------------------------------------------------------------------------------------

    def fact_AgentEntered(self, fact: ft.AgentEntered) -> None:  # noqa: N802
        self.entered += 1
        if fact.previous and not fact.agent.startswith("t") and not fact.previous.startswith("t"):
            self.at_once += 1
            self.switches += 1
        if self.at_once > 1:
            raise Broken("K6", "two switches at once")
        if self.switches > 2 * 5:
            raise Broken("K6", "the agents hand the conversation round and round without the caller")

    def handed_over(self, event: ev.Event, effects: list[fx.AnyEffect]) -> None:
        """Of a batch's hand-offs one is made; the results of the others do not say that they were."""
        if any(isinstance(e, fx.Record) and isinstance(e.fact, ft.TurnCommitted | ft.TurnDropped) for e in effects):
            self.switches = 0
        results = [e.fact for e in effects if isinstance(e, fx.Record) and isinstance(e.fact, ft.ToolResult)]
        if not isinstance(event, ev.ToolReturned) or event.agent is None or not results:
            return
        if not results[0].late and not results[0].output.startswith("Not handed over"):
            step = self.steps.get(event.op, "")
            self.handed[step] = self.handed.get(step, 0) + 1
            if self.handed[step] > 1:
                raise Broken("K6", f"two tools of {step} handed over")

    def on_Rebind(self, effect: fx.Rebind) -> None:  # noqa: N802
        self.rebound += 1
        self.current = effect.agent.key
        if self.rebound != self.entered + self.owners:
            raise Broken("K6", "an agent entered without being bound, or twice")

    def asked(self, event: ev.TaskAsked) -> None:
        self.asks[event.ask] = str(event.op or "")
        run = next((r for r in self.world.kernel.state.tools.runs.values() if event.op and r.op == event.op), None)
        if run is not None:
            self.dialogues.add(run.speech.partition("#")[0])

    def on_Notify(self, effect: fx.Notify) -> None:  # noqa: N802
        if effect.name != "task" or effect.body["state"] == "entered":
            return
        if self.asks.pop(effect.body["ask"], None) is None and not self.owners:
            raise Broken("K6", f"{effect.body['ask']} was answered twice")

    def fact_TaskEntered(self, fact: ft.TaskEntered) -> None:  # noqa: N802
        if fact.task in self.tasks:
            raise Broken("K6", f"{fact.task} was entered twice")
        self.tasks.append(fact.task)

    def fact_TaskResult(self, fact: ft.TaskResult) -> None:  # noqa: N802
        if not self.tasks or self.tasks.pop() != fact.task:
            raise Broken("K6", f"{fact.task} is over, and was not the innermost: {self.tasks}")

    def stack(self, world: World) -> None:
        """Who speaks is whose sub-dialogue it is, and nobody awaits one that is not to come."""
        state = world.kernel.state
        agents = state.agents
        if agents.tasks and state.lifecycle.phase in ("running", "draining"):
            if agents.current is None or agents.current.key != agents.tasks[-1].wish.agent.key:
                raise Broken("K6", "a sub-dialogue is under way, and another agent speaks")
            if self.current != agents.current.key:
                raise Broken("K6", "the agent of the sub-dialogue is not bound")
        self.dialogues |= {reply.base for reply in state.reply.replies.values() if below(reply, state)}
        under_way = {frame.wish.ask for frame in agents.tasks} | {wish.ask for wish in agents.wishes}
        if self.asks.keys() - under_way:
            raise Broken("K1", f"{self.asks.keys() - under_way} are awaited and will never come")
        for frame in agents.tasks:
            calls = {run.call_id for run in state.tools.runs.values() if run.op is not None}
            if frame.wish.by not in ("", frame.left.key):
                raise Broken("K6", f"{frame.wish.by} awaits {frame.wish.id} and does not have the conversation")
            if frame.wish.call_id and frame.wish.call_id not in calls:
                raise Broken("K1", f"nobody awaits {frame.wish.id} any more, and it goes on")
        for run in state.tools.runs.values():
            if (
                run.tasks
                and run.op not in self.cancelled
                and state.lifecycle.phase == "running"
                and f"tools.deadline:{run.number}" in state.timers
            ):
                raise Broken("K1", f"{run.call_id} awaits a sub-dialogue, and its own time runs")

    def on_CallHook(self, effect: fx.CallHook) -> None:  # noqa: N802
        if effect.hook == "on_user_turn_completed" and effect.agent != self.current:
            raise Broken("K6", "the turn went to an agent that had left")

    # --- K7 ------------------------------------------------------------------------------------------------------

    def on_Record(self, effect: fx.Record) -> None:  # noqa: N802
        self.positions += 1
        if effect.position != self.positions:
            raise Broken("K7", f"fact {effect.position} stands at place {self.positions}")
        if isinstance(effect.fact, ft.ToolResult) and effect.fact.call_id in self.asked_by:
            self.results_at[self.asked_by[effect.fact.call_id]] = effect.position

    # --- K8 ------------------------------------------------------------------------------------------------------

    def priority(self, speech: str) -> None:
        state = self.world.kernel.state
        speeches = state.speech.speeches
        mine = speeches.get(speech)
        if mine is None:
            return
        holder = state.gates["foreground"].owner if "foreground" in state.gates else ""
        if holder and self.world.asked_under.get(mine.base, holder) != holder:
            raise Broken("K8", f"{speech} plays while {holder} has the floor")
        for other in speeches.values():
            if holder and self.world.asked_under.get(other.base) not in (None, holder):
                continue  # it waits for the floor
            before = other.phase == "authorised" and other.ready() and RANK[other.priority] < RANK[mine.priority]
            inside = other.base in self.world.asked_inside and mine.source == "reply" and mine.number < other.number
            if before and not other.clip and not inside:
                raise Broken("K8", f"{speech} plays before {other.id}")
            if mine.base in self.world.asked_inside and self.before(mine.base, other, holder):
                raise Broken("K8", f"{speech} plays before {other.id}, which its tool came of")

    def before(self, asked: str, other: Any, holder: str) -> bool:
        """Whether these are words of the step whose tool asked for the speech, or of one before it, ready to sound."""
        step = self.steps.get(self.world.asked_inside[asked], "")
        if other.phase != "authorised" or not other.ready() or self.world.kernel.state.agents.turns:
            return False
        if holder and self.world.asked_under.get(other.base) not in (None, holder):
            return False
        base, _, number = step.partition("#")
        return other.base == base and int(other.id.partition("#")[2] or 1) <= int(number or 1)

    # --- the whole call ------------------------------------------------------------------------------------------

    def finish(self) -> None:
        world = self.world
        if world.ended_at < 0:
            raise Broken("K5", "the session never ended")
        if self.tasks and world.kernel.state.lifecycle.reason != "fenced":
            raise Broken("K6", f"{self.tasks} have no end")
        conversation = world.kernel.state.conversation
        if self.fold != conversation:
            raise Broken("K7", "the facts do not give the conversation")
        fenced = world.kernel.state.lifecycle.reason == "fenced"
        ids = [i.id for i in conversation.items]
        if len(ids) != len(set(ids)):
            raise Broken("K7", "two items share an id")
        calls = [i.call_id for i in conversation.items if isinstance(i, Call)]
        outputs = [i.call_id for i in conversation.items if isinstance(i, CallOutput)]
        if not fenced and sorted(calls) != sorted(outputs):
            raise Broken("K3", f"calls {calls}, outputs {outputs}")
        orders = [i.created_at for i in conversation.items if isinstance(i, Message) and i.role == "assistant"]
        if orders != sorted(orders):
            raise Broken("K2", "assistant messages are not in the order in which they sounded")
        silent = {f.turn for f in world.facts if isinstance(f, ft.SilenceChosen)}
        for turn in self.committed:
            if turn not in self.adopted and turn not in silent:
                raise Broken("K4", f"turn {turn} has neither a reply nor a recorded silence")
        kept = " ".join(f.text for f in world.facts if isinstance(f, ft.TurnCommitted | ft.TurnDropped)).lower()
        self.nothing_lost(kept, fenced)

    def nothing_lost(self, kept: str, fenced: bool) -> None:
        lost = [word for word in self.said if word not in kept]
        if lost and not fenced:
            raise Broken("K6", f"nobody knows of {lost}, which the caller said")


def judged(seed: int, **options: Any) -> World:
    """Run one world under all rules; raises ``Broken``."""
    world = World(seed, **options)
    rules = Rules(world)
    world.run()
    rules.finish()
    return world
