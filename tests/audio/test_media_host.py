"""A plane with several clients: who is heard, who hears, and what a line keeps while it is nobody's."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pytest

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.leg import LegEvent
from antiphon.audio.media_host import KEEPER, MediaHost
from antiphon.audio.plane import Plane
from antiphon.audio.seam import (
    AttachLine,
    CloseLine,
    ClosePlane,
    DetachLine,
    Digit,
    LegSignal,
    LegSpec,
    LineAttached,
    LineClosed,
    LineDetached,
    LineError,
    LineUp,
    MicAudio,
    OpenLine,
    PlaySpeech,
    PushAudio,
    Settled,
    SignalLeg,
)
from antiphon.audio.vad import EnergyVAD
from antiphon.transport.memory import MemoryLeg
from tests.audio.plane_driver import counting

T = TypeVar("T")
FIRST, SECOND, THIRD = 1, 2, 3


class TalkingLeg(MemoryLeg):
    """Answers each signal, and says its state anew to a new owner."""

    def signal(self, now: float, data: str) -> None:
        self.happen(LegEvent("signal", f"heard {data}"))

    def attached(self, now: float) -> None:
        self.happen(LegEvent("signal", "state"))


class Hosted:
    """A host, its clients, and a clock that is driven by hand. ``got``: what each client was given."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.caller = (np.arange(int(seconds * 16_000)) % 30_000).astype(np.int16)
        self.legs: list[TalkingLeg] = []
        self.host = MediaHost(Plane(EnergyVAD(), lambda name: lambda options: self._leg()), linger=30.0)
        self.now, self.wake = 100.0, None
        self.got: dict[int, list[Any]] = {}
        for client in (KEEPER, FIRST, SECOND, THIRD):
            self.got[client] = []
            self.host.joined(self.now, client)

    def _leg(self) -> TalkingLeg:
        self.legs.append(TalkingLeg(self.caller))
        return self.legs[-1]

    def say(self, client: int, *messages: Any) -> None:
        self.host.receive(self.now, client, messages)
        self.look()

    def look(self, *, fetch: bool = True) -> None:
        self.wake = self.host.advance(self.now)
        if fetch:
            self.fetch()

    def fetch(self) -> None:
        for client in self.got:
            if client in self.host._outboxes:
                self.got[client] += self.host.take(client)

    def run(self, seconds: float, *, fetch: bool = True) -> None:
        end = self.now + seconds
        while self.wake is not None and self.wake <= end:
            self.now = max(self.now, self.wake)
            self.look(fetch=fetch)
        self.now = end

    def gone(self, client: int, undelivered: Any = ()) -> None:
        self.host.left(self.now, client, undelivered)

    def open(self, client: int, line: str = "a") -> None:
        self.say(client, OpenLine(line=line, leg=LegSpec("any")))

    def speak(self, client: int, speech: str, samples: np.ndarray, *, last: bool = True) -> None:
        frame = AudioFrame.pcm(samples.tobytes(), PLAY_RATE)
        self.say(
            client, PushAudio(line="a", speech=speech, frame=frame, last=last), PlaySpeech(line="a", speech=speech)
        )

    def heard(self, client: int, kind: type[T]) -> list[T]:
        return [message for message in self.got[client] if isinstance(message, kind)]

    def sound(self, client: int) -> np.ndarray:
        """The caller's sound as this client was given it, end to end."""
        return samples(self.heard(client, MicAudio))


def samples(frames: list[MicAudio]) -> np.ndarray:
    return np.frombuffer(b"".join(each.frame.data for each in frames), np.int16)


def test_a_line_is_its_openers_and_nobody_elses() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.speak(FIRST, "s", counting(4800))
    hosted.speak(SECOND, "t", counting(4800))
    hosted.say(SECOND, CloseLine(line="a"), SignalLeg(line="a", data="x"), OpenLine(line="a", leg=LegSpec("any")))
    hosted.run(1.0)
    assert hosted.heard(FIRST, Settled)[0].position == 4800
    assert len(hosted.sound(FIRST)) > 0.9 * 16_000
    (error,) = [message for message in hosted.got[SECOND] if message.line]
    assert isinstance(error, LineError) and error.fatal and "Attach" in error.hint
    assert hosted.host.dropped == 5
    hosted.say(FIRST, CloseLine(line="a"))
    assert hosted.heard(FIRST, LineClosed)[0].counts["messages_of_others"] == 5
    assert np.array_equal(hosted.legs[0].sounded(), counting(4800))


