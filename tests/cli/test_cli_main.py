"""The ``antiphon`` command: help, verbs, somebody's program, and what it says when something is wrong."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from antiphon.cli.main import main


def program(folder: Path, text: str) -> str:
    path = folder / "app.py"
    path.write_text(textwrap.dedent(text))
    return str(path)


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for verb in ("console", "dev", "start", "call", "models", "check", "doctor", "bench", "replay", "version"):
        assert verb in shown


def test_help_is_quick() -> None:
    """Nothing heavy is imported for it."""
    heavy = "{'numpy', 'asyncio', 'aiohttp', 'onnxruntime', 'msgspec'} & set(sys.modules)"
    code = f"import sys; from antiphon.cli.main import main; main(['--help']); assert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=10)


def test_no_words_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().out


def test_unknown_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fly"]) == 2
    assert "no verb 'fly'" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from antiphon import __version__

    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"antiphon {__version__}\n"


def test_a_program_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["console", "nowhere.py"]) == 1
    assert "There is no file 'nowhere.py'" in capsys.readouterr().err


def test_a_program_without_an_entrypoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["console", program(tmp_path, "print('hi')")]) == 1
    problem = capsys.readouterr().err
    assert "no entrypoint" in problem
    assert "run(entrypoint)" in problem


def test_options_before_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["console", "--text"]) == 1
    assert "Which program?" in capsys.readouterr().err


def test_a_worker_whose_server_is_named_in_part_says_what_to_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:7880")
    monkeypatch.delenv("LIVEKIT_API_KEY", raising=False)
    app = program(tmp_path, "from antiphon import run\nasync def entrypoint(ctx): ...\nrun(entrypoint)\n")
    assert main(["start", app]) == 1
    assert "LIVEKIT_API_KEY" in capsys.readouterr().err


def test_verbs_of_later_versions_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verb = "call"
    app = program(tmp_path, "from antiphon import run\nasync def entrypoint(ctx): ...\nrun(entrypoint)\n")
    assert main([verb, app]) == 1
    problem = capsys.readouterr().err
    assert f"{verb!r} is not served by this version" in problem
    assert problem.count("antiphon:") == 1


def test_run_wants_a_function(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["console", program(tmp_path, "from antiphon import run\nrun('entrypoint')\n")]) == 1
    assert "async function" in capsys.readouterr().err


def test_the_programs_own_exit_status_counts(tmp_path: Path) -> None:
    assert main(["console", program(tmp_path, "raise SystemExit(7)")]) == 7


def test_a_programs_folder_is_importable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "menu_of_today.py").write_text("SOUP = 'pea'\n")
    app = program(tmp_path, "import sys, menu_of_today\nprint(menu_of_today.SOUP, sys.argv[1:])\nraise SystemExit(0)\n")
    before = list(sys.path), list(sys.argv)
    assert main(["console", app, "--text", "x"]) == 0
    assert capsys.readouterr().out == "pea ['console', '--text', 'x']\n"
    assert (list(sys.path), list(sys.argv)) == before


def test_antiphon_console_help_needs_no_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["console", "--help"])
    assert stop.value.code == 0
    assert "usage: antiphon console app.py" in capsys.readouterr().out
