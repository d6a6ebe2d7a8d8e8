"""Tokens, secrets and listeners of a worker. ``docs/security.md`` says what is tested where."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import os
import re
import socket
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from antiphon import JobContext
from antiphon.audio.seam import LegSpec, OpenLine
from antiphon.cli.certificate import own_context
from antiphon.cli.main import main
from antiphon.errors import ConfigurationError, FormatError
from antiphon.store.event_log import FileEventLog
from antiphon.store.log_reader import parse_log
from antiphon.store.sqlite import SQLiteStore
from antiphon.testing import loop as virtual
from antiphon.transport.livekit.connection import LiveKitOptions
from antiphon.worker.agent_protocol import Assigned
from antiphon.worker.engine import Acceptance, Assignment, JobOffer
from antiphon.worker.livekit_engine import LiveKitEngine
from antiphon.worker.server import LiveKitServer
from tests.worker.dispatcher import KEY, SECRET, Dispatcher, dispatcher
from tests.worker.hand import Hand, story
from tests.worker.livekit_server import LiveKitProcess
from tests.worker.room_agent import a_room
from tests.worker.test_livekit_rooms import dispatch, worker

SOURCE = Path(__file__).parents[2] / "src" / "antiphon"
TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")


async def a_stranger(app: web.Application, **options: Any) -> TestServer:
    server = TestServer(app, **options)
    await server.start_server()
    return server


def shown_in(error: BaseException | None) -> str:
    """All that a crash report could show of an error and of what led to it."""
    shown = ""
    while error is not None:
        shown += f"{error} {error!r} {vars(error)} {error.args!r}"
        error = error.__cause__ or error.__context__
    return shown


# --- tokens ---------------------------------------------------------------------------------------------------------------


def test_a_workers_token_is_good_for_registering_and_for_minutes() -> None:
    given: list[str] = []

    async def show(request: web.Request) -> web.Response:
        given.append(request.headers["Authorization"].removeprefix("Bearer "))
        assert not request.query
        return web.Response(status=401)

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/agent", show)
        server = await a_stranger(app)
        with pytest.raises(ConfigurationError):
            await LiveKitEngine(Hand(), url=str(server.make_url("/")), key=KEY, secret=SECRET).run()
        await server.close()

    asyncio.run(run())
    (token,) = given
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], issuer=KEY)
    assert [name for name, value in claims["video"].items() if value] == ["agent"], "no room, nothing to be done in one"
    assert not claims.get("sub") and 0 < claims["exp"] - time.time() <= 900


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_place_takes_no_token_there(status: int) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(str(request.headers))
        return web.Response(status=404)

    async def run() -> None:
        other = web.Application()
        other.router.add_get("/{any:.*}", elsewhere)
        there = await a_stranger(other)

        async def redirect(request: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": str(there.make_url("/agent"))})

        app = web.Application()
        app.router.add_get("/agent", redirect)
        server = await a_stranger(app)
        hand = Hand()
        engine = LiveKitEngine(hand, url=str(server.make_url("/")), key=KEY, secret=SECRET)
        task = asyncio.create_task(engine.run())
        await hand.hears("disconnected")
        await engine.aclose()
        await asyncio.wait_for(task, 5)
        await server.close()
        await there.close()

    asyncio.run(run())
    assert not TOKEN.search(str(seen))


def test_a_server_that_nobody_vouches_for_gets_no_token() -> None:
    seen: list[web.Request] = []

    async def listen(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response()

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/agent", listen)
        server = TestServer(app, scheme="https")
        await server.start_server(ssl=own_context(["127.0.0.1"]))
        hand = Hand()
        engine = LiveKitEngine(hand, url=f"wss://127.0.0.1:{server.port}", key=KEY, secret=SECRET)
        task = asyncio.create_task(engine.run())
        assert "certificate" in (await hand.hears("disconnected")).lower()
        await engine.aclose()
        await asyncio.wait_for(task, 5)
        await server.close()

    asyncio.run(run())
    assert not seen


def made(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    server = ("--url", "wss://voice.example.com", "--api-key", KEY, "--api-secret", SECRET)
    assert main(["token", *words, *server]) == 0
    claims: dict[str, Any] = jwt.decode(capsys.readouterr().out.strip(), SECRET, algorithms=["HS256"])
    return claims


def test_a_participants_token_is_for_one_room_one_identity_and_an_hour(capsys: pytest.CaptureFixture[str]) -> None:
    claims = made(capsys, "kitchen", "anna")
    grants = {name for name, value in claims["video"].items() if value}
    assert grants == {"roomJoin", "room", "canPublish", "canSubscribe", "canPublishData"}
    assert (claims["video"]["room"], claims["sub"]) == ("kitchen", "anna")
    assert 3_500 < claims["exp"] - time.time() <= 3_600
    listener = made(capsys, "kitchen", "ben", "--listen-only", "--ttl", "60")
    grants = {name for name, value in listener["video"].items() if value}
    assert grants == {"roomJoin", "room", "canSubscribe"} and listener["exp"] - time.time() <= 60


@pytest.mark.parametrize(
    "words",
    [
        ("", "anna"),
        (" ", "anna"),
        ("kitchen", ""),
        ("kitchen", "an\nna"),
        ("k" * 257, "anna"),
        *(("kitchen", "anna", f"--ttl={ttl}") for ttl in ("0", "-60", "nan", "inf", "1e9", "86401")),
    ],
)
def test_a_token_that_is_good_for_too_much_is_not_made(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    server = ("--url", "wss://voice.example.com", "--api-key", KEY, "--api-secret", SECRET)
    assert main(["token", *words, *server]) == 1
    said = capsys.readouterr()
    assert not said.out and ("no room" in said.err or "no identity" in said.err or "cannot be good for" in said.err)


# --- secrets --------------------------------------------------------------------------------------------------------------


def test_secrets_and_tokens_are_in_no_repr() -> None:
    token = "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl"
    offer = JobOffer("AJ_1", "room")
    leg = LegSpec("livekit", {"url": "ws://here", "token": token})
    shown = [
        LiveKitServer("wss://voice.example.com", KEY, SECRET),
        LiveKitEngine(Hand(), url="wss://voice.example.com", key=KEY, secret=SECRET),
        LiveKitEngine(Hand(), url="wss://voice.example.com?access_token=" + token, key=KEY, secret=SECRET),
        Assigned("AJ_1", "", token),
        Assignment(offer, Acceptance("agent"), "ws://here", token),
        leg,
        OpenLine(line="l", leg=leg, config=None),  # type: ignore[arg-type]
        LiveKitOptions("ws://here", token),
    ]
    for each in shown:
        assert SECRET not in repr(each) and not TOKEN.search(repr(each)), type(each)


@pytest.mark.parametrize(
    "url", ["wss://anna:{}@voice.example.com", "ftp://anna:{}@x", "anna:{}@x", "wss://x/?token={}@"]
)
def test_a_password_in_an_address_is_refused_and_not_shown(url: str) -> None:
    with suppress(ConfigurationError):
        engine = LiveKitEngine(Hand(), url=url.format("hunter2"), key=KEY, secret=SECRET)
        assert "?" in url and "hunter2" not in repr(engine)
        return
    with pytest.raises(ConfigurationError) as refused:
        LiveKitEngine(Hand(), url=url.format("hunter2"), key=KEY, secret=SECRET)
    assert "hunter2" not in shown_in(refused.value)


def test_no_log_and_no_error_shows_a_secret_or_a_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    errors: list[BaseException] = []

    async def trouble(server: Dispatcher, hand: Hand, engine: LiveKitEngine) -> None:
        server.offer("AJ_1")
        await hand.hears("assigned")
        server.send(b"\xff\xff")
        await hand.hears("connected", 2)
        server.away = 500
        await server.drop()
        await hand.hears("disconnected", 3)
        server.away = 0
        await hand.hears("connected", 3)
        for what, about in hand.log:
            assert what == "assigned" or (SECRET not in repr(about) and not TOKEN.search(repr(about)))

    async def refused() -> None:
        async with dispatcher() as server:
            server.away = 401
            try:
                await LiveKitEngine(Hand(), url=server.url, key=KEY, secret=SECRET).run()
            except ConfigurationError as error:
                errors.append(error)

    story(trouble)
    virtual.run(refused())
    shown = caplog.text + shown_in(errors[0])
    assert SECRET not in shown and "room-token" not in shown and not TOKEN.search(shown)


@pytest.mark.parametrize(
    ("url", "secret", "warned"),
    [
        ("ws://192.0.2.1:7880", "secret", ["can be guessed", "not encrypted"]),
        ("wss://voice.example.com", "secret", ["can be guessed"]),
        ("ws://voice.example.com", SECRET, ["not encrypted"]),
        ("wss://voice.example.com", SECRET, []),
        ("ws://127.0.0.1:9", "secret", []),
        ("ws://[::1]:9", "secret", []),
        ("ws://localhost:9", "secret", []),
    ],
)
def test_a_short_secret_and_an_open_connection_are_warned_of_unless_the_server_is_this_machines(
    url: str, secret: str, warned: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        engine = LiveKitEngine(Hand(), url=url, key="devkey", secret=secret)
        await engine.aclose()
        await engine.run()

    asyncio.run(run())
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == len(warned) and all(word in text for word, text in zip(warned, said, strict=True)), said
    assert secret not in str(said) or secret == "secret"


# --- listeners ------------------------------------------------------------------------------------------------------------


def ask(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    """Status, and all that was answered."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode() + str(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode() + str(error.headers)


