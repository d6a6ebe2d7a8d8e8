"""Known faults: scenarios that tell a true story which does not come true yet. A mended one fails until it is taken off."""

from __future__ import annotations

import pytest

KNOWN_FAULTS = {
    "test_an_invented_transcript_of_a_noise_does_not_interrupt": "words without voice activity interrupt",
    "test_tts_dies_amid_audio_and_history_holds_what_was_heard": "audio that was made is thrown away when the voice dies",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        reason = KNOWN_FAULTS.get(item.name)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
