"""How many agent processes there are, and what is heard of one that ends."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from antiphon.worker import agent_messages as m
from antiphon.worker.agent_child import AgentChild
from tests.worker.table import Table, settled

SPEAKS_AND_DIES = """
    import os, socket, time
    from antiphon.worker import agent_messages as m
    from antiphon.audio.framing import frame
    link = socket.socket(fileno=int(os.environ["ANTIPHON_SUPERVISOR"]))
    link.sendall(frame(m.Hello(pid=os.getpid())))
    time.sleep(0.3)
    link.sendall(b"".join(frame(m.Shown(job="J", text=str(number))) for number in range(2000)))
    os._exit(70)
"""


def test_a_changed_program_that_does_not_start_is_tried_again_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        table = Table(monkeypatch)
        serving = table.begin()
        started: list[Any] = []

        async def all_new_ones_end() -> None:
            for _ in range(30):
                await settled()
                new = [child for child in table.children if not child.ready]
                started.extend(new)
                for child in new:
                    child.die()
                table.look(0.0)

        table.pool.renew()
        await all_new_ones_end()
        assert len(started) <= 2 and table.children == [serving], "one that was loading, and one of the changed program"
        started.clear()
        table.pool.renew()
        await settled()
        table.ready()
        assert len(table.children) == 2 and not table.children[1].old
        table.look(0.0)
        assert len(table.children) == 2

    asyncio.run(story())


def test_a_process_that_the_program_changed_under_before_it_was_one_is_not_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        table = Table(monkeypatch)
        table.pool.fill()
        (first,) = table.children
        table.pool.renew()
        await settled()
        assert first not in table.children and len(table.children) == 1

    asyncio.run(story())


def test_the_last_words_of_a_process_are_heard_before_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "speaks.py"
    program.write_text(textwrap.dedent(SPEAKS_AND_DIES))
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, str(program)])

    async def story() -> None:
        said: list[m.AnyFromAgent] = []
        gone: list[int] = []
        over = asyncio.Event()

        def ended(child: AgentChild) -> None:
            gone.append(len(said))
            over.set()

        child = AgentChild(lambda child, message: said.append(message), ended)
        await child.start()
        while not said:
            await asyncio.sleep(0.01)
        while _lives(child.pid):
            time.sleep(0.02)
        time.sleep(0.1)
        await asyncio.wait_for(over.wait(), 5.0)
        assert gone == [2001]

    asyncio.run(story())


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
