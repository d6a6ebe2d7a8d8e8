"""Another owner of a line is told how things stand, and goes on."""

from __future__ import annotations

import numpy as np

from antiphon.audio.frames import PLAY_RATE
from antiphon.audio.seam import AttachLine, LineAttached, LineConfig, LineError, Settled
from antiphon.transport.memory import MemoryLeg
from tests.audio.plane_driver import Story, counting


def attached(story: Story) -> LineAttached:
    story.tell(AttachLine(line="a", config=LineConfig()))
    story.look()
    return story.heard(LineAttached)[-1]


def test_what_sounds_goes_on_and_the_new_owner_knows_how_far_it_is() -> None:
    story = Story(MemoryLeg())
    story.push("s", counting(PLAY_RATE // 2))
    story.push("next", counting(2400), last=False)
    story.play("s")
    story.run(0.3)
    found = attached(story)
    assert found.up and not found.speaking and found.settled == ()
    assert (found.speeches["s"].state, found.speeches["s"].complete) == ("playing", True)
    assert 0.15 * PLAY_RATE < found.speeches["s"].heard <= 0.3 * PLAY_RATE
    assert (found.speeches["next"].state, found.speeches["next"].complete) == ("held", False)
    story.run(0.6)
    assert np.array_equal(story.leg.sounded(), counting(PLAY_RATE // 2))
    assert [(each.speech, each.position) for each in attached(story).settled] == [("s", PLAY_RATE // 2)]


def test_a_line_that_is_not_there_cannot_be_taken_over() -> None:
    story = Story(MemoryLeg())
    story.tell(AttachLine(line="b", config=LineConfig()))
    story.look()
    (error,) = story.heard(LineError)
    assert error.line == "b" and error.fatal


def test_what_the_new_owner_does_not_know_of_a_speech_is_not_heard() -> None:
    story = Story(MemoryLeg())
    story.push("s", counting(PLAY_RATE), last=False)
    story.push("late", counting(PLAY_RATE), last=False)
    story.play("s")
    story.run(0.2)
    known = PLAY_RATE // 2
    story.tell(AttachLine(line="a", config=LineConfig(), ends={"s": known, "late": 10**6, "other": 1}))
    story.look()
    assert story.heard(LineAttached)[-1].speeches["s"].complete
    story.push("s", counting(100))  # nothing more comes of it
    story.run(1.0)
    assert np.array_equal(story.leg.sounded()[:known], counting(known))
    assert [(one.speech, one.position, one.reason) for one in story.heard(Settled)] == [("s", known, "end")]


def test_what_is_on_its_way_is_not_taken_back() -> None:
    story = Story(MemoryLeg())
    story.push("s", counting(PLAY_RATE), last=False)
    story.play("s")
    story.run(0.2)
    story.tell(AttachLine(line="a", config=LineConfig(), ends={"s": 1000}))
    story.run(0.5)
    (settled,) = story.heard(Settled)
    assert 0.2 * PLAY_RATE <= settled.position <= 0.3 * PLAY_RATE and settled.reason == "end"
