"""The end-of-turn heads: whole files, one answer on every processor, nothing heard that is not theirs to hear."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest

from antiphon.bench.turn_data import Turn, heard, pauses_of, read_rows, read_sound
from antiphon.errors import ConfigurationError
from antiphon.local import TURN_MODEL, resolve, turn_graph
from antiphon.local.smart_turn import OUTPUTS, SmartTurn, log_mel, window
from antiphon.local.store import Store
from antiphon.local.turn_detector import LocalTurnDetector, head_for
from antiphon.local.turn_graph import encoder_graph
from antiphon.local.turn_heads import (
    FEATURES,
    HEARD_SECONDS,
    Encoded,
    Heads,
    digest_of,
    features,
    parse_heads,
    shipped_heads,
)
from antiphon.turns.delay_table import best_delay
from training.turn_heads.folds import FOLDS, fold_heads, fold_of, reads_out

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "turn-data"
SHIPPED = ROOT / "src" / "antiphon" / "local" / "turn_heads.json"


@pytest.fixture(scope="module")
def file(store: Store) -> Path:
    return store.path(TURN_MODEL) / store.catalog[TURN_MODEL].final_files[0]


@pytest.fixture(scope="module")
def model(file: Path) -> SmartTurn:
    return SmartTurn(file)


@pytest.fixture(scope="module")
def windows() -> list[tuple[str, bool, bytes]]:
    """Real pauses and ends of held-out use: (speaker, over, sound until 0.2 s into it)."""
    if not (DATA / "speechocean762_pauses.jsonl").exists():
        pytest.skip("the turn-taking data is not here")
    pytest.importorskip("soundfile")
    rows = [row for row in read_rows(DATA / "speechocean762_pauses.jsonl") if isinstance(row, Turn)][::30]
    return [
        (row.speaker, pause.ends, heard(sound, row, span, 0.2).astype("<i2").tobytes())
        for row in rows
        for sound in [read_sound(DATA / row.audio)]
        for pause, span in pauses_of(row)
    ]


def sound(seconds: float, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).normal(0, 2000, round(seconds * 16_000)).astype("<i2").tobytes()


# --- the file ----------------------------------------------------------------------------------------------------


def test_the_shipped_heads_are_whole_and_small() -> None:
    heads = shipped_heads()
    assert set(heads.heads) == {"general", "digits"}
    assert heads.digest == digest_of(heads)
    assert SHIPPED.stat().st_size < 16_000
    assert [heads.digest for heads in fold_heads()] == [digest_of(heads) for heads in fold_heads()]
    assert len({heads.digest for heads in [*fold_heads(), heads]}) == FOLDS + 1


@pytest.mark.parametrize("change", ["bias", "weights", "cut", "short"])
def test_damaged_heads_are_refused(change: str) -> None:
    plain = json.loads(SHIPPED.read_bytes())
    if change == "bias":
        plain["heads"]["general"]["bias"] += 0.1
    elif change == "weights":
        plain["heads"]["general"]["weights"] = "!" + plain["heads"]["general"]["weights"][1:]
    document = json.dumps(plain).encode()
    if change == "cut":
        document = document[:-10]
    if change == "short":
        heads = shipped_heads()
        head = msgspec.structs.replace(heads.named("general"), weights="AAAA")
        short = Heads(1, {"general": head}, "")
        document = msgspec.json.encode(msgspec.structs.replace(short, digest=digest_of(short)))
    with pytest.raises(ConfigurationError, match="heads"):
        parse_heads(document)


def test_an_unknown_head_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'spanish'"):
        shipped_heads().named("spanish")


def test_a_speaker_is_always_in_the_same_fold_and_folds_are_alike() -> None:
    assert fold_of("an4", "fejs") == fold_of("an4", "fejs")
    sizes = [sum(fold_of("set", str(n)) == fold for n in range(1000)) for fold in range(FOLDS)]
    assert min(sizes) > 150
    assert reads_out("an4", "H O F F") == "spelling" and reads_out("an4", "THREE OH EIGHT") == "digits"
    assert reads_out("an4", "REPEAT") == reads_out("barista", "ONE") == reads_out("an4", "") == ""


# --- what a head looks at ----------------------------------------------------------------------------------------


def test_a_head_looks_at_the_words_before_the_silence() -> None:
    """Position by position the encoder says its own number; the stretches are averages of the right ones."""
    places = np.repeat(np.arange(200, dtype=np.float32)[:, None], 384, axis=1)
    encoded = Encoded(early=places, late=places, pooled=np.zeros(384, np.float32), verdict=0.5)
    for silence, end in ((0.2, 190), (0.6, 170), (0.1, 190)):
        looked_at = features(encoded, silence)
        assert looked_at.shape == (FEATURES,)
        word, before = (end - 25 + end - 1) / 2, (end - 75 + end - 26) / 2
        assert looked_at[384 * 1] == looked_at[384 * 4] == word
        assert looked_at[384 * 2] == before and looked_at[384 * 3] == 99.5


def test_a_silence_longer_than_the_window_is_no_failure() -> None:
    encoded = Encoded(
        np.zeros((200, 384), np.float32), np.zeros((200, 384), np.float32), np.zeros(384, np.float32), 0.5
    )
    probability = shipped_heads().named("general").probability(features(encoded, 30.0), 0.5, 30.0)
    assert 0.0 < probability < 1.0


def test_sound_before_the_window_does_not_count(model: SmartTurn) -> None:
    late = sound(HEARD_SECONDS)
    assert model.score(sound(3.0, seed=1) + late) == model.score(late)
    assert model.score(b"") == model.score(bytes(2 * 16_000 * 4)), "nothing is silence"


def test_heads_differ_and_the_published_verdict_is_still_there(model: SmartTurn, file: Path) -> None:
    pcm = sound(5.0)
    scores = [model.score(pcm, head) for head in ("general", "digits", "stock")]
    assert len({round(score, 6) for score in scores}) == 3
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    published = session.run(None, {"input_features": log_mel(window(pcm, 8.0))[None]})[0].ravel()[0]
    assert scores[2] == pytest.approx(published, abs=1e-6)


def test_the_detector_by_its_name(store: Store) -> None:
    ours, published = resolve(f"local/{TURN_MODEL}"), resolve(f"local/{TURN_MODEL}:stock")
    assert isinstance(ours, LocalTurnDetector) and isinstance(published, LocalTurnDetector)
    assert (ours.audio_seconds, published.audio_seconds) == (HEARD_SECONDS, 8.0)
    assert [head_for(asked) for asked in ("", "yes_no", "digits", "spelling", "email")] == [
        "general", "general", "digits", "digits", "digits",
    ]  # fmt: skip


# --- the same answer everywhere ----------------------------------------------------------------------------------


class OtherArithmetic(SmartTurn):
    """The same heads on an encoder that another session computes."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._heads = shipped_heads()
        self._encoder = session


