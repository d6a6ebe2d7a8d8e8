"""A real browser, a real server, and the sound between them: what the browser tests are made of."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio.wav import WavWriter, read_wav
from antiphon.local.store import Store
from tests.web.app import CALLERS, voice_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RATE = 48_000
MODELS = ("silero-vad", "moonshine-base-en")
WITHIN = 20_000
"""Milliseconds in which anything expected has to happen."""

Sound = NDArray[np.int16]

playwright: Any = (
    import_module("playwright.sync_api")
    if os.environ.get("CI") == "true"
    else pytest.importorskip("playwright.sync_api", reason="the playwright package is not installed")
)


def chromium() -> str:
    """The path of the system's Chromium. Where there is none the tests are skipped; in CI they fail."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    text = "no Chromium on PATH: apt-get install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


def need_models() -> None:
    """The small models that the agent of these tests hears with; fetched in CI."""
    store = Store()
    if all(store.installed(name) for name in MODELS):
        return
    if os.environ.get("CI") != "true":
        pytest.skip(f"models are missing: antiphon models pull {' '.join(MODELS)}")
    store.ensure(MODELS)


class Server:
    """``app.py dev`` as its user starts it. ``folder``: what the calls leave; ``said``: its lines."""

    def __init__(self, folder: Path, *words: str, app: Path = HERE / "app.py") -> None:
        self.folder = folder
        self.said: list[str] = []
        self.address = ""
        self._ready = threading.Event()
        command = [sys.executable, str(app), "dev", "--port", "0", "--record", "--log", str(folder), *words]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        environment["PYTHONUNBUFFERED"] = "1"
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=folder
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(60) and self.address, "".join(self.said)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(r"Ready: (\S+)", line):
                self.address = found[1]
                self._ready.set()
        self._ready.set()

    @property
    def port(self) -> str:
        return self.address.split("#")[0].rstrip("/").rpartition(":")[2]

    def agents(self) -> list[int]:
        """Process ids of its agent processes, oldest first."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parent = stat.read_text().rpartition(")")[2].split()[1]
                command = (stat.parent / "cmdline").read_bytes()
                if parent == str(self.process.pid) and b"plane_main" not in command and b"dev" in command:
                    found.append(int(stat.parent.name))
        return sorted(found)

    def says(self, text: str, seconds: float = 30.0) -> None:
        """Wait for a line with this text."""
        until = time.monotonic() + seconds
        while not any(text in line for line in self.said):
            assert time.monotonic() < until, f"no {text!r} in:\n" + "".join(self.said)
            time.sleep(0.05)

    def stop(self) -> int:
        """Ctrl-C; returns the exit status."""
        self.process.send_signal(2)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired as error:
            raise AssertionError("it does not stop:\n" + "".join(self.said)) from error
        finally:
            self.process.kill()
            self._reader.join(5)

    def heard(self, session: str) -> tuple[Sound, Sound]:
        """The recording of an ended call at 24 kHz: caller, agent."""
        with wave.open(str(self.folder / f"{session}.wav")) as file:
            both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return both[:, 0], both[:, 1]


@contextmanager
def browser(microphone: Sound | None = None, *, folder: Path, words: tuple[str, ...] = ()) -> Iterator[Any]:
    """A Chromium whose microphone plays ``microphone`` (48 kHz) once each time it is opened."""
    arguments = [
        "--use-fake-device-for-media-stream",
        "--allow-loopback-in-peer-connection",
        "--autoplay-policy=no-user-gesture-required",
        "--disable-gpu",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        *words,
    ]
    if microphone is not None:
        path = folder / "microphone.wav"
        with_header(path, microphone)
        arguments += ["--use-fake-ui-for-media-stream", f"--use-file-for-fake-audio-capture={path}%noloop"]
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium(), headless=True, args=arguments)
        try:
            yield launched
        finally:
            launched.close()


def with_header(path: Path, sound: Sound) -> None:
    writer = WavWriter(str(path), RATE, 1)
    writer.write(sound.reshape(-1, 1))
    writer.close()


def recorded_context(chrome: Any) -> Any:
    """A browser profile in which ``Tab.captured`` works: the recorder is a script that the page's policy would forbid."""
    return chrome.new_context(bypass_csp=True)