def test_an_orphan_plays_on_and_its_next_owner_hears_what_happened() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.run(3.0)
    hosted.speak(FIRST, "s", counting(PLAY_RATE))
    hosted.run(0.3)
    hosted.gone(FIRST)
    hosted.run(2.0)
    hosted.legs[0].happen(LegEvent("dtmf", "5"))
    hosted.run(1.0)
    before = hosted.now
    hosted.say(SECOND, AttachLine(line="a", audio_since=101.0))
    hosted.run(1.0)
    got = [message for message in hosted.got[SECOND] if message.line]
    assert isinstance(got[0], LineAttached)
    assert [each.speech for each in got[0].settled] == ["s"]
    assert isinstance(got[1], MicAudio) and got[1].frame.at == pytest.approx(101.0, abs=0.03)
    assert [message.digit for message in got if isinstance(message, Digit)] == ["5"]
    assert hosted.heard(SECOND, Settled)[0].position == PLAY_RATE
    first = round((got[1].frame.at - 100.0) * 16_000)
    heard = hosted.sound(SECOND)
    assert np.array_equal(heard, hosted.caller[first : first + len(heard)])
    assert first + len(heard) >= (hosted.now - 100.1) * 16_000
    assert before == pytest.approx(106.3)
    hosted.speak(SECOND, "t", counting(2400))
    hosted.run(0.5)
    assert np.array_equal(hosted.legs[0].sounded(), np.concatenate([counting(PLAY_RATE), counting(2400)]))


def test_who_wants_no_old_sound_gets_what_nobody_got() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.run(2.0)
    given = len(hosted.sound(FIRST))
    hosted.gone(FIRST)
    hosted.run(2.0)
    hosted.say(SECOND, AttachLine(line="a"))
    heard = hosted.sound(SECOND)
    assert np.array_equal(heard, hosted.caller[given : given + len(heard)])
    assert len(heard) > 1.9 * 16_000


def test_what_a_client_left_unread_is_its_successors_without_gap_or_double() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.run(2.0)
    given = len(hosted.sound(FIRST))
    hosted.run(1.0, fetch=False)
    batch = hosted.host.take(FIRST)
    hosted.legs[0].happen(LegEvent("dtmf", "7"))
    hosted.run(1.0, fetch=False)
    hosted.gone(FIRST, batch)
    hosted.run(1.0)
    hosted.say(SECOND, AttachLine(line="a", audio_since=0.0))
    assert np.array_equal(hosted.sound(SECOND), hosted.caller[: len(hosted.sound(SECOND))])
    assert len(hosted.sound(SECOND)) > given + 2.9 * 16_000
    assert [each.digit for each in hosted.heard(SECOND, Digit)] == ["7"]
    hosted.gone(SECOND)
    hosted.run(0.5)
    hosted.say(THIRD, AttachLine(line="a", audio_since=0.0))
    assert len(hosted.heard(THIRD, LineAttached)) == 1
    assert np.array_equal(hosted.sound(THIRD), hosted.caller[: len(hosted.sound(THIRD))])
    assert len(hosted.sound(THIRD)) > len(hosted.sound(SECOND))


def test_a_successor_that_goes_before_it_has_read_leaves_no_stale_answer() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.run(2.0)
    hosted.gone(FIRST)
    hosted.run(1.0)
    hosted.host.receive(hosted.now, SECOND, [AttachLine(line="a", audio_since=0.0)])
    hosted.look(fetch=False)
    hosted.gone(SECOND)
    hosted.say(THIRD, AttachLine(line="a", audio_since=0.0))
    assert len(hosted.heard(THIRD, LineAttached)) == 1
    assert np.array_equal(hosted.sound(THIRD), hosted.caller[: len(hosted.sound(THIRD))])


def test_who_was_taken_for_dead_is_not_heard_and_is_told() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.run(1.0)
    hosted.run(1.0, fetch=False)
    hosted.say(SECOND, AttachLine(line="a"))
    assert len(hosted.sound(SECOND)) > 0.9 * 16_000, "what the first did not fetch"
    hosted.speak(FIRST, "s", counting(4800))
    hosted.run(0.5)
    assert hosted.legs[0].sounded().size == 0
    assert hosted.host.dropped == 2
    (told,) = hosted.heard(FIRST, LineError)
    assert told.fatal
    assert not [each for each in hosted.heard(FIRST, MicAudio) if each.at > 101.1]


def test_an_owner_that_gives_its_line_up_leaves_what_follows_to_the_next() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.run(1.0)
    hosted.say(FIRST, DetachLine(line="a"))
    given = len(hosted.sound(FIRST))
    (detached,) = hosted.heard(FIRST, LineDetached)
    hosted.legs[0].happen(LegEvent("dtmf", "9"))
    hosted.run(1.0)
    hosted.say(FIRST, CloseLine(line="a"))
    assert len(hosted.sound(FIRST)) == given and hosted.host.dropped == 1
    assert hosted.heard(FIRST, object)[-1] is detached
    hosted.say(SECOND, DetachLine(line="a"), AttachLine(line="a"))
    assert [each.digit for each in hosted.heard(SECOND, Digit)] == ["9"]
    heard = hosted.sound(SECOND)
    assert np.array_equal(heard, hosted.caller[given : given + len(heard)]) and len(heard) > 0.9 * 16_000


