"""Voice to voice on this machine's models: recordings are played in real time, each stage of each answer is timed.

    python benchmarks/local_voice.py [caller.wav ...] [--llm MODEL] [--rounds N] [--out FILE]

Times in ms. ``endpoint``: from the last speech to the end of the turn (a fixed wait here). ``stt``: from the last speech to
the final transcript. ``llm first``, ``llm all``: from the transcript on. ``tts``: from the text to the first sound.
``voice to voice``: from the last speech to the first sound of the answer. No network, no device and no session around it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
import wave
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.audio.frames import EAR_RATE, AudioFrame
from antiphon.audio.vad import SileroVAD
from antiphon.chat.context import ChatContext
from antiphon.chat.items import FunctionCall, FunctionCallOutput
from antiphon.local import LLM_MODEL, STT_MODEL, TTS_MODEL, defaults, prepare
from antiphon.local.client import SharedHost
from antiphon.local.pcm import to_ear
from antiphon.local.store import Store
from antiphon.models.llm import LLM, ToolSpec
from antiphon.models.stt import STT, STTStream
from antiphon.models.tts import TTS

CALLERS = Path(__file__).parents[1] / "examples" / "coffee" / "callers"
WINDOW = 512
SILENCE, ENDPOINT = 0.2, 0.4
"""Seconds after the last speech until the mark falls, and until the turn counts as over."""

ORDER = ToolSpec(
    "add_drink",
    "The customer orders a drink.",
    {
        "type": "object",
        "properties": {
            "drink": {"type": "string", "description": "what drink"},
            "size": {"type": "string", "enum": ["small", "medium", "large"]},
            "milk": {"type": "string"},
        },
        "required": ["drink"],
    },
)
STAGES = ("endpoint", "stt", "llm first", "llm all", "tts", "voice to voice", "cpu")


def read(path: Path) -> bytes:
    """A mono or stereo 16-bit WAV at ``EAR_RATE``, with two seconds of faint noise behind it."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())[:, 0]
        sound = to_ear(AudioFrame.pcm(samples.tobytes(), file.getframerate()))
    tail = np.random.default_rng(1).normal(0, 8, 2 * EAR_RATE).astype("<i2")
    return sound + tail.tobytes()


