"""Run by the interpreter that has the vendor's library: ``elevenlabs_tts.py BASE_URL single|multi``. Prints one JSON object per
piece of audio (``single``) or per message in the library's own classes (``multi``)."""

import asyncio
import base64
import json
import sys

import websockets
from elevenlabs.client import ElevenLabs
from elevenlabs.types import (
    AudioOutputMulti,
    CloseContext,
    CloseSocket,
    FinalOutputMulti,
    FlushContext,
    InitializeConnectionMulti,
    RealtimeVoiceSettings,
    SendTextMulti,
)


def single(url: str) -> None:
    client = ElevenLabs(api_key="secret", base_url=url)
    client.text_to_speech._ws_base_url = url.replace("http", "ws")  # it would insist on an encrypted one
    pieces = client.text_to_speech.convert_realtime(
        "a-voice", text=iter(["Your order", " is ready."]), model_id="eleven_flash_v2_5", output_format="pcm_24000"
    )
    for piece in pieces:
        print("Audio", json.dumps({"audio": base64.b64encode(piece).decode()}), flush=True)


async def multi(url: str) -> None:
    where = f"{url.replace('http', 'ws')}/v1/text-to-speech/a-voice/multi-stream-input"
    query = "model_id=eleven_flash_v2_5&output_format=pcm_24000&sync_alignment=true"
    async with websockets.connect(f"{where}?{query}", additional_headers={"xi-api-key": "secret"}) as socket:
        for context, text in (("one", "Your order is ready. "), ("two", "Please come. ")):
            settings = RealtimeVoiceSettings(stability=0.5, speed=1.1)
            for message in (
                InitializeConnectionMulti(context_id=context, voice_settings=settings),
                SendTextMulti(text=text, context_id=context),
                FlushContext(context_id=context, flush=True),
                CloseContext(context_id=context, close_context=True),
            ):
                await socket.send(message.model_dump_json(exclude_none=True, by_alias=True))
        finals = 0
        while finals < 2:
            data = json.loads(await socket.recv())
            kind = FinalOutputMulti if data.get("isFinal") else AudioOutputMulti
            read = kind.model_validate(data)
            assert read.context_id in ("one", "two") and not read.model_extra, f"not known to the library: {data}"
            finals += kind is FinalOutputMulti
            print(kind.__name__, read.model_dump_json(by_alias=True), flush=True)
        await socket.send(CloseSocket(close_socket=True).model_dump_json())
        async for _ in socket:
            raise AssertionError("nothing should follow")


if sys.argv[2] == "single":
    single(sys.argv[1])
else:
    asyncio.run(multi(sys.argv[1]))
