"""What a call adds up to: waterfalls, usage, tools, interruptions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telemetry_story import RATE, Story, ordinary_call

from antiphon.kernel import effects, events, facts
from antiphon.telemetry.records import AnyRecord, RunRecord, SpeechRecord, Stall, TurnRecord
from antiphon.telemetry.usage import message_metrics, usage_of
from antiphon.telemetry.waterfall import waterfall_of


def stages(story: Story, turn: int = 1) -> dict[str, float]:
    waterfall = story.collector.turns[turn].waterfall
    assert waterfall is not None
    return {name: round(value, 6) for name, value in waterfall.stages().items() if value}


def test_an_ordinary_turn() -> None:
    story = ordinary_call()
    assert stages(story) == pytest.approx(
        {
            "endpointing": 0.5, "hook": 0.1, "llm_first_token": 0.2, "llm_first_segment": 0.1,
            "tts_first_audio": 0.15, "playout": 0.05,
        }
    )  # fmt: skip
    turn = story.collector.turns[1]
    assert turn.waterfall is not None and turn.waterfall.total == pytest.approx(1.1) == turn.first_sound
    assert turn.outcome == "replied" and turn.probability == 0.9


def test_what_was_prepared_ahead_costs_nothing() -> None:
    story = Story()
    story.event(events.Vad(now=2.2, edge="end", at=2.0))
    story.reply((0, 1), "s1", at=2.25, ttft=0.1, segment=2.4, audio=2.45, speculative=True)
    story.event(events.Tick(now=2.5))
    story.turn(1, ended=2.0, committed=2.5)
    story.effect(effects.AdoptReply(op=(0, 1)))
    story.effect(effects.Play(speech="s1", interruptible=True))
    story.spoken("s1", at=2.52, turn=1)
    assert stages(story) == pytest.approx({"endpointing": 0.5, "playout": 0.02})


def test_the_wait_for_a_late_transcript_is_named() -> None:
    story = Story()
    story.event(events.Vad(now=2.2, edge="end", at=2.0))
    story.event(events.EndScore(now=2.3, op=(0, 1), probability=0.9))
    story.event(events.Final(now=3.0, segment="a", revision=1, text="x", at=2.0))
    story.turn(1, ended=2.0, committed=3.0)
    story.reply((0, 3), "s1", at=3.0, ttft=0.2, segment=3.3, audio=3.4)
    story.spoken("s1", at=3.4, turn=1)
    assert stages(story)["endpointing"] == pytest.approx(0.3) and stages(story)["stt"] == pytest.approx(0.7)


def test_tool_steps_and_failed_attempts_come_before_the_answer() -> None:
    story = Story()
    story.event(events.Tick(now=2.0))
    story.turn(1, ended=1.5, committed=2.0)
    story.effect(effects.StartReply(op=(0, 1), speech="s1"))
    story.event(events.ToolCall(now=2.4, op=(0, 1), call_id="c", name="order", arguments="{}"))
    story.effect(
        effects.RunTool(
            op=(0, 2), speech="s1", call_id="c", name="order", arguments="{}", effect="write", retry="never", key="k"
        )
    )
    story.event(events.ToolReturned(now=2.9, op=(0, 2), output="no milk", is_error=True))
    story.fact(facts.ToolResult(at=2.9, call_id="c", item="i", name="order", output="no milk", is_error=True))
    story.fact(facts.SayQueued(at=2.9, speech="s2", source="reply"))
    story.reply((0, 3), "s2", at=2.9, ttft=0.1, segment=3.1, audio=3.2)
    story.spoken("s2", at=3.2)
    assert stages(story)["steps"] == pytest.approx(0.9)
    tool = story.collector.tools["c"]
    assert (tool.duration, tool.error, tool.effect) == (pytest.approx(0.5), "no milk", "write")


def test_a_filler_sounds_first_but_is_not_the_reply() -> None:
    story = Story()
    story.event(events.Tick(now=2.0))
    story.turn(1, ended=1.5, committed=2.0)
    story.fact(facts.LadderRung(at=4.0, n=1, action="filler", waiting_for="llm"))
    story.fact(facts.SayQueued(at=4.0, speech="f", source="ladder"))
    story.spoken("f", at=4.0)
    story.reply((0, 3), "s1", at=2.0, ttft=3.0, segment=5.2, audio=5.3)
    story.spoken("s1", at=5.3, turn=1)
    turn = story.collector.turns[1]
    assert turn.first_sound == pytest.approx(2.5) and turn.waterfall is not None
    assert turn.waterfall.total == pytest.approx(3.8) and turn.reply is not None and turn.reply.speech == "s1"
    assert [rung.action for rung in story.collector.rungs] == ["filler"]


def test_the_plane_knows_best_when_it_began_to_sound() -> None:
    story = Story()
    story.turn(1, ended=1.5, committed=2.0)
    story.reply((0, 1), "s1", at=2.0, ttft=0.1, segment=2.2, audio=2.3)
    story.effect(effects.Play(speech="s1", interruptible=True))
    story.collector.sounded("s1", 2.32)
    story.spoken("s1", at=2.6, turn=1)
    turn = story.collector.turns[1]
    assert turn.first_sound == pytest.approx(0.82) and stages(story)["playout"] == pytest.approx(0.02)


def test_words_spoken_before_silence_was_chosen_are_a_reply() -> None:
    story = Story()
    story.event(events.Tick(now=2.0))
    story.turn(1, ended=1.5, committed=2.0)
    story.reply((0, 1), "s1", at=2.0, ttft=0.1, segment=2.2, audio=2.3)
    story.fact(facts.SilenceChosen(at=2.4, turn=1, reason="no tool asked for one"))
    story.spoken("s1", at=2.4, turn=1)
    assert story.collector.turns[1].outcome == "replied" and stages(story)["tts_first_audio"] == pytest.approx(0.1)


def test_usage_and_what_speculation_wasted() -> None:
    story = ordinary_call()
    story.collector.on_event(events.Metered(stage="stt", audio_seconds=2.0))
    story.collector.on_event(events.Metered(stage="stt", audio_seconds=1.0))
    story.reply((0, 7), "s9", at=6.0, ttft=0.1, segment=6.2, audio=6.3, speculative=True)
    story.fact(facts.ReplyDiscarded(at=6.4, turn=2, speech="s9", reason="text changed", segments=1))
    stt, llm, tts = usage_of(story.collector)
    assert (stt.kind, stt.audio_seconds, stt.model, stt.wasted) == ("stt", 3.0, "moonshine", None)
    assert (llm.requests, llm.prompt_tokens, llm.completion_tokens, llm.cached_tokens) == (2, 100, 14, 80)
    assert llm.wasted is not None and (llm.wasted.requests, llm.wasted.completion_tokens) == (1, 7)
    assert (tts.characters, tts.audio_seconds) == (24, 2.0)
    assert tts.wasted is not None and tts.wasted.audio_seconds == 1.0


def test_a_model_that_changes_amid_the_call_has_its_own_line() -> None:
    story = ordinary_call()
    story.collector.use_model("llm", "openai", "gpt")
    story.reply((0, 7), "s2", at=6.0, ttft=0.1, segment=6.2, audio=6.3)
    assert [(u.provider, u.requests) for u in usage_of(story.collector) if u.kind == "llm"] == [
        ("ollama", 1),
        ("openai", 1),
    ]


def test_true_and_false_interruptions() -> None:
    story = ordinary_call()
    story.event(events.AutoPaused(now=5.0, speech="s2", position=100, at=5.0))
    story.effect(effects.Resume(speech="s2", at=100))
    story.event(events.AutoPaused(now=6.0, speech="s2", position=200, at=6.0))
    story.event(events.AutoResumed(now=6.8, speech="s2", position=200))
    story.event(events.AutoResumed(now=6.9, speech="s2", position=200))
    story.spoken("s2", at=4.5, done=8.0, interrupted=True)
    assert [i.real for i in story.collector.interruptions] == [False, False, True]


def test_speech_that_never_sounded_was_not_interrupted() -> None:
    story = Story()
    story.fact(facts.SpeechDone(at=1.0, speech="s", outcome="interrupted"))
    assert story.collector.interruptions == []


def test_errors_of_models_hooks_and_the_application() -> None:
    story = ordinary_call()
    story.effect(effects.StartReply(op=(0, 9), speech="s2"))
    story.event(events.ReplyFailed(now=7.0, op=(0, 9), stage="llm", error="HTTP 500", retryable=True))
    story.event(events.SttLost(now=7.1, error="deaf", recovering=True))
    story.effect(effects.CallHook(op=(0, 10), agent="a", hook="on_enter"))
    story.event(events.HookReturned(now=7.2, op=(0, 10), error="ValueError: x"))
    story.collector.failed("callback", "boom")
    assert [(f.source, f.error) for f in story.collector.failures] == [
        ("llm", "HTTP 500"), ("stt", "deaf"), ("hook on_enter", "ValueError: x"), ("callback", "boom"),
    ]  # fmt: skip
    assert story.collector.runs[(0, 9)].outcome == "failed"


def test_a_turn_without_an_answer_and_one_that_was_typed() -> None:
    story = Story()
    story.event(events.Typed(now=1.0, text="hi"))
    story.fact(facts.TurnCommitted(at=1.0, turn=1, item="u1", text="hi", modality="text"))
    story.fact(facts.SilenceChosen(at=1.0, turn=1, reason="stopped"))
    turn = story.collector.turns[1]
    assert (turn.ended, turn.outcome, turn.reason, turn.waterfall) == (1.0, "silent", "stopped", None)
    story.turn(2, ended=1.2, committed=1.5)
    story.fact(facts.SessionEnded(at=2.0, reason="hangup"))
    assert story.collector.turns[2].outcome == "unanswered" and story.collector.close_reason == "hangup"


def test_figures_of_single_messages() -> None:
    story = ordinary_call()
    user = message_metrics(story.collector, "user1")
    assert user == pytest.approx(
        {
            "end_of_turn_delay": 0.5, "on_user_turn_completed_delay": 0.1, "transcription_delay": 0.3,
            "end_of_turn_probability": 0.9,
        }
    )  # fmt: skip
    agent = message_metrics(story.collector, "item-s1")
    assert agent == pytest.approx(
        {
            "llm_node_ttft": 0.2, "tts_node_ttfb": 0.15, "e2e_latency": 1.1, "started_speaking_at": 3.1,
            "stopped_speaking_at": 4.1,
        }
    )  # fmt: skip
    assert message_metrics(story.collector, "nobody") == {} == message_metrics(story.collector, "")


def test_observers_get_each_record_once_and_may_fail() -> None:
    class Broken:
        def observe(self, record: AnyRecord) -> None:
            raise RuntimeError

    class Kept:
        def __init__(self) -> None:
            self.records: list[AnyRecord] = []

        def observe(self, record: AnyRecord) -> None:
            self.records.append(record)

    kept = Kept()
    story = ordinary_call(Broken(), kept)
    story.collector.dropped({"late": 2})
    story.collector.dropped({"late": 1})
    story.collector.stall(Stall(loop="user", running="tool x", where="a.py:1", function="f", seconds=0.2))
    story.fact(facts.SessionEnded(at=5.0, reason="hangup"))
    story.collector.finish()
    assert [type(r).__name__ for r in kept.records] == ["RunRecord", "TurnRecord", "Drops", "Drops", "Stall"]
    assert story.collector.drops == {"late": 3}


moment = st.floats(0, 10) | st.just(-1.0)


@settings(max_examples=500, deadline=None)
@given(st.lists(moment, min_size=10, max_size=10), st.booleans())
def test_the_parts_always_add_up(m: list[float], with_run: bool) -> None:
    turn = TurnRecord(turn=1, ended=max(m[0], 0), decided=m[1], committed=m[2], evidence=m[3], final=m[4])
    run = RunRecord(
        op=(0, 1), speech="s", source="reply", llm=Story().collector.models["llm"], tts=Story().collector.models["tts"],
        started=m[5], first_token=m[6], first_segment=m[7], first_audio=m[8],
    )  # fmt: skip
    speech = SpeechRecord(speech="s", sounded=m[9])
    waterfall = waterfall_of(turn, speech, run if with_run else None)
    if speech.sounded < turn.ended:
        assert waterfall is None
    else:
        assert waterfall is not None
        assert all(part >= 0 for part in waterfall.stages().values())
        assert waterfall.total == pytest.approx(speech.sounded - turn.ended)


EVENTS: list[object] = [
    events.Vad(edge="end", at=1.0),
    events.Final(segment="a", revision=1, text="x", at=1.0),
    events.Segment(op=(0, 1), index=0, text="x"),
    events.Synthesised(op=(0, 1), index=0, start=0, samples=RATE, done=True),
    events.AudioDone(op=(0, 1), samples=RATE),
    events.Generated(op=(0, 1), ttft=0.1),
    events.ReplyFailed(op=(0, 1), stage="llm", error="x", retryable=True),
    events.Acked(speech="s1", position=100, quality="paced"),
    events.AutoPaused(speech="s1", position=1, at=1.0),
    events.AutoResumed(speech="s1", position=1),
    events.ToolReturned(op=(0, 2), output="x"),
    events.HookReturned(op=(0, 3), error="x"),
    effects.StartReply(op=(0, 1), speech="s1"),
    effects.StartSay(op=(0, 1), speech="s1"),
    effects.Cancel(op=(0, 1)),
    effects.Resume(speech="s1", at=1),
    effects.Play(speech="s1", interruptible=True),
    effects.CallHook(op=(0, 3), agent="a", hook="on_user_turn_completed", turn=1),
    effects.RunTool(op=(0, 2), speech="s1", call_id="c", name="t", arguments="", effect="read", retry="never", key=""),
    facts.TurnCommitted(turn=1, item="u", text="x", started=0.5, ended=0.9),
    facts.TurnDropped(turn=1, text="x", reason="noise"),
    facts.ReplyAdopted(turn=1, speech="s1", speculative=True),
    facts.ReplyDiscarded(turn=1, speech="s1", reason="x"),
    facts.SilenceChosen(turn=1, reason="x"),
    facts.SayQueued(speech="s1", source="reply"),
    facts.SpeechHeard(speech="s1", item="i", text="x", samples=1, quality="paced", estimated=True, interrupted=True, order=1.0),
    facts.SpeechDone(speech="s1", outcome="interrupted"),
    facts.ToolIntent(call_id="c", item="i", name="t", arguments="", effect="read", retry="never", key="", speech="s1"),
    facts.ToolResult(call_id="c", item="i", name="t", output="x"),
    facts.ToolInDoubt(call_id="c", item="i", name="t"),
    facts.AgentEntered(item="i", agent="a"),
    facts.SessionEnded(reason="x"),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(EVENTS), max_size=40))
def test_any_order_of_anything_is_taken(sequence: list[object]) -> None:
    story = Story()
    for n, item in enumerate(sequence):
        if isinstance(item, facts.Fact):
            story.fact(type(item)(**{**{f: getattr(item, f) for f in item.__struct_fields__}, "at": n / 10}))  # type: ignore[arg-type]
        elif isinstance(item, effects.Effect):
            story.effect(item)  # type: ignore[arg-type]
        else:
            fields = {f: getattr(item, f) for f in item.__struct_fields__}  # type: ignore[attr-defined]
            story.event(type(item)(**{**fields, "now": n / 10}))  # type: ignore[arg-type]
    usage_of(story.collector)
    for turn in story.collector.turns.values():
        if turn.waterfall is not None:
            assert turn.reply is not None
            assert turn.waterfall.total == pytest.approx(turn.reply.sounded - turn.ended)
    message_metrics(story.collector, "i")