def test_a_running_workers_pages_are_this_machines_and_only_to_be_read_and_it_tells_no_secret(
    livekit: LiveKitProcess, tmp_path: Path
) -> None:
    """A real one, with a job that fails; where it listens nobody told it."""

    async def look() -> str:
        async with worker(livekit, tmp_path) as running:
            await dispatch(livekit, a_room(), agent="broken")
            await running.says("the machine is out of beans")
            shown = ""
            for path in ("/livez", "/healthz", "/startupz", "/readyz", "/metrics"):
                status, text = await asyncio.to_thread(ask, running.port, path)
                assert status == 200, path
                shown += text
                for method in ("POST", "PUT", "DELETE"):
                    assert (await asyncio.to_thread(ask, running.port, path, method))[0] == 405, (method, path)
            for path in ("/", "/worker", "/../../etc/passwd", "/metrics/x", "/debug"):
                assert (await asyncio.to_thread(ask, running.port, path))[0] == 404, path
            with pytest.raises(OSError):
                await asyncio.to_thread(socket.create_connection, ("127.0.0.2", running.port), 2)
            return shown + "".join(running.lines)

    shown = asyncio.run(look())
    assert SECRET not in shown and not TOKEN.search(shown)


# --- files, ids, formats --------------------------------------------------------------------------------------------------


