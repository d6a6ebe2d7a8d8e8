"""Usage per model, and the figures that belong to single messages.

Owns: sums over records. Never: prices.
"""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.kernel.events import Metered
from antiphon.telemetry.collector import Collector
from antiphon.telemetry.records import ModelName, ModelUsage, RunRecord

CHARACTERS_PER_TOKEN = 4.0


def usage_of(collector: Collector) -> list[ModelUsage]:
    """What each model was asked for so far, in the order of first use. Models that stand for others are not in it: they
    say which of the others did what."""
    table: dict[ModelName, ModelUsage] = {
        name: _empty(name) for name in collector.models_used if name not in collector.metering
    }
    for name, event in collector.metered:
        usage = table.setdefault(name, _empty(name))
        _add_metered(usage, event)
        run = None if event.op is None else collector.runs.get(event.op)
        if event.wasted or (run is not None and run.outcome and _unheard(collector, run)):
            usage.wasted = usage.wasted or _empty(name)
            _add_metered(usage.wasted, event)
    prompts: dict[ModelName, int] = {}
    for run in collector.runs.values():
        for name in _models_of(run):
            if name in collector.metering:
                continue
            usage = table.setdefault(name, _empty(name))
            _add(usage, run, prompts.get(name, 0))
            if run.outcome and _unheard(collector, run):
                usage.wasted = usage.wasted or _empty(name)
                _add(usage.wasted, run, prompts.get(name, 0))
            prompts[name] = run.prompt_tokens or prompts.get(name, 0)
    return list(table.values())


def message_metrics(collector: Collector, item: str) -> dict[str, float]:
    """Figures for the message ``item`` in history, in seconds; empty where nothing is known.

    A caller's message: ``end_of_turn_delay`` (last sound to decision), ``transcription_delay`` (to the final
    transcript), ``on_user_turn_completed_delay``, ``end_of_turn_probability``. An agent's: ``llm_node_ttft``,
    ``tts_node_ttfb``, ``e2e_latency`` (last sound of the caller to first of the agent), ``started_speaking_at``,
    ``stopped_speaking_at`` (session time).
    """
    turn = next((turn for turn in collector.turns.values() if turn.item == item), None)
    if turn is not None:
        figures = {
            "end_of_turn_delay": turn.decided - turn.ended,
            "on_user_turn_completed_delay": turn.committed - turn.decided,
        }
        if turn.final >= 0:
            figures["transcription_delay"] = max(0.0, turn.final - turn.ended)
        if turn.probability is not None:
            figures["end_of_turn_probability"] = turn.probability
        return figures
    speech = next((speech for speech in collector.speeches.values() if speech.item == item), None)
    if speech is None or not item:
        return {}
    figures = {}
    for run in collector.runs.values():
        if run.speech != speech.speech:
            continue
        if run.first_token >= 0:
            figures["llm_node_ttft"] = run.first_token - run.started
        if run.first_audio >= 0 and run.first_segment >= 0:
            figures["tts_node_ttfb"] = run.first_audio - run.first_segment
    if speech.sounded >= 0:
        figures["started_speaking_at"] = speech.sounded
    if speech.done >= 0:
        figures["stopped_speaking_at"] = speech.done
    answered = collector.turns.get(speech.turn)
    if answered is not None and speech.source != "ladder" and speech.sounded >= answered.ended:
        figures["e2e_latency"] = speech.sounded - answered.ended
    return figures


def _unheard(collector: Collector, run: RunRecord) -> bool:
    speech = collector.speeches.get(run.speech)
    return speech is None or speech.sounded < 0


def _models_of(run: RunRecord) -> Iterable[ModelName]:
    if run.source == "reply":
        yield run.llm
    if run.characters or run.audio_seconds:
        yield run.tts


def _empty(name: ModelName) -> ModelUsage:
    return ModelUsage(kind=name.kind, provider=name.provider, model=name.model)


def _add(usage: ModelUsage, run: RunRecord, prompt: int) -> None:
    """``prompt``: tokens of the model's last known prompt, for a request that was stopped before its service told: the next
    one is about as long."""
    usage.requests += 1
    if usage.kind != "llm":
        usage.characters += run.characters
        usage.audio_seconds += run.audio_seconds
    elif run.prompt_tokens or run.completion_tokens:
        usage.prompt_tokens += run.prompt_tokens
        usage.completion_tokens += run.completion_tokens
        usage.cached_tokens += run.cached_tokens
    else:
        usage.estimated_requests += 1
        usage.prompt_tokens += prompt
        usage.completion_tokens += round(run.written / CHARACTERS_PER_TOKEN)


def _add_metered(usage: ModelUsage, event: Metered) -> None:
    usage.requests += event.requests
    usage.prompt_tokens += event.prompt_tokens
    usage.completion_tokens += event.completion_tokens
    usage.cached_tokens += event.cached_tokens
    usage.characters += event.characters
    usage.audio_seconds += event.audio_seconds
    usage.estimated_requests += event.requests if event.estimated else 0
