"""Run by the interpreter that has the vendor's library: ``cartesia_stt.py BASE_URL PCM_FILE``. Prints one JSON object per message
that the library delivers."""

import asyncio
import sys
from pathlib import Path

from cartesia import AsyncCartesia


async def main(url: str, pcm: bytes) -> None:
    client = AsyncCartesia(api_key="secret", base_url=url, websocket_base_url=url.replace("http", "ws"))
    opening = client.stt.auto_finalize.websocket(
        model="ink-2",
        encoding="pcm_s16le",
        sample_rate=16000,
        keyterm=["latte", "mocha"],
        turn_end_timeout_ms=5000,
        max_retries=0,
    )
    async with opening as connection:
        await connection.send({"type": "config", "turn": {"end_threshold": 0.3}})
        for at in range(0, len(pcm), 3200):
            await connection.send_raw(pcm[at : at + 3200])
        await connection.send({"type": "close"})
        async for message in connection:
            print(type(message).__name__, message.to_json(indent=None), flush=True)


asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes()))