def test_what_is_stored_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    async def write() -> None:
        store = SQLiteStore(tmp_path / "calls.db")
        log = store.log(await store.create("call", owner="a", ttl=9.0))
        log.append("fact", 1.0, {"kind": "x", "text": "secret words"})
        await log.aclose()
        files = list(tmp_path.iterdir())
        assert {path.name for path in files} >= {"calls.db", "calls.db-wal", "calls.db-shm"}
        assert [path.name for path in files if path.stat().st_mode & 0o077] == []
        await store.aclose()

    before = os.umask(0)
    try:
        asyncio.run(write())
        (tmp_path / "old.jsonl").write_text("what somebody else left, for all to read")
        for name in ("new.jsonl", "old.jsonl"):
            log = FileEventLog(tmp_path / name)
            log.append("fact", 1.0, {"kind": "x"})
            log.close()
            assert (tmp_path / name).stat().st_mode & 0o077 == 0
    finally:
        os.umask(before)


def test_a_sessions_id_cannot_be_guessed() -> None:
    ids = {JobContext().id for _ in range(50)}
    assert len(ids) == 50
    for id in ids:
        assert re.fullmatch(r"job_[0-9a-f]{32}", id)


UNSAFE = {
    "pickle",
    "cPickle",
    "_pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "jsonpickle",
    "multiprocessing",
}
"""Modules whose data can run code when it is read."""
UNSAFE_CALLS = {"eval", "exec", "yaml.load", "yaml.unsafe_load", "np.load", "numpy.load", "torch.load"}


def test_nothing_that_is_read_from_a_wire_or_a_file_can_run_code() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                loads_safely = any(
                    word.arg == "allow_pickle" and isinstance(word.value, ast.Constant) and word.value.value is False
                    for word in node.keywords
                )
                if called in UNSAFE_CALLS and not loads_safely:
                    found.append(f"{path.name}:{node.lineno}: {called}")
                if called.endswith("import_module") and node.args and isinstance(node.args[0], ast.Constant):
                    names = [str(node.args[0].value)]
            found += [f"{path.name}: {name}" for name in names if name.partition(".")[0] in UNSAFE]
    assert found == []


def test_what_is_read_as_json_is_bounded_in_depth() -> None:
    """A server's or a disk's, nested without end: an error, not a crash."""
    header = json.dumps({"format": "antiphon.event-log", "version": 1, "build": ""}).encode()
    deep = b'{"seq":1,"at":0,"lane":"fact","kind":"x","body":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"
    with pytest.raises(FormatError):
        parse_log(header + b"\n" + deep + b"\n" + deep + b"\n")
    with pytest.raises(FormatError):
        parse_log(b"[" * 100_000 + b"\n")
