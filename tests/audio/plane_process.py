"""Processes of the media host's tests: an owner of a line that can be killed or stopped, and a keeper that can be killed.

Run: plane_process.py owner SOCKET CALLER_WAV OUT_WAV, or plane_process.py keeper SOCKET. Says by lines how far it is; an
owner that reads a line pushes and plays more.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from antiphon.audio.frames import PLAY_RATE, AudioFrame
from antiphon.audio.plane_client import connect_plane
from antiphon.audio.process_plane import ProcessPlane
from antiphon.audio.seam import LegSpec, MicAudio, OpenLine, PlaySpeech, Progress, PushAudio
from tests.audio.plane_driver import counting

SPEECH = counting(2 * PLAY_RATE)


async def owner(path: str, caller: str, out: str) -> None:
    plane = await connect_plane(path)
    heard = 0
    told = False

    def take(messages: Any) -> None:
        nonlocal heard, told
        heard += sum(message.frame.samples for message in messages if isinstance(message, MicAudio))
        if not told and any(isinstance(message, Progress) for message in messages):
            told = True
            print(f"playing {heard}", flush=True)

    plane.subscribe("a", take)
    plane.send(OpenLine(line="a", leg=LegSpec("wav", {"path": caller, "out": out, "lead_in": 0.0, "tail": 60.0})))
    plane.send(PushAudio(line="a", speech="s", frame=AudioFrame.pcm(SPEECH.tobytes(), PLAY_RATE), last=True))
    plane.send(PlaySpeech(line="a", speech="s"))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    plane.send(PushAudio(line="a", speech="late", frame=AudioFrame.pcm(SPEECH.tobytes(), PLAY_RATE), last=True))
    plane.send(PlaySpeech(line="a", speech="late"))
    await asyncio.sleep(0.2)
    print("pushed", flush=True)
    await asyncio.sleep(60)


async def keeper(path: str) -> None:
    plane = ProcessPlane(listen=path)
    await plane.start()
    print(plane.pid, flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run({"owner": owner, "keeper": keeper}[sys.argv[1]](*sys.argv[2:]))
