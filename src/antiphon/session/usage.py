"""What models used, as the kernel's log and the account hear of it."""

from __future__ import annotations

from antiphon.kernel import events as ev
from antiphon.models.metering import Metered

METER_EVERY = 5.0
"""Seconds of caller audio after which a running recognition is accounted for."""


def event_of(use: Metered, op: ev.Op | None = None) -> ev.Metered:
    """The event that tells of it."""
    return ev.Metered(
        stage=use.kind,
        provider=use.provider,
        model=use.model,
        op=op,
        requests=use.requests,
        prompt_tokens=use.prompt_tokens,
        completion_tokens=use.completion_tokens,
        cached_tokens=use.cached_tokens,
        characters=use.characters,
        audio_seconds=use.audio_seconds,
        wasted=use.wasted,
        estimated=use.estimated,
    )
