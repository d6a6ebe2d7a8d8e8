"""The coffee demo's plain parts: orders, recordings, scores."""

from __future__ import annotations

import json
import sys
import wave
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "coffee"
sys.path.insert(0, str(EXAMPLE))

from orders import Order, differences, order_of  # noqa: E402
from recordings import Caller, as_wav, find_callers  # noqa: E402
from scoring import orders_taken, table  # noqa: E402

from antiphon import AudioError, ChatContext, ConfigurationError, FunctionCall, FunctionCallOutput  # noqa: E402


def test_an_order_is_read_back_in_one_breath() -> None:
    order = Order("latte", size="16 ounce", roast="dark", shots="double", milk="almond milk", sugar="brown sugar")
    assert order.spoken() == "one 16 ounce dark roast double shot latte with almond milk and brown sugar"
    assert Order("espresso").spoken() == "one espresso"


def test_differences_name_each_slot() -> None:
    wanted = Order("mocha", size="small", milk="cream")
    assert differences(wanted, wanted) == []
    assert differences(wanted, None) == ["no order taken"]
    got = Order("mocha", size="large", sugar="sugar")
    assert differences(wanted, got) == [
        "size: large instead of small",
        "milk: nothing instead of cream",
        "sugar: sugar instead of nothing",
    ]


def test_the_callers_of_the_project() -> None:
    callers = find_callers(EXAMPLE / "callers")
    assert len(callers) == 4
    assert all(caller.order is not None for caller in callers)
    assert sum(caller.path.stat().st_size for caller in callers) < 1_000_000
    for caller in callers:
        with wave.open(str(caller.path)) as sound:
            assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16_000)
    voices = {row["voice"] for row in json.loads((EXAMPLE / "callers" / "callers.json").read_text())["callers"]}
    assert len(voices) == 4


def test_somebody_elses_recordings_need_no_labels(tmp_path: Path) -> None:
    for name in ("b.wav", "a.WAV", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [caller.path.name for caller in find_callers(tmp_path)] == ["a.WAV", "b.wav"]
    assert [caller.order for caller in find_callers(tmp_path, limit=1)] == [None]


def test_folders_that_are_no_good(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no folder"):
        find_callers(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="no WAV or FLAC"):
        find_callers(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "callers.json").write_text('{"callers": [{"file": "a.wav", "order": {"drink": "gin"}}]}')
    with pytest.raises(ConfigurationError, match="cannot be read"):
        find_callers(tmp_path)


def test_flac_is_decoded_where_the_library_is_there(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    import numpy as np

    soundfile.write(tmp_path / "a.flac", np.zeros(1600, np.int16), 16_000)
    with wave.open(str(as_wav(tmp_path / "a.flac", tmp_path))) as sound:
        assert sound.getnframes() == 1600


def test_flac_without_the_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(AudioError, match="pip install soundfile"):
        as_wav(tmp_path / "a.flac", tmp_path)


def conversation() -> ChatContext:
    """Welcome; one order that is taken at the second try; one caller who is not understood."""
    context = ChatContext.empty()
    context.add_message(role="assistant", content="Welcome.")
    context.add_message(role="user", content="A latte, small.")
    calls = (("1", {"drink": "gin"}, True), ("2", {"drink": "latte", "size": "small"}, False))
    for id, arguments, is_error in calls:
        text = json.dumps(arguments)
        context.items.append(FunctionCall(id=f"c{id}", call_id=id, name="place_order", arguments=text))
        output = FunctionCallOutput(id=f"o{id}", call_id=id, name="place_order", output=".", is_error=is_error)
        context.items.append(output)
    context.add_message(role="assistant", content="One small latte.")
    context.add_message(role="user", content="Mumble.")
    context.add_message(role="assistant", content="Pardon?")
    return context


def test_orders_go_to_the_callers_who_made_them() -> None:
    first, second = orders_taken(conversation(), [1, 7])
    assert first.order == Order("latte", size="small")
    assert (first.heard, first.answer) == ("A latte, small.", "One small latte.")
    assert second.order is None
    assert second.answer == "Pardon?"


def test_the_table_counts_whole_orders_only() -> None:
    taken = orders_taken(conversation(), [1, 7])
    callers = [
        Caller(Path("1.wav"), order_of({"drink": "latte", "size": "small"})),
        Caller(Path("2.wav"), Order("mocha")),
    ]
    lines, right = table(callers, taken)
    assert right == 1
    assert lines[0].split() == ["right", "1.wav", "one", "small", "latte"]
    assert lines[1].split()[:2] == ["wrong", "2.wav"]
    assert "no order taken" in lines[2]
    lines, right = table([Caller(Path("1.wav")), Caller(Path("3.wav"))], taken[:1])
    assert right == 0
    assert lines[1].split() == ["-", "3.wav", "no", "order"]


def test_the_queue_steps_up_when_the_bell_rings() -> None:
    """The transport alone: silence, one recording per bell, and the end of the call after the last."""
    import numpy as np
    from queue_leg import BELL, QueueLeg

    leg = QueueLeg([np.full(1600, 7, np.int16), np.full(800, 9, np.int16)])
    leg.open(100.0)
    assert [event.kind for event in leg.events(100.0)] == ["up"]
    (silence,) = leg.capture(100.1)
    assert set(np.frombuffer(silence.data, "<i2")) == {0}
    leg.send_digits(BELL)
    (first,) = leg.capture(100.15)
    (rest,) = leg.capture(100.35)
    heard = np.frombuffer(first.data + rest.data, "<i2")
    assert np.count_nonzero(heard == 7) == 1600
    assert rest.at == pytest.approx(100.15)
    leg.send_digits(BELL)
    (second,) = leg.capture(100.45)
    assert np.count_nonzero(np.frombuffer(second.data, "<i2") == 9) == 800
    leg.send_digits(BELL)
    assert [event.kind for event in leg.events(100.5)] == ["down"]


def test_both_sides_are_mixed_for_the_loudspeaker() -> None:
    import numpy as np
    from aloud import Loudspeaker

    class Library:
        class RawOutputStream:
            def __init__(self, **settings: object) -> None:
                self.settings = settings

            def start(self) -> None: ...

            def abort(self, ignore_errors: bool) -> None: ...

            def close(self, ignore_errors: bool) -> None: ...

    speaker = Loudspeaker(Library)
    speaker.play("agent", np.full(240, 1000, np.int16), 24_000)
    speaker.play("caller", np.full(160, 500, np.int16), 16_000)
    data = bytearray(2 * 480)
    speaker._fill(data, 480, None, None)
    played = np.frombuffer(bytes(data), "<i2")
    assert set(played[:240]) == {1500}
    assert set(played[240:]) == {0}
    speaker.close()