def test_two_that_attach_at_once_one_has_it() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.gone(FIRST)
    hosted.host.receive(hosted.now, SECOND, [AttachLine(line="a")])
    hosted.host.receive(hosted.now, THIRD, [AttachLine(line="a"), AttachLine(line="a")])
    hosted.look()
    hosted.run(0.5)
    assert hosted.heard(SECOND, LineAttached) == [] and hosted.heard(SECOND, LineError)[0].fatal
    assert len(hosted.heard(THIRD, LineAttached)) == 2
    assert hosted.heard(THIRD, MicAudio) and not hosted.heard(SECOND, MicAudio)


def test_signals_are_the_openers_until_an_owner_wants_them() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.say(SECOND, AttachLine(line="a", signals=False))
    hosted.say(FIRST, SignalLeg(line="a", data="offer"))
    hosted.say(SECOND, SignalLeg(line="a", data="mine"))
    hosted.run(0.1)
    assert [each.data for each in hosted.heard(FIRST, LegSignal)] == ["heard offer"]
    assert not hosted.heard(FIRST, LineError), "it has the signals still"
    hosted.gone(SECOND)
    hosted.say(FIRST, SignalLeg(line="a", data="still"))
    hosted.run(0.1)
    assert hosted.heard(FIRST, LegSignal)[-1].data == "heard still"
    hosted.say(THIRD, AttachLine(line="a"))
    hosted.say(THIRD, SignalLeg(line="a", data="both"))
    hosted.run(0.1)
    assert [each.data for each in hosted.heard(THIRD, LegSignal)] == ["state", "heard both"]
    assert not hosted.heard(SECOND, LegSignal)


def test_signals_of_an_orphan_are_kept_for_the_owner_that_wants_them() -> None:
    for signals in (True, False):
        hosted = Hosted()
        hosted.open(FIRST)
        hosted.gone(FIRST)
        hosted.legs[0].happen(LegEvent("signal", "somebody came"))
        hosted.run(0.1)
        hosted.say(SECOND, AttachLine(line="a", signals=signals))
        hosted.run(0.1)
        told = [each.data for each in hosted.heard(SECOND, LegSignal)]
        assert told == (["somebody came", "state"] if signals else [])


def test_the_signaller_hears_of_the_lines_end() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.say(SECOND, AttachLine(line="a", signals=False))
    hosted.say(SECOND, CloseLine(line="a"))
    assert len(hosted.heard(FIRST, LineClosed)) == len(hosted.heard(SECOND, LineClosed)) == 1


def test_a_line_that_nobody_takes_is_closed() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.run(1.0)
    hosted.gone(FIRST)
    hosted.run(29.9)
    assert hosted.host.lines == 1
    hosted.run(0.2)
    assert hosted.host.lines == 0 and hosted.legs[0].closed
    hosted.say(SECOND, AttachLine(line="a"))
    (error,) = hosted.heard(SECOND, LineError)
    assert error.fatal and error.hint
    hosted.open(SECOND)
    hosted.run(0.1)
    assert len(hosted.heard(SECOND, LineUp)) == 2


def test_a_line_that_cannot_open_or_fails_is_told_its_owner() -> None:
    def no_leg(name: str) -> Any:
        raise RuntimeError("no such transport")

    hosted = Hosted()
    hosted.host._plane._legs = no_leg
    hosted.open(FIRST)
    assert hosted.heard(FIRST, LineError)[0].fatal and hosted.host.lines == 0
    hosted.say(FIRST, CloseLine(line="a"))
    assert len(hosted.heard(FIRST, LineClosed)) == 1

    hosted = Hosted()
    hosted.open(FIRST)
    hosted.gone(FIRST)
    hosted.legs[0].send_digits = None  # type: ignore[method-assign, assignment]
    hosted.host.receive(hosted.now, SECOND, [AttachLine(line="a")])
    hosted.legs[0].attached = None  # type: ignore[method-assign, assignment]
    hosted.look()
    assert hosted.heard(SECOND, LineError)[0].fatal
    assert hosted.heard(SECOND, LineClosed) and hosted.host.lines == 0


def test_the_plane_ends_when_it_has_no_keeper_and_no_lines() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.gone(KEEPER)
    assert not hosted.host.over
    hosted.gone(FIRST)
    hosted.run(29.0)
    assert not hosted.host.over
    hosted.run(1.5)
    assert hosted.host.over


def test_only_the_keeper_closes_the_plane() -> None:
    hosted = Hosted()
    hosted.open(FIRST)
    hosted.say(FIRST, ClosePlane())
    assert not hosted.host.over
    hosted.say(KEEPER, ClosePlane())
    assert hosted.host.over
    hosted.host.close(hosted.now)
    hosted.fetch()
    assert hosted.heard(FIRST, LineClosed) and hosted.legs[0].closed
