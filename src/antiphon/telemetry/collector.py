"""Follows a session by what its kernel is told, decides and records, and keeps the account.

Owns: events, facts and effects -> records. Never: I/O, clocks, numbers of its own: a replayed log gives the same account.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from antiphon.audio.frames import PLAY_RATE
from antiphon.kernel import effects, events, facts
from antiphon.telemetry.records import (
    AnyRecord,
    Drops,
    Failure,
    Interruption,
    ModelKind,
    ModelName,
    Rung,
    RunRecord,
    SpeechRecord,
    Stall,
    ToolRecord,
    TurnRecord,
)
from antiphon.telemetry.waterfall import waterfall_of

TURN_HOOK = "on_user_turn_completed"
SAME_FAILURE = 0.05
"""Seconds within which the same failure, told twice, is one."""


class Observer(Protocol):
    """Gets each record when it is complete (traces and metrics are such observers). What it raises is ignored."""

    def observe(self, record: AnyRecord) -> None: ...


class Collector:
    """Feed it everything, in order: ``on_event`` before the kernel steps, ``on_effect`` for what comes out (a ``Record``
    effect brings its fact along; ``on_fact`` is for logs). The rest tells it what the kernel does not know."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self.now = 0.0
        self.turns: dict[int, TurnRecord] = {}
        self.speeches: dict[str, SpeechRecord] = {}
        self.runs: dict[tuple[int, int], RunRecord] = {}
        self.tools: dict[str, ToolRecord] = {}
        self.models: dict[ModelKind, ModelName] = {}
        self.models_used: list[ModelName] = []
        self.metering: set[ModelName] = set()
        self.metered: list[tuple[ModelName, events.Metered]] = []
        self.interruptions: list[Interruption] = []
        self.rungs: list[Rung] = []
        self.stalls: list[Stall] = []
        self.failures: list[Failure] = []
        self.drops: dict[str, int] = {}
        self.dropped_turns: dict[str, int] = {}
        self.agents: list[str] = []
        self.close_reason = ""
        self.position = 0
        self._observers = tuple(observers)
        self._current = -1
        self._vad_end = (-1.0, -1.0)
        self._scored = -1.0
        self._final = -1.0
        self._decided: dict[int, tuple[float, float, float]] = {}
        self._tool_ops: dict[tuple[int, int], str] = {}
        self._hook_ops: dict[tuple[int, int], str] = {}
        self._unvoiced: dict[tuple[tuple[int, int], int], int] = {}
        self._paused: set[str] = set()
        self._told: set[int] = set()

    # --- told by the shell ---------------------------------------------------------------------------------------

    def use_model(self, kind: ModelKind, provider: str, model: str, *, meters: bool = False) -> None:
        """From here on this is the session's model of its kind. ``meters``: it says itself what was used."""
        name = ModelName(kind=kind, provider=provider, model=model)
        if meters:
            self.metering.add(name)
        self.models[kind] = name
        if name not in self.models_used:
            self.models_used.append(name)

    def sounded(self, speech: str, at: float) -> None:
        """``speech`` was first heard at ``at``: where the plane knows better than the acknowledgements tell."""
        record = self._speech(speech)
        record.sounded = -1.0
        self._heard(record, at)

    def dropped(self, counts: Mapping[str, int]) -> None:
        """The plane lost something: counts by name, since the last report."""
        for name, count in counts.items():
            self.drops[name] = self.drops.get(name, 0) + count
        self._tell(Drops(counts=dict(counts)))

    def stall(self, stall: Stall) -> None:
        """The stall monitor saw an event loop stand still."""
        self.stalls.append(stall)
        self._tell(stall)

    def failed(self, source: str, error: str) -> None:
        """Something went wrong. What the kernel was told, the application is told as well, and may say here again: that
        counts once."""
        if any(known.error == error and self.now - known.at < SAME_FAILURE for known in self.failures[-4:]):
            return
        failure = Failure(source=source, error=error, at=self.now)
        self.failures.append(failure)
        self._tell(failure)

    def finish(self) -> None:
        """The session is over: turns that were never answered are complete now."""
        for turn in self.turns:
            self._complete(turn)

    # --- what the kernel is told ---------------------------------------------------------------------------------

    def on_event(self, event: events.AnyEvent) -> None:
        self.now = max(self.now, event.now)
        match event:
            case events.Vad(edge="end", at=at):
                self._vad_end = (at, event.now)
            case events.Vad():
                self._vad_end = (-1.0, -1.0)
            case events.EndScore():
                self._scored = event.now
            case events.Final():
                self._final = event.now
            case events.SttLost(error=error):
                self.failed("stt", error)
            case events.Segment(op=op, index=index, text=text):
                if run := self.runs.get(op):
                    run.first_segment = _first(run.first_segment, event.now)
                    run.written += len(text)
                    self._unvoiced[op, index] = len(text)
            case events.Synthesised(op=op, index=index, start=start, samples=samples):
                if (run := self.runs.get(op)) and samples > 0:
                    run.characters += self._unvoiced.pop((op, index), 0)
                    run.first_audio = _first(run.first_audio, event.now)
                    run.audio_seconds = max(run.audio_seconds, (start + samples) / PLAY_RATE)
            case events.AudioDone(op=op, samples=samples):
                if run := self.runs.get(op):
                    run.audio_done = event.now
                    run.audio_seconds = max(run.audio_seconds, samples / PLAY_RATE)
            case events.ToolCall(op=op):
                if run := self.runs.get(op):
                    run.tool_calls += 1
                    run.first_token = _first(run.first_token, event.now)
            case events.Generated():
                self._generated(event)
            case events.Metered(stage=kind, provider=provider, model=model):
                own = ModelName(kind=kind, provider=provider, model=model) if provider else self._model(kind)
                self.metered.append((own, event))
            case events.ReplyFailed(op=op, stage=stage, error=error):
                if run := self.runs.get(op):
                    run.outcome, run.error, run.generated = "failed", error, _first(run.generated, event.now)
                    self._tell(run)
                self.failed(stage, error)
            case events.AutoPaused(speech=speech):
                self._paused.add(speech)
            case events.AutoResumed(speech=speech):
                self._false_interruption(speech)
            case events.Acked(speech=speech, position=position):
                if position > 0:
                    self._heard(self._speech(speech), event.now - position / PLAY_RATE)
            case events.ToolReturned(op=op, output=output, is_error=is_error):
                if tool := self.tools.get(self._tool_ops.get(op, "")):
                    tool.duration = event.now - tool.started
                    tool.error = output if is_error else ""
                    self._tell(tool)
            case events.HookReturned(op=op, error=error):
                hook = self._hook_ops.pop(op, "")
                if error:
                    self.failed(f"hook {hook}".rstrip(), error)
            case _:
                pass

    # --- what it decides -----------------------------------------------------------------------------------------

    def on_effect(self, effect: effects.AnyEffect) -> None:
        match effect:
            case effects.Record(position=position, fact=fact):
                self.on_fact(position, fact)
            case effects.StartReply(op=op, speech=speech, speculative=speculative, attempt=attempt):
                self._start(op, speech, "reply", attempt, speculative)
            case effects.StartSay(op=op, speech=speech, attempt=attempt):
                self._start(op, speech, "say", attempt, False)
            case effects.Cancel(op=op):
                run = self.runs.get(op)
                if run is not None and run.audio_done < 0 and not run.outcome:
                    run.outcome = "cancelled"
            case effects.CallHook(op=op, hook=hook, turn=turn):
                self._hook_ops[op] = hook
                if hook == TURN_HOOK and turn not in self._decided:
                    self._decided[turn] = self._evidence()
            case effects.RunTool(op=op, call_id=call_id, name=name, effect=kind):
                self._tool_ops[op] = call_id
                tool = self.tools.setdefault(call_id, ToolRecord(call_id=call_id, name=name))
                tool.effect, tool.started = kind, self.now
            case effects.Play(speech=speech) | effects.PlayCanned(speech=speech):
                record = self._speech(speech)
                record.allowed = _first(record.allowed, self.now)
            case effects.Resume(speech=speech):
                self._false_interruption(speech)
            case _:
                pass

    # --- what it records -----------------------------------------------------------------------------------------

    def on_fact(self, position: int, fact: facts.AnyFact) -> None:
        self.position = max(self.position, position)
        self.now = max(self.now, fact.at)
        match fact:
            case facts.TurnCommitted():
                self._commit(fact)
            case facts.TurnDropped(reason=reason):
                self.dropped_turns[reason] = self.dropped_turns.get(reason, 0) + 1
            case facts.SilenceChosen(turn=n, reason=reason):
                if turn := self.turns.get(n):
                    turn.outcome, turn.reason = "silent", reason
            case facts.ReplyAdopted(turn=n, speech=speech):
                self._speech(speech).turn = n
            case facts.ReplyDiscarded(speech=speech):
                for run in self._runs_of(speech):
                    run.outcome = "discarded"
            case facts.SayQueued(speech=speech, source=source):
                record = self._speech(speech)
                record.source = source
                if source != "say" and record.turn < 0:
                    record.turn = self._current
            case facts.SpeechHeard():
                record = self._speech(fact.speech)
                record.item, record.text, record.estimated = fact.item, fact.text, fact.estimated
                record.interrupted = fact.interrupted
                if fact.text or fact.samples:
                    self._heard(record, fact.order)
            case facts.SpeechDone(speech=speech, outcome=outcome):
                self._speech_done(speech, outcome)
            case facts.ToolIntent(call_id=call_id, name=name, effect=kind):
                self.tools.setdefault(call_id, ToolRecord(call_id=call_id, name=name, effect=kind, started=fact.at))
            case facts.ToolResult():
                tool = self.tools.setdefault(
                    fact.call_id, ToolRecord(call_id=fact.call_id, name=fact.name, started=fact.at)
                )
                tool.detached, tool.error = fact.late > 0, fact.output if fact.is_error else ""
                first = tool.duration < 0
                tool.duration = fact.at - tool.started
                if first:
                    self._tell(tool)
            case facts.ToolInDoubt(call_id=call_id, name=name):
                tool = self.tools.setdefault(call_id, ToolRecord(call_id=call_id, name=name, started=fact.at))
                tool.in_doubt = True
                self._tell(tool)
            case facts.AgentEntered(agent=agent):
                self.agents.append(agent)
            case facts.LadderRung(n=n, action=action, waiting_for=waiting_for):
                rung = Rung(n=n, action=action, waiting_for=waiting_for, at=fact.at)
                self.rungs.append(rung)
                self._tell(rung)
            case facts.SessionEnded(reason=reason):
                self.close_reason = reason
                self.finish()
            case _:
                pass

    # --- details -------------------------------------------------------------------------------------------------

    def _start(self, op: tuple[int, int], speech: str, source: str, attempt: int, speculative: bool) -> None:
        self.runs[op] = RunRecord(
            op=op,
            speech=speech,
            source="say" if source == "say" else "reply",
            llm=self._model("llm"),
            tts=self._model("tts"),
            attempt=attempt,
            speculative=speculative,
            started=self.now,
        )

    def _generated(self, event: events.Generated) -> None:
        run = self.runs.get(event.op)
        if run is None:
            return
        run.generated = event.now
        run.prompt_tokens, run.completion_tokens = event.prompt_tokens, event.completion_tokens
        run.cached_tokens = event.cached_tokens
        if event.ttft > 0:
            run.first_token = run.started + event.ttft
        self._tell(run)

    def _evidence(self) -> tuple[float, float, float]:
        """(decided, the last evidence of silence before it, the last final transcript)."""
        return self.now, max(self._vad_end[1], self._scored), self._final

    def _commit(self, fact: facts.TurnCommitted) -> None:
        now = self._evidence()
        decided, evidence, final = self._decided.pop(fact.turn, now)
        ended = fact.ended if 0 < fact.ended <= decided else self._vad_end[0]
        if fact.modality == "text" or not 0 < ended <= decided:
            ended = decided
        self._complete(self._current)
        self._current = fact.turn
        self.turns[fact.turn] = TurnRecord(
            turn=fact.turn,
            item=fact.item,
            text=fact.text,
            modality=fact.modality,
            language=fact.language,
            started=fact.started or ended,
            ended=ended,
            decided=decided,
            committed=max(decided, fact.at),
            evidence=evidence,
            final=final,
            probability=fact.probability,
        )
        self._scored = self._final = -1.0

    def _heard(self, record: SpeechRecord, began: float) -> None:
        if record.sounded < 0:
            record.sounded = max(began, record.allowed, 0.0)
            turn = self.turns.get(record.turn if record.turn >= 0 else self._current)
            if turn is not None and turn.first_sound < 0 and record.sounded >= turn.ended:
                turn.first_sound = record.sounded - turn.ended

    def _speech_done(self, speech: str, outcome: str) -> None:
        record = self._speech(speech)
        record.done, record.outcome = self.now, outcome
        record.interrupted = record.interrupted or outcome == "interrupted"
        if record.interrupted and record.sounded >= 0:
            self._interruption(speech, real=True)
        turn = self.turns.get(record.turn)
        if turn is not None and record.source != "ladder" and turn.reply is None and record.sounded >= 0:
            turn.reply, turn.outcome = record, "replied"
            turn.runs = [run for run in self.runs.values() if self._speech(run.speech).turn == turn.turn]
            spoken = [run for run in self._runs_of(speech) if run.first_audio >= 0 or run.first_segment >= 0]
            turn.waterfall = waterfall_of(turn, record, spoken[0] if spoken else None)
            self._complete(turn.turn)

    def _complete(self, n: int) -> None:
        turn = self.turns.get(n)
        if turn is not None and n not in self._told:
            self._told.add(n)
            self._tell(turn)

    def _false_interruption(self, speech: str) -> None:
        if speech in self._paused:
            self._interruption(speech, real=False)

    def _interruption(self, speech: str, *, real: bool) -> None:
        self._paused.discard(speech)
        interruption = Interruption(speech=speech, at=self.now, real=real)
        self.interruptions.append(interruption)
        self._tell(interruption)

    def _speech(self, speech: str) -> SpeechRecord:
        return self.speeches.setdefault(speech, SpeechRecord(speech=speech))

    def _runs_of(self, speech: str) -> list[RunRecord]:
        return [run for run in self.runs.values() if run.speech == speech]

    def _model(self, kind: ModelKind) -> ModelName:
        return self.models.get(kind) or ModelName(kind=kind)

    def _tell(self, record: AnyRecord) -> None:
        for observer in self._observers:
            with suppress(Exception):
                observer.observe(record)


def _first(known: float, now: float) -> float:
    return known if known >= 0 else now
