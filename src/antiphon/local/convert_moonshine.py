"""Turns the shipped Moonshine graphs into small int8 ONNX graphs that decode ten times faster.

Run as ``python -m antiphon.local.convert_moonshine SOURCE TARGET`` by the model store, once (about 10 s, 800 MB).
As shipped, the decoder holds its weights quantised with the steps that undo it inside an ``If``, and repeats them for every
token. Here the ``If`` is split into a graph for the first step's cross-attention (``cross.onnx``) and a one-token
graph (``decoder.onnx``), constants are folded, and matrix products and the embedding become int8.
Needs the package ``onnx``, which nothing else needs.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

HEADS, HEAD_SIZE = 8, 52
EMBEDDING_ROWS = 10_000
"""A table with more rows than this that is read by ``Gather`` is the token embedding."""


def resave(source: Path, target: Path, *, fold: bool) -> None:
    """Let onnxruntime read a graph (``.ort`` or ``.onnx``) and write it as ``.onnx``, constants folded or not."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.optimized_model_filepath = str(target)
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_BASIC if fold else level.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ONNX")
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


class Quantiser:
    """Rewrites a graph: weights of matrix products per column, rows of the embedding, symmetric int8."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.weights = {item.name: item for item in graph.initializer}
        self.nodes: list[Any] = []
        self.added: dict[str, Any] = {}
        self.quantised_inputs: set[str] = set()

    def run(self) -> None:
        for node in self.graph.node:
            weight = self.weights.get(
                node.input[1] if node.op_type == "MatMul" else node.input[0] if node.input else ""
            )
            if node.op_type == "MatMul" and weight is not None and len(weight.dims) == 2:
                self._product(node)
            elif (
                node.op_type == "Gather"
                and weight is not None
                and len(weight.dims) == 2
                and weight.dims[0] > EMBEDDING_ROWS
            ):
                self._embedding(node)
            else:
                self.nodes.append(node)
        used = {name for node in self.nodes for name in node.input}
        kept = [item for item in self.graph.initializer if item.name in used]
        kept += [item for name, item in self.added.items() if name in used]
        for field, items in (("node", self.nodes), ("initializer", kept), ("value_info", [])):
            target = getattr(self.graph, field)
            del target[:]
            target.extend(items)

    def _quantise(self, name: str, axis: int, suffix: str) -> tuple[str, str]:
        from onnx import numpy_helper

        quantised, scale = f"{name}_{suffix}", f"{name}_{suffix}_scale"
        if quantised not in self.added:
            weight = numpy_helper.to_array(self.weights[name]).astype(np.float32)
            scales = np.maximum(np.abs(weight).max(axis, keepdims=axis == 1), 1e-8) / 127.0
            whole = np.clip(np.round(weight / scales), -127, 127).astype(np.int8)
            self.added[quantised] = numpy_helper.from_array(whole, quantised)
            self.added[scale] = numpy_helper.from_array(scales.astype(np.float32), scale)
        return quantised, scale

    def _product(self, node: Any) -> None:
        from onnx import TensorProto, helper, numpy_helper

        x, y = node.input[0], node.output[0]
        weight, scale = self._quantise(node.input[1], 0, "int8")
        zero = "int8_zero"
        self.added.setdefault(zero, numpy_helper.from_array(np.zeros((), np.int8), zero))
        if x not in self.quantised_inputs:
            self.quantised_inputs.add(x)
            self.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], [f"{x}_q", f"{x}_qs", f"{x}_qz"]))
        self.nodes += [
            helper.make_node("MatMulInteger", [f"{x}_q", weight, f"{x}_qz", zero], [f"{y}_i"]),
            helper.make_node("Cast", [f"{y}_i"], [f"{y}_f"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{x}_qs", scale], [f"{y}_s"]),
            helper.make_node("Mul", [f"{y}_f", f"{y}_s"], [y]),
        ]

    def _embedding(self, node: Any) -> None:
        from onnx import TensorProto, helper

        y = node.output[0]
        table, scale = self._quantise(node.input[0], 1, "rows")
        self.nodes += [
            helper.make_node("Gather", [table, node.input[1]], [f"{y}_g"], axis=0),
            helper.make_node("Cast", [f"{y}_g"], [f"{y}_gf"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [scale, node.input[1]], [f"{y}_gs"], axis=0),
            helper.make_node("Mul", [f"{y}_gf", f"{y}_gs"], [y]),
        ]


def quantise(source: Path, target: Path) -> None:
    """Read a graph, quantise it, write it."""
    import onnx

    model = onnx.load(str(source))
    Quantiser(model.graph).run()
    onnx.save(model, str(target))


def branch(model: Any, body: Any, outputs: list[Any], name: str) -> Any:
    """A model of its own from one branch of the decoder's ``If``: only what ``outputs`` need."""
    import onnx
    from onnx import helper

    needed = {output.name for output in outputs}
    nodes: list[Any] = []
    outer = [node for node in model.graph.node if node.op_type != "If"]
    for node in reversed([*outer, *body.node]):
        if any(output in needed for output in node.output):
            nodes.append(node)
            needed |= {name for name in node.input if name}
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    needed |= {name for inner in attribute.g.node for name in inner.input}
    weights = [item for item in [*body.initializer, *model.graph.initializer] if item.name in needed]
    inputs = [item for item in model.graph.input if item.name in needed]
    graph = helper.make_graph(nodes[::-1], name, inputs, outputs, initializer=weights)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def plain_cross(model: Any) -> Any:
    """The cross-attention keys and values as bare products, so that no other work of the first step is left in."""
    from onnx import helper, numpy_helper

    made_by = {output: node for node in model.graph.node for output in node.output}
    weights = {item.name: item for item in model.graph.initializer}
    nodes: list[Any] = []
    kept = [numpy_helper.from_array(np.array([1, -1, HEADS, HEAD_SIZE], np.int64), "heads")]
    for output in model.graph.output:
        node = made_by[output.name]
        chain = []
        while node.op_type != "MatMul":
            chain.append(node.op_type)
            node = made_by[node.input[0]]
        if node.input[0] != "encoder_hidden_states" or chain != ["Transpose", "Reshape"]:
            raise ValueError(f"unexpected steps before {output.name}: {chain}")
        kept.append(weights[node.input[1]])
        name = output.name
        nodes += [
            helper.make_node("MatMul", ["encoder_hidden_states", node.input[1]], [f"{name}_m"]),
            helper.make_node("Reshape", [f"{name}_m", "heads"], [f"{name}_r"]),
            helper.make_node("Transpose", [f"{name}_r"], [name], perm=[0, 2, 1, 3]),
        ]
    inputs = [item for item in model.graph.input if item.name == "encoder_hidden_states"]
    graph = helper.make_graph(nodes, "cross", inputs, list(model.graph.output), initializer=kept)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def convert(source: Path, target: Path) -> None:
    """``source``: the shipped ``.ort`` files and ``tokenizer.bin``. ``target`` gets three graphs and the tokenizer."""
    import onnx

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        work = Path(folder)
        resave(source / "encoder_model.ort", work / "encoder.raw.onnx", fold=False)
        resave(work / "encoder.raw.onnx", work / "encoder.onnx", fold=True)
        quantise(work / "encoder.onnx", target / "encoder.onnx")
        resave(source / "decoder_model_merged.ort", work / "merged.onnx", fold=False)
        model = onnx.load(str(work / "merged.onnx"))
        choice = next(node for node in model.graph.node if node.op_type == "If")
        for attribute in choice.attribute:
            body = attribute.g
            named = []
            for inner, outer in zip(body.output, model.graph.output, strict=True):
                value = onnx.ValueInfoProto()
                value.CopyFrom(outer)
                value.name = inner.name
                named.append(value)
            first = attribute.name == "else_branch"
            name = "cross" if first else "decoder"
            outputs = [value for value in named if (".encoder." in value.name) == first]
            onnx.save(branch(model, body, outputs, name), str(work / f"{name}.raw.onnx"))
            resave(work / f"{name}.raw.onnx", work / f"{name}.onnx", fold=True)
            if first:
                onnx.save(plain_cross(onnx.load(str(work / "cross.onnx"))), str(work / "cross.onnx"))
            quantise(work / f"{name}.onnx", target / f"{name}.onnx")
    shutil.copyfile(source / "tokenizer.bin", target / "tokenizer.bin")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
