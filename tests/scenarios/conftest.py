"""What a scripted model is asked in a scenario is what each vendor takes, whatever went wrong before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from antiphon.testing import ScriptedLLM
from tests.providers.formats.test_any_history import check_all


@pytest.fixture(autouse=True)
def every_request_is_one_that_every_vendor_takes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Looked at when the scenario is over, so that what is wrong fails the test and not the call in it."""
    asked: dict[ScriptedLLM, int] = {}
    chat = ScriptedLLM.chat

    def noted(model: ScriptedLLM, **request: Any) -> Any:
        asked.setdefault(model, len(model.requests))
        return chat(model, **request)

    monkeypatch.setattr(ScriptedLLM, "chat", noted)
    yield
    for model, first in asked.items():
        for request in model.requests[first:]:
            check_all(request.chat_ctx, request.tools, request.tool_choice)
