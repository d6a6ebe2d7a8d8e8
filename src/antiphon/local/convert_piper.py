"""Splits a Piper voice before its decoder, so that speech can be decoded and played in chunks.

Run as ``python -m antiphon.local.convert_piper SOURCE TARGET`` by the model store, once. The encoder half also
gives the frames per phoneme, from which word times come. Needs the package ``onnx``, which nothing else needs.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any


def decoder_input(graph: Any) -> str:
    """The one computed tensor that goes from the rest of the graph into the decoder (nodes named ``/dec/...``)."""
    made_by = {output: node for node in graph.node for output in node.output}
    weights = {item.name for item in graph.initializer}
    decoder = [node for node in graph.node if node.name.startswith("/dec/")]
    inside = {output for node in decoder for output in node.output}
    outside = {name for node in decoder for name in node.input if name and name not in inside and name not in weights}
    computed = [name for name in outside if name in made_by and made_by[name].op_type != "Constant"]
    if len(computed) != 1:
        raise ValueError(f"expected one tensor into the decoder, found {sorted(computed)}")
    return str(computed[0])


def frame_counts(graph: Any) -> str:
    """The tensor with the number of frames of each phoneme: the only rounding-up in a Piper graph."""
    outputs = [str(node.output[0]) for node in graph.node if node.op_type == "Ceil"]
    if len(outputs) != 1:
        raise ValueError(f"expected one Ceil node, found {outputs}")
    return outputs[0]


def convert(source: Path, target: Path) -> None:
    """``source`` holds ``*.onnx`` and ``*.onnx.json``; ``target`` gets ``encoder.onnx``, ``decoder.onnx``, ``voice.json``."""
    import onnx

    voice = next(source.glob("*.onnx"))
    model = onnx.load(str(voice))
    latent, frames = decoder_input(model.graph), frame_counts(model.graph)
    outputs = [output.name for output in model.graph.output]
    inputs = [item.name for item in model.graph.input]
    extract = onnx.utils.extract_model
    extract(str(voice), str(target / "encoder.onnx"), inputs, [latent, frames], check_model=False)
    extract(str(voice), str(target / "decoder.onnx"), [latent], outputs, check_model=False)
    shutil.copyfile(next(source.glob("*.onnx.json")), target / "voice.json")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
