"""What of a room job happens at its end, and what does not where another owner goes on with the session."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.worker.engine import JobOffer
from antiphon.worker.room import Room
from antiphon.worker.room_job import RoomJobContext
from antiphon.worker.room_options import RoomOptions


@pytest.mark.parametrize(
    ("reason", "happens"),
    [("fenced", []), ("handed_over", []), ("user_initiated", ["callback user_initiated", "room deleted"])],
)
def test_only_a_session_that_is_over_deletes_its_room_and_calls_back(
    reason: str, happens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []

    async def delete(self: RoomJobContext) -> None:
        happened.append("room deleted")

    monkeypatch.setattr(RoomJobContext, "delete_room", delete)

    async def main() -> None:
        line: Any = SimpleNamespace(send=None)
        room = Room("kitchen", lambda message: None)
        ctx = RoomJobContext(JobOffer(id="AJ", room="kitchen"), room, line, ("", "", ""), id="AJ")
        ctx.use_room(RoomOptions(delete_room_on_close=True))
        ctx.add_shutdown_callback(lambda why: happened.append(f"callback {why}"))
        session: Any = SimpleNamespace(close_reason=reason)
        ctx.session = session
        await ctx._release()

    asyncio.run(main())
    assert happened == happens
