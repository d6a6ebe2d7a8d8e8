"""A service that speaks as Deepgram's ``/v1/listen`` does, at little cost: it counts bytes, and says one interim result for each
half second of audio, six words of it new. Prints its port."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aiohttp import WSMsgType, web

HALF_SECOND = 16_000
"""Bytes of 16 kHz, 16 bit."""
WORDS = "one more word is heard now"


def result(number: int) -> str:
    """The ``number``-th interim result of a stretch: all words so far, at most sixty."""
    text = " ".join([WORDS] * (number % 10 + 1))
    words = [
        {"word": each, "start": 0.1 * n, "end": 0.1 * n + 0.1, "confidence": 0.9} for n, each in enumerate(text.split())
    ]
    message: dict[str, Any] = {
        "type": "Results",
        "channel_index": [0, 1],
        "start": 5.0 * (number // 10),
        "duration": 0.5 * (number % 10 + 1),
        "is_final": number % 10 == 9,
        "speech_final": False,
        "from_finalize": False,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": words}]},
        "metadata": {"request_id": "r", "model_info": {"name": "n", "version": "v", "arch": "a"}, "model_uuid": "u"},
    }
    return json.dumps(message)


RESULTS = [result(number) for number in range(2_000)]


async def listen(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False, autoping=True)
    await socket.prepare(request)
    heard = said = 0
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            heard += len(message.data)
            while heard >= (said + 1) * HALF_SECOND:
                await socket.send_str(RESULTS[said % len(RESULTS)])
                said += 1
        elif "CloseStream" in str(message.data):
            await socket.send_str(
                '{"type":"Metadata","request_id":"r","sha256":"0","created":"","duration":0,"channels":1}'
            )
            await socket.close()
    return socket


async def main() -> None:
    app = web.Application()
    app.router.add_get("/v1/listen", listen)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


asyncio.run(main())
