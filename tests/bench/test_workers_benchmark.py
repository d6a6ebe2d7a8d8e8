"""The workers' benchmark without its servers: what it reads of processes, hears, judges and prints."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # behind all: benchmarks/webrtc.py is not the library

from rooms import script
from rooms.ear import RATE, Ear
from rooms.figures import Figure, Target, percentile, table
from rooms.processes import MARK, Process, descendants, kill, memory, of_worker, parse_rollup, parse_stat, role
from rooms.takeover import again, busiest
from rooms.talking import Talk, holds

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FRAME = RATE // 50


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (8000 * np.sin(np.arange(round(seconds * RATE)) * 2 * np.pi * hertz / RATE)).astype(np.int16)


def hear(sound: np.ndarray, begin: float = 0.0) -> Ear:
    ear = Ear()
    for at in range(0, sound.size - FRAME + 1, FRAME):
        ear.feed(begin + at / RATE, sound[at : at + FRAME])
    return ear


def count(*words: int, begin: float = 0.0) -> tuple[list[float], list[tuple[float, int]]]:
    """What is heard of these words, one after the other."""
    ear = hear(np.concatenate([tone(script.pitch(script.NUMBERS[word]), script.WORD) for word in words]), begin)
    return ear.loud, ear.words


def test_what_the_kernel_says_of_a_process_is_read() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    text = "42 (a (odd) name) S 7 42 42 0 -1 4194560 1 0 0 0 250 50 9 9 20 0 3 0 100 1 1"
    assert parse_stat(text) == (7, 300 / ticks)
    assert parse_rollup("00400000-7ff 00:00 0 [rollup]\nRss:   9000 kB\nPss:   2048 kB\nPss_Anon: 7 kB\n") == 2.0
    with pytest.raises(ValueError, match="Pss"):
        parse_rollup("Rss: 1 kB\n")
    assert descendants({2: 1, 3: 2, 4: 3, 9: 8}, 2) == {2, 3, 4}


def test_the_role_of_a_process_is_seen_from_outside() -> None:
    media, models = "python -P -m antiphon.audio.plane_main 5", "python -m antiphon.local.server --socket x"
    forks = "python -c from multiprocessing.forkserver import main; main(...)"
    assert role("python app.py start", "", "bash", root=True) == "worker"
    assert role(media, "ANTIPHON_SUPERVISOR=3", "", root=False) == "media"
    assert role(models, "", "", root=False) == "models"
    assert role("python app.py start", "HOME=x\0ANTIPHON_SUPERVISOR=3\0", "", root=False) == "agent"
    assert role(forks, "", forks, root=False) == "agent"
    assert role(forks, "", "python app.py start", root=False) == "other"


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux shows this")
def test_a_process_that_lost_its_parent_still_belongs_to_its_worker() -> None:
    nap = "import subprocess, sys, time; child = subprocess.Popen(['sleep', '60']); print(child.pid, flush=True); time.sleep(60)"
    environment = {**os.environ, MARK: "a-worker-of-this-test"}
    with subprocess.Popen([sys.executable, "-c", nap], env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        try:
            assert [one.pid for one in of_worker(parent.pid, "a-worker-of-this-test")] == sorted([parent.pid, child])
            parent.kill()
            parent.wait()
            left = of_worker(parent.pid, "a-worker-of-this-test")
            assert [one.pid for one in left] == [child]
            assert memory(left)["other"] > 0
        finally:
            kill(of_worker(parent.pid, "a-worker-of-this-test"))
    until = time.monotonic() + 5
    while of_worker(parent.pid, "a-worker-of-this-test") and time.monotonic() < until:
        time.sleep(0.01)
    assert of_worker(parent.pid, "a-worker-of-this-test") == []


def test_a_caller_hears_which_word_is_said() -> None:
    loud, words = count(0, 7, 39)
    assert sorted({word for _, word in words}) == [0, 7, 39]
    assert len(loud) == pytest.approx(3 * script.WORD / 0.02, abs=1)
    assert hear(tone(script.PLAIN_PITCH, 1.0)).words == [], "an answer is no word of a count"
    pause = hear(np.concatenate([tone(300, 0.2), np.zeros(RATE, np.int16), tone(300, 0.2)]))
    assert len(pause.onsets) == 2


def test_what_was_heard_after_a_kill_is_judged() -> None:
    assert again(*count(*range(40)), killed=2.0) == (0.0, 0.0), "the count did not break"
    assert again(*count(0, 1, 2, 3), killed=0.9) == (None, None), "silence"
    before, broken = count(0, 1, 2, 3), count(3, 4, 5, begin=2.5)
    first, new = again(before[0] + broken[0], before[1] + broken[1], killed=0.9)
    assert first == pytest.approx(1.52) and new == pytest.approx(1.79, abs=0.03), "three is said twice, four is new"
    early = count(0, 1, begin=2.5)
    first, new = again(before[0] + early[0], before[1] + early[1], killed=0.9)
    assert first == pytest.approx(1.52) and new is None, "it began anew and came no further"
    assert again(before[0] + broken[0], before[1] + broken[1], killed=1.4)[0] == pytest.approx(1.1)


def test_the_process_of_the_call_is_the_one_that_works() -> None:
    before = [Process(1, 0, 9.0, "agent"), Process(2, 0, 1.0, "agent"), Process(3, 0, 0.0, "media")]
    now = [
        Process(1, 0, 9.0, "agent"),
        Process(2, 0, 1.3, "agent"),
        Process(3, 0, 2.0, "media"),
        Process(4, 0, 5.0, "agent"),
    ]
    found = busiest(before, now, "agent")
    assert found is not None and found.pid == 2
    assert busiest(before, now, "models") is None


@pytest.mark.parametrize(
    ("changed", "fine"),
    [({}, True), ({"joined": 1}, False), ({"firsts": [0.9, 0.9, 0.9]}, False), ({"firsts": [0.9, 0.9, 0.9, 1.6]}, False),
     ({"heard": 2.0}, False)],
)  # fmt: skip
def test_a_size_holds_when_all_turns_are_answered_in_time(changed: dict[str, object], fine: bool) -> None:
    talk = {"rooms": 2, "joined": 2, "due": 4, "firsts": [0.9, 0.9, 1.0, 1.2], "heard": 3.0, "cores": 0.2}
    assert holds(Talk(**{**talk, "idle_cores": 0.0, "others": 0.3, **changed}), 0.9) is fine  # type: ignore[arg-type]


def test_the_table_has_ratios_targets_and_notes() -> None:
    start = Figure("start", "s", {"antiphon": 0.5, "livekit": 2.0}, Target(1.5))
    held = Figure("rooms", "", {"antiphon": 8.0, "livekit": None}, Target(10, less=False), {"livekit": "no rooms"})
    lines = table([start, held]).splitlines()
    assert lines[1].split() == ["start", "s", "0.5", "2", "4.00x", "<=", "1.5", "met"]
    assert lines[2].split() == ["rooms", "8", "-", "[1]", "-", ">=", "10", "missed"]
    assert lines[3] == "[1] no rooms"
    assert start.as_dict()["ratio"] == 4.0 and held.as_dict()["met"] is False
    never, elsewhere = (
        Figure("silence", "s", {"antiphon": None}, Target(3)),
        Figure("x", "s", {"livekit": 1.0}, Target(3)),
    )
    assert never.met() is False and elsewhere.met() is None, "what never came is missed, what was not tried is not"
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0 and percentile([], 0.5) is None


def test_the_scripted_recogniser_hears_a_turn_once() -> None:
    recogniser, block = script.Recogniser(), RATE // 50
    speech, quiet = tone(300, 0.02).tobytes(), bytes(2 * block)
    said = [recogniser.push(frame, RATE) for frame in [speech] * 20 + [quiet] * 40]
    assert [text for text in said if text] == [script.TRANSCRIPTS[1]]
    assert said.index(script.TRANSCRIPTS[1]) in (29, 30), "0.2 s after the last sound"
    assert [len(piece) for piece in script.voice("of course")] == [round(script.WORD * script.VOICE_RATE) * 2] * 2


def test_the_scripted_model_goes_on_after_what_it_has_said() -> None:
    def message(role: str, text: str) -> SimpleNamespace:
        return SimpleNamespace(role=role, content=[text])

    asked = message("user", "a latte")
    cut = message("assistant", "[being said now] zero one two three four. five twenty-one")
    assert script.reply([cut, asked], long=True)[:5] == ["zero ", "one ", "two ", "three ", "four. "]
    assert script.reply([asked, cut], long=True)[:2] == ["twenty-two ", "twenty-three "]
    assert "".join(script.reply([asked])).strip() == script.REPLY


def test_the_script_says_what_it_takes_and_our_program_is_one() -> None:
    shown = subprocess.run(
        [sys.executable, BENCHMARKS / "workers.py", "--help"], capture_output=True, text=True, check=True
    )
    assert "agent-killed" in shown.stdout and "--quick" in shown.stdout
    import rooms.agent_antiphon as program

    assert list(program.server.entrypoints) == [""]