class Tab:
    """One page of the playground. ``problems``: what its console complained of."""

    def __init__(self, context: Any, address: str) -> None:
        self.page = context.new_page()
        self.problems: list[str] = []
        self.page.set_default_timeout(WITHIN)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
        self.page.goto(address)

    def plain_microphone(self) -> None:
        """No echo cancelling and the like: the microphone's sound goes out as it is."""
        self.page.click("#settings")
        self.page.uncheck("#echo")

    def talk(self) -> str:
        """Press the button; returns the id of the call once its sound is up and is being captured."""
        self.page.click("#talk")
        return self.up()

    def up(self) -> str:
        """Wait until the call's sound is up, and capture it."""
        self.state("connected")
        self.page.add_script_tag(path=HERE / "capture.js")
        self.page.evaluate("capture.begin()")
        session: str = self.page.evaluate("call.session")
        return session

    def state(self, state: str) -> None:
        """Wait until the call is ``connected``, ``ended``, ..."""
        self.page.locator(f"#orb[data-state={state}]").wait_for()

    def hang_up(self) -> None:
        self.page.click("#talk")
        self.state("ended")

    def type(self, text: str) -> None:
        self.page.fill("#words", text)
        self.page.press("#words", "Enter")

    def caption(self, role: str, text: str = "", *, kind: str = "") -> str:
        """Wait for a caption with this text in it; ``kind``: a class it has to have (``cut``)."""
        line = self.page.locator(f".line.{role}{kind} p", has_text=text).last
        line.wait_for()
        found: str = line.inner_text()
        return found

    def captured(self) -> tuple[Sound, Sound]:
        """Microphone and agent as the page had them, at 48 kHz, on one time line."""
        both = np.frombuffer(base64.b64decode(self.page.evaluate("capture.end()")), "<i2").reshape(-1, 2)
        return both[:, 0], both[:, 1]


# --- sound -------------------------------------------------------------------------------------------------------


def silence(seconds: float) -> Sound:
    return np.zeros(int(seconds * RATE), np.int16)


def recorded(name: str) -> Sound:
    """One of the committed callers at 48 kHz."""
    return read_wav(str(CALLERS / name), RATE)[0]


def spoken(text: str) -> Sound:
    """What the agent's voice says for ``text``, at 24 kHz."""
    return np.frombuffer(voice_of(text), "<i2")


def half_rate(sound: Sound) -> Sound:
    """48 kHz to 24 kHz, low-passed by a short average: enough to compare speech."""
    return ((sound[0:-1:2].astype(np.int32) + sound[1::2]) // 2).astype(np.int16)


PIECE, SLACK, FOUND = 0.1, 0.3, 0.5


def likeness(sent: Sound, heard: Sound, rate: int = 24_000) -> list[float]:
    """Correlation (0 to 1) of each second of ``sent`` that carries sound with ``heard`` around the place where it belongs.

    The whole is aligned first, then each tenth of a second by itself, from where the last one was found: a browser stretches
    and shortens time by cutting single periods of the voice, many in a second when it was short of time, and a longer piece
    with a cut in it looks half lost (0.53 where each tenth says 0.86). The second gets the mean of its pieces, weighted by
    their energy. Another text by another speaker gets up to 0.25, a second of which half is missing 0.25, one whose
    frames play backwards 0.45.
    """
    sent_, heard_ = sent.astype(np.float64), heard.astype(np.float64)
    place, piece, slack = place_of(sent_, heard_), int(PIECE * rate), int(SLACK * rate)
    found = []
    for second in range(0, sent_.size - rate + 1, rate):
        values, energies = [], []
        for at in range(second, second + rate, piece):
            block = sent_[at : at + piece]
            energy = float(np.mean(block * block))
            if energy > 150**2:
                begin = max(0, place + at - slack)
                value, lag = _best(block, heard_[begin : place + at + piece + slack])
                values.append(value)
                energies.append(energy)
                if value >= FOUND:
                    place = begin + lag - at
        if values:
            found.append(float(np.average(values, weights=energies)))
    return found


def place_of(sent: NDArray[np.float64], heard: NDArray[np.float64]) -> int:
    """Where in ``heard`` the sound ``sent`` begins, in samples."""
    size = 1 << int(np.ceil(np.log2(sent.size + heard.size)))
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)), size)
    lag = int(np.argmax(product))
    return lag if lag < heard.size else lag - size


def _best(block: NDArray[np.float64], around: NDArray[np.float64]) -> tuple[float, int]:
    """The best correlation and where in ``around`` it is, in samples."""
    if around.size < block.size:
        return 0.0, 0
    squares = np.concatenate([[0.0], np.cumsum(around * around)])
    energy = squares[block.size :] - squares[: -block.size]
    norm = np.sqrt(np.maximum(energy, 1.0)) * np.sqrt(np.sum(block * block))
    alike = _dots(around, block) / norm
    lag = int(np.argmax(alike))
    return float(alike[lag]), lag


def _dots(around: NDArray[np.float64], block: NDArray[np.float64]) -> NDArray[np.float64]:
    size = 1 << int(np.ceil(np.log2(around.size + block.size)))
    product = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(block, size)), size)
    return product[: around.size - block.size + 1]


def levels(sound: Sound, rate: int = RATE) -> NDArray[np.float64]:
    """Loudness in dBFS of each 10 ms."""
    size = rate // 100
    blocks = sound[: sound.size // size * size].reshape(-1, size).astype(np.float64)
    return 10 * np.log10(np.mean(blocks * blocks, axis=1) / 32768**2 + 1e-10)
