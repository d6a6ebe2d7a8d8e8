"""Sound devices as the command line shows and chooses them. Opening them is the console transport's business."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from antiphon.errors import AudioError


class Device(msgspec.Struct, frozen=True):
    """``inputs`` / ``outputs``: channels. ``default_for``: ``input``, ``output``, both or neither."""

    index: int
    name: str
    inputs: int
    outputs: int
    rate: int
    default_for: tuple[str, ...] = ()


def sound_library() -> Any:
    """The ``sounddevice`` module. Raises ``AudioError`` with the command that installs what is missing."""
    try:
        import sounddevice
    except ImportError as error:
        raise AudioError(
            "The sound library is not installed.", hint="Install it: pip install 'antiphon[console]'"
        ) from error
    except OSError as error:  # the Python part is there, PortAudio is not
        command = "sudo apt-get install libportaudio2" if sys.platform == "linux" else "install PortAudio"
        raise AudioError("The system has no PortAudio library.", hint=f"Install it: {command}") from error
    return sounddevice


def list_devices() -> list[Device]:
    """All sound devices. Raises ``AudioError`` where there is no sound library."""
    library = sound_library()
    default = list(library.default.device)
    found = []
    for index, row in enumerate(library.query_devices()):
        roles = tuple(role for role, chosen in zip(("input", "output"), default, strict=True) if chosen == index)
        found.append(
            Device(
                index=index,
                name=str(row["name"]),
                inputs=int(row["max_input_channels"]),
                outputs=int(row["max_output_channels"]),
                rate=int(row["default_samplerate"]),
                default_for=roles,
            )
        )
    return found


INSTEAD = "Without one: console --text types, console --wav FILE plays a caller."


def need_devices() -> None:
    """Raises ``AudioError`` unless there is a microphone and a loudspeaker to talk with."""
    try:
        found = list_devices()
    except AudioError as error:
        raise AudioError(error.message, hint=f"{error.hint}. {INSTEAD}") from error
    for name, there in (("microphone", any(d.inputs for d in found)), ("loudspeaker", any(d.outputs for d in found))):
        if not there:
            raise AudioError(f"This machine has no {name}.", hint=INSTEAD)


def print_devices() -> None:
    """The table of ``console --list-devices``."""
    found = list_devices()
    if not found:
        print("no sound devices; console --text and console --wav FILE work without one")
        return
    print(f"{'':>3} {'name':40} {'in':>3} {'out':>3} {'Hz':>6}  default for")
    for device in found:
        roles = ", ".join(device.default_for)
        print(f"{device.index:>3} {device.name:40.40} {device.inputs:>3} {device.outputs:>3} {device.rate:>6}  {roles}")
