"""First step: what the encoder says of every pause of the training sets, as recorded and over another line.

    python -m training.turn_heads.encode DATA OUT.npz

Takes ten minutes on one core. A pause is encoded 0.2, 0.4 and 0.6 s into its silence, from what had been heard until then.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.bench.turn_data import Turn, heard, pauses_of, read_rows, read_sound
from antiphon.bench.turn_scores import SCORED_AT
from antiphon.local import TURN_MODEL
from antiphon.local.smart_turn import SmartTurn
from antiphon.local.store import Store
from antiphon.local.turn_heads import Heads, features
from training.turn_heads.sound import another_line, with_room

SETS = ("an4.jsonl", "barista.jsonl", "speechocean762_pauses.jsonl")


def main() -> None:
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    store = Store()
    model = SmartTurn(store.path(TURN_MODEL) / store.catalog[TURN_MODEL].final_files[0], heads=Heads(1, {}, ""))
    looked_at: list[np.ndarray[Any, Any]] = []
    facts: list[dict[str, Any]] = []
    for name in SETS:
        rows = [row for row in read_rows(data / name) if isinstance(row, Turn)]
        for row in rows:
            recorded = read_sound(data / row.audio)
            chance = np.random.default_rng(zlib.crc32(row.id.encode()))
            for line, sound in (("recorded", recorded), ("another", another_line(recorded, chance))):
                for pause, span in pauses_of(row):
                    for at in SCORED_AT:
                        if at > pause.length + 1e-6:
                            break
                        pcm = heard(sound, row, span, at)
                        pcm = with_room(pcm, chance) if line == "another" else pcm
                        encoded = model.encode(pcm.astype("<i2").tobytes())
                        looked_at.append(features(encoded, at).astype(np.float16))
                        facts.append(
                            {"set": pause.group, "speaker": pause.speaker, "turn": pause.turn, "index": pause.index,
                             "length": None if pause.ends else pause.length, "spoken": pause.spoken, "text": row.text,
                             "line": line, "at": at, "verdict": encoded.verdict}
                        )  # fmt: skip
        print(name, len(rows), "turns,", len(facts), "windows so far", flush=True)
    np.savez(out, features=np.array(looked_at), facts=np.array(json.dumps(facts)))


if __name__ == "__main__":
    main()
