"""``antiphon providers``: the list, and a test against a service that is a simulator."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest

from antiphon.cli import providers
from antiphon.cli.main import main
from antiphon.cli.provider_table import entries
from antiphon.testing import run
from antiphon.testing.conformance import Report
from antiphon.testing.simulators import Fault as SocketFault
from antiphon.testing.simulators import FaultScript, serving
from antiphon.testing.simulators.__main__ import main as simulate_from
from antiphon.testing.simulators.__main__ import parser as simulators
from antiphon.testing.simulators.__main__ import simulator_for
from antiphon.testing.simulators.cartesia import CartesiaSimulator


@pytest.fixture(params=[()], ids=["well"])
def service(request: pytest.FixtureRequest) -> Iterator[str]:
    """Cartesia as a model string with an address on loopback, served from a thread."""
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[str] = []

    async def serve() -> None:
        async with serving(CartesiaSimulator(faults=FaultScript.of(*request.param), speed=0, ttfb=0.0)) as url:
            found.append(url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield f"cartesia/sonic-3@{found[0]}"
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_the_list_is_json_with_what_each_can_and_costs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    assert main(["providers", "--json"]) == 0
    said = capsys.readouterr().out
    found = {(entry["name"], entry["kind"]): entry for entry in json.loads(said)}
    for entry in found.values():
        assert {"name", "kind", "capabilities", "prices", "verified", "as_of", "configured"} <= set(entry)
        assert set(entry["verified"]) <= {"schema", "sdk", "recording", "live"}
    assert found["openai", "llm"]["configured"] and found["ollama", "llm"]["configured"]
    assert not found["deepgram", "stt"]["configured"] and found["deepgram", "stt"]["capabilities"]["keyterms"]
    assert any(price["model"] == "openai/gpt-4o" for price in found["openai", "llm"]["prices"])
    assert all(price["as_of"] for price in found["openai", "llm"]["prices"])
    assert "secret-key" not in said


def test_the_table_says_which_keys_are_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    assert main(["providers"]) == 0
    assert "deepgram: DEEPGRAM_API_KEY" in capsys.readouterr().out


def test_a_service_that_is_well_passes(
    service: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "secret")
    assert main(["providers", "test", service, "--yes"]) == 0
    assert "tts cartesia/sonic-3: passed" in capsys.readouterr().out


@pytest.mark.parametrize("service", [(SocketFault("refuse", None, status=401),)], indirect=True)
def test_a_key_that_is_wrong_is_said(
    service: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "secret-key")
    assert main(["providers", "test", service, "--yes", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["ok"] and "401" in report["checks"][0]["detail"]
    assert "secret-key" not in json.dumps(report)


def test_nothing_is_spent_unasked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARTESIA_API_KEY", "secret")
    monkeypatch.setattr(providers, "_run", None)
    assert main(["providers", "test", "cartesia/sonic-3"]) == 1
    assert "nothing was asked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody/x"], "There is no provider 'nobody'"),
        (["cartesia/ink-2"], "cartesia/ink-2 needs an API key"),
        (["cartesia"], "Say which with --kind"),
        (["openai/no-such-voice"], "Say which with --kind"),
        (["cartesia", "--kind", "llm"], "of kind llm"),
    ],
)
def test_names_that_do_not_work_are_refused_with_a_way_out(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    assert main(["providers", "test", *words, "--yes"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("openai/gpt-4o@http://127.0.0.1:8000/v1", "llm"),
        ("openai/whisper-1:en", "stt"),
        ("openai/gpt-4o-mini-tts:marin@https://gateway.example", "tts"),
        ("deepgram/nova-3@http://127.0.0.1:8000", "stt"),
        ("deepgram/nova-3:multi", "stt"),
        ("deepgram/flux-general-en", "stt"),
        ("deepgram/aura-2-thalia-en", "tts"),
        ("cartesia/ink-2", "stt"),
        ("elevenlabs/eleven_v3:VOICE", "tts"),
    ],
)
def test_a_models_name_says_of_which_kind_it_is(name: str, kind: str) -> None:
    entry, text = providers.chosen(name, None, entries({}))
    assert (entry.kind, text) == (kind, name)


CALLER = "examples/coffee/callers/1-heart.wav"
SAYS = "Hi! Could I get a large iced mocha with skim milk, please?"


@pytest.mark.parametrize(
    ("words", "model"),
    [
        (["openai", "--obedient"], "openai/gpt-4o@{url}/v1"),
        (["anthropic", "--obedient"], "anthropic/claude-haiku-4-5@{url}"),
        (["deepgram", "--recording", f"{CALLER}={SAYS}"], "deepgram/nova-3@{url}"),
        (["deepgram", "--recording", f"{CALLER}={SAYS}"], "deepgram/flux-general-en@{url}"),
        (["cartesia"], "cartesia/sonic-3@{url}"),
    ],
)
def test_a_simulator_of_the_command_line_passes(words: list[str], model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEEPGRAM", "CARTESIA", "ANTHROPIC", "OPENAI_COMPATIBLE"):
        monkeypatch.setenv(f"{name}_API_KEY", "secret")

    async def main() -> Report:
        async with serving(simulator_for(simulators().parse_args(words))) as url:
            entry, text = providers.chosen(model.format(url=url), None, entries({}))
            return await providers._run(entry.kind, text, CALLER if entry.kind == "stt" else None, SAYS)

    report = run(main())
    assert report.ok, report


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cartesia", "--obedient"], "--obedient means nothing"),
        (["openai", "--recording", "a.wav=Hello"], "Cannot read a.wav"),
        (["deepgram", "--recording", "a.wav"], "is not a recording"),
        (["gemini", "--recording", f"{CALLER}=Hello"], "--recording means nothing"),
    ],
)
def test_a_simulator_says_what_it_has_no_use_for(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulate_from(words) == 1
    assert said in capsys.readouterr().err
