"""Verdicts: edges with sample times, the energy gate, many lines in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from numpy.typing import NDArray

from antiphon.audio.edges import EdgeDetector, EnergyGate
from antiphon.audio.frames import AudioFrame
from antiphon.audio.plane import Plane
from antiphon.audio.seam import CloseLine, LegSpec, LineConfig, LineError, MicAudio, OpenLine, VadEdge
from antiphon.audio.vad import EnergyVAD, SileroVAD
from antiphon.audio.wav import read_wav
from antiphon.errors import ModelMissingError
from antiphon.local.store import Store
from antiphon.models.vad import VADOptions
from antiphon.transport.memory import MemoryLeg
from tests.audio.plane_driver import START, Story, tone

CALLERS = Path(__file__).parents[2] / "examples" / "coffee" / "callers"


def bursts(*spans: tuple[float, float], total: float, rate: int = 16_000) -> np.ndarray:
    sound = np.zeros(round(total * rate), dtype=np.int16)
    for start, seconds in spans:
        block = tone(seconds, rate)
        sound[round(start * rate) : round(start * rate) + block.size] = block
    return sound


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
def test_edges_carry_the_time_of_the_sound(rate: int) -> None:
    story = Story(MemoryLeg(bursts((0.5, 1.0), (1.6, 0.5), (3.0, 0.5), total=5.0, rate=rate), in_rate=rate))
    story.run(5.0)
    edges = [(edge.edge, edge.at - START) for edge in story.heard(VadEdge)]
    assert [edge for edge, _ in edges] == ["start", "end", "start", "end"]
    assert [at for _, at in edges] == pytest.approx([0.5, 2.1, 3.0, 3.5], abs=0.04)
    for edge in story.heard(VadEdge):
        assert edge.seen - edge.at < (0.12 if edge.edge == "start" else 0.28)


def test_a_click_is_not_speech() -> None:
    story = Story(MemoryLeg(bursts((0.512, 0.03), total=2.0)))
    story.run(2.0)
    assert not story.heard(VadEdge)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 0.6)), min_size=1, max_size=20))
def test_edges_alternate_and_agree_with_the_stretches(stretches: list[tuple[bool, float]]) -> None:
    detector = EdgeDetector(VADOptions())
    now, edges = 0.0, []
    for speech, seconds in stretches:
        edge = detector.judge(1.0 if speech else 0.0, now, now + seconds)
        now += seconds
        if edge:
            edges.append(edge)
    assert [edge.edge for edge in edges] == ["start", "end"] * (len(edges) // 2) + ["start"] * (len(edges) % 2)
    assert [edge.at for edge in edges] == sorted(edge.at for edge in edges)


def test_the_gate_opens_at_once_and_closes_a_little_later() -> None:
    gate = EnergyGate(-60.0)
    assert not gate.passes(-61.0)
    assert gate.passes(-59.0)
    assert gate.passes(-65.0)
    passed = [gate.passes(-90.0) for _ in range(20)]
    assert passed[0]
    assert not passed[-1]
    assert passed == sorted(passed, reverse=True)


class CountingVAD(EnergyVAD):
    """How often it was asked, and about how many lines."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def predict(
        self, windows: NDArray[np.float32], states: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self.batches.append(len(windows))
        return super().predict(windows, states)


def test_twenty_lines_are_judged_in_one_call_and_silence_is_not_asked_about() -> None:
    model = CountingVAD()
    plane = Plane(model, lambda _: lambda options: MemoryLeg(tone(2.0, 16_000) if options["loud"] else None))
    plane.receive(OpenLine(line=str(n), leg=LegSpec("x", {"loud": n < 15})) for n in range(20))
    now: float | None = START
    while now is not None and now < START + 1.0:
        _, now = plane.advance(now)
    assert set(model.batches) == {15}
    assert 30 <= len(model.batches) <= 32


def test_the_core_gets_every_sample_once_with_its_time() -> None:
    sound = np.random.default_rng(1).integers(-3000, 3000, 16_000).astype(np.int16)
    story = Story(MemoryLeg(sound))
    story.run(1.2)
    frames = [message.frame for message in story.heard(MicAudio)]
    heard = np.frombuffer(b"".join(frame.data for frame in frames), dtype="<i2")
    assert np.array_equal(heard[:16_000], sound)
    at = START
    for frame in frames:
        assert frame.at == pytest.approx(at, abs=1e-6)
        at += frame.duration