@pytest.fixture
def plain(file: Path) -> SmartTurn:
    """Without any of the runtime's optimisations: other kernels, another order of sums."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return OtherArithmetic(onnxruntime.InferenceSession(encoder_graph(file, HEARD_SECONDS), options))


@pytest.fixture
def rounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmartTurn]:
    """With weights and activations as bytes, as published: a far larger error than any two processors differ by."""
    monkeypatch.setattr(turn_graph, "unrounded", lambda graph, arrays: list(graph.node))
    yield OtherArithmetic(onnxruntime.InferenceSession(encoder_graph(file, HEARD_SECONDS)))


def test_other_kernels_give_the_same_score(model: SmartTurn, plain: SmartTurn) -> None:
    for seed in range(3):
        pcm = sound(4.0, seed)
        assert plain.score(pcm) == pytest.approx(model.score(pcm), abs=1e-3)


def test_other_kernels_give_the_same_score_of_real_speech(
    model: SmartTurn, plain: SmartTurn, windows: list[tuple[str, bool, bytes]]
) -> None:
    moved = [abs(plain.score(pcm) - model.score(pcm)) for _, _, pcm in windows]
    assert max(moved) < 2e-3


def test_arithmetic_of_bytes_hardly_moves_a_decision(
    model: SmartTurn, rounded: SmartTurn, windows: list[tuple[str, bool, bytes]]
) -> None:
    delays = [(best_delay(model.score(pcm), 1.0), best_delay(rounded.score(pcm), 1.0)) for _, _, pcm in windows]
    moved = [abs(one - other) for one, other in delays]
    assert float(np.median(moved)) < 0.2 and float(np.percentile(moved, 95)) < 0.7
    turned = [(one > 0.6) != (other > 0.6) for one, other in delays]
    assert sum(turned) / len(turned) < 0.08


def test_a_shaken_verdict_hardly_moves_the_score(model: SmartTurn) -> None:
    """Smart Turn's own verdict differs by .02 (median) to .35 (95th percentile) between two processors' byte arithmetic; it
    has a small part in our score, and the delay is linear in log-odds."""
    encoded = model.encode(sound(4.0))
    head = shipped_heads().named("general")
    looked_at = features(encoded, 0.2)
    for verdict in (0.2, 0.5, 0.8):
        for shift, most in ((0.02, 0.02), (0.35, 0.35)):
            other = min(max(verdict + shift, 0.01), 0.99)
            one, two = (head.probability(looked_at, v, 0.2) for v in (verdict, other))
            assert abs(best_delay(one, 1.0) - best_delay(two, 1.0)) < most


def test_the_encoder_has_no_rounding_left(file: Path) -> None:
    onnx = pytest.importorskip("onnx")
    published = file.read_bytes()
    made = onnx.load_from_string(encoder_graph(file, HEARD_SECONDS))
    assert not {node.op_type for node in made.graph.node} & {"QuantizeLinear", "DequantizeLinear"}
    assert {out.name for out in made.graph.output} == set(OUTPUTS)
    assert file.read_bytes() == published, "the installed file stays as it is"


# --- that they do what they are for ------------------------------------------------------------------------------


def test_speakers_that_a_head_never_heard_are_judged_better_than_by_the_published_model(
    file: Path, windows: list[tuple[str, bool, bytes]]
) -> None:
    folds = [SmartTurn(file, heads=heads) for heads in fold_heads()]
    ours, published = [], []
    for speaker, over, pcm in windows:
        judge = folds[fold_of("speechocean762_pauses", speaker)]
        ours.append((judge.score(pcm), over))
        published.append((judge.score(pcm, "stock"), over))

    def area(scored: list[tuple[float, bool]]) -> float:
        ends, holds = [s for s, over in scored if over], [s for s, over in scored if not over]
        return sum((e > h) + (e == h) / 2 for e in ends for h in holds) / len(ends) / len(holds)

    assert area(ours) > max(0.83, area(published))
    assert math.isclose(sum(over for _, over in ours), 30, abs_tol=1)
