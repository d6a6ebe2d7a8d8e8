"""Known faults: scenarios that tell a true story which does not come true yet. A mended one fails until it is taken off."""

from __future__ import annotations

import pytest

KNOWN_FAULTS = {
    "test_tts_dies_amid_audio_and_history_holds_what_was_heard": "audio that was made is thrown away when the voice dies",
    "test_an_invented_transcript_of_a_noise_does_not_interrupt": "words without voice activity interrupt",
    "test_without_acknowledgements_history_is_an_estimate_and_says_so": "the kernel settles before the plane's estimate",
    "test_caller_vanishes_and_the_session_ends_when_the_transport_notices": "a silent peer is taken to have heard all",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        reason = KNOWN_FAULTS.get(item.name)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