def test_a_line_that_nobody_listens_to_still_has_edges() -> None:
    story = Story(MemoryLeg(bursts((0.5, 0.5), total=2.0)), LineConfig(input_audio=False))
    story.run(2.0)
    assert not story.heard(MicAudio)
    assert len(story.heard(VadEdge)) == 2


def test_a_leg_that_raises_costs_only_its_own_line() -> None:
    class Broken(MemoryLeg):
        def heard(self, now: float) -> int:
            raise RuntimeError("the card was pulled out")

    legs = {"good": MemoryLeg(tone(2.0, 16_000)), "bad": Broken()}
    plane = Plane(EnergyVAD(), lambda name: lambda _: legs[name])
    plane.receive([OpenLine(line=name, leg=LegSpec(name)) for name in legs])
    said = []
    now: float | None = START
    while now is not None and now < START + 0.5:
        out, now = plane.advance(now)
        said += out
    (error,) = [message for message in said if isinstance(message, LineError)]
    assert (error.line, error.fatal) == ("bad", True)
    assert "pulled out" in error.error
    assert plane.lines == 1
    assert legs["bad"].closed
    assert any(isinstance(message, VadEdge) for message in said)
    plane.receive([CloseLine(line="bad"), CloseLine(line="good")])
    plane.advance(START + 0.5)
    assert plane.lines == 0


def test_a_detector_that_fails_is_told_once_and_the_calls_go_on() -> None:
    class Failing(EnergyVAD):
        def predict(
            self, windows: NDArray[np.float32], states: NDArray[np.float32]
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            raise RuntimeError("out of memory")

    story = Story(MemoryLeg(tone(2.0, 16_000)), vad=Failing())
    story.push("s", tone(0.5, 24_000))
    story.play("s")
    story.run(2.0)
    (error,) = story.heard(LineError)
    assert "out of memory" in error.error
    assert not error.fatal
    assert sum(message.frame.samples for message in story.heard(MicAudio)) == pytest.approx(32_000, abs=600)
    assert story.settled().reason == "end"


def test_a_missing_model_says_what_to_do() -> None:
    with pytest.raises(ModelMissingError, match="models pull"):
        SileroVAD("/nowhere/silero_vad.onnx")


@pytest.fixture(scope="module")
def silero() -> SileroVAD:
    try:
        return SileroVAD(str(Store().path("silero-vad", "silero_vad.onnx")))
    except ModelMissingError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def test_silero_judges_a_batch_as_it_judges_each_alone(silero: SileroVAD) -> None:
    sound = np.random.default_rng(0).normal(0, 0.05, (5, 6, 512)).astype(np.float32)
    states = np.stack([silero.initial_state()] * 5)
    single = states.copy()
    for step in range(6):
        together, states = silero.predict(sound[:, step], states)
        for line in range(5):
            alone, state = silero.predict(sound[line : line + 1, step], single[line : line + 1])
            single[line] = state[0]
            assert alone[0] == pytest.approx(together[line], abs=1e-4)


@pytest.mark.parametrize("clip", sorted(CALLERS.glob("*.wav")), ids=lambda path: path.stem)
def test_silero_finds_a_spoken_order_and_its_end(silero: SileroVAD, clip: Path) -> None:
    sound, _ = read_wav(str(clip), 16_000)
    loud = np.flatnonzero(np.abs(sound) > 1500)
    story = Story(MemoryLeg(np.concatenate((np.zeros(8000, dtype=np.int16), sound))), vad=silero)
    story.run(sound.size / 16_000 + 2.0)
    edges = story.heard(VadEdge)
    assert [edge.edge for edge in edges] == ["start", "end"] * (len(edges) // 2)
    assert edges[0].at - START == pytest.approx(0.5 + loud[0] / 16_000, abs=0.15)
    assert edges[-1].at - START == pytest.approx(0.5 + loud[-1] / 16_000, abs=0.3)


def test_capture_times_that_jump_cost_no_sound() -> None:
    random = np.random.default_rng(3)

    class Jumpy(MemoryLeg):
        def capture(self, now: float) -> Sequence[AudioFrame]:
            return [structs.replace(frame, at=frame.at + random.uniform(-0.2, 0.2)) for frame in super().capture(now)]

    sound = random.integers(-3000, 3000, 16_000).astype(np.int16)
    story = Story(Jumpy(sound))
    story.run(1.5)
    data = b"".join(message.frame.data for message in story.heard(MicAudio))
    assert np.array_equal(np.frombuffer(data, dtype="<i2")[:16_000], sound)
