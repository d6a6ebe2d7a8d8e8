"""The campaign's table: a line for each kind of fault."""

from __future__ import annotations

import sys

from tests.faults import Row
from tests.takeover.campaign import Outcome
from tests.takeover.measuring import Silence, percentile

HEAD = (
    f"{'fault':14} {'trials':>6} {'takeovers':>9} {'any audio':>13} {'the sentence':>13} {'lost':>5} {'doubled':>8} {'in doubt':>9}"
    f" {'broken':>7}   (seconds: p50 / p99)"
)


def show(outcome: Outcome) -> None:
    """On standard error, beside the table of all faults. A call that was hit by several kinds counts for each."""
    print(HEAD, file=sys.stderr)
    for kind in dict.fromkeys(fault.kind for fault in outcome.faults):
        faults = [fault for fault in outcome.faults if fault.kind == kind]
        hit = {job for fault in faults for job in fault.hit}
        accounts = [account for account in outcome.accounts if account.job in hit]
        audio, sentence = _times([silence for name, silence in outcome.silences if name == kind])
        print(
            f"{kind:14} {len(faults):6} {sum(len(fault.hit) for fault in faults):9} {audio:>13} {sentence:>13}"
            f" {sum(each.lost for each in accounts):5} {sum(each.doubled for each in accounts):8}"
            f" {sum(each.in_doubt for each in accounts):9} {sum(bool(each.broken) for each in accounts):7}",
            file=sys.stderr,
            flush=True,
        )


def row(fault: str, outcome: Outcome, note: str = "") -> Row:
    """For the table of all faults."""
    accounts = outcome.accounts
    audio, sentence = _times([silence for _, silence in outcome.silences])
    figures = (
        f"{len(accounts)} calls, {sum(each.takeovers for each in accounts)} takeovers;"
        f" any audio {audio} s, the sentence {sentence} s (p50 / p99);"
        f" {sum(each.lost for each in accounts)} entries lost, {sum(each.doubled for each in accounts)} effects doubled,"
        f" {sum(each.in_doubt for each in accounts)} in doubt, {sum(each.again for each in accounts)} words heard again"
    )
    return Row(fault, len(outcome.faults), outcome.broken, "; ".join(filter(None, (figures, note))))


def _times(silences: list[Silence]) -> tuple[str, str]:
    """To any audio, to the sentence: median and 99th percentile."""
    audio = [each.to_audio for each in silences]
    sentence = [each.to_sentence for each in silences if each.to_sentence is not None]
    first, second = (f"{percentile(times, 0.5):.2f} / {percentile(times, 0.99):.2f}" for times in (audio, sentence))
    return first, second
