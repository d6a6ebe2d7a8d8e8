"""From moments to a waterfall: parts that add up, however much was done ahead or at once.

Owns: that arithmetic. Never: where the moments come from.
"""

from __future__ import annotations

from antiphon.telemetry.records import RunRecord, SpeechRecord, TurnRecord, Waterfall

_SAME = 1e-6


def waterfall_of(turn: TurnRecord, speech: SpeechRecord, run: RunRecord | None) -> Waterfall | None:
    """The waterfall of a turn that ``speech`` answered, spoken by ``run``. ``None``: nothing has sounded.

    Each part ends at its moment, but not before the part in front of it ended and not after the first sound, so the
    parts are never negative and their sum is the time from ``turn.ended`` to ``speech.sounded``.
    """
    if speech.sounded < turn.ended:
        return None
    # The wait for a final transcript is its own part only where the transcript's arrival was what ended the wait.
    waited_for_final = abs(turn.final - turn.decided) < _SAME and turn.evidence < turn.final
    moments = [
        ("endpointing", turn.evidence if waited_for_final else turn.decided),
        ("stt", turn.decided),
        ("hook", turn.committed),
    ]
    if run is not None:
        token = run.first_token if run.first_token >= 0 else run.first_segment
        moments += [
            ("steps", run.started),
            ("llm_first_token", token),
            ("llm_first_segment", run.first_segment),
            ("tts_first_audio", run.first_audio),
        ]
    reached = turn.ended
    parts: dict[str, float] = {}
    for name, moment in moments:
        end = min(max(reached, moment), speech.sounded)
        parts[name] = end - reached
        reached = end
    return Waterfall(**parts, playout=speech.sounded - reached)
