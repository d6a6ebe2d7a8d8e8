"""``antiphon sessions``: seen, ended and drained from outside, at a worker that runs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from livekit.protocol import agent

from antiphon.errors import ConfigurationError
from antiphon.worker.server import AgentServer
from antiphon.worker.store_choice import check_store, open_store
from tests.worker.supervised import supervised


async def sessions(folder: Path, *words: str, status: int = 0) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "antiphon.cli.main", "sessions", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder)},
    )
    assert done.returncode == status, done.stderr
    return done.stdout or done.stderr


def test_a_worker_tells_its_sessions_ends_one_and_drains_when_it_is_asked(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'calls.db'}"

    async def story() -> None:
        run = tmp_path / "run"
        run.mkdir()
        assert await sessions(run) == "no sessions\n"
        assert "No worker" in await sessions(run, "drain", status=1)
        async with supervised(tmp_path, store=store, environment={"XDG_RUNTIME_DIR": str(run)}) as worker:
            worker.dispatcher.offer("AJ_1", room="room-60", agent_name="tea")
            await worker.until(lambda: (tmp_path / "AJ_1-agent-AJ_1.wav").exists())
            (row,) = json.loads(await sessions(run, "--json"))
            assert row["id"].startswith("AJ_1-") and row["agent"] == "tea" and row["takeovers"] == 0
            (stored,) = json.loads(await sessions(run, "--store", store, "--json"))
            assert stored["id"] == row["id"] and stored["status"] == "live" and stored["owner"] == row["owner"]
            assert "no-such" in await sessions(run, "end", "no-such", status=1)
            await sessions(run, "end", row["id"])
            await worker.status("AJ_1", agent.JS_SUCCESS)
            table = (await sessions(run, "--store", store, "--all")).splitlines()
            assert table[0].split() == ["id", "agent", "status", "owner", "age", "takeovers", "reason"]
            assert "ended by the operator" in table[1]
            assert "waits for 0" in await sessions(run, "drain")
            assert await worker.exits() == 0 and not worker.left()
            assert not list((run / "antiphon").iterdir())

    asyncio.run(story())


@pytest.mark.parametrize("choice", ["postgres://db/calls", "sqlite://calls.db", "", 7, "sqlite:///"])
def test_what_can_be_no_store_is_refused_with_what_to_write(choice: object) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:///calls\.db"):
        AgentServer(store=choice)  # type: ignore[arg-type]


def test_a_store_is_named_by_url_by_path_or_given(tmp_path: Path) -> None:
    async def story() -> None:
        made = open_store(f"sqlite:///{tmp_path / 'calls.db'}")
        assert open_store(made) is made
        assert await made.sessions() == []
        await made.aclose()

    asyncio.run(story())
    check_store("calls.db")
    check_store(tmp_path / "calls.db")
    with pytest.raises(ConfigurationError, match="folder"):
        check_store(tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"max_sessions": 0}, {"isolation": "none"}, {"processes": 0}, {"hang_timeout": 0.5}, {"memory_limit": 0}],
)
def test_limits_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        AgentServer(**options)  # type: ignore[arg-type]
