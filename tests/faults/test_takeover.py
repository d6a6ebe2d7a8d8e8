"""The takeover campaign in short: a kill inside a tool that writes, then one of the media process. ``make test-faults`` does it hundreds of
times, and stops processes, all of them at once, and what else there is."""

from __future__ import annotations

from tests.takeover.campaign import campaign


def test_calls_go_on_and_nothing_is_lost_doubled_or_heard_twice() -> None:
    outcome = campaign(2, seed=5, kinds=["in a tool", "media"], calls=4, turns=2, gap=(1.5, 2.5))
    assert not outcome.broken, "\n".join(outcome.broken)
    assert [fault.kind for fault in outcome.faults] == ["in a tool", "media"]
    assert sum(account.takeovers for account in outcome.accounts) >= 4
