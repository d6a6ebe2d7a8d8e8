"""Smart Turn's graph, changed in memory as it is loaded: a shorter window, exact arithmetic, its states as outputs.

The installed file stays as its authors made it. It holds a Whisper encoder whose weights and activations were rounded to
eight bits. Rounded activations cost accuracy, and on processors without dot-product instructions for bytes they saturate:
the same sound then gets another score on another machine. Here everything is done in single precision (every
processor gives the same answer but for the last digits), and the encoder hears the last seconds only, which more than pays
for it: the positions it is given are those at which the end of a full window would lie.

Owns the change, not the model's use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from antiphon.local.runtime import require

POSITIONS = 400
"""Positions of the encoder over the 8 s that the model was trained for: one for every 20 ms."""
POSITION_TABLE = "inner.encoder.embed_positions.weight"
POSITION_COUNT = "val_21"
"""The constant with which the graph's reshapes are made."""
OUTPUTS = ("add_146", "layer_norm_8", "sum_1", "logits")
"""The states after the first and the last layer, (positions, 384); the attention-pooled state, (384,), from which the model's own
classifier decides; the probability that it gives (which is called so in the graph)."""


def encoder_graph(file: Path, seconds: float) -> bytes:
    """The model for windows of ``seconds`` (a multiple of 0.02, at most 8), with all ``OUTPUTS``."""
    onnx = require("onnx")
    model = onnx.load(str(file))
    graph, arrays = model.graph, onnx.numpy_helper
    positions = round(seconds * 1000) // 20
    for tensor in graph.initializer:
        if tensor.name == POSITION_COUNT:
            tensor.CopyFrom(arrays.from_array(np.array([positions], np.int64), tensor.name))
        elif tensor.name == POSITION_TABLE:
            last = arrays.to_array(tensor)[POSITIONS - positions :].copy()
            tensor.CopyFrom(arrays.from_array(last, tensor.name))
    graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2 * positions
    del graph.value_info[:]
    for name in OUTPUTS[:-1]:
        graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    nodes = unrounded(graph, arrays)
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(model.SerializeToString())


def unrounded(graph: Any, arrays: Any) -> list[Any]:
    """The nodes without rounding: weights brought to single precision once, here, and activations handed on as they are.
    (Left to it, the runtime would multiply by bytes again where the processor is quick at that.)"""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    source: dict[str, str] = {}
    kept = []
    for node in graph.node:  # in topological order, as ONNX demands
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            rounded, scale, zero = (arrays.to_array(stored[name]) for name in node.input)
            if scale.size > 1 and rounded.ndim > 1:
                axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
                shape = [-1 if place == axis else 1 for place in range(rounded.ndim)]
                scale, zero = scale.reshape(shape), zero.reshape(shape)
            exact = (rounded.astype(np.float32) - zero.astype(np.float32)) * scale
            graph.initializer.append(arrays.from_array(exact.astype(np.float32), node.output[0]))
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            source[node.output[0]] = source.get(node.input[0], node.input[0])
        else:
            for place, name in enumerate(node.input):
                node.input[place] = source.get(name, name)
            kept.append(node)
    used = {name for node in kept for name in node.input}
    needed = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(needed)
    return kept
