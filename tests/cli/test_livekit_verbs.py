"""``antiphon token``, ``rooms`` and ``dispatch`` against a real LiveKit server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from livekit import api

from antiphon.cli.main import main
from tests.worker.livekit_server import KEY, SECRET, LiveKitProcess, serve


@pytest.fixture(scope="module")
def livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitProcess]:
    yield from serve(tmp_path_factory.mktemp("livekit"))


@pytest.fixture
def at_server(livekit: LiveKitProcess, monkeypatch: pytest.MonkeyPatch) -> LiveKitProcess:
    monkeypatch.setenv("LIVEKIT_URL", livekit.url)
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    return livekit


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out.strip()


def test_an_agent_is_sent_to_a_room_seen_there_and_the_room_ended(
    at_server: LiveKitProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, "rooms", "list") == "no rooms"
    dispatch = printed(capsys, "dispatch", "create", "kitchen", "cook", "--metadata", "order 7")
    rooms = json.loads(printed(capsys, "rooms", "list", "--json"))
    assert [room["name"] for room in rooms] == ["kitchen"]
    sent = json.loads(printed(capsys, "dispatch", "list", "kitchen", "--json"))
    assert {"id": dispatch, "agent": "cook"}.items() <= next(row for row in sent if row["agent"]).items()
    assert printed(capsys, "rooms", "show", "kitchen") == "nobody is there"
    assert printed(capsys, "dispatch", "delete", "kitchen", dispatch) == f"deleted {dispatch}"
    assert printed(capsys, "rooms", "delete", "kitchen") == "deleted kitchen"
    assert printed(capsys, "rooms", "list") == "no rooms"


def test_a_token_says_who_may_join_what_and_for_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("URL", "wss://voice.example.com"), ("API_KEY", KEY), ("API_SECRET", SECRET)):
        monkeypatch.setenv(f"LIVEKIT_{name}", value)
    words = ("token", "kitchen", "anna", "--name", "Anna", "--listen-only", "--dispatch", "cook", "--json")
    made: dict[str, Any] = json.loads(printed(capsys, *words))
    assert made["url"] == "wss://voice.example.com" and SECRET not in json.dumps(made)
    claims = api.TokenVerifier(KEY, SECRET).verify(made["token"])
    assert claims.identity == "anna" and claims.name == "Anna"
    assert claims.video is not None and claims.video.room == "kitchen" and claims.video.can_publish is False
    assert claims.room_config is not None and claims.room_config.agents[0].agent_name == "cook"


def test_what_is_missing_or_wrong_is_said(
    at_server: LiveKitProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "another-secret-that-is-long-enough-too")
    assert main(["rooms", "list"]) == 1
    assert "LIVEKIT_API_SECRET" in capsys.readouterr().err
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:9")
    assert main(["rooms", "list"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
    monkeypatch.setenv("LIVEKIT_URL", "127.0.0.1:7880")
    assert main(["rooms", "list"]) == 1
    assert "is not the address of a LiveKit server" in capsys.readouterr().err
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        Thread(target=other.serve_forever, daemon=True).start()
        monkeypatch.setenv("LIVEKIT_URL", f"ws://127.0.0.1:{other.server_port}")
        assert main(["rooms", "list"]) == 1
        other.shutdown()
    assert "is a LiveKit server there?" in capsys.readouterr().err
    monkeypatch.delenv("LIVEKIT_URL")
    assert main(["dispatch", "list", "kitchen"]) == 1
    assert "LIVEKIT_URL is not set" in capsys.readouterr().err
