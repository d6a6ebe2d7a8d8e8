"""How the native runtimes are opened: few threads, no spinning, so that two cores stay responsive."""

from __future__ import annotations

import importlib
import os
import platform
from pathlib import Path
from typing import Any

from antiphon.errors import ConfigurationError


def require(module: str) -> Any:
    """Import an optional runtime. Raises ``ConfigurationError`` that says how to get it, or what to use instead."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigurationError(
            f"The local models need the package {module.split('.')[0]}, which cannot be loaded here "
            f"({platform.system()} {platform.machine()}: {error}).",
            hint='Run `pip install "antiphon[local]"` (tested on Linux x86_64), or use an OpenAI-compatible server or a provider.',
        ) from error


def onnx_session(model: Path | bytes, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU, of a file or of a graph in memory. One thread: a second one costs more than it
    brings for models this small."""
    ort = require("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def llama_module() -> Any:
    """xllamacpp, with OpenMP threads that sleep while they wait (they would otherwise spin against everything else).

    The settings are read when the library is loaded, so they are set before the import.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    return require("xllamacpp")


def llama_threads() -> int:
    """Threads for the language model: the cores of this process, at most 4 (beyond that memory is the limit)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, cores))
