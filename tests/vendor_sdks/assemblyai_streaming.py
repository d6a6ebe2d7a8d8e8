"""Run by the interpreter that has the vendor's library: ``assemblyai_streaming.py BASE_URL MODEL PCM_FILE``. Prints one JSON object
per event that the library delivers."""

import asyncio
import sys
from pathlib import Path

from assemblyai.streaming.v3 import StreamingEvents, StreamingParameters
from assemblyai.streaming.v3.async_client import AsyncRealTimeTranscriber
from assemblyai.streaming.v3.models import RealTimeSessionParameters, RealTimeTranscriberOptions


async def main(url: str, model: str, pcm: bytes) -> None:
    options = RealTimeTranscriberOptions(api_host=url.replace("http", "ws"), api_key="secret")
    client = AsyncRealTimeTranscriber(options)
    for event in StreamingEvents:
        client.on(event, lambda _, message: print(type(message).__name__, message.model_dump_json(), flush=True))
    client.on(StreamingEvents.Error, lambda _, error: sys.exit(f"error: {error}"))
    await client.connect(
        StreamingParameters(
            speech_model=model,
            sample_rate=16000,
            format_turns=True,
            keyterms_prompt=["latte", "mocha"],
            continuous_partials=True,
        )
    )
    for at in range(0, len(pcm) - 1600, 3200):
        await client.stream(pcm[at : at + 3200])
    await client.keep_alive()
    await client.set_params(RealTimeSessionParameters(min_turn_silence=400))
    await client.force_endpoint()
    await client.disconnect(terminate=True)


asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes()))
