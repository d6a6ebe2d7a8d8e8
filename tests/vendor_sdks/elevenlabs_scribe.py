"""Run by the interpreter that has the vendor's library: ``elevenlabs_scribe.py BASE_URL PCM_FILE``. Prints one JSON object per
event that the library delivers, in its own classes."""

import asyncio
import base64
import sys
from pathlib import Path

from elevenlabs.realtime import AudioFormat, CommitStrategy, RealtimeEvents, ScribeRealtime
from elevenlabs.types import (
    CommittedTranscriptPayload,
    CommittedTranscriptWithTimestampsPayload,
    PartialTranscriptPayload,
    SessionStartedPayload,
)

CLASSES = {
    RealtimeEvents.SESSION_STARTED: SessionStartedPayload,
    RealtimeEvents.PARTIAL_TRANSCRIPT: PartialTranscriptPayload,
    RealtimeEvents.COMMITTED_TRANSCRIPT: CommittedTranscriptPayload,
    RealtimeEvents.COMMITTED_TRANSCRIPT_WITH_TIMESTAMPS: CommittedTranscriptWithTimestampsPayload,
}


async def main(url: str, pcm: bytes) -> None:
    scribe = ScribeRealtime(api_key="secret", base_url=url.replace("http", "ws"))
    connection = await scribe.connect(
        {
            "model_id": "scribe_v2_realtime",
            "audio_format": AudioFormat.PCM_16000,
            "sample_rate": 16000,
            "commit_strategy": CommitStrategy.MANUAL,
            "include_timestamps": True,
            "keyterms": ["latte", "mocha"],
        }
    )
    done = asyncio.Event()
    seen = []

    def show(event: RealtimeEvents, data: dict) -> None:
        read = CLASSES[event].model_validate(data)
        assert not read.model_extra, f"not known to the library: {data}"
        print(type(read).__name__, read.model_dump_json(), flush=True)
        seen.append(event)
        if seen.count(RealtimeEvents.COMMITTED_TRANSCRIPT_WITH_TIMESTAMPS) == 2:
            done.set()

    for event in CLASSES:
        connection.on(event, lambda data, event=event: show(event, data))
    connection.on(RealtimeEvents.ERROR, lambda error: print("error", error, flush=True))
    half = len(pcm) // 3200 // 2 * 3200
    for part in (pcm[:half], pcm[half:]):
        for at in range(0, len(part), 3200):
            await connection.send({"audio_base_64": base64.b64encode(part[at : at + 3200]).decode()})
        await connection.commit()
    await asyncio.wait_for(done.wait(), 10)
    await connection.close()


asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes()))
