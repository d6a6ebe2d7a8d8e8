"""What page and leg tell each other: exact shapes, bounded, and nothing that a page sends can hurt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.transport.webrtc import signals

PAGE_SAYS: list[tuple[str, signals.AnyToLeg]] = [
    ('{"type":"offer","id":1,"sdp":"v=0"}', signals.Offer(1, "v=0")),
    ('{"type":"candidate","id":1,"candidate":"candidate:1"}', signals.Candidate(1, "candidate:1")),
    ('{"type":"candidate","id":1,"candidate":null}', signals.Candidate(1, None)),
    ('{"type":"playout","played":1.5,"delay":0.08}', signals.Playout(1.5, 0.08)),
    ('{"type":"playout","played":1}', signals.Playout(1.0)),
    ('{"type":"mute","muted":true}', signals.Mute(True)),
    ('{"type":"text","text":"hi"}', signals.Text("hi")),
    ('{"type":"dtmf","digits":"12#"}', signals.Dtmf("12#")),
    ('{"type":"bye"}', signals.Bye()),
    ('{"type":"bye","unknown":"field"}', signals.Bye()),
]
LEG_SAYS: list[tuple[signals.AnyFromLeg, dict[str, Any]]] = [
    (signals.Answer(1, "v=0"), {"type": "answer", "id": 1, "sdp": "v=0"}),
    (signals.LocalCandidate(1, None), {"type": "candidate", "id": 1, "candidate": None}),
    (signals.Connection(1, "lost"), {"type": "connection", "id": 1, "state": "lost"}),
    (signals.Error(None, "no", "do"), {"type": "error", "id": None, "error": "no", "hint": "do"}),
    (
        signals.Stats(1, None, 0.0, 0.001, 0.0, None, None),
        {
            "type": "stats", "id": 1, "rtt": None, "loss": 0.0, "jitter": 0.001, "concealed": 0.0,
            "remote_loss": None, "remote_jitter": None,
        },
    ),
]  # fmt: skip
REFUSED = [
    "", "null", "[]", "7", "{", '{"type":"offer"}', '{"type":"offer","id":-1,"sdp":""}', '{"type":"offer","id":"1","sdp":""}',
    '{"type":"hello"}', '{"type":"dtmf","digits":"x"}', '{"type":"text","text":""}', '{"type":"playout","played":-1}',
    '{"type":"playout","played":NaN}', '{"type":"playout","played":1e999}', '{"type":"mute","muted":"yes"}', "[" * 50_000,
    '{"type":"text","text":"' + "x" * 16_001 + '"}', '{"type":"candidate","id":1,"candidate":"' + "x" * 1025 + '"}',
    '{"type":"offer","id":1,"sdp":"' + "x" * signals.MOST_SIGNAL + '"}', "\ud800",
]  # fmt: skip


@pytest.mark.parametrize(("text", "signal"), PAGE_SAYS)
def test_a_page_says(text: str, signal: signals.AnyToLeg) -> None:
    assert signals.read(text) == signal
    assert signals.read(signals.write(signal)) == signal


@pytest.mark.parametrize(("signal", "shape"), LEG_SAYS)
def test_a_leg_says(signal: signals.AnyFromLeg, shape: dict[str, Any]) -> None:
    assert json.loads(signals.write(signal)) == shape
    assert signals.read_from_leg(signals.write(signal)) == signal


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40].encode("ascii", "replace").decode())
def test_what_is_no_signal_is_refused_with_a_word_on_why(text: str) -> None:
    with pytest.raises(signals.SignalError) as caught:
        signals.read(text)
    assert caught.value.hint


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
_types = ["offer", "candidate", "playout", "mute", "text", "dtmf", "bye", "answer", ""]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_types), st.dictionaries(st.sampled_from(["id", "sdp", "candidate", "played", "delay"]), _json))
def test_any_object_is_a_signal_or_refused(kind: str, fields: dict[str, Any]) -> None:
    try:
        signals.read(json.dumps({"type": kind, **fields}))
    except signals.SignalError:
        return


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_is_a_signal_or_refused(text: str) -> None:
    try:
        signals.read(text)
    except signals.SignalError:
        return
