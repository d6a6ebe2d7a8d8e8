"""Run by the interpreter that has the vendor's library: ``openai_audio.py BASE_URL WAV``. Transcribes the file and speaks a text;
prints one JSON object for each."""

import json
import sys
from pathlib import Path

from openai import OpenAI


def main(url: str, wav: str) -> None:
    client = OpenAI(api_key="secret", base_url=f"{url}/v1", max_retries=0)
    heard = client.audio.transcriptions.create(
        model="gpt-transcribe", file=Path(wav), language="en", response_format="json"
    )
    print("transcription", heard.to_json(indent=None), flush=True)
    size = 0
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="marin", input="Hello there.", response_format="pcm", speed=1.1
    ) as answer:
        for piece in answer.iter_bytes():
            size += len(piece)
    print("speech", json.dumps({"bytes": size}), flush=True)


main(sys.argv[1], sys.argv[2])
