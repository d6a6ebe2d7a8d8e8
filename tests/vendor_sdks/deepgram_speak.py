"""Run by the interpreter that has the vendor's library: ``deepgram_speak.py BASE_URL``. Speaks two texts, clears a third, and
prints one JSON object per message that the library delivers; sound as its length."""

import asyncio
import json
import sys

from deepgram import AsyncDeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text


async def main(url: str) -> None:
    socket = url.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=url, production=socket, agent=socket, agent_rest=url)
    client = AsyncDeepgramClient(api_key="secret", environment=environment)
    flushed = asyncio.Event()
    cleared = asyncio.Event()
    opening = client.speak.v1.connect(model="aura-2-thalia-en", encoding="linear16", sample_rate="24000")
    async with opening as connection:
        count = 0

        def show(message: object) -> None:
            nonlocal count
            if isinstance(message, bytes):
                print("bytes", json.dumps(len(message)), flush=True)
                return
            print(type(message).__name__, message.json(), flush=True)
            count += getattr(message, "type", "") == "Flushed"
            if count == 2:
                flushed.set()
            if getattr(message, "type", "") == "Cleared":
                cleared.set()

        connection.on(EventType.MESSAGE, show)
        connection.on(EventType.ERROR, lambda error: print("error", json.dumps(str(error)), flush=True))
        listening = asyncio.create_task(connection.start_listening())
        for text in ("Your order is ready.", "Please come."):
            await connection.send_text(SpeakV1Text(text=text))
            await connection.send_flush()
        await flushed.wait()
        await connection.send_text(SpeakV1Text(text="This is a long text that nobody will hear to its end."))
        await connection.send_flush()
        await connection.send_clear()
        await cleared.wait()
        await connection.send_close()
        await listening


asyncio.run(main(sys.argv[1]))
