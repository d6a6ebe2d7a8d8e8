"""The supervisor's small parts, alone: tokens, limits, links, folders."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from livekit import api

from antiphon.cli import start
from antiphon.errors import ConfigurationError
from antiphon.worker import agent_messages as m
from antiphon.worker import runtime_directory
from antiphon.worker.call_files import CallFiles
from antiphon.worker.crash_limit import CrashLimit
from antiphon.worker.durability import RENEW_EVERY
from antiphon.worker.process_link import open_link
from antiphon.worker.room_token import grants_of, sign
from antiphon.worker.server import AgentServer
from antiphon.worker.watchdog import DUMP_FOR, LOOK_EVERY, Watchdog

KEY, SECRET = "a-key", "a-secret-that-is-long-enough-for-sha256"


def test_a_new_token_grants_to_another_identity_what_the_first_did() -> None:
    video = api.VideoGrants(room_join=True, room="kitchen", can_update_own_metadata=True, can_publish_data=False)
    first = api.AccessToken(KEY, SECRET).with_identity("agent").with_kind("agent").with_grants(video)
    grants = grants_of(first.with_attributes({"a": "ü"}).to_jwt())
    assert SECRET not in str(grants) and "exp" not in grants
    claims = api.TokenVerifier(KEY, SECRET).verify(sign(grants, key=KEY, secret=SECRET, identity="agent-e2"))
    assert claims.identity == "agent-e2" and claims.kind == "agent" and claims.attributes == {"a": "ü"}
    assert claims.video == api.TokenVerifier(KEY, SECRET).verify(first.to_jwt()).video
    assert grants_of("room-token") == {} and grants_of("a.b.c") == {}
    with pytest.raises(Exception, match=r"[Ss]ignature"):
        api.TokenVerifier(KEY, "another-secret-that-is-long-enough").verify(sign(grants, key=KEY, secret=SECRET))


def test_a_session_is_suspect_after_three_crashes_and_too_many_are_four_within_a_minute() -> None:
    limit = CrashLimit()
    seen = []
    for now in (0.0, 10.0, 20.0, 30.0):
        limit.note(now)
        seen.append((limit.suspect, limit.exceeded))
    assert seen == [(False, False), (False, False), (True, False), (True, True)]
    slow = CrashLimit()
    for now in (0.0, 30.0, 61.0, 91.0, 122.0, 152.0):
        slow.note(now)
        assert not slow.exceeded


def test_a_link_carries_messages_in_order_and_ends_at_nonsense() -> None:
    async def story() -> None:
        ours, theirs = socket.socketpair()
        got: list[Any] = []
        lost = asyncio.Event()
        link = await open_link(ours, m.AnyToAgent, got.append, lost.set)
        other = await open_link(theirs, m.AnyFromAgent, got.append, lambda: None)
        other.send(m.Retire())
        other.send(m.End(job="1", reason="x"))
        link.send(m.Ready())
        await asyncio.sleep(0.05)
        assert sorted(map(type, got), key=str) == sorted([m.Retire, m.End, m.Ready], key=str)
        other.send(m.Hello(pid=1))
        await asyncio.wait_for(lost.wait(), 1)
        assert not link.open
        link.send(m.Ready())

    asyncio.run(story())


class Child:
    """An agent process as the watchdog sees it."""

    ready, pid, how = True, 1, ""
    jobs: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.beat = m.Beat(lag=0.0, sessions=0, rss=0)
        self.heard = 0.0
        self.done: list[str] = []

    def dump(self) -> None:
        self.done.append("dump")

    def kill(self, how: str) -> None:
        self.done.append("kill")


def test_a_watchdog_that_stood_still_itself_takes_nobody_for_hung() -> None:
    async def story() -> None:
        child: Any = Child()
        dog = Watchdog(2.0, None)
        for tick in range(9):
            dog.look([child], tick * 0.25)
        assert child.done == []
        dog.look([child], 60.0)
        assert child.done == [] and child.heard == 60.0
        for tick in range(1, 10):
            dog.look([child], 60.0 + tick * 0.25)
        assert child.done == ["dump"]
        await asyncio.sleep(1.1)
        assert child.done == ["dump", "kill"]

    asyncio.run(story())


@pytest.mark.parametrize("hang_timeout", [2.0, 5.0, 15.0])
def test_a_lease_outlives_the_time_in_which_a_process_that_hangs_is_ended(hang_timeout: float) -> None:
    ended = hang_timeout + LOOK_EVERY + DUMP_FOR
    assert AgentServer(hang_timeout=hang_timeout).lease_ttl > RENEW_EVERY + ended


def test_the_folder_of_a_worker_is_private_and_those_of_dead_ones_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    first = runtime_directory.make()
    assert first.stat().st_mode & 0o077 == 0 and runtime_directory.root().stat().st_mode & 0o077 == 0
    dead, still = runtime_directory.root() / "999999999-dead", runtime_directory.root() / "999999998-still"
    for folder in (dead, still):
        folder.mkdir()
    with socket.socket(socket.AF_UNIX) as media:
        media.bind(str(still / "media-1"))
        media.listen()
        runtime_directory.make()
        assert first.exists() and still.exists() and not dead.exists()
    os.chmod(runtime_directory.root(), 0o755)
    with pytest.raises(ConfigurationError, match="XDG_RUNTIME_DIR"):
        runtime_directory.make()


def test_processes_that_die_together_are_one_crash_of_a_session_that_had_begun_in_one_of_them() -> None:
    limit = CrashLimit()
    limit.note(10.0)
    for given_to in range(5):
        limit.note(10.01 + given_to / 100, begun=False)
    assert not limit.suspect and not limit.exceeded
    for crash in (12.0, 14.0, 16.0):
        limit.note(crash, begun=False)
    assert limit.exceeded, "one that crashes its process before it has begun does so each time"


@pytest.mark.parametrize("setting", [{"load_threshold": 0.0}, {"load_threshold": -1.0}, {"drain_timeout": -1.0}])
def test_a_setting_that_cannot_be_is_refused_where_it_is_made_and_on_the_command_line(
    setting: dict[str, float],
) -> None:
    (name, value), *_ = setting.items()
    with pytest.raises(ConfigurationError, match=name):
        AgentServer(**setting)  # type: ignore[arg-type]
    words = start.parser("app.py").parse_args([f"--{name.replace('_', '-')}={value}"])
    with pytest.raises(ConfigurationError, match=name):
        start.configured(AgentServer(), words)


def test_sessions_that_have_ended_are_kept_for_some_time_or_for_ever() -> None:
    assert (AgentServer().keep_ended, AgentServer(keep_ended=None).keep_ended) == (30 * 86_400, None)
    with pytest.raises(ConfigurationError, match="keep_ended"):
        AgentServer(keep_ended=-1.0)


def test_an_agent_name_on_the_command_line_does_not_go_unnoticed_by_a_server_that_has_its_own() -> None:
    words = start.parser("app.py").parse_args(["--agent-name", "barista"])
    with pytest.raises(ConfigurationError, match="agent-name"):
        start.configured(AgentServer(), words)


def test_a_calls_files_lie_in_their_folder_whatever_its_job_is_called(tmp_path: Path) -> None:
    files = CallFiles(tmp_path / "calls", record=True)
    files.make()
    for job in ("AJ_x", "../../etc/cron.d/x", "/etc/passwd", "tür\\0", "x" * 256):
        made = files.options(f"{job}-0123456789abcdef0123456789abcdef", stored=False)
        assert {*made} == {"report", "record", "log"}
        for path in map(Path, made.values()):
            assert path.parent == tmp_path / "calls"
            path.touch()
