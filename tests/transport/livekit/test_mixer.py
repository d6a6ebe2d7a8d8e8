"""Several voices as one: nothing is lost, nobody is waited for, and the loudest is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.transport.livekit.mixer import SECONDS, SLOT, Mixed, SpeakerLog, VoiceMixer


def level(value: int, samples: int = SLOT) -> NDArray[np.int16]:
    return np.full(samples, value, np.int16)


def test_voices_are_summed_slot_by_slot_and_the_loudest_is_named() -> None:
    mixer, done = VoiceMixer(), list[Mixed]()
    for n in range(20):
        done += mixer.push("anna", level(4000 if n < 10 else 10), n * SECONDS + 0.003)
        done += mixer.push("ben", level(10 if n < 10 else 3000), n * SECONDS - 0.002)
    assert [each.speaker for each in done[:10]] == ["anna"] * 10
    assert [each.speaker for each in done[10:]] == ["ben"] * (len(done) - 10)
    sums = {int(np.frombuffer(each.frame.data, np.int16)[0]) for each in done[1:]}
    assert sums == {4010, 3010}, "the first slot was done before anybody knew of ben"
    assert [round(each.frame.at / SECONDS) for each in done] == list(range(len(done))) and len(done) >= 19


def test_who_is_silent_or_gone_holds_nobody_up() -> None:
    mixer, done = VoiceMixer(), list[Mixed]()
    mixer.push("ben", level(0), 0.0)
    for n in range(40):
        done += mixer.push("anna", level(50), n * SECONDS)
    assert len(done) >= 34 and {each.speaker for each in done} == {""}
    mixer.leave("ben")
    assert [len(mixer.push("anna", level(4000), n * SECONDS)) for n in (40, 41)] != [0, 0]


def test_frames_of_odd_lengths_loud_sums_and_jumps() -> None:
    mixer, done = VoiceMixer(), list[Mixed]()
    for n in range(20):
        done += mixer.push("anna", level(30_000, 160), n * 0.01)
        done += mixer.push("ben", level(30_000, 160), n * 0.01)
    assert sum(each.frame.samples for each in done) >= 8 * SLOT
    assert {int(np.frombuffer(each.frame.data, np.int16).max()) for each in done} == {32_767}
    later = mixer.push("anna", level(1, 2 * SLOT), 5.0)
    assert all(each.frame.at > 4.9 for each in later if each.frame.at > 1.0)


def test_the_log_says_who_spoke_most() -> None:
    log = SpeakerLog()
    log.add("anna", 0.0, 1.0)
    log.add("ben", 1.0, 1.4)
    assert (log.who(0.0, 1.4), log.who(0.9, 1.4), log.who(2.0, 3.0)) == ("anna", "ben", "")
    assert log.who(1.5, 1.6) == "ben", "the rest of what ben says is not told yet"
    assert SpeakerLog().who(0.0, 1.0) == ""
    for n in range(3000):
        log.add("carl", 10.0 + n, 11.0 + n)
    assert log.who(3000.0, 3005.0) == "carl" and len(log._stretches) <= 1024
