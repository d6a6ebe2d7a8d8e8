"""Holds the map of docs/architecture.md: who may import whom, who may read a clock, how long a file may be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "antiphon"

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "kernel": {"turns"},
    "turns": {"kernel"},
    "chat": set(),
    "models": {"chat", "audio"},
    "tools": {"chat", "models", "kernel"},
    "agents": {"chat", "models", "audio", "tools", "turns"},
    "session": {"kernel", "turns", "chat", "agents", "tools", "models", "audio"},
    "audio": {"models"},
    "transport": {"audio", "models"},
    "wire": {"chat", "models", "audio"},
    "providers": {"chat", "models", "audio"},
    "local": {"chat", "models", "audio"},
    "store": {"models", "kernel"},
    "safety": {"models", "chat"},
    "telemetry": {"models", "kernel", "chat", "audio"},
    "bench": {"models", "audio", "kernel", "turns"},
}
"""Every arrow. ``errors`` may be imported by all; packages that compose (below) may import anything."""

COMPOSERS = {"cli", "web", "worker", "testing"}
"""Only these wire concrete parts together."""

FRONTS: dict[str, set[str]] = {
    "providers/assemblyai.py": {"wire"},
    "providers/cartesia.py": {"wire"},
    "providers/deepgram.py": {"wire"},
    "providers/openai_audio.py": {"wire"},
    "providers/anthropic.py": {"wire"},
    "providers/azure.py": {"wire"},
    "providers/google.py": {"wire"},
    "providers/openai.py": {"wire"},
    "providers/openai_compatible.py": {"wire"},
    "providers/elevenlabs.py": {"wire"},
}
"""What a user imports of a provider: its options, joined with the wire. Codecs never see the wire."""

TYPES_ONLY: dict[str, set[str]] = {
    "agents": {"session"},
    "tools": {"agents", "session"},
    "local": set(),
    "session": {"testing"},
}
"""Further arrows that exist for the type checker alone: an import under ``if TYPE_CHECKING``."""

BY_NAME = {
    "__init__.py": "the public names, imported when first used",
    "agents/restoring.py": "the class of an agent that another process made",
    "session/bindings.py": "the default local models, models given as strings, and objects of LiveKit's plugins",
    "session/session.py": "asks the worker package for the services of its job",
    "session/run_result.py": "fluent expectations come from the test kit",
    "audio/plane.py": "the transport that a LegSpec names",
    "transport/__init__.py": "the transport that a LegSpec names",
    "wire/resolve.py": "the provider that a model string names",
    "wire/llm_service.py": "the codec that a provider's row names",
    "transport/livekit/noise.py": "the user's own noise cancelling, which runs in the media process",
    "local/runtime.py": "optional runtimes of the local models",
}
"""Files outside the composers that may import a module of Antiphon by its name at run time, and why."""

PURE = {"kernel", "turns", "chat"}
PURE_MODULES = {
    "__future__", "abc", "bisect", "collections", "contextlib", "copy", "dataclasses", "enum", "functools", "heapq", "itertools", "json",
    "math", "msgspec", "operator", "re", "string", "types", "typing", "unicodedata",
}  # fmt: skip
"""What the pure packages may import: no clock, no loop, no chance, no file."""

PURE_EXCEPTIONS = {("chat", "uuid")}
"""Items made by user code name themselves; the kernel's own items have ids from its counters."""

CLOCKS = {"sleep", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"}
CLOCK_READERS = {
    "audio/driver.py": "drives the plane",
    "bench/turn_scores.py": "measures how long a decision takes",
    "local/client.py": "starts the model process and waits for its socket",
    "local/directories.py": "waits for another process to let go of a folder",
    "local/engine.py": "drives the model process",
    "local/llama.py": "measures how long a prompt took",
    "store/clock.py": "the clock that leases run by",
    "telemetry/stalls.py": "watches a loop from a thread of its own",
    "local/fetch.py": "waits between two tries of a download",
}
"""Files outside the composers that may read the machine's clock or sleep, and why."""

LOOP_TIME = {"session", "wire", "store", "telemetry", "agents", "tools"}
"""Packages whose coroutines may wait with ``asyncio.sleep``: the loop's time is the virtual one under test."""

LONG_FILES = {
    "turns/backchannel_weights.py": "data that training/backchannel/train.py writes",
    "kernel/events.py": "a contract: all events on one page",
}
MAX_LINES = 400

LIGHT_FORBIDDEN = {"numpy", "aiohttp", "onnxruntime", "msgspec", "orjson", "opentelemetry", "asyncio"}


class Import(NamedTuple):
    """An import statement: the dotted module, its line, and whether it is for the type checker only."""

    module: str
    line: int
    types_only: bool


class Source(NamedTuple):
    name: str
    package: str
    text: str
    tree: ast.Module


@cache
def sources() -> tuple[Source, ...]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE)
        package = relative.parts[0] if len(relative.parts) > 1 else relative.stem
        text = path.read_text(encoding="utf-8")
        found.append(Source(relative.as_posix(), package, text, ast.parse(text)))
    return tuple(found)


def imports(source: Source) -> Iterator[Import]:
    """Every import, also those inside functions."""
    guarded = {
        child
        for node in ast.walk(source.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, node in guarded)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.name}:{node.lineno}: write imports from the top: antiphon.…"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "antiphon" else [module]
            for name in names:
                yield Import(name, node.lineno, node in guarded)


