"""A real worker is offered far more jobs than it has room for."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from antiphon.worker.offers import ASSIGN_WITHIN
from tests.worker.dispatcher import dispatcher
from tests.worker.test_livekit_rooms import worker

OFFERS = 300


def test_a_flood_of_offers_takes_no_more_than_the_slots_and_they_come_back(tmp_path: Path) -> None:
    """None of the accepted jobs is ever assigned: after 7.5 s each slot is free again."""

    async def flood() -> None:
        async with dispatcher() as server:
            server.mute = True
            where: Any = server
            async with worker(where, tmp_path) as running:
                metrics = (await asyncio.to_thread(running.get, "/metrics"))[1]
                capacity = int(re.findall(r"^antiphon_sessions_capacity (\d+)", metrics, re.MULTILINE)[0])
                for number in range(OFFERS):
                    server.offer(f"AJ_{number}")
                await server.hears("availability", OFFERS)
                answers = [body for kind, body in server.said if kind == "availability"]
                assert 0 < sum(answer.available for answer in answers) <= capacity < OFFERS
                assert not any(answer.terminate for answer in answers), "somebody else may have them"

                await asyncio.sleep(ASSIGN_WITHIN)
                async with asyncio.timeout(60):
                    while True:
                        server.forget()
                        server.offer(f"AJ_again_{asyncio.get_running_loop().time()}")
                        if (await server.hears("availability")).available:
                            break
                        await asyncio.sleep(0.5)
                metrics = (await asyncio.to_thread(running.get, "/metrics"))[1]
                assert "antiphon_sessions_active 0\n" in metrics and "antiphon_jobs_failed_total 0\n" in metrics

    asyncio.run(flood())