def processor_seconds(pid: int) -> float:
    """CPU time of this process and the model process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = os.times()
    return own.user + own.system + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Turn:
    """One recording and its answer. A reply is begun at each pause and thrown away when the caller goes on."""

    def __init__(self, stt: STT, llm: LLM, tts: TTS, context: ChatContext, vad: SileroVAD) -> None:
        self.stt, self.llm, self.tts, self.context, self.vad = stt, llm, tts, context, vad
        self.texts: dict[str, str] = {}
        self.reply: asyncio.Task[None] | None = None
        self.reading: asyncio.Task[None] | None = None
        self.speaking = False
        self.at: dict[str, float] = {}
        self.answer = ""
        self.call: FunctionCall | None = None

    async def run(self, pcm: bytes) -> dict[str, float]:
        stream = self.stt.stream()
        listening = asyncio.create_task(self.listen(stream))
        await self.play(pcm, stream)
        await listening
        assert self.reply is not None, "no speech was found"
        await self.reply
        last, at = self.at["last speech"], self.at
        sounded = max(at["sound"], at["end of turn"])
        return {
            "endpoint": (at["end of turn"] - last) * 1e3,
            "stt": (at["final"] - last) * 1e3,
            "llm first": (at["first token"] - at["final"]) * 1e3,
            "llm all": (at["text"] - at["final"]) * 1e3,
            "tts": (at["sound"] - at["text"]) * 1e3,
            "voice to voice": (sounded - last) * 1e3,
        }

    async def play(self, pcm: bytes, stream: STTStream) -> None:
        begun, states, last = time.monotonic(), self.vad.initial_state()[None], -1.0
        for n in range(0, len(pcm) // 2 - WINDOW, WINDOW):
            await asyncio.sleep(begun + (n + WINDOW) / EAR_RATE - time.monotonic())
            data, at = pcm[2 * n : 2 * (n + WINDOW)], n / EAR_RATE
            chance, states = self.vad.predict(np.frombuffer(data, "<i2")[None].astype(np.float32) / 32768, states)
            if chance[0] > 0.5:
                last = at + WINDOW / EAR_RATE
                self.at["last speech"] = begun + last
                if self.reply is not None and not self.speaking:
                    self.reply.cancel()
                self.speaking = True
            self.speaking = self.speaking and at - last < SILENCE
            stream.push(AudioFrame.pcm(data, EAR_RATE, at=at, speech=self.speaking))
            if last > 0 and at - last >= ENDPOINT:
                break
        self.at["end of turn"] = time.monotonic()
        stream.end_input()

    async def listen(self, stream: STTStream) -> None:
        async for event in stream:
            self.texts[event.segment] = event.text
            text = " ".join(self.texts.values())
            if event.kind == "final" and event.text:
                self.at["final"] = time.monotonic()
                if self.reading is not None:
                    self.reading.cancel()
                if self.reply is not None:
                    self.reply.cancel()
                self.reply = asyncio.create_task(self.answer_to(text))
            elif event.kind == "partial" and (self.reading is None or self.reading.done()):
                stable = self.with_user(" ".join(text.split()[:-2]))
                self.reading = asyncio.create_task(self.llm.prefill(chat_ctx=stable, tools=[ORDER]))

    def with_user(self, text: str) -> ChatContext:
        context = self.context.copy()
        context.add_message(role="user", content=text)
        return context

    async def answer_to(self, text: str) -> None:
        with suppress(KeyError):
            del self.at["first token"]
        self.answer, self.call = "", None
        async for chunk in self.llm.chat(chat_ctx=self.with_user(text), tools=[ORDER]):
            self.at.setdefault("first token", time.monotonic())
            self.answer += chunk.text
            for call in chunk.tool_calls:
                self.call = FunctionCall(
                    id=call.call_id, call_id=call.call_id, name=call.name, arguments=call.arguments
                )
                order = json.loads(call.arguments)
                self.answer = f"One {order.get('size') or ''} {order.get('drink')}, coming right up."
        self.at["text"] = time.monotonic()
        voice = self.tts.stream()
        voice.push_text(self.answer)
        voice.end_input()
        async for _ in voice:
            self.at["sound"] = time.monotonic()
            break
        await voice.aclose()

    def remember(self) -> None:
        """The turn as the next one reads it."""
        self.context.add_message(role="user", content=" ".join(self.texts.values()))
        if self.call is not None:
            result = FunctionCallOutput(
                id=f"{self.call.id}_out", call_id=self.call.call_id, name=self.call.name, output=self.answer
            )
            self.context.items += [self.call, result]
        self.context.add_message(role="assistant", content=self.answer)


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    host = SharedHost()
    await prepare(["smart-turn-v3.2", STT_MODEL, TTS_MODEL, options.llm], host=host)
    stt, llm, tts, _ = defaults(host=host, llm=options.llm)
    vad = SileroVAD(str(Store().path("silero-vad", "silero_vad.onnx")))
    pid = (await host.connect()).pid
    context = ChatContext()
    context.add_message(role="system", content="You take orders at a coffee counter.")
    await llm.prefill(chat_ctx=context, tools=[ORDER])
    rows = []
    for path in options.wav * options.rounds:
        used = processor_seconds(pid)
        turn = Turn(stt, llm, tts, context, vad)
        times = await turn.run(read(path))
        times["cpu"] = (processor_seconds(pid) - used) * 1e3
        turn.remember()
        rows.append({"wav": path.name, "heard": " ".join(turn.texts.values()), "answer": turn.answer, **times})
        print(f"{path.name}: {rows[-1]['heard']!r} -> {turn.answer!r} {times['voice to voice']:.0f} ms", flush=True)
    await host.aclose()
    medians = {stage: statistics.median(row[stage] for row in rows) for stage in STAGES}
    return {"llm": options.llm, "cores": os.cpu_count(), "load": os.getloadavg()[0], "median": medians, "turns": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wav", nargs="*", type=Path, default=sorted(CALLERS.glob("*.wav")))
    parser.add_argument("--llm", default=LLM_MODEL)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = asyncio.run(measure(options))
    print(f"\nmedian of {len(found['turns'])} turns, {found['cores']} cores, load {found['load']:.1f}")
    print("| " + " | ".join(STAGES) + " |\n|" + "---:|" * len(STAGES))
    print("| " + " | ".join(f"{found['median'][stage]:.0f}" for stage in STAGES) + " |")
    if options.out:
        options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