def calls(source: Source) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def complain(problems: list[str]) -> None:
    if problems:
        pytest.fail("\n" + "\n".join(problems), pytrace=False)


def test_every_import_follows_an_arrow_of_the_map() -> None:
    problems = []
    for source in sources():
        if source.package in COMPOSERS or source.name in ("__init__.py", "__main__.py"):
            continue
        assert source.package in ALLOWED, f"{source.package}/ is not on the map"
        for found in imports(source):
            head, _, rest = found.module.partition(".")
            target = rest.partition(".")[0]
            if head != "antiphon" or target in {source.package, "errors", "__version__", ""}:
                continue
            allowed = ALLOWED[source.package] | FRONTS.get(source.name, set())
            if found.types_only:
                allowed = allowed | TYPES_ONLY.get(source.package, set())
            if target not in allowed:
                problems.append(f"{source.name}:{found.line}: {source.package} may not import {found.module}")
    complain(problems)


def test_the_public_names_are_imported_lazily() -> None:
    init = next(source for source in sources() if source.name == "__init__.py")
    eager = [found for found in imports(init) if not found.types_only and found.module.startswith("antiphon")]
    assert eager == []


def test_only_composition_points_import_by_name() -> None:
    problems = []
    for source in sources():
        if source.package in COMPOSERS or source.name in BY_NAME:
            continue
        for name, call in calls(source):
            if name.split(".")[-1] not in {"import_module", "__import__"}:
                continue
            argument = call.args[0] if call.args else None
            if not isinstance(argument, ast.Constant) or str(argument.value).startswith("antiphon"):
                problems.append(f"{source.name}:{call.lineno}: imports a module by name")
    complain(problems)


def test_the_pure_packages_import_nothing_that_could_act() -> None:
    problems = [
        f"{source.name}:{found.line}: {found.module}"
        for source in sources()
        if source.package in PURE
        for found in imports(source)
        if not found.module.startswith("antiphon")
        and found.module.partition(".")[0] not in PURE_MODULES
        and (source.package, found.module) not in PURE_EXCEPTIONS
    ]
    complain(problems)


def test_only_drivers_read_clocks_or_sleep() -> None:
    problems = []
    for source in sources():
        if source.package in COMPOSERS or source.name in CLOCK_READERS:
            continue
        banned = {("time", name) for name in CLOCKS}
        if source.package not in LOOP_TIME:
            banned.add(("asyncio", "sleep"))
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) in banned:
                    problems.append(f"{source.name}:{node.lineno}: {node.value.id}.{node.attr}")
            elif isinstance(node, ast.ImportFrom):
                problems += [
                    f"{source.name}:{node.lineno}: from {node.module} import {alias.name}"
                    for alias in node.names
                    if (node.module, alias.name) in banned
                ]
    complain(problems)


def test_only_the_command_prints() -> None:
    problems = [
        f"{source.name}:{call.lineno}: print"
        for source in sources()
        if source.package not in {"cli"} and not re.search(r'__name__ == "__main__"', source.text)
        for name, call in calls(source)
        if name == "print"
    ]
    complain(problems)


def test_no_file_is_longer_than_one_idea() -> None:
    problems = [
        f"{source.name}: {lines} lines"
        for source in sources()
        if (lines := source.text.count("\n")) > MAX_LINES and source.name not in LONG_FILES
    ]
    complain(problems)


def test_every_file_says_what_it_owns() -> None:
    complain([source.name for source in sources() if source.text.strip() and not ast.get_docstring(source.tree)])


def test_public_classes_and_functions_have_docstrings() -> None:
    """At the top of a module; short ones, whose name and types say it all, are excused."""
    problems = []
    for source in sources():
        for node in source.tree.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            handler = source.package == "kernel" and not isinstance(node, ast.ClassDef)
            if handler or node.name.startswith("pytest_"):
                continue  # a machine's table, and pytest's own documents, say when these run
            length = (node.end_lineno or node.lineno) - node.lineno
            if not ast.get_docstring(node) and length > 12:
                problems.append(f"{source.name}:{node.lineno}: {node.name}")
    complain(problems)


def test_nothing_is_left_for_later() -> None:
    pattern = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    complain([source.name for source in sources() if pattern.search(source.text)])


def test_no_path_of_a_machine_and_no_registry_is_named() -> None:
    pattern = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/|pypi\.org|pythonhosted|files\.python|huggingface\.co")
    problems = []
    for folder in ("src", "tests", "examples", "benchmarks", "scripts", "docs", ".ci"):
        for path in (ROOT / folder).rglob("*"):
            skipped = any(
                part.startswith(".venv") or part in {"out", "__pycache__"} for part in path.parts[len(ROOT.parts) :]
            )
            if skipped or not path.is_file() or path == Path(__file__) or path.stat().st_size > 2_000_000:
                continue
            try:
                text = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
            problems += [f"{path.relative_to(ROOT)}: {match.group()}" for match in pattern.finditer(text)]
    complain(problems)


def test_importing_antiphon_imports_nothing_heavy() -> None:
    script = "import sys, antiphon; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & LIGHT_FORBIDDEN == set()
    assert {name for name in done.stdout.split() if name.startswith("antiphon")} == {"antiphon"}


def test_all_public_names_exist() -> None:
    import antiphon

    missing = []
    for name in antiphon.__all__:
        try:
            getattr(antiphon, name)
        except (ImportError, AttributeError) as problem:
            missing.append(f"{name}: {problem}")
    complain(missing)
