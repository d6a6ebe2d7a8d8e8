"""Run by the interpreter that has the vendor's library: ``cartesia_tts.py BASE_URL``. Speaks two texts in one context, cancels
another, and prints one JSON object per message that the library delivers."""

import asyncio
import sys

from cartesia import AsyncCartesia


async def main(url: str) -> None:
    client = AsyncCartesia(api_key="secret", base_url=url, websocket_base_url=url.replace("http", "ws"))
    async with client.tts.websocket_connect() as connection:
        options = {
            "model_id": "sonic-3",
            "voice": {"mode": "id", "id": "a-voice"},
            "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24000},
            "add_timestamps": True,
        }
        context = connection.context(context_id="kept", **options)
        await context.push("Your order is ready. ", flush=True)
        await context.push("Please come.", flush=True)
        await context.send(
            transcript="",
            voice=options["voice"],
            continue_=False,
            model_id="sonic-3",
            output_format=options["output_format"],
        )
        async for message in context.receive():
            print(type(message).__name__, message.to_json(indent=None), flush=True)
            if message.type == "done":
                break
        dropped = connection.context(context_id="dropped", **options)
        await dropped.push("This is a long text that nobody will hear to its end.", flush=True)
        await dropped.cancel()


asyncio.run(main(sys.argv[1]))
