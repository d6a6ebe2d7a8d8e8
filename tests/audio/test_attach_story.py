"""Another owner of a line is told how things stand, and goes on."""

from __future__ import annotations

import numpy as np

from antiphon.audio.frames import PLAY_RATE
from antiphon.audio.seam import AttachLine, LineAttached, LineConfig, LineError
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
