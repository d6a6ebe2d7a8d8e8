"""All callers of one run, in a process of their own: ``python -m rooms.callers URL``. One JSON object a line comes in, one
goes out (see ``crowd.py``, which asks).

``join``: rooms, one after the other or together. ``talk``: everybody speaks once in each period, spread over it. ``words``:
what the first caller has heard of a count. ``leave``: all, or the last ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from harness.core import load_clips

from rooms.caller import RoomCaller

ANSWER_WITHIN = 6.0
"""Seconds after an utterance in which a sound is its answer."""
AFTER = 5.0 + ANSWER_WITHIN
"""Seconds that the last utterance and its answer may still take."""


class Callers:
    def __init__(self, url: str) -> None:
        self._url, self._clips = url, load_clips()
        self._callers: list[RoomCaller] = []

    async def do(self, asked: dict[str, Any]) -> Any:
        what = asked.pop("do")
        return await getattr(self, f"do_{what}")(**asked)

    async def do_join(self, rooms: list[str], together: bool, seconds: float) -> list[dict[str, float]]:
        """Join, and wait until each has heard its agent, ``seconds`` at most. Times after the connection; ``begun`` before."""
        callers = [RoomCaller(self._url, room, self._clips, len(self._callers) + n) for n, room in enumerate(rooms)]
        self._callers += callers
        if together:
            await asyncio.gather(*(self._join(caller, seconds) for caller in callers))
        else:
            for caller in callers:
                await self._join(caller, seconds)
        return [self._times(caller) for caller in callers]

    async def _join(self, caller: RoomCaller, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await caller.join()
                await caller.heard.wait()
        except Exception as error:  # who cannot join or hears nothing in time is one who heard nothing
            print(f"{caller.name}: {error!r}", file=sys.stderr, flush=True)

    def _times(self, caller: RoomCaller) -> dict[str, float]:
        times = dict(caller.times)
        connected = times.pop("connected", None)
        if connected is None:
            return {}
        if (heard := caller.first_heard()) is not None:
            times["audio"] = heard
        return {name: at - connected for name, at in times.items()}

    async def do_talk(self, turns: int, period: float) -> dict[str, Any]:
        """``turns`` of each caller; each one's answer."""
        begin = time.monotonic()
        cpu = time.process_time()
        for number, caller in enumerate(self._callers):
            for turn in range(turns):
                caller.say_at(begin + (turn + number / len(self._callers)) * period)
        await asyncio.sleep(turns * period)
        cpu = time.process_time() - cpu
        await asyncio.sleep(AFTER)
        found = []
        for caller in self._callers:
            ends = [at for at in caller.marks.times("speech_off") if at >= begin]
            found += [caller.turn(end, end + min(ANSWER_WITHIN, 0.6 * period)) for end in ends]
        return {"turns": found, "due": turns * len(self._callers), "callers_cores": cpu / (turns * period)}

    async def do_ask(self, seconds: float) -> float | None:
        """The first caller speaks. The moment when the answer begins to be counted; None: it is not within ``seconds``."""
        caller = self._callers[0]
        said = len(caller.ear.words)
        caller.say_at(time.monotonic())
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if len(caller.ear.words) > said:
                return caller.ear.words[said][0]
            await asyncio.sleep(0.02)
        return None

    async def do_words(self, seconds: float) -> dict[str, Any]:
        """After ``seconds``: what the first caller has heard since it joined."""
        await asyncio.sleep(seconds)
        ear = self._callers[0].ear
        return {"loud": ear.loud, "words": ear.words}

    async def do_leave(self) -> None:
        callers, self._callers = self._callers, []
        await asyncio.gather(*(caller.leave() for caller in callers), return_exceptions=True)


async def main() -> None:
    callers = Callers(sys.argv[1])
    loop = asyncio.get_running_loop()
    print(json.dumps("ready"), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await callers.do(json.loads(line))), flush=True)
    await callers.do_leave()


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
    os._exit(0)  # the client library's threads are of no more use
