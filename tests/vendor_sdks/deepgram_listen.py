"""Run by the interpreter that has the vendor's library: ``deepgram_listen.py BASE_URL VERSION PCM_FILE``. Prints one JSON object
per message that the library delivers."""

import asyncio
import sys
from pathlib import Path

from deepgram import AsyncDeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment


async def main(url: str, version: str, pcm: bytes) -> None:
    socket = url.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=url, production=socket, agent=socket, agent_rest=url)
    client = AsyncDeepgramClient(api_key="secret", environment=environment)
    if version == "v1":
        opening = client.listen.v1.connect(
            model="nova-3",
            encoding="linear16",
            sample_rate=16000,
            channels=1,
            interim_results=True,
            keyterm=["latte", "mocha"],
        )
    else:
        opening = client.listen.v2.connect(
            model="flux-general-en", encoding="linear16", sample_rate=16000, eager_eot_threshold=0.5
        )
    async with opening as connection:

        def show(message: object) -> None:
            assert hasattr(message, "json"), f"the library does not know this message: {message!r}"
            print(type(message).__name__, message.json(), flush=True)

        connection.on(EventType.MESSAGE, show)
        connection.on(EventType.ERROR, lambda error: print("error", error, flush=True))
        listening = asyncio.create_task(connection.start_listening())
        for at in range(0, len(pcm), 2560):
            await connection.send_media(pcm[at : at + 2560])
        if version == "v1":
            await connection.send_keep_alive()
            await connection.send_finalize()
        await connection.send_close_stream()
        await listening


asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes()))
